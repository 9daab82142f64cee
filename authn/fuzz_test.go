package authn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	fuzzIssuer  = "https://api.descope.com/P2fuzz"
	fuzzProject = "P2fuzz"
	fuzzNow     = 1_700_000_000
)

// fuzzKeys are the keys of an issuer that is never asked: they are known.
func fuzzKeys(f *testing.F) *Keys {
	now := func() time.Time { return time.Unix(fuzzNow, 0) }
	p := NewProvider(ProviderConfig{
		Issuer: fuzzIssuer, ClientID: fuzzProject, ProjectID: fuzzProject, Now: now, Log: slog.New(slog.DiscardHandler),
		HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("nobody is asked")
		})},
	})
	p.known.Store(&endpoints{keysURL: "https://api.descope.com/keys"})
	k := NewKeys(p)
	k.own.known.Store(&knownKeys{at: now(), keys: map[keyName]*publicKey{{"SK1", "RS256"}: {rsaKey().Public()}}})
	return k
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signRaw signs any payload, so that the fuzzer gets behind the signature.
func signRaw(t *testing.T, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: rsaKey(), KeyID: "SK1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

var fuzzClaims = []string{
	`{"iss":"https://api.descope.com/P2fuzz","aud":"P2fuzz","sub":"U2ada","iat":1700000000,"exp":1700000600}`,
	`{"iss":"P2fuzz","drn":"DS","sub":"U2ada","iat":1700000000,"exp":1700000600}`,
	`{"iss":"P2fuzz","drn":"DS","aud":[],"sub":"U2ada","iat":1700000000,"exp":1700000600}`,
	`{"iss":"P2fuzz","drn":"DSR","sub":"U2ada","iat":1700000000,"exp":1700000600}`,
	`{"iss":"https://api.descope.com/P2fuzz","aud":["P2fuzz"],"sub":"U2ada","iat":1.7e9,"exp":1e300,"nonce":"n"}`,
	`{"ISS":"https://api.descope.com/P2fuzz","iss":"x","aud":null,"sub":"U2ada","iat":null,"exp":"1"}`,
	`{"iss":"x","iss":"https://api.descope.com/P2fuzz","aud":"P2fuzz","sub":"U2ada","iat":1700000000,"exp":1700000600}`,
	`{"iss":"https://api.descope.com/P2fuzz","aud":"P2fuzz","sub":"U2ada","jti":"1","iat":1700000000,"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`,
	`{"iss":"https://api.descope.com/P2fuzz","aud":"P2fuzz","sid":"s","jti":"2","iat":1700000000,"exp":1700000100,"events":{"http://schemas.openid.net/event/backchannel-logout":{}},"nonce":null}`,
	`[]`, `{}`, ``, `{"iss":`,
}

// tell reads a payload once more with encoding/json alone.
func tell(t *testing.T, payload []byte) map[string]any {
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatalf("taken, though encoding/json cannot read it: %v", err)
	}
	return claims
}

// FuzzBearerClaims holds what must be true of every payload that is taken,
// however it is spelled, once the provider has signed it.
func FuzzBearerClaims(f *testing.F) {
	for _, seed := range fuzzClaims {
		f.Add([]byte(seed))
	}
	keys := fuzzKeys(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		v := NewBearers(keys, BearerConfig{Issuers: []string{fuzzIssuer, fuzzProject}, Audiences: []string{fuzzProject}, SessionTokens: true})
		b, err := verifyBearer(v, signRaw(t, payload))
		if err != nil {
			return
		}
		claims := tell(t, payload)
		if iss := claims["iss"]; iss != fuzzIssuer && iss != fuzzProject {
			t.Fatalf("issuer %v", iss)
		}
		for _, name := range []string{"nonce", "cnf", "events", "at_hash"} {
			if _, there := claims[name]; there {
				t.Fatalf("with %s", name)
			}
		}
		if claims["drn"] == "DSR" || b.Identity.Subject == "" {
			t.Fatalf("drn %v, subject %q", claims["drn"], b.Identity.Subject)
		}
		mine := claims["aud"] == fuzzProject
		if list, ok := claims["aud"].([]any); ok {
			for _, a := range list {
				mine = mine || a == fuzzProject
			}
		}
		if _, named := claims["aud"]; !mine && (named || claims["drn"] != "DS") {
			t.Fatalf("aud %v, drn %v", claims["aud"], claims["drn"])
		}
		iat, _ := claims["iat"].(float64)
		exp, _ := claims["exp"].(float64)
		if iat <= 0 || iat > fuzzNow+31 || exp <= fuzzNow-30 {
			t.Fatalf("iat %v, exp %v", claims["iat"], claims["exp"])
		}
	})
}

// FuzzBearerToken lets nothing through that the provider did not sign.
func FuzzBearerToken(f *testing.F) {
	keys := fuzzKeys(f)
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"SK1"}`))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"SK1"}`))
	for _, claims := range fuzzClaims {
		payload := base64.RawURLEncoding.EncodeToString([]byte(claims))
		f.Add(head + "." + payload + ".AAAA")
		f.Add(none + "." + payload + ".")
	}
	f.Add("..")
	f.Add(strings.Repeat("A", maxToken))
	v := NewBearers(keys, BearerConfig{Issuers: []string{fuzzIssuer}, Audiences: []string{fuzzProject}})
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := verifyBearer(v, token); err == nil {
			t.Fatal("taken")
		}
	})
}

// FuzzLogoutClaims holds what must be true of every logout token that counts.
func FuzzLogoutClaims(f *testing.F) {
	for _, seed := range fuzzClaims {
		f.Add([]byte(seed))
	}
	keys := fuzzKeys(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		l := NewLogoutTokens(keys, nil)
		token := signRaw(t, payload)
		got, err := l.Verify(context.Background(), token)
		if err != nil {
			return
		}
		claims := tell(t, payload)
		events, _ := claims["events"].(map[string]any)
		_, says := events[logoutEvent].(map[string]any)
		jti, _ := claims["jti"].(string)
		iat, _ := claims["iat"].(float64)
		_, nonce := claims["nonce"]
		if claims["iss"] != fuzzIssuer || !says || nonce || jti == "" || iat < fuzzNow-631 || iat > fuzzNow+31 {
			t.Fatalf("taken: %s", payload)
		}
		if got.Subject == "" && got.SID == "" || got.Before.Unix() > fuzzNow {
			t.Fatalf("got %+v", got)
		}
		if _, err := l.Verify(context.Background(), token); err == nil {
			t.Fatal("taken twice")
		}
	})
}
