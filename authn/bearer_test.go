package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descopetest"
)

func TestGoodBearerTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{ClientID: "C2named"})
	plain := d.bearers(false, nil, []string{"api://reports"})
	sessions := d.bearers(true, nil, nil)
	project, now := d.Descope.ProjectID(), d.clock.Now()
	apps := strings.Replace(d.Descope.Issuer(), "/"+project, "/v1/apps/"+project, 1)
	for _, tc := range []struct {
		name   string
		by     *Bearers
		over   map[string]any
		header map[string]any
	}{
		{"one for the project", plain, nil, nil},
		{"one for the client", plain, map[string]any{"aud": "C2named"}, nil},
		{"one for a configured audience", plain, map[string]any{"aud": []string{"x", "api://reports"}}, nil},
		{"one from the project's inbound apps, signed by the project's keys", plain, map[string]any{"iss": apps}, nil},
		{"one of RFC 9068's type", plain, nil, map[string]any{"typ": "application/at+JWT"}},
		{"one that was issued 29 s in the future of this clock", plain, map[string]any{"iat": now.Add(29 * time.Second).Unix()}, nil},
		{"one that begins 29 s in the future of this clock", plain, map[string]any{"nbf": now.Add(29 * time.Second).Unix()}, nil},
		{"one that ended 29 s ago", plain, map[string]any{"exp": now.Add(-29 * time.Second).Unix()}, nil},
		{"one with fractions of seconds", plain, map[string]any{"exp": float64(now.Unix()) + 60.5}, nil},
		{"one whose azp is somebody else", plain, map[string]any{"azp": "another client"}, nil},
		{"a session JWT with the right audience, without opting in", plain, map[string]any{"drn": "DS"}, nil},
		{"a session JWT without an audience, by opting in", sessions, map[string]any{"drn": "DS", "aud": nil}, nil},
		{"a session JWT whose issuer is the bare project ID, by opting in", sessions, map[string]any{"drn": "DS", "aud": nil, "iss": project}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := verifyBearer(tc.by, d.token(tc.over, tc.header))
			if err != nil {
				t.Fatal(err)
			}
			if b.Identity.Subject != "U2ada" {
				t.Errorf("subject %q", b.Identity.Subject)
			}
		})
	}
}

// Attack 12: a token's presence taken for its validity.
func TestBadBearerTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	plain, sessions := d.bearers(false, nil, nil), d.bearers(true, nil, nil)
	project, now := d.Descope.ProjectID(), d.clock.Now()
	for _, tc := range []struct {
		name   string
		by     *Bearers
		over   map[string]any
		header map[string]any
	}{
		{"an issuer that nobody named", plain, map[string]any{"iss": "https://api.descope.com/P2another"}, nil},
		{"an issuer with a slash more", plain, map[string]any{"iss": d.Descope.Issuer() + "/"}, nil},
		{"no issuer", plain, map[string]any{"iss": nil}, nil},
		{"an issuer that is a list", plain, map[string]any{"iss": []string{d.Descope.Issuer()}}, nil},
		{"the bare project ID as issuer, without opting in", plain, map[string]any{"iss": project}, nil},
		{"another audience", plain, map[string]any{"aud": "P2another"}, nil},
		{"another audience, where session tokens are taken", sessions, map[string]any{"aud": "P2another", "drn": "DS"}, nil},
		{"an empty list of audiences, where session tokens are taken", sessions, map[string]any{"aud": []string{}, "drn": "DS"}, nil},
		{"an empty audience", plain, map[string]any{"aud": ""}, nil},
		{"an audience that is null", sessions, map[string]any{"aud": json.RawMessage("null"), "drn": "DS"}, nil},
		{"an audience that is an object", plain, map[string]any{"aud": map[string]any{project: true}}, nil},
		{"audiences of which one is a number", plain, map[string]any{"aud": []any{project, 1}}, nil},
		{"no audience, without opting in", plain, map[string]any{"aud": nil, "drn": "DS"}, nil},
		{"no audience and no drn, though session tokens are taken", sessions, map[string]any{"aud": nil}, nil},
		{"a refresh token", plain, map[string]any{"drn": "DSR"}, nil},
		{"a refresh token, where session tokens are taken", sessions, map[string]any{"drn": "DSR", "aud": nil}, nil},
		{"a drn that is a list", plain, map[string]any{"drn": []string{"DSR"}}, nil},
		{"an ID token", plain, map[string]any{"nonce": "n"}, nil},
		{"an ID token whose nonce is empty", plain, map[string]any{"nonce": ""}, nil},
		{"an ID token without a nonce", plain, map[string]any{"at_hash": "h"}, nil},
		{"a logout token", plain, map[string]any{"events": map[string]any{logoutEvent: map[string]any{}}}, nil},
		{"one that is typed as a logout token", plain, nil, map[string]any{"typ": "logout+jwt"}},
		{"one that is typed as a DPoP proof", plain, nil, map[string]any{"typ": "dpop+jwt"}},
		{"a typ that is no string", plain, nil, map[string]any{"typ": 1}},
		{"a critical extension", plain, nil, map[string]any{"crit": []string{"x"}, "x": 1}},
		{"a payload said not to be base64", plain, nil, map[string]any{"b64": true}},
		{"one that is bound to a key", plain, map[string]any{"cnf": map[string]any{"jkt": "k"}}, nil},
		{"one that ended 30 s ago", plain, map[string]any{"exp": now.Add(-30 * time.Second).Unix()}, nil},
		{"no exp", plain, map[string]any{"exp": nil}, nil},
		{"an exp that is text", plain, map[string]any{"exp": "99999999999"}, nil},
		{"an exp beyond all calendars", plain, map[string]any{"exp": 1e300}, nil},
		{"an exp that is null", plain, map[string]any{"exp": json.RawMessage("null")}, nil},
		{"no iat", plain, map[string]any{"iat": nil}, nil},
		{"an iat of zero", plain, map[string]any{"iat": 0}, nil},
		{"one issued a minute in the future", plain, map[string]any{"iat": now.Add(time.Minute).Unix()}, nil},
		{"one that begins in a minute", plain, map[string]any{"nbf": now.Add(time.Minute).Unix()}, nil},
		{"an nbf that is text", plain, map[string]any{"nbf": "soon"}, nil},
		{"no subject", plain, map[string]any{"sub": nil}, nil},
		{"an empty subject", plain, map[string]any{"sub": ""}, nil},
		{"one that is too large", plain, map[string]any{"filler": strings.Repeat("x", maxToken)}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if b, err := verifyBearer(tc.by, d.token(tc.over, tc.header)); err == nil {
				t.Errorf("taken, for %q", b.Identity.Subject)
			}
		})
	}
	if sessions.cache.Len()+plain.cache.Len() != 0 {
		t.Error("a bad token was remembered")
	}
}

func TestForgedBearerTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(true, nil, nil)
	good := d.token(nil, nil)
	key := d.published()
	public := key.Key.(*rsa.PublicKey)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	admin, err := json.Marshal(d.claims(map[string]any{"sub": "U2boss"}))
	if err != nil {
		t.Fatal(err)
	}
	twice := []byte(strings.Replace(string(admin), "{", `{"sub":"U2ada",`, 1))
	signTwice := func() string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: rsaKey(), KeyID: key.KeyID}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(twice)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := signed.CompactSerialize()
		return token
	}
	for name, token := range map[string]string{
		"alg none":                                 encode([]byte(`{"alg":"none","kid":"`+key.KeyID+`"}`)) + "." + payload + ".",
		"alg none with the good signature":         encode([]byte(`{"alg":"none","kid":"`+key.KeyID+`"}`)) + "." + payload + "." + signature,
		"HS256 with the public key as secret":      signWith(t, jose.HS256, publicPEM, key.KeyID, d.claims(nil), nil),
		"RS512 with the right key":                 signWith(t, jose.RS512, rsaKey(), key.KeyID, d.claims(nil), nil),
		"PS256 with the right key":                 signWith(t, jose.PS256, rsaKey(), key.KeyID, d.claims(nil), nil),
		"ES256 under the kid":                      signWith(t, jose.ES256, curve, key.KeyID, d.claims(nil), nil),
		"another key under the kid":                signWith(t, jose.RS256, other, key.KeyID, d.claims(nil), nil),
		"another key under its own kid":            signWith(t, jose.RS256, other, "SKother", d.claims(nil), nil),
		"the right key without a kid":              signWith(t, jose.RS256, rsaKey(), "", d.claims(nil), nil),
		"another key that the token brings along":  signWith(t, jose.RS256, other, key.KeyID, d.claims(nil), map[string]any{"jwk": jose.JSONWebKey{Key: other.Public(), KeyID: key.KeyID}}),
		"other claims under the good signature":    head + "." + encode(admin) + "." + signature,
		"no signature":                             head + "." + payload + ".",
		"two parts":                                head + "." + payload,
		"four parts":                               good + ".x",
		"a subject that stands twice":              signTwice(),
		"nothing":                                  "",
		"no JWT":                                   "opaque-token",
		"a JWS in JSON":                            `{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`,
		"a good token and something behind it":     good + "=",
		"a good token with a space in front of it": " " + good,
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := verifyBearer(v, token); err == nil {
				t.Errorf("taken, for %q", b.Identity.Subject)
			}
		})
	}
	if _, err := verifyBearer(v, good); err != nil {
		t.Errorf("the good token itself: %v", err)
	}
}

