package authn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"

	"gatehouse/authn/descope"
	"gatehouse/authz"
)

// cachedBearers bounds the verified tokens kept in memory: about 2 KB each. Only
// a token with a good signature gets there, so that no client fills it with
// tokens of its own making.
const cachedBearers = 8192

// BearerConfig says whose tokens are taken, and for whom they have to be.
type BearerConfig struct {
	// Issuers are all there are (see descope.BearerIssuers): a token of another
	// is refused, and nothing of what it says is fetched.
	Issuers []string
	// Audiences are those that every route takes: the client, the project and
	// what the operator adds. Empty ones count for nothing.
	Audiences []string
	// SessionTokens takes Descope session JWTs (drn DS), which name no audience.
	SessionTokens bool
}

// Bearers verifies bearer tokens (RFC 6750) that are JWTs. A token that was
// verified once is known from then on, up to its end: its next use costs a hash
// and a look-up, no signature and no JSON.
type Bearers struct {
	config BearerConfig
	keys   *Keys
	now    func() time.Time
	cache  *lru.Cache[tokenHash, *Bearer]
}

// NewBearers returns a verifier that knows no token yet. A changed configuration
// is a new one: what was verified under other rules is not known any more.
func NewBearers(keys *Keys, config BearerConfig) *Bearers {
	config.Audiences = slices.DeleteFunc(slices.Clone(config.Audiences), func(a string) bool { return a == "" })
	cache, _ := lru.New[tokenHash, *Bearer](cachedBearers) // fails only for a size of 0
	return &Bearers{config: config, keys: keys, now: keys.provider.cfg.Now, cache: cache}
}

// tokenHash names a token. It is of the whole token, header and signature
// included, so that two tokens never share what was found out about one of them
// (attack: Oathkeeper CVE-2021-32701).
type tokenHash [sha256.Size]byte

// A Bearer is a verified bearer token.
type Bearer struct {
	Identity *authz.Identity
	// Expires is the token's exp. A request is still taken within the leeway for
	// clocks; what stays open ends here.
	Expires time.Time

	scope tokenScope
	hash  tokenHash
	keys  *keySet
	name  keyName
	key   *publicKey
	used  sync.Map // names given to FirstUse
}

// tokenScope is what decides where a token counts, besides its signature and
// its time.
type tokenScope struct {
	issuer   string
	audience []string // nil: the token has none
	session  bool     // drn DS
}

// Key names the token in the stream registry and in logs. It is no secret, and
// no session's ID has its form.
func (b *Bearer) Key() string { return "bearer:" + hex.EncodeToString(b.hash[:16]) }

// FirstUse reports whether something of this name uses the token for the first
// time, as far as this instance remembers.
func (b *Bearer) FirstUse(name string) bool {
	_, used := b.used.LoadOrStore(name, struct{}{})
	return !used
}

// Verify returns what the token stands for. resource reports whether an audience
// is an address of what the token is used for (RFC 8707, RFC 9728); it is asked
// at every use, since one route's token is no other's.
//
// It fails with ErrTokenExpired for a token that is only too old, with a
// *KeysUnavailableError where the token cannot be judged, with the context's
// error, or with one that says what is wrong with the token, for the log.
func (v *Bearers) Verify(ctx context.Context, token string, resource func(audience string) bool) (*Bearer, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("bearer token: it is longer than %d bytes", maxToken)
	}
	hash := tokenHash(sha256.Sum256([]byte(token)))
	b := v.cached(hash)
	if b == nil {
		var err error
		if b, err = v.verify(ctx, token, hash, resource); err != nil {
			return nil, fmt.Errorf("bearer token: %w", err)
		}
		v.cache.Add(hash, b)
		return b, nil
	}
	if err := v.admits(b.scope, resource); err != nil {
		return nil, fmt.Errorf("bearer token: %w", err)
	}
	return b, nil
}

// Stands reports whether a token that was good when it came still is, for what
// open streams are decided by: the accepted issuers and audiences may have
// changed since.
func (v *Bearers) Stands(b *Bearer, resource func(audience string) bool) bool {
	return v.admits(b.scope, resource) == nil
}

