package descopetest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatehouse/authn/descopetest"
)

// testKey spares every test but the first the making of an RSA key.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var allScopes = []string{"openid", "profile", "email", "descope.claims", "descope.custom_claims", "offline_access"}

// party is a relying party made of go-oidc and x/oauth2 alone.
type party struct {
	*descopetest.Provider
	server   *descopetest.Server
	oidc     *oidc.Provider
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	http     *http.Client
	ctx      context.Context
}

// meet starts a provider with these options and a relying party of it.
func meet(t *testing.T, opts descopetest.Options) *party {
	t.Helper()
	opts.Key = testKey()
	provider, err := descopetest.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := &party{Provider: provider, server: server, http: &http.Client{}}
	p.ctx = oidc.ClientContext(t.Context(), p.http)
	if p.oidc, err = oidc.NewProvider(p.ctx, server.Issuer); err != nil {
		t.Fatal(err)
	}
	p.oauth = oauth2.Config{
		ClientID: provider.ClientID(), ClientSecret: provider.ClientSecret(),
		RedirectURL: "http://127.0.0.1:1/auth/callback", Scopes: allScopes, Endpoint: p.oidc.Endpoint(),
	}
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	p.verifier = p.oidc.VerifierContext(p.ctx, &oidc.Config{ClientID: provider.ClientID(), Now: opts.Now})
	return p
}

// code goes to the provider as a browser would and returns the callback's query.
func (p *party) code(person, verifier string, extra ...oauth2.AuthCodeOption) (url.Values, error) {
	options := slices.Concat([]oauth2.AuthCodeOption{oidc.Nonce("n-1"), oauth2.S256ChallengeOption(verifier)}, extra)
	callback, err := p.Authorize(p.ctx, p.http, p.oauth.AuthCodeURL("state-1", options...), person)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(callback, p.oauth.RedirectURL+"?") {
		return nil, fmt.Errorf("came back at %s", callback)
	}
	u, err := url.Parse(callback)
	if err != nil {
		return nil, err
	}
	if u.Query().Get("state") != "state-1" {
		return nil, fmt.Errorf("the state is lost: %s", callback)
	}
	return u.Query(), nil
}

// signIn returns the tokens of a whole sign-in.
func (p *party) signIn(person string, extra ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	verifier := oauth2.GenerateVerifier()
	query, err := p.code(person, verifier, extra...)
	if err != nil {
		return nil, err
	}
	return p.oauth.Exchange(p.ctx, query.Get("code"), oauth2.VerifierOption(verifier))
}

// claims verifies the ID token of an answer, nonce included where there is one.
func (p *party) claims(token *oauth2.Token) (map[string]any, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(p.ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != "" && id.Nonce != "n-1" {
		return nil, fmt.Errorf("nonce %q", id.Nonce)
	}
	var claims map[string]any
	return claims, id.Claims(&claims)
}

func (p *party) mustSignIn(t *testing.T, person string, extra ...oauth2.AuthCodeOption) (*oauth2.Token, map[string]any) {
	t.Helper()
	token, err := p.signIn(person, extra...)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := p.claims(token)
	if err != nil {
		t.Fatal(err)
	}
	return token, claims
}

// renew asks for new tokens with a refresh token.
func (p *party) renew(refresh string) (*oauth2.Token, error) {
	return p.oauth.TokenSource(p.ctx, &oauth2.Token{RefreshToken: refresh}).Token()
}
