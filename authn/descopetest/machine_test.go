package descopetest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"gatehouse/authn/descope"
	"gatehouse/authn/descopetest"
)

func TestAnAccessKeyBecomesASessionJWT(t *testing.T) {
	p := meet(t, descopetest.Options{})
	key := p.NewAccessKey(descopetest.AccessKey{ID: "K2robot", Tenants: map[string]descopetest.Grants{"T2acme": {Roles: []string{"Member"}}}})
	project, ok := descope.ProjectOf(p.server.Issuer, p.ProjectID())
	if !ok {
		t.Fatal("the issuer is no project's")
	}
	exchange := func(bearer string) (status int, answer struct{ KeyID, SessionJWT string }) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, project.AccessKeyURL(), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := p.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, answer
	}
	for _, bad := range []string{key, p.ProjectID() + ":", p.ProjectID() + ":nonsense", "P2other:" + key} {
		if status, _ := exchange(bad); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", bad, status)
		}
	}
	status, answer := exchange(p.ProjectID() + ":" + key)
	if status != http.StatusOK || answer.KeyID != "K2robot" {
		t.Fatalf("got %d, %v", status, answer)
	}
	verifier := oidc.NewVerifier(p.ProjectID(), oidc.NewRemoteKeySet(p.ctx, project.KeysURL()), &oidc.Config{SkipClientIDCheck: true})
	if _, err := verifier.Verify(p.ctx, answer.SessionJWT); err != nil {
		t.Error(err)
	}
	claims := decodePayload(t, answer.SessionJWT)
	if claims["drn"] != "DS" || claims["aud"] != nil || claims["email"] != nil || claims["iss"] != p.ProjectID() {
		t.Errorf("session JWT %v", claims)
	}
	id := identity(t, claims)
	if diff := cmp.Diff([]string{"Member"}, id.Tenants["T2acme"].Roles); diff != "" || id.Subject != "K2robot" {
		t.Errorf("got %v", id)
	}
}