// cached returns a token that is known to be good now. One that has reached its
// end, or whose key the issuer withdrew, is not known any more.
func (v *Bearers) cached(hash tokenHash) *Bearer {
	b, ok := v.cache.Get(hash)
	if !ok {
		return nil
	}
	if !v.now().Before(b.Expires) || !b.keys.holds(b.name, b.key) {
		v.cache.Remove(hash)
		return nil
	}
	return b
}

// bearerTypes are the typ that an access token may have: Descope's JWT, and RFC
// 9068's. A logout token or a DPoP proof has another, and is refused by it.
var bearerTypes = []string{"jwt", "at+jwt"}

// verify checks a token that is not known. What is cheap comes first: without a
// good issuer, audience and time no key is looked for, let alone fetched.
func (v *Bearers) verify(ctx context.Context, token string, hash tokenHash, resource func(string) bool) (*Bearer, error) {
	t, err := parseToken(token, []jose.SignatureAlgorithm{jose.RS256}, bearerTypes...)
	if err != nil {
		return nil, err
	}
	if err := accessTokenOnly(t); err != nil {
		return nil, err
	}
	scope, err := scopeOf(t)
	if err != nil {
		return nil, err
	}
	if err := v.admits(scope, resource); err != nil {
		return nil, err
	}
	life, err := t.lifespan(v.now())
	switch {
	case err != nil:
		return nil, err
	case life.expires.IsZero(), life.issued.IsZero():
		return nil, errors.New("it does not say when it was issued and when it ends (iat, exp)")
	}
	set, err := v.keys.of(scope.issuer)
	if err != nil {
		return nil, err
	}
	key, err := t.verify(ctx, set)
	if err != nil {
		return nil, err
	}
	id, err := descope.ParseClaims(t.payload)
	if err != nil {
		return nil, err
	}
	return &Bearer{
		Identity: id, Expires: life.expires,
		scope: scope, hash: hash, keys: set, name: keyName{t.kid, t.alg}, key: key,
	}, nil
}

// accessTokenOnly refuses tokens that are signed by the same keys and meant for
// something else.
func accessTokenOnly(t *signedToken) error {
	drn, err := t.text("drn")
	switch {
	case err != nil:
		return err
	case drn == "DSR":
		return errors.New("it is a refresh token (drn DSR)")
	case t.has("nonce"), t.has("at_hash"), t.has("c_hash"):
		return errors.New("it is an ID token; want the access token")
	case t.has("events"):
		return errors.New("it is a security event, such as a logout token (events)")
	case t.has("cnf"):
		// Taken without its proof, whoever stole it could use it (RFC 7800).
		return errors.New("it is bound to a key that a plain bearer does not prove (cnf)")
	}
	return nil
}

func scopeOf(t *signedToken) (s tokenScope, err error) {
	if s.issuer, err = t.text("iss"); err != nil {
		return s, err
	}
	if s.audience, err = t.audience(); err != nil {
		return s, err
	}
	drn, err := t.text("drn")
	s.session = drn == "DS"
	return s, err
}

// admits checks issuer and audience. A session JWT without an audience is for
// nobody in particular, and is taken only where the operator said so; one that
// names an audience has to name the right one.
func (v *Bearers) admits(s tokenScope, resource func(string) bool) error {
	if s.issuer == "" || !slices.Contains(v.config.Issuers, s.issuer) {
		return fmt.Errorf("its issuer %.100q is not accepted; see descope.issuers", s.issuer)
	}
	if s.audience == nil {
		if v.config.SessionTokens && s.session {
			return nil
		}
		return errors.New("it names no audience; see descope.session_tokens")
	}
	for _, a := range s.audience {
		if slices.Contains(v.config.Audiences, a) {
			return nil
		}
	}
	if slices.ContainsFunc(s.audience, resource) {
		return nil
	}
	return errors.New("its audience is somebody else; see descope.audiences")
}
