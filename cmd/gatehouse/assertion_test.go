package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatehouse/authn/descopetest"
)

// keyFile writes a fresh assertion key, as `gatehouse keygen --assertion` does.
func keyFile(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&program{stdout: &out, stderr: io.Discard}).printAssertionKey(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "assertion.pem")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// publishedKeys are those at /auth/jwks.json.
func (h *house) publishedKeys() jose.JSONWebKeySet {
	h.t.Helper()
	res := h.browser().do("GET", "/auth/jwks.json", "")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(res.Text), &set); err != nil || res.StatusCode != 200 {
		h.t.Fatalf("got %s %s, %v", res.Status, res.Text, err)
	}
	return set
}

// asserted verifies what an app got as the app would.
func (h *house) asserted(a *app) map[string]any {
	h.t.Helper()
	jws, err := jose.ParseSignedCompact(a.last(h.t).Header.Get("X-Gatehouse-Assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		h.t.Fatal(err)
	}
	payload, err := jws.Verify(h.publishedKeys())
	if err != nil {
		h.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		h.t.Fatal(err)
	}
	return claims
}

func TestUpstreamsGetASignedStatementAboutThePerson(t *testing.T) {
	file := keyFile(t)
	h := newHouse(t, build{routes: bearerRoutes, extra: "assertion: {key_file: " + file + "}"})
	ada := h.as("ada")
	t.Run("of a session", func(t *testing.T) {
		if res := ada.fetch("GET", "/gradio/admin/", ""); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
		got := h.asserted(h.Admin)
		issued, _ := got["iat"].(float64)
		expires, _ := got["exp"].(float64)
		if age := time.Since(time.Unix(int64(issued), 0)); age < 0 || age > 30*time.Second || expires-issued > 300 || expires <= issued {
			t.Errorf("iat %v, exp %v", got["iat"], got["exp"])
		}
		delete(got, "iat")
		delete(got, "exp")
		want := map[string]any{
			"iss": h.URL, "aud": "gradio/admin", "sub": "U2ada", "email": "ada@acme.example", "name": "Ada Admin",
			"roles": []any{"Tenant Admin"}, "tenant": "T2acme",
			"tenants": map[string]any{"T2acme": map[string]any{"roles": []any{"Tenant Admin"}, "permissions": []any{"User Admin"}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("for one route, and the same one while it is good", func(t *testing.T) {
		first := h.Admin.last(t).Header.Get("X-Gatehouse-Assertion")
		ada.fetch("GET", "/gradio/admin/again", "")
		if h.Admin.last(t).Header.Get("X-Gatehouse-Assertion") != first {
			t.Error("it was signed anew")
		}
		ada.fetch("GET", "/gradio/user/", "")
		if aud := h.asserted(h.User)["aud"]; aud != "gradio/user" {
			t.Errorf("aud %v", aud)
		}
	})
	t.Run("of a bearer", func(t *testing.T) {
		h.browser().do("GET", "/gradio/user/", "", "Authorization", h.accessToken("bob", nil))
		if got := h.asserted(h.User); got["sub"] != "U2bob" || got["email"] != "bob@acme.example" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("never a client's own, and none on a public route", func(t *testing.T) {
		for _, name := range []string{"X-Gatehouse-Assertion", "X_Gatehouse_Assertion", "x-gatehouse.assertion"} {
			ada.do("GET", "/open/", "", name, "forged")
			for sent, values := range h.User.last(t).Header {
				if values[0] == "forged" || sent == "X-Gatehouse-Assertion" {
					t.Errorf("%s: the app got %s %q", name, sent, values)
				}
			}
		}
		ada.do("GET", "/gradio/user/", "", "X-Gatehouse-Assertion", "forged")
		if sub := h.asserted(h.User)["sub"]; sub != "U2ada" {
			t.Errorf("sub %v", sub)
		}
	})
	t.Run("the keys are published with a short life", func(t *testing.T) {
		res := h.browser().do("GET", "/auth/jwks.json", "")
		if res.Header.Get("Cache-Control") != "public, max-age=300" || bytes.Contains([]byte(res.Text), []byte(`"d"`)) {
			t.Errorf("got %q %s", res.Header, res.Text)
		}
		if n := len(h.publishedKeys().Keys); n != 1 {
			t.Errorf("%d keys", n)
		}
		if res := h.browser().do("POST", "/auth/jwks.json", ""); res.StatusCode != 405 {
			t.Errorf("POST: %s", res.Status)
		}
	})
	t.Run("changed roles are asserted at once", func(t *testing.T) {
		if err := h.Provider.SetRoles("bob", descopetest.Acme, "Tenant Admin"); err != nil {
			t.Fatal(err)
		}
		h.browser().do("GET", "/gradio/user/", "", "Authorization", h.accessToken("bob", nil))
		if diff := cmp.Diff([]any{"Tenant Admin"}, h.asserted(h.User)["roles"]); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a key is rotated while running", func(t *testing.T) {
		c := *h.instance.config()
		c.Assertion.KeyFile = []string{keyFile(t), file}
		takeUp(t, h, &c)
		if n := len(h.publishedKeys().Keys); n != 2 {
			t.Errorf("%d keys", n)
		}
		before := h.User.last(t).Header.Get("X-Gatehouse-Assertion")
		ada.fetch("GET", "/gradio/user/", "")
		h.asserted(h.User)
		if h.User.last(t).Header.Get("X-Gatehouse-Assertion") == before {
			t.Error("the old key still signs")
		}
	})
}

func TestAnAddressThatIsNotVerifiedIsNotAsserted(t *testing.T) {
	h := newHouse(t, build{
		provider: descopetest.Options{People: []descopetest.Person{{ID: "eve", Email: "boss@acme.example", EmailUnverified: true}}},
		routes: `
  - path: /strict
    upstream: %[1]s
    allow: authenticated
  - path: /lenient
    upstream: %[2]s
    unverified_email: true
    allow: authenticated
`, extra: "assertion: {key_file: " + keyFile(t) + "}"})
	eve := h.as("eve")
	eve.fetch("GET", "/strict/", "")
	eve.fetch("GET", "/lenient/", "")
	if email, there := h.asserted(h.Admin)["email"]; there {
		t.Errorf("strict: %v", email)
	}
	if email := h.asserted(h.User)["email"]; email != "boss@acme.example" {
		t.Errorf("lenient: %v", email)
	}
}

func TestWithoutAKeyNothingIsAsserted(t *testing.T) {
	h := newHouse(t, build{})
	h.as("bob").do("GET", "/gradio/user/", "", "X-Gatehouse-Assertion", "forged")
	if got := h.User.last(t).Header["X-Gatehouse-Assertion"]; got != nil {
		t.Errorf("the app got %q", got)
	}
	if n := len(h.publishedKeys().Keys); n != 0 {
		t.Errorf("%d keys", n)
	}
}
