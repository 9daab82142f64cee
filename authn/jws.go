package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descope"
)

// maxToken bounds a token that somebody brings, in bytes. A person of 400
// tenants fits, and all headers together have 64 KiB.
const maxToken = 32 << 10

// maxKeyID bounds a kid. Descope's have 27 characters.
const maxKeyID = 256

// ErrTokenExpired says that a token was refused for its age alone: whoever
// brought it should fetch another.
var ErrTokenExpired = errors.New("the token has expired; are the clocks right?")

// A signedToken is a JWT in compact form (RFC 7519) that somebody brought. It is
// not verified: its parts are what it says of itself, and are looked at before
// the signature only to refuse cheaply, without a key and without its fetch.
type signedToken struct {
	kid, alg string
	claims   map[string]json.RawMessage
	payload  []byte
	jws      *jose.JSONWebSignature
}

// parseToken reads a token that is signed by one of the algorithms and whose
// typ, where it has one, is one of the types. A token typed for another purpose
// is refused however well it is signed (RFC 8725, section 3.11), and so is one
// with critical extensions, none of which are understood here.
func parseToken(raw string, algorithms []jose.SignatureAlgorithm, types ...string) (*signedToken, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("it is longer than %d bytes", maxToken)
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, errors.New("it is no JWT that is signed as it has to be")
	}
	head := jws.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, there := head.ExtraHeaders[name]; there {
			return nil, fmt.Errorf("its header has %s, and no extension is understood", name)
		}
	}
	if typ, there := head.ExtraHeaders[jose.HeaderType]; there && !typed(typ, types) {
		return nil, errors.New("its typ is that of a token for something else")
	}
	if head.KeyID == "" || len(head.KeyID) > maxKeyID {
		return nil, errors.New("its header has no usable kid")
	}
	t := &signedToken{kid: head.KeyID, alg: head.Algorithm, jws: jws, payload: jws.UnsafePayloadWithoutVerification()}
	if t.claims, err = descope.DecodeObject(t.payload); err != nil {
		return nil, fmt.Errorf("its claims: %w", err)
	}
	return t, nil
}

// typed compares a typ as media types are, without case and without the
// application/ that may be left out (RFC 7515, section 4.1.9).
func typed(typ any, types []string) bool {
	text, ok := typ.(string)
	if !ok {
		return false
	}
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	return slices.Contains(types, text)
}

// verify checks the signature with a key of the set.
func (t *signedToken) verify(ctx context.Context, set *keySet) (*publicKey, error) {
	key, err := set.find(ctx, t.kid, t.alg)
	if err != nil {
		return nil, err
	}
	if _, err := t.jws.Verify(key.public); err != nil {
		return nil, errors.New("its signature is wrong")
	}
	return key, nil
}

// has reports whether the claim is there, whatever its value.
func (t *signedToken) has(claim string) bool {
	_, ok := t.claims[claim]
	return ok
}

// text returns a claim that is a string, "" where it is absent.
func (t *signedToken) text(claim string) (string, error) {
	raw, ok := t.claims[claim]
	if !ok {
		return "", nil
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", fmt.Errorf("its %s is no string", claim)
	}
	return *s, nil
}

// audience returns aud, one string or a list of them; nil where it is absent.
func (t *signedToken) audience() ([]string, error) {
	raw, ok := t.claims["aud"]
	if !ok {
		return nil, nil
	}
	var one *string
	if json.Unmarshal(raw, &one) == nil && one != nil {
		return []string{*one}, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, errors.New("its aud is neither a string nor a list of them")
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, errors.New("its aud is neither a string nor a list of them")
		}
		out[i] = *s
	}
	return out, nil
}

// maxNumericDate keeps a NumericDate within what time.Time and int64 hold
// exactly: the year 9999.
const maxNumericDate = 253402300799

// time returns a NumericDate (RFC 7519, section 2); the zero time where the
// claim is absent.
func (t *signedToken) time(claim string) (time.Time, error) {
	raw, ok := t.claims[claim]
	if !ok {
		return time.Time{}, nil
	}
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil || *seconds <= 0 || *seconds > maxNumericDate {
		return time.Time{}, fmt.Errorf("its %s is no time", claim)
	}
	return time.Unix(int64(*seconds), 0), nil
}

// lifespan is when a token was issued and when it ends; zero where it does not
// say.
type lifespan struct{ issued, expires time.Time }

// lifespan reads iat, nbf and exp and refuses a token outside of its time.
// Clocks may be 30 s apart. What has to be there is the caller's to say.
func (t *signedToken) lifespan(now time.Time) (lifespan, error) {
	var l lifespan
	var begins time.Time
	for _, c := range []struct {
		name string
		to   *time.Time
	}{{"iat", &l.issued}, {"nbf", &begins}, {"exp", &l.expires}} {
		var err error
		if *c.to, err = t.time(c.name); err != nil {
			return l, err
		}
	}
	switch {
	case !l.expires.IsZero() && !now.Before(l.expires.Add(clockLeeway)):
		return l, ErrTokenExpired
	case l.issued.After(now.Add(clockLeeway)):
		return l, errors.New("it was issued in the future; are the clocks right?")
	case begins.After(now.Add(clockLeeway)):
		return l, errors.New("it is not valid yet; are the clocks right?")
	}
	return l, nil
}
