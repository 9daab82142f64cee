package descopetest

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// AccessKey is a machine's way in: Descope gives out the key once and its ID
// becomes the sub of what the key is exchanged for.
type AccessKey struct {
	ID      string // default: K2 and something random
	Name    string
	Tenants map[string]Grants
	Project Grants
	Custom  map[string]any

	secret string
}

// NewAccessKey makes an access key and returns its cleartext.
func (p *Provider) NewAccessKey(key AccessKey) string {
	if key.ID == "" {
		key.ID = "K2" + rand.Text()
	}
	key.Tenants, key.Custom = maps.Clone(key.Tenants), maps.Clone(key.Custom)
	key.secret = rand.Text() + rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accessKeys[key.secret] = &key
	return key.secret
}

// keyClaims are what a token says about an access key.
func keyClaims(key *AccessKey) map[string]any {
	claims := map[string]any{"sub": key.ID}
	if len(key.Tenants) > 0 {
		claims["tenants"] = maps.Clone(key.Tenants)
	}
	claims["roles"], claims["permissions"] = list(key.Project.Roles), list(key.Project.Permissions)
	maps.Copy(claims, key.Custom)
	return claims
}

// exchangeAccessKey answers POST /v1/auth/accesskey/exchange. The session JWT
// has no aud, and no refresh token stands beside it.
func (p *Provider) exchangeAccessKey(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeJSON(w, http.StatusMethodNotAllowed, descopeError("E011001", "Request is malformed", "POST only"))
		return
	}
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+p.opts.ProjectID+":")
	id, token, err := p.ExchangeAccessKey(secret)
	if !ok || err != nil {
		writeJSON(w, http.StatusUnauthorized, descopeError("E062901", "Access key is invalid", "check the project ID and the key"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keyId": id, "sessionJwt": token, "expiration": 0})
}

// ExchangeAccessKey is the exchange without the request.
func (p *Provider) ExchangeAccessKey(key string) (id, sessionJWT string, err error) {
	p.mu.Lock()
	found := p.accessKeys[key]
	p.mu.Unlock()
	if found == nil {
		return "", "", errors.New("no such access key")
	}
	sessionJWT, err = p.sessionJWT(keyClaims(found))
	return found.ID, sessionJWT, err
}

// SessionJWT makes a person's session JWT, as Descope's client SDKs hold one: drn
// DS, no aud, no email, no name. over replaces claims; nil removes one.
func (p *Provider) SessionJWT(personID string, over map[string]any) (string, error) {
	p.mu.Lock()
	person := p.people[personID]
	if person == nil {
		p.mu.Unlock()
		return "", errors.New("no person " + personID)
	}
	g := &grant{personID: personID, subject: person.Subject, tenant: person.CurrentTenant}
	claims := p.personClaims(g, []string{scopeClaims, scopeCustom})
	claims["amr"] = person.AMR
	p.mu.Unlock()
	return p.sessionJWT(claims, over)
}

// AccessToken makes a person's access token, the one that the token endpoint
// gives to the project's client, without a sign-in. Userinfo does not know it.
// over replaces claims, aud for example; nil removes one. The provider's issuer
// must be fixed.
func (p *Provider) AccessToken(personID string, over map[string]any) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	person := p.people[personID]
	if person == nil {
		return "", errors.New("no person " + personID)
	}
	g := &grant{clientID: p.opts.ClientID, personID: personID, subject: person.Subject, tenant: person.CurrentTenant, amr: person.AMR}
	claims := p.accessClaims(p.issuer, &exchange{grant: g, scopes: scopes})
	override(claims, over)
	return sign(p.keys[0], claims, nil)
}

func (p *Provider) sessionJWT(claims map[string]any, over ...map[string]any) (string, error) {
	p.mu.Lock()
	now, ttl, key := p.now(), p.ttl, p.keys[0]
	p.mu.Unlock()
	claims = under(claims, map[string]any{
		"drn": "DS", "iss": p.opts.SessionIssuer, "iat": now.Unix(), "exp": now.Add(ttl).Unix(),
		"rexp": now.Add(refreshTTL).UTC().Format("2006-01-02T15:04:05Z"),
	})
	for _, one := range over {
		override(claims, one)
	}
	return sign(key, claims, nil)
}

// ClientCredentials takes the client's own secret, or any access key of the
// project in its place, which is the same thing at Descope.
func (s storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c := s.p.client(id, "")
	if c == nil {
		return nil, errors.New("unknown client")
	}
	s.p.mu.Lock()
	key := s.p.accessKeys[secret]
	s.p.mu.Unlock()
	if key == nil && !c.knows(secret) {
		return nil, errors.New("wrong secret")
	}
	return c, nil
}

func (s storage) ClientCredentialsTokenRequest(ctx context.Context, id string, asked []string) (op.TokenRequest, error) {
	ex := exchangeOf(ctx)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	ex.key = s.p.accessKeys[ex.secret]
	if ex.key == nil {
		ex.key = &AccessKey{ID: "K2" + id}
	}
	asked = slices.DeleteFunc(slices.Clone(asked), func(scope string) bool { return scope == "openid" || scope == "offline_access" })
	return machineRequest{subject: ex.key.ID, clientID: id, scopes: asked}, nil
}
