package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// clockLeeway is how far the provider's clock may be from this one.
const clockLeeway = 30 * time.Second

// idToken is a verified ID token.
type idToken struct {
	token  *oidc.IDToken
	claims rawClaims
	sid    string // the provider's session (Back-Channel Logout 1.0, section 2.1)
}

// verify checks an ID token: go-oidc the signature, algorithm and issuer, this
// the rest of OpenID Connect Core 1.0, section 3.1.3.7. The nonce is the
// caller's, who knows whether there has to be one.
func (p *Provider) verify(ctx context.Context, known *endpoints, raw string, now time.Time) (*idToken, error) {
	token, err := known.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	var claims struct {
		AuthorizedParty string   `json:"azp"`
		SID             string   `json:"sid"`
		Expiry          *float64 `json:"exp"`
		IssuedAt        *float64 `json:"iat"`
		NotBefore       float64  `json:"nbf"`
	}
	if err := token.Claims(&claims); err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	switch {
	case !slices.ContainsFunc(token.Audience, p.mine):
		return nil, errors.New("ID token: its audience is somebody else")
	case claims.AuthorizedParty == "" && slices.ContainsFunc(token.Audience, p.notMine):
		return nil, errors.New("ID token: it is for somebody else too, and does not say for whom it was made (azp)")
	case claims.AuthorizedParty != "" && !p.mine(claims.AuthorizedParty):
		return nil, errors.New("ID token: its authorized party is somebody else")
	case claims.Expiry == nil || now.After(token.Expiry.Add(clockLeeway)):
		return nil, errors.New("ID token: it has expired, or has no expiry; are the clocks right?")
	case claims.IssuedAt == nil || token.IssuedAt.After(now.Add(clockLeeway)):
		return nil, errors.New("ID token: it was issued in the future, or does not say when; are the clocks right?")
	case time.Unix(int64(claims.NotBefore), 0).After(now.Add(clockLeeway)):
		return nil, errors.New("ID token: it is not valid yet; are the clocks right?")
	}
	id := &idToken{token: token, sid: claims.SID}
	tells := id.sid != ""
	p.sid.Store(&tells)
	if err := token.Claims(&id.claims); err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	return id, nil
}

// lifetime returns when tokens end: expires_in, else the ID token's exp.
func lifetime(token *oauth2.Token, id *oidc.IDToken) time.Time {
	if !token.Expiry.IsZero() {
		return token.Expiry
	}
	if id != nil {
		return id.Expiry
	}
	return time.Time{}
}
