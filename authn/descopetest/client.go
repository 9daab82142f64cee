package descopetest

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// client is an application of the project as zitadel/oidc asks about it.
type client struct {
	id        string
	secret    string // "" makes it a public client
	redirects []string
	login     string // path of the sign-in page
	ttl       time.Duration
	requested string // the redirect URI of the request at hand
}

// RedirectURIs of a client that registered none are whatever it asks for.
func (c *client) RedirectURIs() []string {
	if len(c.redirects) == 0 {
		return []string{c.requested}
	}
	return c.redirects
}

func (c *client) AuthMethod() oidc.AuthMethod {
	if c.secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic // post is taken too: the provider says so
}

// ApplicationType of a public client is native, which may redirect to any port
// of the loopback interface (RFC 8252 section 7.3).
func (c *client) ApplicationType() op.ApplicationType {
	if c.secret == "" {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

func (c *client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}
}

func (c *client) GetID() string                    { return c.id }
func (c *client) PostLogoutRedirectURIs() []string { return c.RedirectURIs() }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) LoginURL(id string) string                                    { return c.login + "?id=" + id }
func (c *client) AccessTokenType() op.AccessTokenType                          { return op.AccessTokenTypeBearer }
func (c *client) IDTokenLifetime() time.Duration                               { return c.ttl }
func (c *client) DevMode() bool                                                { return true } // plain http
func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return same }
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }
func (c *client) IsScopeAllowed(scope string) bool                             { return slices.Contains(scopes, scope) }
func (c *client) IDTokenUserinfoClaimsAssertion() bool                         { return true }
func (c *client) ClockSkew() time.Duration                                     { return 0 }

func same(scopes []string) []string { return scopes }

func (c *client) knows(secret string) bool {
	return c.secret != "" && subtle.ConstantTimeCompare([]byte(c.secret), []byte(secret)) == 1
}

// client gives a copy that knows which redirect the request at hand asks for.
func (p *Provider) client(id, requested string) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.clients[id]
	if found == nil {
		return nil
	}
	c := *found
	c.requested = requested
	return &c
}
