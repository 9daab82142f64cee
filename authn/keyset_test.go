package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descopetest"
)

func TestANewKeyIsFoundAtOnce(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
		t.Fatal(err)
	}
	if err := d.Descope.RotateKeys(false); err != nil {
		t.Fatal(err)
	}
	token := d.token(nil, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := verifyBearer(v, token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := d.reads(); n > 3 {
		t.Errorf("the keys were read %d times for one new key", n)
	}
}

// Attack 24: a storm of unknown kids.
func TestAStormOfUnknownKidsNeitherFetchesNorFillsMemory(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
		t.Fatal(err)
	}
	storm := func(n int) {
		for i := range n {
			kid := fmt.Sprintf("SK%d", i)
			if _, err := d.Keys.own.find(context.Background(), kid, "RS256"); !errors.Is(err, errUnknownKey) {
				t.Fatalf("kid %d: %v", i, err)
			}
		}
	}
	storm(10)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	storm(200_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := d.reads(); n > maxReads {
		t.Errorf("the keys were read %d times within one instant, want %d at most", n, maxReads)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("unknown kids left %d bytes behind", grown)
	}
	t.Run("with the clock running, at most 3 times in any 10 s", func(t *testing.T) {
		from := d.reads()
		for range 100 {
			d.clock.advance(time.Second)
			storm(20)
		}
		if n := d.reads() - from; n > 30 || n < 25 {
			t.Errorf("%d times in 100 s", n)
		}
	})
	t.Run("and a key that is really new is still found within 10 s", func(t *testing.T) {
		if err := d.Descope.RotateKeys(false); err != nil {
			t.Fatal(err)
		}
		token := d.token(nil, nil)
		storm(100)
		d.clock.advance(readsWindow)
		if _, err := verifyBearer(v, token); err != nil {
			t.Error(err)
		}
	})
}

func TestAForgedTokenOfNobodysIssuerOrAudienceIsRefusedWithoutAKey(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	for name, over := range map[string]map[string]any{
		"issuer": {"iss": "https://evil.example"}, "audience": {"aud": "x"}, "time": {"exp": 1}, "nonce": {"nonce": "n"},
	} {
		if _, err := verifyBearer(v, d.token(over, nil)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if n := d.reads(); n != 0 {
		t.Errorf("the keys were read %d times for them", n)
	}
}

func TestAProviderThatIsAwayMakesATokenUnknowableNotBad(t *testing.T) {
	unavailable := func(t *testing.T, err error) {
		t.Helper()
		var away *KeysUnavailableError
		if !errors.As(err, &away) || away.RetryAfter <= 0 {
			t.Errorf("got %v", err)
		}
	}
	t.Run("before its discovery was read", func(t *testing.T) {
		d := unknownDesk(t, descopetest.Options{})
		_, err := verifyBearer(d.bearers(false, nil, nil), d.token(nil, nil))
		unavailable(t, err)
		if err := d.Provider.Discover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := verifyBearer(d.bearers(false, nil, nil), d.token(nil, nil)); err != nil {
			t.Errorf("right after discovery: %v", err)
		}
	})
	for name, failure := range map[string]descopetest.Failure{
		"answering 500":                     descopetest.Status(500),
		"redirecting elsewhere":             {Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}},
		"resetting the connection":          descopetest.ResetConnection(),
		"answering with JSON that is cut":   descopetest.Malformed(),
		"answering with megabytes":          descopetest.Oversized(3 << 20),
		"answering with an empty list":      {Status: 200, Body: `{"keys":[]}`},
		"answering with keys of no use":     {Status: 200, Body: `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"},{"kty":"nonsense"},7]}`},
		"answering with something else":     {Status: 200, Body: `"hello"`},
		"answering with no keys mentioned":  {Status: 200, Body: `{}`},
		"answering with a key set in a set": {Status: 200, Body: `{"keys":{"keys":[]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, descopetest.Options{})
			v := d.bearers(false, nil, nil)
			d.Descope.Fail(descopetest.Keys, failure)
			for range 5 {
				_, err := verifyBearer(v, d.token(nil, nil))
				unavailable(t, err)
			}
			// net/http repeats a GET whose kept connection turned out to be dead.
			if n := d.reads(); n > maxReads+1 {
				t.Errorf("asked %d times at once", n)
			}
			d.Descope.Recover()
			d.clock.advance(readsWindow)
			if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
				t.Errorf("when it is back: %v", err)
			}
			known := d.token(map[string]any{"sub": "U2bob"}, nil)
			d.Descope.Fail(descopetest.Keys, failure)
			d.clock.advance(5 * time.Minute)
			if _, err := verifyBearer(v, known); err != nil {
				t.Errorf("keys that were read do without the provider: %v", err)
			}
			stranger := signWith(t, jose.RS256, rsaKey(), "SKstranger", d.claims(nil), nil)
			_, err := verifyBearer(v, stranger)
			unavailable(t, err)
		})
	}
}

func TestKeysThatServeAreReadAgainNowAndThen(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
		t.Fatal(err)
	}
	d.clock.advance(keysAge + time.Second)
	hold := d.Descope.Hold(descopetest.Keys)
	if _, err := verifyBearer(v, d.token(map[string]any{"sub": "U2bob"}, nil)); err != nil {
		t.Errorf("a request waited for keys that it did not need: %v", err)
	}
	<-hold.Arrived
	hold.Release()
}

func TestAnswersThatNeverCome(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	v := d.bearers(false, nil, nil)
	hold := d.Descope.Hold(descopetest.Keys)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := v.Verify(ctx, d.token(nil, nil), noResource)
		got <- err
	}()
	<-hold.Arrived
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("a client that went: %v", err)
	}
	waiting := make(chan error, 1)
	token := d.token(nil, nil)
	go func() {
		_, err := verifyBearer(v, token)
		waiting <- err
	}()
	hold.Release()
	if err := <-waiting; err != nil {
		t.Errorf("the reading that the first client had begun serves the second: %v", err)
	}
}

// issuer is another OpenID provider: a discovery document, keys, and counts.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu          sync.Mutex
	discoveries int
	broken      bool
	claims      string // issuer in the document, its own where empty
}

func newIssuer(t *testing.T) *issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case r.URL.Path == "/.well-known/openid-configuration":
		i.discoveries++
		if i.broken {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		name := i.URL
		if i.claims != "" {
			name = i.claims
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": name, "jwks_uri": i.URL + "/keys"})
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "K1", Algorithm: "RS256", Use: "sig"}}})
	default:
		http.NotFound(w, r)
	}
}

func TestAnotherIssuerHasItsOwnKeys(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	other := newIssuer(t)
	v := d.bearers(false, []string{other.URL}, nil)
	theirs := func(over map[string]any) string {
		claims := d.claims(map[string]any{"iss": other.URL})
		for name, value := range over {
			claims[name] = value
		}
		return signWith(t, jose.RS256, other.key, "K1", claims, nil)
	}
	if other.discoveries != 0 {
		t.Error("it was asked before a token came")
	}
	b, err := verifyBearer(v, theirs(nil))
	if err != nil {
		t.Fatal(err)
	}
	if b.Identity.Issuer != other.URL {
		t.Errorf("issuer %q", b.Identity.Issuer)
	}
	t.Run("they sign nothing for the provider", func(t *testing.T) {
		if _, err := verifyBearer(v, theirs(map[string]any{"iss": d.Descope.Issuer()})); err == nil {
			t.Error("taken")
		}
	})
	t.Run("and the provider's sign nothing for it", func(t *testing.T) {
		if _, err := verifyBearer(v, d.token(map[string]any{"iss": other.URL}, nil)); err == nil {
			t.Error("taken")
		}
	})
	t.Run("its discovery is read once", func(t *testing.T) {
		if _, err := verifyBearer(v, theirs(map[string]any{"sub": "U2bob"})); err != nil {
			t.Error(err)
		}
		if other.discoveries != 1 {
			t.Errorf("%d times", other.discoveries)
		}
	})
}

func TestAnotherIssuersDiscoveryIsTriedAgain(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	other := newIssuer(t)
	other.broken = true
	v := d.bearers(false, []string{other.URL}, nil)
	token := signWith(t, jose.RS256, other.key, "K1", d.claims(map[string]any{"iss": other.URL}), nil)
	var away *KeysUnavailableError
	if _, err := verifyBearer(v, token); !errors.As(err, &away) {
		t.Fatalf("got %v", err)
	}
	if _, err := verifyBearer(v, d.token(nil, nil)); err != nil {
		t.Errorf("the provider's own tokens suffer: %v", err)
	}
	other.mu.Lock()
	other.broken = false
	other.mu.Unlock()
	d.clock.advance(readsWindow)
	if _, err := verifyBearer(v, token); err != nil {
		t.Errorf("10 s later: %v", err)
	}
}

func TestADiscoveryDocumentOfSomebodyElseIsNotBelieved(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	other := newIssuer(t)
	other.claims = "https://evil.example"
	v := d.bearers(false, []string{other.URL}, nil)
	token := signWith(t, jose.RS256, other.key, "K1", d.claims(map[string]any{"iss": other.URL}), nil)
	if _, err := verifyBearer(v, token); err == nil {
		t.Error("taken")
	}
}

func TestWhichKeysAreOfUse(t *testing.T) {
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(k jose.JSONWebKey) json.RawMessage {
		b, err := k.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tc := range []struct {
		name string
		key  json.RawMessage
		want string // algorithm, "" for none
	}{
		{"an RSA key", raw(jose.JSONWebKey{Key: strong.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}), "RS256"},
		{"an RSA key that says nothing else of itself", raw(jose.JSONWebKey{Key: strong.Public(), KeyID: "k"}), "RS256"},
		{"a P-256 key", raw(jose.JSONWebKey{Key: curve.Public(), KeyID: "k"}), "ES256"},
		{"a P-384 key", raw(jose.JSONWebKey{Key: large.Public(), KeyID: "k"}), ""},
		{"an RSA key for another algorithm", raw(jose.JSONWebKey{Key: strong.Public(), KeyID: "k", Algorithm: "PS256"}), ""},
		{"an RSA key for encryption", raw(jose.JSONWebKey{Key: strong.Public(), KeyID: "k", Use: "enc"}), ""},
		{"a key without a name", raw(jose.JSONWebKey{Key: strong.Public()}), ""},
		{"a private key, which go-jose would sign with", raw(jose.JSONWebKey{Key: strong, KeyID: "k"}), ""},
		{"a secret", raw(jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "k"}), ""},
		{"a small RSA key", json.RawMessage(`{"kty":"RSA","kid":"k","e":"AQAB","n":"` + strings.Repeat("_", 170) + `w"}`), ""},
		{"no object", json.RawMessage(`7`), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			for name := range usableKeys([]json.RawMessage{tc.key}) {
				got = name.alg
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