func TestClientCredentials(t *testing.T) {
	p := meet(t, descopetest.Options{})
	key := p.NewAccessKey(descopetest.AccessKey{ID: "K2robot", Project: descopetest.Grants{Roles: []string{"Robot"}}})
	for _, tc := range []struct{ secret, subject string }{
		{key, "K2robot"}, {p.ClientSecret(), "K2" + p.ClientID()}, {"wrong", ""},
	} {
		config := clientcredentials.Config{ClientID: p.ClientID(), ClientSecret: tc.secret, TokenURL: p.oauth.Endpoint.TokenURL,
			Scopes: []string{"descope.claims"}, AuthStyle: oauth2.AuthStyleInHeader}
		token, err := config.Token(p.ctx)
		if tc.subject == "" {
			if descope.ClassifyTokenError(err).Kind != descope.Rejected {
				t.Errorf("a wrong secret: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		access, err := p.verifier.Verify(p.ctx, token.AccessToken)
		if err != nil || access.Subject != tc.subject || token.RefreshToken != "" || token.Extra("id_token") != nil {
			t.Errorf("got %v, %v", access, err)
		}
	}
}

func TestAPersonsSessionJWT(t *testing.T) {
	p := meet(t, descopetest.Options{SessionIssuer: "https://api.descope.com/P2x"})
	token, err := p.SessionJWT("ada", map[string]any{"drn": "DSR", "amr": nil, "aud": "x"})
	if err != nil {
		t.Fatal(err)
	}
	claims := decodePayload(t, token)
	if claims["sub"] != "U2ada" || claims["drn"] != "DSR" || claims["amr"] != nil || claims["aud"] != "x" || claims["iss"] != "https://api.descope.com/P2x" {
		t.Errorf("got %v", claims)
	}
	if _, err := p.SessionJWT("dave", nil); err == nil {
		t.Error("nobody has a session JWT")
	}
}

func TestAnAccessTokenWithoutASignIn(t *testing.T) {
	p := meet(t, descopetest.Options{})
	token, err := p.AccessToken("bob", map[string]any{"aud": []string{p.ClientID(), "https://apps.acme.example/x"}})
	if err != nil {
		t.Fatal(err)
	}
	access, err := p.verifier.Verify(p.ctx, token)
	if err != nil || access.Subject != "U2bob" || len(access.Audience) != 2 {
		t.Errorf("got %v, %v", access, err)
	}
	if _, err := p.AccessToken("dave", nil); err == nil {
		t.Error("nobody has an access token")
	}
}

func TestAnMCPClientNeedsNothingButTheMetadata(t *testing.T) {
	p := meet(t, descopetest.Options{})
	issuer, err := url.Parse(p.server.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.http.Get("http://" + p.server.Addr + "/.well-known/oauth-authorization-server" + issuer.Path)
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Issuer       string `json:"issuer"`
		Registration string `json:"registration_endpoint"`
	}
	if err := json.NewDecoder(res.Body).Decode(&metadata); err != nil || metadata.Issuer != p.server.Issuer {
		t.Fatalf("got %v, %v", metadata, err)
	}
	_ = res.Body.Close()
	register := func(body string) (int, map[string]any) {
		res, err := p.http.Post(metadata.Registration, "application/json", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var answer map[string]any
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, answer
	}
	for _, bad := range []string{`{`, `{}`, `{"redirect_uris":["javascript:alert(1)"]}`} {
		if status, _ := register(bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	for _, method := range []string{"none", "client_secret_post"} {
		status, answer := register(`{"client_name":"Inspector","redirect_uris":["http://127.0.0.1:6274/callback"],"token_endpoint_auth_method":"` + method + `"}`)
		if status != http.StatusCreated || answer["token_endpoint_auth_method"] != method {
			t.Fatalf("%d %v", status, answer)
		}
		mcp := *p
		mcp.oauth.ClientID, mcp.oauth.ClientSecret = answer["client_id"].(string), ""
		if secret, ok := answer["client_secret"].(string); ok {
			mcp.oauth.ClientSecret = secret
		}
		mcp.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		mcp.oauth.RedirectURL = "http://127.0.0.1:6274/callback"
		resource := "https://apps.acme.example/gradio/user/gradio_api/mcp/"
		token, err := mcp.signIn("ada", oauth2.SetAuthURLParam("resource", resource))
		if err != nil {
			t.Fatal(err)
		}
		claims := decodePayload(t, token.AccessToken)
		if diff := cmp.Diff([]any{mcp.oauth.ClientID, resource}, claims["aud"]); diff != "" || claims["nonce"] != nil {
			t.Errorf("access token %v", claims)
		}
		if _, err := mcp.renew(token.RefreshToken); err != nil {
			t.Error(err)
		}
	}
}

func TestBackChannelLogout(t *testing.T) {
	p := meet(t, descopetest.Options{})
	got := make(chan string, 1)
	party := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.PostFormValue("logout_token")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer party.Close()
	_, claims := p.mustSignIn(t, "ada")
	status, err := p.BackchannelLogout(t.Context(), p.http, party.URL,
		descopetest.Logout{SID: claims["sid"].(string), Override: map[string]any{"iat": nil, "extra": 1}})
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("got %d, %v", status, err)
	}
	token := <-got
	if _, err := p.verifier.Verify(p.ctx, token); err != nil {
		t.Error(err)
	}
	logout := decodePayload(t, token)
	events, _ := logout["events"].(map[string]any)
	if logout["sid"] != claims["sid"] || logout["sub"] != nil || logout["nonce"] != nil || logout["iat"] != nil || logout["extra"] != 1.0 ||
		logout["jti"] == "" || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("logout token %v", logout)
	}
	if header := decodeHeader(t, token); header["typ"] != "logout+jwt" {
		t.Errorf("header %v", header)
	}
}
