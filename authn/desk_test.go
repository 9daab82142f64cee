package authn

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descope"
	"gatehouse/authn/descopetest"
)

// A desk is where tokens are checked: a stand-in Descope on a real port, known by
// its discovery, and a clock that both of them look at.
type desk struct {
	t        *testing.T
	Descope  *descopetest.Provider
	Provider *Provider
	Keys     *Keys
	clock    *testClock
}

type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rsaKey saves the time to make one a test.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newDesk(t *testing.T, o descopetest.Options) *desk {
	t.Helper()
	d := unknownDesk(t, o)
	if err := d.Provider.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// unknownDesk is a desk whose provider has not been discovered.
func unknownDesk(t *testing.T, o descopetest.Options) *desk {
	t.Helper()
	d := &desk{t: t, clock: &testClock{at: time.Now().Truncate(time.Second)}}
	o.Now, o.Key = d.clock.Now, rsaKey()
	var err error
	if d.Descope, err = descopetest.New(o); err != nil {
		t.Fatal(err)
	}
	server, err := d.Descope.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	client := NewHTTPClient(nil)
	t.Cleanup(client.CloseIdleConnections)
	d.Provider = NewProvider(ProviderConfig{
		Issuer: server.Issuer, ClientID: d.Descope.ClientID(), ProjectID: d.Descope.ProjectID(),
		HTTP: client, Log: slog.New(slog.DiscardHandler), Now: d.clock.Now,
	})
	d.Keys = NewKeys(d.Provider)
	return d
}

// bearers takes the desk's tokens, and what the operator allows besides.
func (d *desk) bearers(sessionTokens bool, issuers, audiences []string) *Bearers {
	c := d.Provider.cfg
	return NewBearers(d.Keys, BearerConfig{
		Issuers:       descope.BearerIssuers(c.Issuer, c.ProjectID, issuers, sessionTokens),
		Audiences:     append([]string{c.ClientID, c.ProjectID}, audiences...),
		SessionTokens: sessionTokens,
	})
}

// claims are those of a good access token, with changes; nil removes one.
func (d *desk) claims(over map[string]any) map[string]any {
	now := d.clock.Now()
	claims := map[string]any{
		"iss": d.Descope.Issuer(), "aud": d.Descope.ProjectID(), "sub": "U2ada",
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(claims, over)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// token signs such claims as the provider does.
func (d *desk) token(over, header map[string]any) string {
	d.t.Helper()
	token, err := d.Descope.SignJWT(d.claims(over), header)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

// reads is how often the provider's keys were read.
func (d *desk) reads() int { return d.Descope.Requests()[descopetest.Keys] }

// published is the provider's newest key as its JWKS has it.
func (d *desk) published() jose.JSONWebKey {
	d.t.Helper()
	known := d.Provider.known.Load()
	res, err := http.Get(known.keysURL)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		d.t.Fatal(err)
	}
	return set.Keys[0]
}

// signWith signs claims with any key and algorithm.
func signWith(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any, header map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
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

func noResource(string) bool { return false }

func verifyBearer(v *Bearers, token string) (*Bearer, error) {
	return v.Verify(context.Background(), token, noResource)
}
