package descopetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"gatehouse/authn/descope"
	"gatehouse/authn/descopetest"
	"gatehouse/authz"
)

func TestWhoSignsIn(t *testing.T) {
	p := meet(t, descopetest.Options{})
	acme := func(roles, permissions []string) map[string]authz.Grants {
		return map[string]authz.Grants{"T2acme": {Roles: roles, Permissions: permissions}}
	}
	for _, tc := range []struct {
		person string
		tenant string
		want   authz.Identity
	}{
		{"ada", "", authz.Identity{Subject: "U2ada", Email: "ada@acme.example", Name: "Ada Admin", AMR: []string{"email"},
			Tenants: acme([]string{"Tenant Admin"}, []string{"User Admin"})}},
		{"bob", "", authz.Identity{Subject: "U2bob", Email: "bob@acme.example", Name: "Bob Member", AMR: []string{"email"},
			Tenants: acme([]string{"Member"}, nil)}},
		{"carol", "", authz.Identity{Subject: "U2carol", Email: "carol@mail.example", Name: "Carol Guest", AMR: []string{"email"}}},
		{"oscar", "", authz.Identity{Subject: "U2oscar", Email: "oscar@globex.example", Name: "Oscar Octavius", AMR: []string{"fed"},
			CurrentTenant: "T2globex",
			Tenants:       map[string]authz.Grants{"T2globex": {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}}}},
		{"ada", "T2acme", authz.Identity{Subject: "U2ada", Email: "ada@acme.example", Name: "Ada Admin", AMR: []string{"fed"},
			CurrentTenant: "T2acme", Tenants: acme([]string{"Tenant Admin"}, []string{"User Admin"})}},
		{"bob", "acme.example", authz.Identity{Subject: "U2bob", Email: "bob@acme.example", Name: "Bob Member", AMR: []string{"fed"},
			CurrentTenant: "T2acme", Tenants: acme([]string{"Member"}, nil)}},
	} {
		t.Run(tc.person+" by way of "+tc.tenant, func(t *testing.T) {
			var extra []oauth2.AuthCodeOption
			if tc.tenant != "" {
				extra = append(extra, oauth2.SetAuthURLParam("tenant", tc.tenant))
			}
			token, claims := p.mustSignIn(t, tc.person, extra...)
			tc.want.Issuer, tc.want.EmailVerified = p.server.Issuer, true
			if diff := cmp.Diff(&tc.want, identity(t, claims)); diff != "" {
				t.Errorf("ID token (-want +got):\n%s", diff)
			}
			info, err := p.oidc.UserInfo(p.ctx, oauth2.StaticTokenSource(token))
			if err != nil {
				t.Fatal(err)
			}
			var said map[string]any
			if err := info.Claims(&said); err != nil {
				t.Fatal(err)
			}
			tc.want.Issuer, tc.want.AMR = "", nil
			if diff := cmp.Diff(&tc.want, identity(t, said)); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
		})
	}
}

