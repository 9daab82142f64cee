package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descope"
)

const (
	// logoutEvent is the member of events that makes a token a logout token.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutAge is how old a logout token may be. Providers send it at once
	// and try again within minutes; RFC 8417 and the logout specification leave
	// exp to the provider, so the age is bounded here too.
	maxLogoutAge = 10 * time.Minute
)

// A Logout is what a logout token asks for. Of Subject and SID at least one is
// there.
type Logout struct {
	Issuer string
	// Subject, when not empty, has every session ended that it began before
	// Before.
	Subject string
	// SID, when not empty, has the sessions ended that the provider knows by it.
	SID string
	// Before is the token's iat, to the end of its second, and never later than
	// the token came: iat has whole seconds, and a session begun in the very
	// second, before the token, is meant too.
	Before time.Time

	issued time.Time // iat
}

// LogoutTokens verifies logout tokens (OpenID Connect Back-Channel Logout 1.0,
// section 2.6), each once.
type LogoutTokens struct {
	provider *Provider
	keys     *Keys
	// seen holds the jti of tokens that counted, and does not outlive a restart.
	// A token repeated after one ends no session that it had not ended before.
	seen *usedOnce
}

// NewLogoutTokens returns a verifier of the provider's logout tokens. everywhere may
// be nil, where there is one instance.
func NewLogoutTokens(keys *Keys, everywhere FirstUse) *LogoutTokens {
	return &LogoutTokens{provider: keys.provider, keys: keys, seen: newUsedOnce(everywhere)}
}

// With returns a verifier for a changed provider or other keys, which knows the
// tokens that counted already.
func (l *LogoutTokens) With(p *Provider, keys *Keys) *LogoutTokens {
	return &LogoutTokens{provider: p, keys: keys, seen: l.seen}
}

// logoutTypes are the typ that a logout token may have. The specification only
// recommends logout+jwt (section 2.4); JWT and none at all are in use.
var logoutTypes = []string{"logout+jwt", "jwt"}

// Verify returns what the token asks for. It fails with a
// *KeysUnavailableError where the token cannot be judged, and then it may come
// again; with the context's error; or with what is wrong with the token.
func (l *LogoutTokens) Verify(ctx context.Context, token string) (*Logout, error) {
	t, err := parseToken(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256}, logoutTypes...)
	if err != nil {
		return nil, fmt.Errorf("logout token: %w", err)
	}
	now := l.provider.cfg.Now()
	logout, jti, err := l.check(t, now)
	if err != nil {
		return nil, fmt.Errorf("logout token: %w", err)
	}
	set, err := l.keys.of(logout.Issuer)
	if err != nil {
		return nil, err
	}
	if _, err := t.verify(ctx, set); err != nil {
		return nil, fmt.Errorf("logout token: %w", err)
	}
	if !l.seen.first(ctx, jti, logout.issued.Add(maxLogoutAge+clockLeeway), now) {
		return nil, errors.New("logout token: it was used before (jti)")
	}
	return logout, nil
}

// check looks at the claims, all but the signature.
func (l *LogoutTokens) check(t *signedToken, now time.Time) (*Logout, string, error) {
	claims, err := texts(t, "iss", "sub", "sid", "jti")
	if err != nil {
		return nil, "", err
	}
	audience, err := t.audience()
	if err != nil {
		return nil, "", err
	}
	life, err := t.lifespan(now)
	if err != nil {
		return nil, "", err
	}
	switch {
	case claims["iss"] != l.provider.cfg.Issuer:
		return nil, "", errors.New("its issuer is not the provider")
	case !slices.ContainsFunc(audience, l.provider.mine):
		return nil, "", errors.New("its audience is somebody else")
	case life.issued.IsZero(), now.Sub(life.issued) > maxLogoutAge+clockLeeway:
		return nil, "", errors.New("it does not say when it was issued, or is too old (iat); are the clocks right?")
	case claims["jti"] == "":
		return nil, "", errors.New("it has no jti")
	case !logsOut(t.claims["events"]):
		return nil, "", errors.New("its events do not say logout")
	case t.has("nonce"):
		return nil, "", errors.New("it has a nonce, as an ID token has") // section 2.4
	case claims["sub"] == "" && claims["sid"] == "":
		return nil, "", errors.New("it names neither sub nor sid")
	}
	logout := &Logout{
		Issuer: claims["iss"], Subject: claims["sub"], SID: claims["sid"],
		Before: life.issued.Add(time.Second), issued: life.issued,
	}
	if now.Before(logout.Before) {
		logout.Before = now
	}
	if logout.SID != "" && l.provider.tellsSID() {
		// One session is meant and not all of the person's (section 2.4). Where
		// ID tokens have no sid, no session would be found by it, so the subject
		// stays.
		logout.Subject = ""
	}
	return logout, claims["jti"], nil
}

// texts reads claims that are strings. One that is there has to say something.
func texts(t *signedToken, names ...string) (map[string]string, error) {
	out := make(map[string]string, len(names))
	for _, name := range names {
		text, err := t.text(name)
		if err != nil {
			return nil, err
		}
		if text == "" && t.has(name) {
			return nil, fmt.Errorf("its %s is empty", name)
		}
		out[name] = text
	}
	return out, nil
}

// logsOut reports whether events holds the logout event with an object, which
// is empty as a rule. Other events may stand beside it.
func logsOut(events json.RawMessage) bool {
	members, err := descope.DecodeObject(events)
	if err != nil {
		return false
	}
	_, err = descope.DecodeObject(members[logoutEvent])
	return err == nil
}
