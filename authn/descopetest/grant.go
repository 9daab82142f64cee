package descopetest

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// signIn is an authorization request on its way, from the authorization
// endpoint to the token endpoint. It implements op.AuthRequest; the provider
// hands out copies, since the sign-in page changes it.
type signIn struct {
	id      string
	request oidc.AuthRequest
	extra   extras
	begun   time.Time
	grant   *grant // nil until somebody signed in
}

// extras are the parameters that zitadel/oidc does not know.
type extras struct {
	tenant    string // its ID
	loginHint string
	resources []string // RFC 8707
}

func (s *signIn) GetID() string                      { return s.id }
func (s *signIn) GetACR() string                     { return "" }
func (s *signIn) GetNonce() string                   { return s.request.Nonce }
func (s *signIn) GetState() string                   { return s.request.State }
func (s *signIn) GetScopes() []string                { return s.request.Scopes }
func (s *signIn) GetClientID() string                { return s.request.ClientID }
func (s *signIn) GetAudience() []string              { return []string{s.request.ClientID} }
func (s *signIn) GetRedirectURI() string             { return s.request.RedirectURI }
func (s *signIn) GetResponseType() oidc.ResponseType { return s.request.ResponseType }
func (s *signIn) GetResponseMode() oidc.ResponseMode { return s.request.ResponseMode }
func (s *signIn) Done() bool                         { return s.grant != nil }

func (s *signIn) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: s.request.CodeChallenge, Method: s.request.CodeChallengeMethod}
}

func (s *signIn) GetAMR() []string {
	if s.grant == nil {
		return nil
	}
	return s.grant.amr
}

func (s *signIn) GetAuthTime() time.Time {
	if s.grant == nil {
		return time.Time{}
	}
	return s.grant.authTime
}

func (s *signIn) GetSubject() string {
	if s.grant == nil {
		return ""
	}
	return s.grant.subject
}

// grant is a session at the provider: who signed in, how, to what. It never
// changes; it is over when no token of it is left.
type grant struct {
	sid       string
	clientID  string
	personID  string
	subject   string
	tenant    string // dct
	amr       []string
	scopes    []string
	resources []string
	authTime  time.Time
}

// refreshToken is one token of a grant. Rotation replaces it.
type refreshToken struct {
	grant    *grant
	expires  time.Time
	replaced time.Time // zero while it is the newest
	inFlight int
}

type accessToken struct {
	id      string // jti, by which zitadel/oidc revokes it
	grant   *grant // nil for an access key's
	expires time.Time
}

// refreshRequest implements op.RefreshTokenRequest.
type refreshRequest struct {
	*grant
	scopes []string
}

func (r *refreshRequest) GetAMR() []string            { return r.amr }
func (r *refreshRequest) GetAudience() []string       { return []string{r.clientID} }
func (r *refreshRequest) GetAuthTime() time.Time      { return r.authTime }
func (r *refreshRequest) GetClientID() string         { return r.clientID }
func (r *refreshRequest) GetScopes() []string         { return r.scopes }
func (r *refreshRequest) GetSubject() string          { return r.subject }
func (r *refreshRequest) SetCurrentScopes(s []string) { r.scopes = s }

// machineRequest implements op.TokenRequest for client_credentials.
type machineRequest struct {
	subject, clientID string
	scopes            []string
}

func (r machineRequest) GetSubject() string    { return r.subject }
func (r machineRequest) GetAudience() []string { return []string{r.clientID} }
func (r machineRequest) GetScopes() []string   { return r.scopes }

// newGrant begins a session for a person. sso is set when an identity provider
// of tenant vouched for them.
func (p *Provider) newGrant(s *signIn, person *Person, tenant string, sso bool) *grant {
	g := &grant{
		sid: "S2" + rand.Text(), clientID: s.request.ClientID,
		personID: person.ID, subject: person.Subject, tenant: tenant,
		amr: slices.Clone(person.AMR), scopes: slices.Clone(s.request.Scopes),
		resources: s.extra.resources, authTime: p.now(),
	}
	if sso {
		g.amr = []string{"fed"}
	}
	if g.tenant == "" {
		g.tenant = person.CurrentTenant
	}
	if g.tenant == "" && person.Shape == ShapeCurrentTenant {
		g.tenant = person.homeTenant()
	}
	return g
}

// revoke ends a grant and all of its tokens. The lock is held.
func (p *Provider) revoke(g *grant) {
	for token, refresh := range p.refresh {
		if refresh.grant == g {
			delete(p.refresh, token)
		}
	}
	for token, access := range p.access {
		if access.grant == g {
			delete(p.access, token)
		}
	}
}

// begin notes how many requests are in flight with one refresh token, from
// their arrival on.
func (p *Provider) begin(token string) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.refresh[token]
	if found == nil {
		return func() {}
	}
	found.inFlight++
	p.seen.inFlight(found.inFlight)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		found.inFlight--
	}
}

// revokeWhere revokes the grants that match. The lock is held.
func (p *Provider) revokeWhere(match func(*grant) bool) {
	for _, refresh := range p.refresh {
		if match(refresh.grant) {
			p.revoke(refresh.grant)
		}
	}
	for _, access := range p.access {
		if access.grant != nil && match(access.grant) {
			p.revoke(access.grant)
		}
	}
}

// RevokeSessions ends every session of a person, as the console's "log out"
// does: their refresh tokens are invalid_grant from now on. It tells no relying
// party; [Provider.BackchannelLogout] does.
func (p *Provider) RevokeSessions(personID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revokeWhere(func(g *grant) bool { return g.personID == personID })
}

// forget drops what expired, so that a demo may run for weeks. The lock is held.
func (p *Provider) forget() {
	now := p.now()
	for id, s := range p.signIns {
		if now.Sub(s.begun) > signInTTL {
			delete(p.signIns, id)
		}
	}
	for code, id := range p.codes {
		if p.signIns[id] == nil {
			delete(p.codes, code)
		}
	}
	for token, refresh := range p.refresh {
		if now.After(refresh.expires) {
			delete(p.refresh, token)
		}
	}
	for token, access := range p.access {
		if now.After(access.expires) {
			delete(p.access, token)
		}
	}
}
