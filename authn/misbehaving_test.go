package authn

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"gatehouse/authn/descopetest"
	"gatehouse/authn/session"
	"gatehouse/authz"
)

// misbehaviours are answers that no provider should give, at any of its
// endpoints. None of them is a word on a session or a token. (Userinfo of nobody
// is one: TestWhatARefreshSays.)
func misbehaviours(thief string) map[string]descopetest.Failure {
	page := http.Header{"Content-Type": {"text/html"}}
	return map[string]descopetest.Failure{
		"it never answers":               descopetest.Hang(),
		"it answers letter by letter":    descopetest.Drip(),
		"it answers without an end":      descopetest.Oversized(1 << 40),
		"it answers 3 MB":                descopetest.Oversized(3 << 20),
		"its header is 200 KB":           {Status: 200, Header: http.Header{"X": {strings.Repeat("x", 200<<10)}}, Body: "{}"},
		"it breaks off":                  descopetest.ResetConnection(),
		"it announces more than it says": {Status: 200, Header: http.Header{"Content-Length": {"100000"}}, Body: `{"access_token":"a"`},
		"its JSON is cut":                descopetest.Malformed(),
		"it says nothing":                {Status: 200},
		"it says null":                   {Status: 200, Body: "null"},
		"it says a list":                 {Status: 200, Body: `[{"issuer":"x"}]`},
		"it says a word":                 {Status: 200, Body: `"hello"`},
		"its members are of other kinds": {Status: 200, Body: `{"issuer":1,"keys":"x","access_token":{},"sub":[]}`},
		"its JSON is nested deep":        {Status: 200, Body: strings.Repeat(`{"a":`, 100_000)},
		"it shows a page":                {Status: 200, Header: page, Body: "<h1>Maintenance</h1>"},
		"it has moved":                   descopetest.Redirect(thief),
		"it has moved, and the body too": {Status: 307, Header: http.Header{"Location": {thief}}},
		"it has moved for good":          {Status: 308, Header: http.Header{"Location": {thief}}},
		"it has moved to itself":         descopetest.Redirect(""),
		"it is in maintenance":           descopetest.Status(503),
		"it is not there":                descopetest.Status(404),
		"it answers 204":                 descopetest.Status(204),
		"it has had enough":              descopetest.RateLimit(time.Second),
		"it fails in Descope's way":      descopetest.DescopeError(500, "E061001", "internal"),
	}
}

func TestWhateverAnEndpointAnswers(t *testing.T) {
	var robbed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { robbed.Add(1) }))
	t.Cleanup(func() {
		thief.Close()
		if n := robbed.Load(); n > 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
	// away is an error that asks for another attempt, later.
	away := func(t *testing.T, err error) {
		t.Helper()
		var unreachable *session.UnreachableError
		if !errors.As(err, &unreachable) || errors.Is(err, session.ErrEnded) {
			t.Errorf("got %v", err)
		}
	}
	for endpoint, ask := range map[descopetest.Endpoint]func(t *testing.T, d *desk, spoil func()) (again func() error){
		descopetest.Discovery: func(t *testing.T, d *desk, spoil func()) func() error {
			p := d.Provider.With(d.Provider.cfg)
			p.known.Store(nil)
			spoil()
			if err := p.Discover(t.Context()); err == nil || p.Ready() {
				t.Errorf("got %v", err)
			}
			return func() error { return p.Discover(t.Context()) }
		},
		descopetest.Keys: func(t *testing.T, d *desk, spoil func()) func() error {
			token := d.token(nil, nil)
			check := func() error {
				_, err := d.Provider.verify(t.Context(), d.Provider.known.Load(), token, d.clock.Now())
				return err
			}
			spoil()
			if check() == nil {
				t.Error("a token was good without a key")
			}
			return check
		},
		descopetest.Refresh: func(t *testing.T, d *desk, spoil func()) func() error {
			refresh := d.refresher(t)
			spoil()
			away(t, refresh())
			return refresh
		},
		descopetest.Userinfo: func(t *testing.T, d *desk, spoil func()) func() error {
			refresh := d.refresher(t)
			d.Descope.Fail(descopetest.Refresh, descopetest.BadIDToken(descopetest.NoIDToken))
			spoil()
			away(t, refresh())
			return refresh
		},
	} {
		for what, failure := range misbehaviours(thief.URL) {
			t.Run(string(endpoint)+": "+what, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, descopetest.Options{})
				d.Provider.cfg.HTTP.Timeout = 2 * time.Second // in place of 10
				again := ask(t, d, func() { d.Descope.Fail(endpoint, failure) })
				d.Descope.Recover()
				d.Provider.cfg.HTTP.Timeout = callTimeout
				err := again()
				// go-oidc gives the error of one reading of the keys to whoever asks until
				// that has quite ended.
				for end := time.Now().Add(5 * time.Second); endpoint == descopetest.Keys && err != nil && time.Now().Before(end); err = again() {
					time.Sleep(5 * time.Millisecond)
				}
				if err != nil {
					t.Errorf("when it is well again: %v", err)
				}
			})
		}
	}
}

// refresher signs Ada in and returns what refreshes her session.
func (d *desk) refresher(t *testing.T) func() error {
	t.Helper()
	c := &d.Provider.cfg
	c.ClientSecret, c.RedirectURL, c.Scopes = d.Descope.ClientSecret(), "http://localhost/auth/callback", []string{"openid", "offline_access"}
	d.Provider = d.Provider.With(*c)
	known := d.Provider.known.Load()
	verifier := oauth2.GenerateVerifier()
	ctx, cancel := d.Provider.context(t.Context())
	defer cancel()
	back, err := d.Descope.Authorize(ctx, &http.Client{}, known.oauth.AuthCodeURL("a-state-of-this-test", oauth2.S256ChallengeOption(verifier)), "ada")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	token, err := known.oauth.Exchange(ctx, u.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	all := func(id *authz.Identity) (*authz.Identity, string) { return id, "" }
	r := &Refresher{Provider: d.Provider, Identify: NewIdentifier(all, slog.New(slog.DiscardHandler))}
	rec := &session.Record{ID: session.NewID(), Refresh: session.Token(token.RefreshToken), Identity: &authz.Identity{Issuer: c.Issuer, Subject: "U2ada"}}
	return func() error {
		_, err := r.Refresh(t.Context(), rec)
		return err
	}
}

// An issuer that is reached by https names no endpoint in the clear: codes, tokens
// and the client secret go there.
func TestAnHTTPSIssuerWithAnEndpointInTheClear(t *testing.T) {
	for _, spoilt := range []string{"", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint", "jwks_uri"} {
		t.Run("spoilt: "+spoilt, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				doc := `{"issuer":"U","authorization_endpoint":"U/a","token_endpoint":"U/t","userinfo_endpoint":"U/u","revocation_endpoint":"U/r","jwks_uri":"U/k"}`
				if spoilt != "" {
					doc = strings.Replace(doc, `"`+spoilt+`":"U`, `"`+spoilt+`":"http://127.0.0.1:1`, 1)
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(strings.ReplaceAll(doc, `"U`, `"`+server.URL)))
			}))
			defer server.Close()
			p := NewProvider(ProviderConfig{Issuer: server.URL, ClientID: "x", HTTP: server.Client(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
			if err := p.Discover(t.Context()); (err == nil) != (spoilt == "") {
				t.Errorf("got %v", err)
			}
		})
	}
}