// identity reads claims as Gatehouse does.
func identity(t *testing.T, claims map[string]any) *authz.Identity {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	id, err := descope.ParseClaims(raw)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestTokensLookLikeDescopes(t *testing.T) {
	p := meet(t, descopetest.Options{})
	if want := "http://" + p.server.Addr + "/" + descopetest.DefaultProjectID; p.server.Issuer != want {
		t.Errorf("issuer %s, want %s", p.server.Issuer, want)
	}
	if _, err := descope.NewProject(p.ProjectID()); err != nil {
		t.Error(err)
	}
	token, claims := p.mustSignIn(t, "ada")
	raw := token.Extra("id_token").(string)
	header := decodeHeader(t, raw)
	if kid, _ := header["kid"].(string); header["alg"] != "RS256" || !strings.HasPrefix(kid, "SK") {
		t.Errorf("header %v", header)
	}
	for _, name := range []string{"iss", "aud", "sub", "iat", "exp", "nonce", "amr", "email", "email_verified", "name", "tenants", "roles", "permissions", "sid"} {
		if claims[name] == nil {
			t.Errorf("the ID token has no %s: %v", name, claims)
		}
	}
	if got := claims["exp"].(float64) - claims["iat"].(float64); got != 600 {
		t.Errorf("the ID token lives %v seconds, want Descope's default of 10 minutes", got)
	}
	if token.ExpiresIn != 600 || len(token.RefreshToken) < 400 {
		t.Errorf("expires_in %d, refresh token of %d bytes", token.ExpiresIn, len(token.RefreshToken))
	}
	// An access token is a bearer token, and no ID token.
	access, err := p.verifier.Verify(p.ctx, token.AccessToken)
	if err != nil || access.Nonce != "" || access.Subject != "U2ada" {
		t.Errorf("access token: %v, %v", access, err)
	}
}

func TestTheScopesDecideWhatIsTold(t *testing.T) {
	custom := descopetest.People()
	custom[0].Custom = map[string]any{"team": "ml"}
	p := meet(t, descopetest.Options{People: custom})
	for _, tc := range []struct {
		scopes        string
		there, absent []string
	}{
		{"openid", []string{"sub", "amr"}, []string{"email", "name", "tenants", "roles", "team"}},
		{"openid email", []string{"email", "email_verified"}, []string{"name", "tenants"}},
		{"openid profile", []string{"name"}, []string{"email", "tenants"}},
		{"openid descope.claims", []string{"tenants", "roles", "permissions"}, []string{"team", "email"}},
		{"openid descope.custom_claims", []string{"team"}, []string{"tenants"}},
	} {
		t.Run(tc.scopes, func(t *testing.T) {
			p.oauth.Scopes = strings.Fields(tc.scopes)
			token, claims := p.mustSignIn(t, "ada")
			for _, name := range tc.there {
				if claims[name] == nil {
					t.Errorf("no %s in %v", name, claims)
				}
			}
			for _, name := range tc.absent {
				if claims[name] != nil {
					t.Errorf("%s in %v", name, claims)
				}
			}
			if token.RefreshToken != "" {
				t.Error("a refresh token without offline_access")
			}
		})
	}
}

func TestAnAppWithoutSupportedClaimsTellsNoTenants(t *testing.T) {
	p := meet(t, descopetest.Options{ClaimsUnsupported: true})
	_, claims := p.mustSignIn(t, "oscar")
	for _, name := range []string{"tenants", "roles", "permissions", "dct"} {
		if _, there := claims[name]; there {
			t.Errorf("%s in %v", name, claims)
		}
	}
}

func TestTheOtherShapeOfTenants(t *testing.T) {
	people := descopetest.People()
	people[0].Shape = descopetest.ShapeCurrentTenant
	people[1].Override = map[string]any{"tenants": []any{}, "email_verified": "true", "name": nil, "iss": nil}
	p := meet(t, descopetest.Options{People: people})
	_, claims := p.mustSignIn(t, "ada")
	if claims["tenants"] != nil || claims["dct"] != "T2acme" {
		t.Errorf("got %v", claims)
	}
	want := map[string]authz.Grants{"T2acme": {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}}
	if diff := cmp.Diff(want, identity(t, claims).Tenants); diff != "" {
		t.Error(diff)
	}
	if _, err := p.signIn("bob"); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheAuthorizationEndpointAsksFor(t *testing.T) {
	p := meet(t, descopetest.Options{RedirectURIs: []string{"http://127.0.0.1:1/auth/callback"}})
	good := "response_type=code&client_id=" + p.ClientID() + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fauth%2Fcallback" +
		"&scope=openid&state=s&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	for _, tc := range []struct{ name, without, with string }{
		{"state", "&state=s", ""},
		{"the scope openid", "scope=openid", "scope=email"},
		{"a challenge", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", ""},
		{"S256", "&code_challenge_method=S256", "&code_challenge_method=plain"},
		{"the code flow", "response_type=code", "response_type=id_token"},
		{"a known client", "client_id=P2", "client_id=P3"},
		{"a registered redirect", "callback", "elsewhere"},
		{"a known tenant", "&state=s", "&state=s&tenant=T2initech"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			query := strings.Replace(good, tc.without, tc.with, 1)
			if query == good {
				t.Fatal("the case changes nothing")
			}
			if callback, err := p.Authorize(p.ctx, p.http, p.oauth.Endpoint.AuthURL+"?"+query, "ada"); err == nil {
				t.Errorf("got through without: %s", callback)
			}
		})
	}
	if _, err := p.Authorize(p.ctx, p.http, p.oauth.Endpoint.AuthURL+"?"+good, "ada"); err != nil {
		t.Error(err)
	}
}

func TestACodeIsForItsVerifierAndForOneUse(t *testing.T) {
	p := meet(t, descopetest.Options{})
	verifier := oauth2.GenerateVerifier()
	query, err := p.code("ada", verifier)
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(option ...oauth2.AuthCodeOption) error {
		_, err := p.oauth.Exchange(p.ctx, query.Get("code"), option...)
		return err
	}
	if exchange() == nil || exchange(oauth2.VerifierOption(oauth2.GenerateVerifier())) == nil {
		t.Error("the code was good without its verifier")
	}
	if err := exchange(oauth2.VerifierOption(verifier)); err != nil {
		t.Error(err)
	}
	if err := exchange(oauth2.VerifierOption(verifier)); descope.ClassifyTokenError(err).Kind != descope.InvalidGrant {
		t.Errorf("the code was good twice: %v", err)
	}
}

func TestTheClientNamesItselfInBothWays(t *testing.T) {
	p := meet(t, descopetest.Options{ClientID: "named-app", ClientSecret: "secret with : / and +"})
	for style, name := range map[oauth2.AuthStyle]string{oauth2.AuthStyleInHeader: "basic", oauth2.AuthStyleInParams: "post"} {
		p.oauth.Endpoint.AuthStyle = style
		p.ResetRecord()
		_, claims := p.mustSignIn(t, "ada")
		if got := p.Recorded(descopetest.Token); len(got) != 1 || got[0].Auth != name {
			t.Errorf("recorded %v", got)
		}
		if diff := cmp.Diff([]any{"named-app", descopetest.DefaultProjectID}, claims["aud"]); diff != "" {
			t.Error(diff)
		}
	}
	p.oauth.ClientSecret = "wrong"
	_, err := p.signIn("ada")
	if got := descope.ClassifyTokenError(err); got.Kind != descope.Rejected || got.Status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %v", got)
	}
}

