package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

const bearerRoutes = `
  - path: /gradio/admin
    upstream: %[1]s
    bearer: true
    allow:
      - roles: [Tenant Admin]
  - path: /gradio/user
    upstream: %[2]s
    bearer: true
    allow: authenticated
  - path: /gradio/user/nested
    upstream: %[2]s
    bearer: true
    allow: authenticated
  - path: /cookies
    upstream: %[2]s
    allow: authenticated
  - path: /open
    upstream: %[2]s
    allow: public
  - path: /shared
    upstream: %[2]s
    bearer: true
    origins: [https://notebook.example.com]
    allow: authenticated
`

// accessToken is a person's access token, with changed claims.
func (h *house) accessToken(person string, over map[string]any) string {
	h.t.Helper()
	token, err := h.Provider.AccessToken(person, over)
	if err != nil {
		h.t.Fatal(err)
	}
	return "Bearer " + token
}

// challengeOf is the WWW-Authenticate that a bearer route's 401 carries.
func (h *house) challengeOf(path string, sent bool) string {
	value := `resource_metadata="` + h.URL + `/.well-known/oauth-protected-resource` + path + `"`
	if sent {
		value = `error="invalid_token", ` + value
	}
	return "Bearer " + value
}

func TestAScriptComesWithABearerToken(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	script := h.browser()
	token := h.accessToken("ada", nil)
	t.Run("the app sees who it is, and not the token", func(t *testing.T) {
		res := script.do("POST", "/gradio/admin/gradio_api/call/predict", `{"data":[]}`, "Authorization", token)
		if res.StatusCode != 200 {
			t.Fatalf("got %s %s", res.Status, res.Text)
		}
		got := h.Admin.last(t)
		for name, want := range map[string]string{
			"X-Forwarded-User": "U2ada", "X-Forwarded-Email": "ada@acme.example", "X-Forwarded-Groups": "Tenant Admin",
			"X-Forwarded-Tenant": "T2acme", "X-Forwarded-Preferred-Username": "Ada Admin", "Authorization": "", "Cookie": "",
		} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s: got %q, want %q", name, v, want)
			}
		}
		if got.Target != "/gradio_api/call/predict" || got.Body != `{"data":[]}` {
			t.Errorf("got %s with %q", got.Target, got.Body)
		}
		if res.Header["Set-Cookie"] != nil {
			t.Errorf("cookies were set: %q", res.Header["Set-Cookie"])
		}
	})
	t.Run("its next calls ask the provider nothing", func(t *testing.T) {
		h.Provider.ResetRecord()
		for range 20 {
			if res := script.do("GET", "/gradio/admin/config", "", "Authorization", token); res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
		}
		if n := h.Provider.Requests(); len(n) != 0 {
			t.Errorf("it was asked: %v", n)
		}
	})
	t.Run("whatever the case of the scheme", func(t *testing.T) {
		for _, scheme := range []string{"bearer ", "BEARER ", "bEaReR  "} {
			if res := script.do("GET", "/gradio/admin/", "", "Authorization", scheme+strings.TrimPrefix(token, "Bearer ")); res.StatusCode != 200 {
				t.Errorf("%q: %s", scheme, res.Status)
			}
		}
	})
	t.Run("the same rules hold as for a session", func(t *testing.T) {
		before := len(h.Admin.requests())
		res := script.do("GET", "/gradio/admin/", "", "Authorization", h.accessToken("bob", nil))
		if res.StatusCode != 403 || !strings.Contains(res.Text, "Tenant Admin") || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("got %s %q %s", res.Status, res.Header, res.Text)
		}
		if len(h.Admin.requests()) != before {
			t.Error("the app was asked")
		}
	})
	t.Run("one accessed event a token and route, with its sub", func(t *testing.T) {
		var ada []map[string]any
		for _, e := range h.events("accessed") {
			if e["sub"] == "U2ada" {
				ada = append(ada, e)
			}
		}
		if len(ada) != 1 || ada[0]["route"] != "gradio/admin" || ada[0]["email"] != "ada@acme.example" {
			t.Errorf("got %v", ada)
		}
	})
	t.Run("the token stands in no log", func(t *testing.T) {
		if strings.Contains(h.Log.String(), strings.TrimPrefix(token, "Bearer ")) {
			t.Error("it does")
		}
	})
}

