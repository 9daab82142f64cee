package authn

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"gatehouse/authn/descope"
)

// What OpenID Connect Discovery 1.0 requires (section 3), and nothing more: no
// revocation, no end of the session, no way named to authenticate the client.
func TestAProviderThatHasTheLeast(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	issuer := server.URL + "/realms/acme"
	mux.HandleFunc("GET /realms/acme/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/auth","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/certs",
			"response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`, issuer)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL.Path) })
	p := NewProvider(ProviderConfig{
		Issuer: issuer, ClientID: "gatehouse", ClientSecret: "secret", Scopes: []string{"openid"},
		HTTP: NewHTTPClient(nil), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err := p.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}

	if there := p.EndSessionURL("https://apps.example.com/auth/?signed_out=1"); there != "" {
		t.Errorf("a sign-out is sent to %q", there)
	}
	if err := (&Refresher{Provider: p}).Revoke(t.Context(), "a-refresh-token"); err != nil {
		t.Errorf("a sign-out fails for want of a revocation endpoint: %v", err)
	}
	if style := p.known.Load().oauth.Endpoint.AuthStyle; style != oauth2.AuthStyleInHeader {
		t.Errorf("the client authenticates by style %v, want client_secret_basic", style)
	}
	if p.mine("") || p.mine("account") || !p.mine("gatehouse") {
		t.Error("audiences: want the client's and no other, the absent project's neither")
	}
}

// An ID token of Keycloak 26 whose client has the mappers of
// docs/other-providers.md. Its own realm_access holds roles too, and nobody asked
// for them: an object is no claim for rules.
func TestKeycloaksClaims(t *testing.T) {
	id, err := descope.ParseClaims([]byte(`{
		"exp": 1795551187, "iat": 1795551177, "auth_time": 1795551177, "jti": "75b35c8c-087e", "typ": "ID", "azp": "gatehouse",
		"iss": "https://keycloak.example.com/realms/acme", "aud": "gatehouse", "sub": "32913d4b-45f1-41ce-995c-2049f4697765",
		"nonce": "n", "sid": "mdEoS8m4KBJ2WzDDJvhQZVoC", "at_hash": "uNhmdDczjw5PjtUL6YA7Ig", "acr": "1",
		"tenants": {"acme": {"roles": ["Admin"]}}, "groups": ["staff"], "roles": ["uma_authorization"],
		"realm_access": {"roles": ["Root"]}, "resource_access": {"account": {"roles": ["manage-account"]}},
		"email_verified": true, "name": "Ada Admin", "preferred_username": "ada", "email": "ada@acme.example"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(id.Tenants) != 1 || !slices.Equal(id.Tenants["acme"].Roles, []string{"Admin"}) {
		t.Errorf("tenants %v", id.Tenants)
	}
	if !slices.Equal(id.Project.Roles, []string{"uma_authorization"}) {
		t.Errorf("roles of no tenant %v", id.Project.Roles)
	}
	if !slices.Equal(id.Claims["groups"], []string{"staff"}) {
		t.Errorf("groups %v", id.Claims["groups"])
	}
	for _, name := range []string{"realm_access", "resource_access", "sid"} {
		if id.Claims[name] != nil {
			t.Errorf("%s can be asked for by rules: %v", name, id.Claims[name])
		}
	}
}
