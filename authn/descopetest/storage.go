package descopetest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage is the provider as zitadel/oidc stores things in it.
type storage struct{ p *Provider }

var (
	_ op.Storage                  = storage{}
	_ op.ClientCredentialsStorage = storage{}
)

type contextKey uint8

const (
	extrasKey contextKey = iota
	exchangeKey
	redirectKey
)

// exchange carries out of the storage what the token endpoint's answer is
// rewritten from.
type exchange struct {
	grant  *grant
	key    *AccessKey // client_credentials
	scopes []string
	nonce  string
	// secret is the client secret of client_credentials, which is the access
	// key whose grants the token carries.
	secret string
}

func exchangeOf(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey).(*exchange)
	if ex == nil {
		ex = new(exchange)
	}
	return ex
}

func (s storage) CreateAuthRequest(ctx context.Context, request *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if slices.Contains(request.Prompt, oidc.PromptNone) {
		// Nobody is ever signed in at the stand-in itself.
		return nil, oidc.ErrLoginRequired()
	}
	extra, _ := ctx.Value(extrasKey).(extras)
	in := &signIn{id: rand.Text(), request: *request, extra: extra, begun: s.p.now()}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.forget()
	s.p.signIns[in.id] = in
	return in.copy(), nil
}

func (s *signIn) copy() *signIn {
	c := *s
	return &c
}

// signIn gives a copy of one that is not over time.
func (p *Provider) signIn(id string) (*signIn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := p.signIns[id]
	if in == nil || p.now().Sub(in.begun) > signInTTL {
		return nil, errors.New("this sign-in is unknown or over")
	}
	return in.copy(), nil
}

func (s storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	in, err := s.p.signIn(id)
	if err != nil {
		return nil, err
	}
	return in, nil
}

func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.p.mu.Lock()
	id := s.p.codes[code]
	s.p.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.codes[code] = id
	return nil
}

func (s storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	delete(s.p.signIns, id)
	return nil
}

// take redeems a code: of two requests with one code, one gets tokens. The lock
// is held.
func (p *Provider) take(in *signIn) error {
	if p.signIns[in.id] == nil {
		return oidc.ErrInvalidGrant().WithDescription("the code was used")
	}
	delete(p.signIns, in.id)
	return nil
}

func (s storage) CreateAccessToken(ctx context.Context, request op.TokenRequest) (string, time.Time, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	ex := exchangeOf(ctx)
	if in, ok := request.(*signIn); ok {
		if err := s.p.take(in); err != nil {
			return "", time.Time{}, err
		}
		ex.grant, ex.nonce = in.grant, in.request.Nonce
	}
	ex.scopes = request.GetScopes()
	return rand.Text(), s.p.now().Add(s.p.ttl), nil
}

func (s storage) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	ex := exchangeOf(ctx)
	end := s.p.now().Add(s.p.ttl)
	ex.scopes = request.GetScopes()
	switch request := request.(type) {
	case *signIn:
		if err := s.p.take(request); err != nil {
			return "", "", end, err
		}
		ex.grant, ex.nonce = request.grant, request.request.Nonce
		return rand.Text(), s.p.newRefreshToken(request.grant), end, nil
	case *refreshRequest:
		token, err := s.p.refreshable(current)
		if err != nil {
			return "", "", end, err
		}
		ex.grant = token.grant
		if !s.p.opts.RotateRefresh {
			return rand.Text(), current, end, nil
		}
		if token.replaced.IsZero() {
			token.replaced = s.p.now()
		}
		return rand.Text(), s.p.newRefreshToken(token.grant), end, nil
	}
	return "", "", end, oidc.ErrInvalidGrant()
}

// newRefreshToken is of Descope's size, over a thousand bytes as JWTs are: a
// cookie that holds one must have room for it. The lock is held.
func (p *Provider) newRefreshToken(g *grant) string {
	expires := p.now().Add(refreshTTL)
	token, err := sign(p.keys[0], map[string]any{
		"drn": "DSR", "iss": p.opts.ProjectID, "sub": g.subject, "jti": rand.Text(),
		"iat": p.now().Unix(), "exp": expires.Unix(), "amr": g.amr,
	}, nil)
	if err != nil {
		token = rand.Text() + rand.Text()
	}
	p.refresh[token] = &refreshToken{grant: g, expires: expires}
	return token
}

// refreshable finds a token that may still be used. The lock is held.
func (p *Provider) refreshable(token string) (*refreshToken, error) {
	found := p.refresh[token]
	switch {
	case found == nil || p.now().After(found.expires):
		return nil, oidc.ErrInvalidGrant().WithDescription("refresh token is invalid or revoked")
	case !found.replaced.IsZero() && p.now().Sub(found.replaced) >= p.opts.ReuseInterval:
		p.seen.reused()
		return nil, oidc.ErrInvalidGrant().WithDescription("refresh token was replaced by a newer one")
	case p.people[found.grant.personID] == nil:
		return nil, oidc.ErrInvalidGrant().WithDescription("user not found")
	}
	return found, nil
}

func (s storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	found, err := s.p.refreshable(token)
	if err != nil {
		return nil, err
	}
	return &refreshRequest{grant: found.grant, scopes: found.grant.scopes}, nil
}

func (s storage) GetRefreshTokenInfo(_ context.Context, _, token string) (string, string, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if found := s.p.refresh[token]; found != nil {
		return found.grant.subject, token, nil
	}
	return "", "", op.ErrInvalidRefreshToken
}

// RevokeToken ends the whole session behind a token of either kind. A token
// that nobody knows is revoked already (RFC 7009 section 2.2).
func (s storage) RevokeToken(_ context.Context, token, _, clientID string) *oidc.Error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	var g *grant
	if refresh := s.p.refresh[token]; refresh != nil {
		g = refresh.grant
	}
	for raw, access := range s.p.access {
		if g == nil && (raw == token || access.id == token) {
			g = access.grant
		}
	}
	if g == nil {
		return nil
	}
	if g.clientID != clientID {
		return oidc.ErrInvalidClient().WithDescription("the token is another client's")
	}
	s.p.revoke(g)
	return nil
}

func (s storage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	requested, _ := ctx.Value(redirectKey).(string)
	if c := s.p.client(id, requested); c != nil {
		return c, nil
	}
	return nil, errors.New("unknown client")
}

func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if c := s.p.client(id, ""); c == nil || !c.knows(secret) {
		return errors.New("unknown client or wrong secret")
	}
	return nil
}

func (s storage) SigningKey(context.Context) (op.SigningKey, error) { return s.p.signingKey(), nil }
func (s storage) KeySet(context.Context) ([]op.Key, error)          { return s.p.publicKeys(), nil }
func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// What follows zitadel/oidc never comes to: the answers are written here.

func (s storage) TerminateSession(context.Context, string, string) error { return nil }
func (s storage) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, subject, _ string, _ []string) error {
	info.Subject = subject
	return nil
}
func (s storage) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return errors.New("not served here")
}
func (s storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errors.New("not served here")
}
func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}
func (s storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errors.New("no client has a key")
}
func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errors.New("not served here")
}
func (s storage) Health(context.Context) error { return nil }