func TestABearerDecidesAlone(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	ada := h.as("ada")
	seen := func() int { return len(h.Admin.requests()) + len(h.User.requests()) }
	before := seen()
	bad := map[string]string{
		"no JWT":              "Bearer abc",
		"an expired one":      h.accessToken("ada", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"somebody else's":     h.accessToken("ada", map[string]any{"aud": "P2another"}),
		"one of the future":   h.accessToken("ada", map[string]any{"iat": time.Now().Add(time.Hour).Unix()}),
		"an ID token":         h.accessToken("ada", map[string]any{"nonce": "n"}),
		"a key-bound one":     h.accessToken("ada", map[string]any{"cnf": map[string]any{"jkt": "x"}}),
		"nothing":             "Bearer",
		"nothing but a space": "Bearer ",
		"two tokens":          "Bearer a b",
		"a list":              "Bearer a, Bearer b",
		"a tab":               "Bearer\tabc",
		"a quoted one":        `Bearer "abc"`,
		"only padding":        "Bearer ==",
	}
	for name, value := range bad {
		t.Run("bad: "+name, func(t *testing.T) {
			for _, res := range []reply{
				ada.do("GET", "/gradio/admin/config", "", "Authorization", value),
				ada.do("GET", "/gradio/admin/", "", "Authorization", value, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"),
			} {
				path := res.Request.URL.Path
				if res.StatusCode != 401 || res.Header.Get("Location") != "" {
					t.Errorf("%s: %s to %q", path, res.Status, res.Header.Get("Location"))
				}
				if got := res.Header.Get("WWW-Authenticate"); got != h.challengeOf(path, true) {
					t.Errorf("%s: challenge %q", path, got)
				}
				if res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: Cache-Control %q", path, res.Header.Get("Cache-Control"))
				}
			}
		})
	}
	t.Run("what is no bearer at all is the app's affair", func(t *testing.T) {
		for _, values := range [][]string{{""}, {"abc"}, {"Basic a"}, {"Basic a", "Basic b"}, {"Bearertoken abc"}} {
			headers := []string{"Accept", "*/*"}
			for _, v := range values {
				headers = append(headers, "Authorization", v)
			}
			if res := ada.do("GET", "/gradio/admin/", "", headers...); res.StatusCode != 200 {
				t.Errorf("%q beside a session: %s", values, res.Status)
			}
			if got := h.Admin.last(t).Header["Authorization"]; !slices.Equal(got, values) {
				t.Errorf("%q came as %q", values, got)
			}
		}
		before = seen()
	})
	t.Run("bad: two headers, though one is good", func(t *testing.T) {
		res := ada.do("GET", "/gradio/admin/", "", "Authorization", h.accessToken("ada", nil), "Authorization", "Bearer abc")
		if res.StatusCode != 401 {
			t.Error(res.Status)
		}
	})
	if seen() != before {
		t.Error("an app was asked")
	}
	t.Run("a good token goes before a better session", func(t *testing.T) {
		res := ada.do("GET", "/gradio/admin/", "", "Authorization", h.accessToken("bob", nil))
		if res.StatusCode != 403 {
			t.Error(res.Status)
		}
		ada.do("GET", "/gradio/user/", "", "Authorization", h.accessToken("bob", nil))
		if got := h.User.last(t).Header.Get("X-Forwarded-User"); got != "U2bob" {
			t.Errorf("the app saw %q", got)
		}
	})
	t.Run("and does without one", func(t *testing.T) {
		res := h.browser().do("GET", "/gradio/user/", "", "Authorization", h.accessToken("bob", nil), "Cookie", "gatehouse=nonsense; theirs=1")
		if res.StatusCode != 200 || res.Header["Set-Cookie"] != nil {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
		if got := h.User.last(t).Header.Get("Cookie"); got != "theirs=1" {
			t.Errorf("the app got the cookies %q", got)
		}
	})
	t.Run("the session is as good as before", func(t *testing.T) {
		if res := ada.fetch("GET", "/gradio/admin/", ""); res.StatusCode != 200 {
			t.Error(res.Status)
		}
	})
	t.Run("denied events name the reason and what was wrong", func(t *testing.T) {
		reasons := map[any]bool{}
		for _, e := range h.events("denied") {
			reasons[e["reason"]] = true
			if e["reason"] == "bad_token" && (e["error"] == nil || e["error"] == "") {
				t.Errorf("without an error: %v", e)
			}
		}
		if !reasons["bad_token"] || !reasons["expired"] {
			t.Errorf("reasons %v", reasons)
		}
	})
}

func TestNoCredentialOnABearerRoute(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	t.Run("a script is told where to get a token", func(t *testing.T) {
		res := h.browser().do("POST", "/gradio/user/gradio_api/mcp/?x=1", "{}")
		if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || got != h.challengeOf("/gradio/user/gradio_api/mcp/", false) {
			t.Errorf("got %s %q", res.Status, got)
		}
		var body struct {
			LoginURL string `json:"login_url"`
		}
		if err := json.Unmarshal([]byte(res.Text), &body); err != nil || body.LoginURL == "" {
			t.Errorf("got %s", res.Text)
		}
	})
	t.Run("a person is led to the sign-in, without a challenge", func(t *testing.T) {
		res := h.browser().open("/gradio/user/")
		if res.StatusCode != 302 || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
	t.Run("a form sent without a session gets 401 with the challenge", func(t *testing.T) {
		res := h.browser().do("POST", "/gradio/user/", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin")
		if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != h.challengeOf("/gradio/user/", false) {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
	t.Run("the path in it is the canonical one", func(t *testing.T) {
		answer := h.raw("GET /gradio/user/%61%22b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if want := h.challengeOf("/gradio/user/a%22b", false); !strings.Contains(answer, want+"\r\n") {
			t.Errorf("got %s, want %s", answer, want)
		}
	})
	t.Run("routes for sessions only do not speak of tokens", func(t *testing.T) {
		if res := h.browser().do("GET", "/cookies/", ""); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
	t.Run("a session that has ended is told so, with the challenge", func(t *testing.T) {
		ada := h.as("ada")
		cookie := ada.cookies()
		ada.do("POST", "/auth/logout", "", "Origin", h.URL)
		res := h.browser().do("GET", "/gradio/user/x", "", "Cookie", cookie)
		if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != h.challengeOf("/gradio/user/x", false) {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
}

func TestWhereAuthorizationIsTheAppsOwn(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	ada := h.as("ada")
	token := h.accessToken("ada", nil)
	for _, tc := range []struct {
		name, path, value string
		session           bool
		status            int
	}{
		{"a token on a route without bearer signs nobody in", "/cookies/", token, false, 401},
		{"a bad token on a route without bearer is the app's business", "/cookies/", "Bearer abc", true, 200},
		{"so is any other scheme", "/cookies/", "Basic dXNlcjpwYXNz", true, 200},
		{"a public route passes it", "/open/", token, false, 200},
		{"another scheme on a bearer route leaves it to the session", "/gradio/user/", "Basic dXNlcjpwYXNz", true, 200},
		{"and without a session it is nobody's", "/gradio/user/", "Basic dXNlcjpwYXNz", false, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := h.browser()
			if tc.session {
				b = ada
			}
			res := b.do("GET", tc.path, "", "Authorization", tc.value)
			if res.StatusCode != tc.status {
				t.Fatalf("got %s", res.Status)
			}
			if tc.status != 200 {
				return
			}
			got := h.User.last(t)
			if got.Header.Get("Authorization") != tc.value {
				t.Errorf("the app got %q", got.Header.Get("Authorization"))
			}
			if who := got.Header.Get("X-Forwarded-User"); (who != "") != tc.session {
				t.Errorf("the app saw %q", who)
			}
		})
	}
	t.Run("two Authorization headers pass where nobody reads them", func(t *testing.T) {
		ada.do("GET", "/cookies/", "", "Authorization", "a b", "Authorization", "c d")
		if got := h.User.last(t).Header["Authorization"]; !slices.Equal(got, []string{"a b", "c d"}) {
			t.Errorf("the app got %q", got)
		}
	})
}

func TestABearerIsNoQuestionOfOrigin(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	token := h.accessToken("bob", nil)
	foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	if res := h.browser().do("POST", "/gradio/user/x", "{}", append(foreign, "Authorization", token)...); res.StatusCode != 200 {
		t.Errorf("with a token: %s", res.Status)
	}
	if res := h.as("bob").do("POST", "/gradio/user/x", "{}", foreign...); res.StatusCode != 403 {
		t.Errorf("with a session: %s", res.Status)
	}
	if res := h.as("bob").do("POST", "/gradio/user/x", "{}", append(foreign, "Authorization", "Bearer bad")...); res.StatusCode != 401 {
		t.Errorf("with a session and a bad token: %s", res.Status)
	}
	t.Run("a listed origin can read the challenge", func(t *testing.T) {
		res := h.browser().do("GET", "/shared/x", "", "Origin", "https://notebook.example.com", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Authorization", "Bearer bad")
		if res.StatusCode != 401 || res.Header.Get("Access-Control-Allow-Origin") != "https://notebook.example.com" ||
			!strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
	t.Run("and its preflight may ask for Authorization", func(t *testing.T) {
		res := h.browser().do("OPTIONS", "/shared/x", "", "Origin", "https://notebook.example.com",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
		if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Headers") != "authorization" {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
}

func TestMachinesComeWithSessionTokens(t *testing.T) {
	for _, opted := range []bool{false, true} {
		t.Run(fmt.Sprintf("session_tokens: %v", opted), func(t *testing.T) {
			h := newHouse(t, build{routes: bearerRoutes, descope: fmt.Sprintf("  session_tokens: %v\n", opted)})
			key := h.Provider.NewAccessKey(descopetest.AccessKey{ID: "K2robot", Tenants: map[string]descopetest.Grants{"T2acme": {Roles: []string{"Tenant Admin"}}}})
			_, token, err := h.Provider.ExchangeAccessKey(key)
			if err != nil {
				t.Fatal(err)
			}
			res := h.browser().do("GET", "/gradio/admin/", "", "Authorization", "Bearer "+token)
			if want := map[bool]int{false: 401, true: 200}[opted]; res.StatusCode != want {
				t.Fatalf("got %s", res.Status)
			}
			if !opted {
				return
			}
			if got := h.Admin.last(t).Header; got.Get("X-Forwarded-User") != "K2robot" || got.Get("X-Forwarded-Email") != "" {
				t.Errorf("the app saw %q", got)
			}
			person, err := h.Provider.SessionJWT("ada", nil)
			if err != nil {
				t.Fatal(err)
			}
			if res := h.browser().do("GET", "/gradio/admin/", "", "Authorization", "Bearer "+person); res.StatusCode != 200 {
				t.Errorf("a person's session JWT: %s", res.Status)
			}
			if got := h.Admin.last(t).Header; got.Get("X-Forwarded-User") != "U2ada" || got.Get("X-Forwarded-Tenant") != "T2acme" {
				t.Errorf("the app saw %q", got)
			}
			refresh, err := h.Provider.SessionJWT("ada", map[string]any{"drn": "DSR"})
			if err != nil {
				t.Fatal(err)
			}
			if res := h.browser().do("GET", "/gradio/admin/", "", "Authorization", "Bearer "+refresh); res.StatusCode != 401 {
				t.Errorf("a refresh token: %s", res.Status)
			}
		})
	}
}

// A token whose aud is an app's address is for that app alone.
func TestATokenForOneAppIsNoneForItsNeighbour(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	for _, tc := range []struct {
		name, aud, path string
		status          int
	}{
		{"the route's own address", "/gradio/user", "/gradio/user/x", 200},
		{"an address in the route", "/gradio/user/gradio_api/mcp/", "/gradio/user/gradio_api/mcp/", 200},
		{"an address in the route, spelled otherwise", "/gradio/%75ser/mcp", "/gradio/user/x", 200},
		{"an address of a longer route", "/gradio/user/nested/mcp", "/gradio/user/x", 401},
		{"an address of a shorter route", "/gradio/user", "/gradio/user/nested/x", 401},
		{"an address of the neighbour", "/gradio/user", "/gradio/admin/x", 401},
		{"an address that only begins alike", "/gradio/users", "/gradio/user/x", 401},
		{"an address above all routes", "/", "/gradio/user/x", 401},
		{"an address with two readings", "/gradio//user", "/gradio/user/x", 401},
		{"an address with a fragment", "/gradio/user#x", "/gradio/user/x", 401},
		{"an address with dots in it", "/gradio/user/../admin", "/gradio/admin/x", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := h.accessToken("ada", map[string]any{"aud": h.URL + tc.aud})
			for range 2 { // the second time from memory
				if res := h.browser().do("GET", tc.path, "", "Authorization", token); res.StatusCode != tc.status {
					t.Errorf("got %s", res.Status)
				}
			}
		})
	}
	for _, aud := range []string{"/gradio/user", "https://localhost/gradio/user", "http://evil.example/gradio/user", h.URL + "0/gradio/user", strings.Replace(h.URL, "localhost", "localhost.", 1) + "/gradio/user", strings.Replace(h.URL, "http://", "http://x@", 1) + "/gradio/user"} {
		if res := h.browser().do("GET", "/gradio/user/x", "", "Authorization", h.accessToken("ada", map[string]any{"aud": aud})); res.StatusCode != 401 {
			t.Errorf("aud %s: %s", aud, res.Status)
		}
	}
}