func TestCancelAndPromptNone(t *testing.T) {
	p := meet(t, descopetest.Options{})
	query, err := p.code(descopetest.Cancel, oauth2.GenerateVerifier())
	if err != nil || query.Get("error") != "access_denied" {
		t.Errorf("cancelled: %v, %v", query, err)
	}
	query, err = p.code("ada", oauth2.GenerateVerifier(), oauth2.SetAuthURLParam("prompt", "none"))
	if err != nil || query.Get("error") != "login_required" {
		t.Errorf("prompt=none: %v, %v", query, err)
	}
	query, err = p.code("carol", oauth2.GenerateVerifier(), oauth2.SetAuthURLParam("tenant", "T2acme"))
	if err != nil || query.Get("error") != "access_denied" {
		t.Errorf("a tenant's sign-in knows a stranger: %v, %v", query, err)
	}
	if _, err = p.code("dave", oauth2.GenerateVerifier()); err == nil {
		t.Error("nobody signed in")
	}
}

func TestParametersOfTheAuthorizationAreRecorded(t *testing.T) {
	p := meet(t, descopetest.Options{})
	if _, err := p.signIn("ada", oauth2.SetAuthURLParam("flow", "sign-up-or-in"), oauth2.SetAuthURLParam("prompt", "login"),
		oauth2.SetAuthURLParam("loginHint", "ada@acme.example"), oauth2.SetAuthURLParam("login_hint", "ada@acme.example")); err != nil {
		t.Fatal(err)
	}
	got := p.Recorded(descopetest.Authorization)[0].Form
	if got.Get("flow") != "sign-up-or-in" || got.Get("prompt") != "login" || got.Get("loginHint") != "ada@acme.example" || got.Get("login_hint") != "ada@acme.example" {
		t.Errorf("recorded %v", got)
	}
}

func TestKeysRotate(t *testing.T) {
	p := meet(t, descopetest.Options{})
	old, _ := p.mustSignIn(t, "ada")
	if err := p.RotateKeys(false); err != nil {
		t.Fatal(err)
	}
	p.mustSignIn(t, "ada")
	if _, err := p.claims(old); err != nil {
		t.Errorf("a token of yesterday's key: %v", err)
	}
	if err := p.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	fresh := p.oidc.VerifierContext(oidc.ClientContext(t.Context(), p.http), &oidc.Config{ClientID: p.ClientID()})
	if _, err := fresh.Verify(p.ctx, old.Extra("id_token").(string)); err == nil {
		t.Error("a forgotten key still verifies")
	}
}
