package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatehouse/authz"
)

func pemKey(t *testing.T, curve elliptic.Curve, sec1 bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kind, der := "PRIVATE KEY", []byte(nil)
	if sec1 {
		kind = "EC PRIVATE KEY"
		der, err = x509.MarshalECPrivateKey(key)
	} else {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newAssertions(t *testing.T, clock *testClock, keys ...[]byte) *Assertions {
	t.Helper()
	a, err := NewAssertions("https://apps.example.com", keys, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openAssertion verifies an assertion as an upstream does: with the published
// keys alone.
func openAssertion(t *testing.T, a *Assertions, token string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(a.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAnAssertionSaysWhoItIs(t *testing.T) {
	clock := &testClock{at: time.Unix(1_700_000_000, 0)}
	a := newAssertions(t, clock, pemKey(t, elliptic.P256(), false))
	id := &authz.Identity{
		Subject: "U2ada", Email: "ada@acme.example", EmailVerified: true, Name: "Ada", TenantsTruncated: true,
		Tenants: map[string]authz.Grants{"T2acme": {Roles: []string{"Tenant Admin"}}, "T2beta": {}},
	}
	token, err := a.About(id, "gradio/admin", "T2acme", false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": "https://apps.example.com", "aud": "gradio/admin", "sub": "U2ada", "iat": 1.7e9 - 10, "exp": 1.7e9 + 290,
		"email": "ada@acme.example", "name": "Ada", "roles": []any{"Tenant Admin"}, "tenant": "T2acme",
		"tenants": map[string]any{
			"T2acme": map[string]any{"roles": []any{"Tenant Admin"}, "permissions": []any{}},
			"T2beta": map[string]any{"roles": []any{}, "permissions": []any{}},
		},
		"tenants_truncated": true,
	}
	if diff := cmp.Diff(want, openAssertion(t, a, token)); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnverifiedAddressIsNotAsserted(t *testing.T) {
	clock := &testClock{at: time.Now()}
	a := newAssertions(t, clock, pemKey(t, elliptic.P256(), false))
	id := &authz.Identity{Subject: "U2ada", Email: "ada@acme.example"}
	for _, unverified := range []bool{false, true} {
		token, err := a.About(id, "r", "", unverified)
		if err != nil {
			t.Fatal(err)
		}
		email, there := openAssertion(t, a, token)["email"]
		if there != unverified || unverified && email != "ada@acme.example" {
			t.Errorf("unverified_email %v: email %v", unverified, email)
		}
	}
}

func TestAnAssertionServesForAWhile(t *testing.T) {
	clock := &testClock{at: time.Unix(1_700_000_000, 0)}
	a := newAssertions(t, clock, pemKey(t, elliptic.P256(), true))
	ada := &authz.Identity{Subject: "U2ada"}
	about := func(id *authz.Identity, route, tenant string, unverified bool) string {
		t.Helper()
		token, err := a.About(id, route, tenant, unverified)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := about(ada, "r", "T", false)
	if about(ada, "r", "T", false) != first {
		t.Error("it is signed anew for every request")
	}
	same := &authz.Identity{Subject: "U2ada"}
	for name, other := range map[string]string{
		"another person's":           about(&authz.Identity{Subject: "U2bob"}, "r", "T", false),
		"a later record's":           about(same, "r", "T", false),
		"another route's":            about(ada, "s", "T", false),
		"another tenant's":           about(ada, "r", "U", false),
		"one with an unverified one": about(ada, "r", "T", true),
	} {
		if other == first {
			t.Errorf("%s assertion is the first one's", name)
		}
	}
	for at := time.Duration(0); at < 20*time.Minute; at += 10 * time.Second {
		left := openAssertion(t, a, about(ada, "r", "T", false))["exp"].(float64) - float64(clock.Now().Unix())
		if left < 120 || left > 300 {
			t.Fatalf("after %v it has %v s left", at, left)
		}
		clock.advance(10 * time.Second)
	}
	for range 2 * cachedAssertions {
		about(&authz.Identity{Subject: "x"}, "r", "", false)
		if a.cache.Len() > cachedAssertions {
			t.Fatal("the cache has no bound")
		}
		if testing.Short() {
			break
		}
	}
}

func TestTheFirstAssertionKeySignsAndAllArePublished(t *testing.T) {
	clock := &testClock{at: time.Now()}
	fresh, old := pemKey(t, elliptic.P256(), false), pemKey(t, elliptic.P256(), true)
	before, after := newAssertions(t, clock, old), newAssertions(t, clock, fresh, old)
	token, err := before.About(&authz.Identity{Subject: "U2ada"}, "r", "", false)
	if err != nil {
		t.Fatal(err)
	}
	openAssertion(t, after, token) // what the old key signed is still good
	token, err = after.About(&authz.Identity{Subject: "U2ada"}, "r", "", false)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(after.JWKS(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("got %s, %v", after.JWKS(), err)
	}
	if set.Keys[0]["kid"] != jws.Signatures[0].Header.KeyID {
		t.Error("the first key does not sign")
	}
	for _, key := range set.Keys {
		if key["d"] != nil {
			t.Fatal("a private key is published")
		}
		if key["kty"] != "EC" || key["crv"] != "P-256" || key["use"] != "sig" || key["alg"] != "ES256" {
			t.Errorf("key %v", key)
		}
		var parsed jose.JSONWebKey
		raw, _ := json.Marshal(key)
		if err := parsed.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		sum, err := parsed.Thumbprint(crypto.SHA256)
		if err != nil || key["kid"] != base64.RawURLEncoding.EncodeToString(sum) {
			t.Errorf("kid %v is not the thumbprint (RFC 7638)", key["kid"])
		}
	}
}

func TestAssertionKeyFiles(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	for _, tc := range []struct {
		name    string
		content []byte
		ok      bool
	}{
		{"PKCS#8", pemKey(t, elliptic.P256(), false), true},
		{"SEC1", pemKey(t, elliptic.P256(), true), true},
		{"SEC1 with the parameters that OpenSSL writes before it", append(parameters, pemKey(t, elliptic.P256(), true)...), true},
		{"P-384", pemKey(t, elliptic.P384(), false), false},
		{"RSA", rsaPEM, false},
		{"nothing", nil, false},
		{"no PEM", []byte("secret"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewAssertions("x", [][]byte{tc.content}, time.Now)
			if (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the error shows the file")
			}
		})
	}
	a, err := NewAssertions("x", nil, time.Now)
	if err != nil || a.Signing() || string(a.JWKS()) != `{"keys":[]}` {
		t.Errorf("without keys: %v, %s, %v", a.Signing(), a.JWKS(), err)
	}
}
