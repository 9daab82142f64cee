package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatehouse/authn/descopetest"
)

// A tap keeps everything that came out of the house to browsers.
type tap struct {
	mu   sync.Mutex
	said map[string]string // what was asked → status, headers and body
}

func (p *tap) keep(what string, res reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	fmt.Fprintln(&b, res.Status)
	for name, values := range res.Header {
		for _, v := range values {
			if name == "Set-Cookie" && strings.HasPrefix(v, "gatehouse") {
				v = strings.SplitN(v, "=", 2)[0] // the browser's own secret
			}
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	p.said[fmt.Sprintf("%s (answer %d)", what, len(p.said)+1)] = b.String() + "\n" + res.Text
}

func TestAttack20NothingLeaks(t *testing.T) {
	const secret = "marked-client-secret-7c1e"
	sealed := map[string]string{"the client secret": secret} // what must not come out, by name
	h := newHouse(t, build{
		provider: descopetest.Options{ClientSecret: secret, RotateRefresh: true},
		routes: tutorialRoutes + `
  - {path: /gone, upstream: "http://127.0.0.1:1", allow: authenticated}
  - {path: /token, upstream: "%[2]s", allow: authenticated, bearer: true}
  - path: /headers
    upstream: "%[2]s"
    allow: authenticated
    headers: {X-Api-Key: marked-upstream-key-55d0}
`})
	sealed["an upstream's key"] = "marked-upstream-key-55d0"
	sealed["the admin app's address"] = strings.TrimPrefix(h.Admin.URL, "http://")
	sealed["the user app's address"] = strings.TrimPrefix(h.User.URL, "http://")
	sealed["an absent app's address"] = "127.0.0.1:1/"
	for i, s := range h.instance.config().Session.Secrets {
		sealed[fmt.Sprint("session secret ", i)] = s.Reveal()
	}
	out := &tap{said: map[string]string{}}

	// A whole story: sign-in, apps, denials, mistakes, faults, sign-out.
	b := h.browser()
	do := func(method, target string, headers ...string) reply {
		t.Helper()
		res := b.do(method, target, "", headers...)
		out.keep(method+" "+target, res)
		return res
	}
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"}
	do("GET", "/gradio/admin/?secretquery=marked-query-9a41", page...)
	do("GET", "/auth/", page...)
	login := b.do("GET", "/auth/login?return_to=/gradio/admin/", "", page...) // hands state and nonce to the provider, and is not searched
	_, sealed["the sign-in's cookie"], _ = strings.Cut(b.cookiesAt("/auth/callback"), "=")
	authorize, err := url.Parse(login.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	state, nonce := authorize.Query().Get("state"), authorize.Query().Get("nonce")
	callback, err := h.Provider.Authorize(context.Background(), b.client, login.Header.Get("Location"), "ada")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	sealed["the code"], sealed["the state"], sealed["the nonce"] = u.Query().Get("code"), state, nonce
	do("GET", callback, page...)
	_, sealed["the session's cookie"], _ = strings.Cut(b.cookies(), "=")
	do("GET", callback, page...) // once more, by the back button
	h.wire(t).ask(h.get(u.RequestURI(), ""))
	token := h.Provider.Recorded(descopetest.Token)
	for i, r := range token {
		for _, name := range []string{"code_verifier", "refresh_token", "client_secret"} {
			if v := r.Form.Get(name); v != "" {
				sealed[fmt.Sprintf("%s %d", name, i)] = v
			}
		}
	}
	access, err := h.Provider.SignJWT(map[string]any{"iss": h.Issuer, "aud": h.Provider.ClientID(), "sub": "U2ada", "iat": 1, "exp": 4102444800}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed["an access token"] = access
	for _, target := range []string{
		"/", "/gradio/admin/", "/gradio/user/", "/gradio", "/auth/", "/auth/me", "/auth/logout?x=marked-query-9a41", "/auth/error?reason=provider&x=marked-query-9a41", "/gone/x", "/gone/", "/nowhere", "/gradio/ADMIN/x", "/headers/x", "/auth/jwks.json",
		"/token/x?access_token=marked-query-9a41", "/auth/nowhere?code=marked-query-9a41",
	} {
		for _, headers := range [][]string{page, {"Sec-Fetch-Mode", "cors"}, {"Origin", "https://evil.example"}, {"Authorization", "Bearer " + access}, {"Authorization", "Bearer marked-bad-token-31cc"}, {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:marked-password-0b")), "X-Api-Key", "marked-header-77"}} {
			for _, method := range []string{"GET", "POST"} {
				if method == "GET" || !strings.HasPrefix(target, "/auth/logout") {
					do(method, target, headers...)
				}
			}
		}
	}
	sealed["a query"], sealed["a bad token"], sealed["a password"] = "marked-query-9a41", "marked-bad-token-31cc", base64.StdEncoding.EncodeToString([]byte("ada:marked-password-0b"))

	t.Run("a provider that repeats what it was told", func(t *testing.T) {
		// Some providers put the code or the secret into their error text.
		for _, body := range []string{
			`{"error":"invalid_grant","error_description":"the code CODE of client with secret ` + secret + ` was used"}`,
			`{"errorCode":"E061008","errorDescription":"secret ` + secret + `","errorMessage":"code CODE"}`,
			`{"access_token":"marked-access-token-3f","refresh_token":"marked-refresh-token-4e","id_token":`,
			`{"access_token":"marked-access-token-3f","refresh_token":"marked-refresh-token-4e","token_type":"bearer","id_token":"a.marked-id-token-5d.c"}`,
			`access_token=marked-access-token-3f&refresh_token=marked-refresh-token-4e&error=x` + secret,
		} {
			for _, status := range []int{200, 400, 401, 500} {
				f := h.browser()
				callback := f.authorize("ada", "")
				u, _ := url.Parse(callback)
				code := u.Query().Get("code")
				h.Provider.Fail("token", descopetest.Failure{Status: status, Body: strings.ReplaceAll(body, "CODE", code)})
				res := f.open(callback)
				h.Provider.Recover("token")
				out.keep("callback with "+body, reply{res.Response, res.Text})
				out.keep("its page with "+body, f.open(res.Header.Get("Location")))
				sealed["the code of a failed sign-in "+fmt.Sprint(status, len(body))] = code
			}
		}
	})
	sealed["a broken answer's access token"], sealed["its refresh token"], sealed["its ID token"] = "marked-access-token-3f", "marked-refresh-token-4e", "marked-id-token-5d"
	do("POST", "/auth/logout", "Sec-Fetch-Site", "same-origin")
	do("GET", "/gradio/admin/", page...)

	// Everything that came out, and what operators see.
	metrics := httptest.NewRecorder()
	promhttp.HandlerFor(h.instance.registry, promhttp.HandlerOpts{}).ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	mayLog := func(name string) bool { return strings.Contains(name, "app's address") } // operators know them
	names := make([]string, 0, len(sealed))
	for name := range sealed {
		names = append(names, name)
	}
	sort.Strings(names)
	log := h.Log.String()
	if !strings.Contains(log, `"event":"signed_in"`) || !strings.Contains(log, `"level":"DEBUG"`) {
		t.Errorf("the log does not tell the story")
	}
	for _, name := range names {
		value := sealed[name]
		if len(value) < 8 {
			t.Fatalf("%s is %q: the test tests nothing", name, value)
		}
		for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
			for what, said := range out.said {
				if strings.Contains(said, form) && !strings.HasPrefix(name, "a query") {
					t.Errorf("%s came out in the answer to %.100s:\n%.600s", name, what, said)
				}
			}
			if strings.Contains(log, form) && !mayLog(name) {
				i := strings.Index(log, form)
				t.Errorf("%s stands in the log: …%s…", name, log[max(0, i-200):min(len(log), i+100)])
			}
			if strings.Contains(metrics.Body.String(), form) && !mayLog(name) {
				t.Errorf("%s stands in the metrics", name)
			}
		}
	}
	for _, session := range []string{sealed["the session's cookie"], sealed["the sign-in's cookie"]} {
		if strings.Contains(log, session[20:60]) {
			t.Error("a part of a cookie stands in the log")
		}
	}
	t.Logf("%d answers, %d KB of log, %d KB of metrics searched for %d secrets", len(out.said), len(log)>>10, metrics.Body.Len()>>10, len(sealed))
}

// A panic shows nothing of the request, neither in the answer nor in the log.
func TestAttack20APanicTellsNothing(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada").cookies()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.instance.handler.ServeHTTP(&panicking{ResponseWriter: w}, r)
	}))
	defer server.Close()
	w := &wire{t: t, addr: server.Listener.Addr().String()}
	defer w.close()
	res := w.ask(h.get("/gradio/admin/x?marked-query-9a41", ada, "Authorization: Bearer marked-token-8d", "Accept: text/html"))
	if res.StatusCode != 500 || strings.Contains(res.Text, "goroutine") || strings.Contains(res.Text, "boom") {
		t.Errorf("got %s:\n%s", res.Status, res.Text)
	}
	log := h.Log.String()
	if !strings.Contains(log, "a request panicked") {
		t.Fatal("the panic is not in the log")
	}
	for _, s := range []string{"marked-query-9a41", "marked-token-8d", strings.TrimPrefix(ada, "gatehouse=")[:40]} {
		if strings.Contains(log, s) || strings.Contains(res.Text, s) {
			t.Errorf("%q came out", s)
		}
	}
}

// panicking is a response whose first header panics, once.
type panicking struct {
	http.ResponseWriter
	done bool
}

func (p *panicking) Header() http.Header {
	if !p.done {
		p.done = true
		panic("boom")
	}
	return p.ResponseWriter.Header()
}