func TestOnlyAgeIsCalledExpiry(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	_, err := verifyBearer(v, d.token(map[string]any{"exp": d.clock.Now().Add(-time.Hour).Unix()}, nil))
	if !errors.Is(err, ErrTokenExpired) {
		t.Errorf("an old token: %v", err)
	}
	_, err = verifyBearer(v, d.token(map[string]any{"exp": d.clock.Now().Add(-time.Hour).Unix(), "aud": "x"}, nil))
	if err == nil || errors.Is(err, ErrTokenExpired) {
		t.Errorf("an old token for somebody else: %v", err)
	}
}

func TestAVerifiedTokenIsRemembered(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	token := d.token(nil, nil)
	first, err := verifyBearer(v, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("its next use needs neither its signature nor its JSON", func(t *testing.T) {
		again, err := verifyBearer(v, token)
		if err != nil || again != first {
			t.Fatalf("got %p, %v, want %p", again, err, first)
		}
		allocations := testing.AllocsPerRun(100, func() { _, _ = verifyBearer(v, token) })
		if allocations > 2 {
			t.Errorf("%v allocations", allocations)
		}
		if n := d.reads(); n != 1 {
			t.Errorf("the keys were read %d times", n)
		}
	})
	t.Run("a token that differs in one bit is another one", func(t *testing.T) {
		flipped := []byte(token)
		flipped[len(flipped)-10] ^= 1
		if _, err := verifyBearer(v, string(flipped)); err == nil {
			t.Error("taken")
		}
	})
	t.Run("the same token under stricter rules is judged anew", func(t *testing.T) {
		strict := NewBearers(d.Keys, BearerConfig{Issuers: v.config.Issuers, Audiences: []string{"another"}})
		if _, err := verifyBearer(strict, token); err == nil {
			t.Error("taken")
		}
		if strict.Stands(first, noResource) {
			t.Error("its open streams go on")
		}
		if !v.Stands(first, noResource) {
			t.Error("under the old rules its streams end")
		}
	})
	t.Run("not beyond its end", func(t *testing.T) {
		d.clock.advance(10 * time.Minute)
		again, err := verifyBearer(v, token) // within the leeway
		if err != nil || again == first {
			t.Errorf("at its end: %p, %v", again, err)
		}
		d.clock.advance(clockLeeway)
		if _, err := verifyBearer(v, token); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("after the leeway: %v", err)
		}
	})
}

func TestRememberedTokensAreBounded(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	token := d.token(nil, nil)
	first, err := verifyBearer(v, token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cachedBearers { // as many others, as if their signatures had been good
		v.cache.Add(tokenHash(sha256.Sum256([]byte(strconv.Itoa(i)))), first)
	}
	if n := v.cache.Len(); n != cachedBearers {
		t.Errorf("%d are kept, want %d", n, cachedBearers)
	}
	again, err := verifyBearer(v, token)
	if err != nil || again == first {
		t.Errorf("the oldest was to be forgotten, and is as good as ever: %p, %v", again, err)
	}
}

// Attack 14: a cache whose key lacks what a decision depended on.
func TestATokenForOneResourceIsNoneForAnotherWhenRemembered(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	token := d.token(map[string]any{"aud": "https://apps.example.com/reports"}, nil)
	reports := func(a string) bool { return a == "https://apps.example.com/reports" }
	payroll := func(a string) bool { return a == "https://apps.example.com/payroll" }
	for i := range 3 {
		if _, err := v.Verify(context.Background(), token, reports); err != nil {
			t.Errorf("use %d for its own resource: %v", i, err)
		}
		if _, err := v.Verify(context.Background(), token, payroll); err == nil {
			t.Errorf("use %d for another resource was let in", i)
		}
		if _, err := verifyBearer(v, token); err == nil {
			t.Errorf("use %d for no resource was let in", i)
		}
	}
}

func TestAKeyThatTheProviderWithdrewEndsItsTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	old := d.token(nil, nil)
	if _, err := verifyBearer(v, old); err != nil {
		t.Fatal(err)
	}
	if err := d.Descope.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
		t.Fatalf("the new key's token: %v", err)
	}
	if _, err := verifyBearer(v, old); err == nil {
		t.Error("a remembered token of the withdrawn key is still good")
	}
}
