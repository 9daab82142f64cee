package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

const hostRoutes = `
  - name: home
    path: /home
    upstream: %[2]s
    allow: authenticated
  - name: admin
    host: admin.example.test
    upstream: %[1]s
    allow:
      - roles: [Tenant Admin]
  - name: customer
    title: Customer desk
    host: "{tenant}.desk.example.test"
    upstream: %[2]s
    allow:
      - tenant: "{tenant}"
  - name: staff
    host: staff.desk.example.test
    path: /s
    upstream: %[2]s
    allow: public
  - name: deep
    host: deep.example.test
    path: /a/b
    upstream: %[2]s
    allow: authenticated
`

func newHosts(t *testing.T) (*house, func(host, path string) string) {
	h := newHouse(t, build{
		public: "http://gate.example.test:PORT", session: "  cookie_domain: example.test",
		extra: "tenants: {acme: T2acme, globex: T2globex}", routes: hostRoutes,
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(h.URL, "http://"), ":")
	return h, func(host, path string) string { return "http://" + host + ":" + port + path }
}

func TestHosts(t *testing.T) {
	h, at := newHosts(t)
	ada := h.as("ada")
	nobody := h.browser()

	t.Run("a page on an unknown host leads to the same page of public_url", func(t *testing.T) {
		res := nobody.open(at("other.example.test", "/x/y?q=1"))
		if res.StatusCode != 302 || res.Header.Get("Location") != h.URL+"/x/y?q=1" {
			t.Errorf("got %s to %q", res.Status, res.Header.Get("Location"))
		}
	})
	t.Run("a script on an unknown host is told that it is misdirected", func(t *testing.T) {
		if res := nobody.fetch("GET", at("other.example.test", "/x"), ""); res.StatusCode != 421 {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("health answers on any host", func(t *testing.T) {
		if res := nobody.do("GET", at("other.example.test", "/auth/health"), ""); res.StatusCode != 200 {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("and without any, as some balancers ask", func(t *testing.T) {
		for _, request := range []string{"GET /auth/health HTTP/1.0\r\n\r\n", "GET /auth/health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"} {
			if answer := h.raw(request); !strings.Contains(answer, " 200 OK\r\n") {
				t.Errorf("%q: %.40q", request, answer)
			}
		}
		if answer := h.raw("GET /home HTTP/1.0\r\n\r\n"); !strings.Contains(answer, " 400 Bad Request\r\n") {
			t.Errorf("anything else: %.40q", answer)
		}
	})
	t.Run("a page on a route's host leads to the sign-in on public_url and comes back", func(t *testing.T) {
		target := at("admin.example.test", "/x?a=1&b=2")
		res := nobody.open(target)
		if want := h.URL + "/auth/?return_to=" + url.QueryEscape(target); res.Header.Get("Location") != want {
			t.Fatalf("led to %q, want %q", res.Header.Get("Location"), want)
		}
		b := h.browser()
		if res := b.signIn("ada", target); res.Header.Get("Location") != target {
			t.Errorf("back to %q", res.Header.Get("Location"))
		}
		if res := b.open(target); res.Text != "admin app: GET /x?a=1&b=2" {
			t.Errorf("got %s %q", res.Status, res.Text)
		}
	})
	t.Run("a sign-in that began anywhere on a tenant's host names the tenant", func(t *testing.T) {
		for _, target := range []string{"/x", "/", "/nowhere", ""} {
			back := ""
			if target != "" {
				back = "?return_to=" + url.QueryEscape(at("acme.desk.example.test", target))
			}
			res := nobody.open(at("acme.desk.example.test", "/auth/login"+back))
			res = nobody.open(res.Header.Get("Location"))
			if there, err := url.Parse(res.Header.Get("Location")); err != nil || there.Query().Get("tenant") != "T2acme" {
				t.Errorf("from %q: led to %q", target, res.Header.Get("Location"))
			}
		}
	})
	t.Run("one on a host with routes of its own names none, though it is like a tenant's", func(t *testing.T) {
		back := at("staff.desk.example.test", "/")
		res := nobody.open("/auth/login?return_to=" + url.QueryEscape(back))
		if there, err := url.Parse(res.Header.Get("Location")); err != nil || there.Query().Has("tenant") {
			t.Errorf("led to %q", res.Header.Get("Location"))
		}
	})
	t.Run("a host's own sign-in page is public_url's", func(t *testing.T) {
		res := nobody.open(at("admin.example.test", "/auth/?return_to=%2Fx"))
		if want := h.URL + "/auth/?return_to=" + url.QueryEscape(at("admin.example.test", "/x")); res.Header.Get("Location") != want {
			t.Errorf("led to %q, want %q", res.Header.Get("Location"), want)
		}
	})
	t.Run("a tenant's host lets its members in, by alias", func(t *testing.T) {
		if res := ada.open(at("acme.desk.example.test", "/")); res.StatusCode != 200 {
			t.Errorf("got %s", res.Status)
		}
		if got := h.User.last(t).Header.Get("X-Forwarded-Tenant"); got != "T2acme" {
			t.Errorf("tenant %q", got)
		}
	})
	t.Run("and nobody else's", func(t *testing.T) {
		for _, host := range []string{"globex.desk.example.test", "t2acme.desk.example.test", "unheard.desk.example.test"} {
			if res := ada.open(at(host, "/")); res.StatusCode != 403 {
				t.Errorf("%s: got %s", host, res.Status)
			}
		}
	})
	t.Run("its sign-in goes straight to that customer's SSO", func(t *testing.T) {
		b := h.browser()
		res := b.open("/auth/login?return_to=" + url.QueryEscape(at("globex.desk.example.test", "/x")))
		authorize, err := url.Parse(res.Header.Get("Location"))
		if err != nil || authorize.Query().Get("tenant") != "T2globex" {
			t.Errorf("led to %q", res.Header.Get("Location"))
		}
	})
	t.Run("the port and one trailing dot of a host are ignored, its case is folded", func(t *testing.T) {
		for _, host := range []string{"GATE.example.test", "gate.example.test.", "gate.EXAMPLE.test:1"} {
			answer := h.raw("GET /home/ HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + ada.cookies() + "\r\n\r\n")
			if !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%s: %q", host, answer)
			}
			if got := h.User.last(t).Host; got != strings.TrimPrefix(h.URL, "http://") {
				t.Errorf("the app saw Host %q", got)
			}
		}
	})
	t.Run("a malformed host is refused", func(t *testing.T) {
		for _, host := range []string{"gate..example.test", "gate.example.test..", "gate.example.test:x", "a b", "[::1", "user@gate.example.test"} {
			if answer := h.raw("GET /home/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400") {
				t.Errorf("%s: %.60q", host, answer)
			}
		}
	})
	t.Run("/auth/me lists a tenant route once per tenant of the person", func(t *testing.T) {
		var me struct {
			Routes []struct{ Name, Title, URL string }
		}
		if err := json.Unmarshal([]byte(ada.fetch("GET", at("admin.example.test", "/auth/me"), "").Text), &me); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range me.Routes {
			got += r.Name + " " + r.URL + "\n"
		}
		want := "home " + h.URL + "/home/\nadmin " + at("admin.example.test", "/") + "\ncustomer " + at("acme.desk.example.test", "/") +
			"\ndeep " + at("deep.example.test", "/a/b/") + "\n"
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
	t.Run("the landing of a host leads to its own first route", func(t *testing.T) {
		for _, path := range []string{"/", "/a", "/a/"} {
			if res := ada.open(at("deep.example.test", path)); res.Header.Get("Location") != at("deep.example.test", "/a/b/") {
				t.Errorf("%s leads to %q", path, res.Header.Get("Location"))
			}
		}
		if res := ada.open(at("deep.example.test", "/b")); res.StatusCode != 404 {
			t.Errorf("/b: %s", res.Status)
		}
	})
	t.Run("signing out on any host expires the cookie with and without its domain", func(t *testing.T) {
		b := h.as("ada")
		res := b.do("POST", at("admin.example.test", "/auth/logout"), "", "Origin", at("admin.example.test", ""))
		with, without := 0, 0
		for _, c := range res.Cookies() {
			if c.MaxAge >= 0 {
				t.Errorf("%s is set", c.Name)
			}
			if c.Domain != "" {
				with++
			} else {
				without++
			}
		}
		if with != 3 || without != 3 {
			t.Errorf("%d with Domain and %d without, want 3 each: %q", with, without, res.Header["Set-Cookie"])
		}
	})
}

func TestReturnTo(t *testing.T) {
	h, at := newHosts(t)
	ada := h.as("ada")
	long := "/home/" + strings.Repeat("a", 1500)
	for _, c := range []struct{ what, back, want string }{
		{"a path comes back", "/home/x", "/home/x"},
		{"with its query, byte for byte", "/home/x?a=%zz&b=1+2&b", "/home/x?a=%zz&b=1+2&b"},
		{"without its fragment", "/home/x#top", "/home/x"},
		{"a route's host too", at("admin.example.test", "/x?y=1"), at("admin.example.test", "/x?y=1")},
		{"and a tenant's", at("acme.desk.example.test", "/"), at("acme.desk.example.test", "/")},
		{"public_url's own address becomes a path", h.URL + "/home/", "/home/"},
		{"a query that is too long is dropped", long + "?" + strings.Repeat("q", 600), long},
		{"a path that is too long too", "/home/" + strings.Repeat("a", 2000), "/home"},
		{"another host is not", "http://evil.example/", "/"},
		{"nor one that looks like ours", "http://gate.example.test.evil.example/", "/"},
		{"nor another port of ours", "http://gate.example.test:1/home", "/"},
		{"nor another scheme", strings.Replace(h.URL, "http", "https", 1) + "/home", "/"},
		{"nor userinfo", strings.Replace(h.URL, "http://", "http://x@", 1) + "/home", "/"},
		{"nor //evil", "//evil.example/", "/"},
		{"nor /\\evil", `/\evil.example/`, "/"},
		{"nor a tab", "/\t/evil.example", "/"},
		{"nor an encoded tab", "/%09/evil.example", "/"},
		{"nor a newline", "/home\r\nSet-Cookie: x=1", "/"},
		{"nor https:evil", "https:evil.example", "/"},
		{"nor javascript:", "javascript:alert(1)", "/"},
		{"nor data:", "data:text/html,x", "/"},
		{"nor dot segments", "/home/../auth/logout", "/"},
		{"nor encoded ones", "/home/%2e%2e/auth/logout", "/"},
		{"nor a unicode dot", "http://evil。example/", "/"},
		{"nor the sign-out", "/auth/logout", "/"},
		{"nor the callback", "/auth/callback?state=x", "/"},
		{"nor the sign-out of a route's host", at("admin.example.test", "/auth/logout"), "/"},
		{"nor the sign-out in another spelling", "/%61uth/logout", "/"},
		{"nor in another case", "/AUTH/logout", "/"},
		{"nor a relative path", "home", "/"},
		{"nor nothing", "", "/"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := h.browser()
			res := b.signIn("ada", c.back)
			if got := res.Header.Get("Location"); got != c.want {
				t.Errorf("return_to=%q comes back to %q, want %q", c.back, got, c.want)
			}
			if c.back == "" {
				return
			}
			if got := ada.open("/auth/?return_to=" + url.QueryEscape(c.back)).Header.Get("Location"); got != c.want {
				t.Errorf("signed in, /auth/?return_to=%q leads to %q, want %q", c.back, got, c.want)
			}
		})
	}
}

func TestThePortOfTheSchemeMayBeWrittenOrNot(t *testing.T) {
	h := newHouse(t, build{public: "http://gate.example.test", routes: "\n  - {path: /app, upstream: %[1]s, allow: authenticated, bearer: true}\n"})
	for _, back := range []string{"http://gate.example.test:80/app/x", "HTTP://gate.example.test/app/x"} {
		if res := h.browser().signIn("ada", back); res.Header.Get("Location") != "/app/x" {
			t.Errorf("%s led to %q", back, res.Header.Get("Location"))
		}
		if res := h.browser().do("GET", "/app/x", "", "Authorization", h.accessToken("ada", map[string]any{"aud": back})); res.StatusCode != 200 {
			t.Errorf("a token for %s: %s", back, res.Status)
		}
	}
	for _, back := range []string{"http://gate.example.test:443/app/x", "https://gate.example.test:80/app/x", "http://gate.example.test:/app/x", "http://gate.example.test:080/app/x"} {
		if res := h.browser().signIn("ada", back); res.Header.Get("Location") != "/" {
			t.Errorf("%s led to %q", back, res.Header.Get("Location"))
		}
	}
}

func TestWhatStandsBesideReturnToDoesNotMatter(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	for query, want := range map[string]string{
		"return_to=/gradio/user/x&foo=%zz": "/gradio/user/x", "a;b&return_to=/gradio/user/x;y": "/gradio/user/x;y",
		"return_to=%zz": "/", "return_to=/gradio/user&return_to=/gradio/admin": "/", "return_to=": "/",
	} {
		if res := ada.open("/auth/?" + query); res.StatusCode != 302 || res.Header.Get("Location") != want {
			t.Errorf("%s: %s to %q, want %q", query, res.Status, res.Header.Get("Location"), want)
		}
	}
}

// A session that no cookie carries to a host cannot be waited for there.
func TestNobodyIsSentInCirclesByAHostThatTheCookieDoesNotReach(t *testing.T) {
	for _, mode := range []string{"page", "direct"} {
		h := newHouse(t, build{extra: "sign_in: " + mode, routes: `
  - path: /app
    upstream: %[1]s
    allow: authenticated
  - host: pub.example.test
    path: /open
    upstream: %[2]s
    allow: public
  - host: pub.example.test
    path: /api
    upstream: %[2]s
    allow: authenticated
    bearer: true
`})
		_, port, _ := strings.Cut(strings.TrimPrefix(h.URL, "http://"), ":")
		for _, start := range []string{"/", "/auth/", "/auth/login", "/api/x"} {
			t.Run(mode+": "+start, func(t *testing.T) {
				b := h.as("ada")
				address := "http://pub.example.test:" + port + start
				for range 8 {
					res := b.open(address)
					next, err := res.Request.URL.Parse(res.Header.Get("Location"))
					if res.StatusCode == 200 || err != nil {
						return
					}
					if address = next.String(); strings.HasPrefix(address, h.Issuer) {
						if address, err = h.Provider.Authorize(t.Context(), b.client, address, "ada"); err != nil {
							t.Fatal(err)
						}
					}
				}
				t.Errorf("still under way, to %s", address)
			})
		}
	}
}

func TestLandings(t *testing.T) {
	t.Run("landing: portal leads to the page of apps", func(t *testing.T) {
		h := newHouse(t, build{extra: "landing: portal"})
		if res := h.as("ada").open("/gradio"); res.Header.Get("Location") != h.URL+"/auth/" {
			t.Errorf("led to %q", res.Header.Get("Location"))
		}
		page := h.as("bob").open("/auth/")
		if page.StatusCode != 200 || !strings.Contains(page.Text, "/gradio/user/") || strings.Contains(page.Text, "/gradio/admin/") {
			t.Errorf("Bob's portal: %s\n%s", page.Status, page.Text)
		}
	})
	t.Run("sign_in: direct leads straight to the provider, but not after a sign-out", func(t *testing.T) {
		h := newHouse(t, build{extra: "sign_in: direct"})
		b := h.browser()
		if res := b.open("/gradio/admin/?x=1"); res.Header.Get("Location") != h.URL+"/auth/login?return_to=%2Fgradio%2Fadmin%2F%3Fx%3D1" {
			t.Errorf("led to %q", res.Header.Get("Location"))
		}
		if res := b.open("/auth/?signed_out=1"); res.StatusCode != 200 || !strings.Contains(res.Text, "signed out") {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("who may open nothing gets 403", func(t *testing.T) {
		h := newHouse(t, build{routes: "\n  - path: /a\n    upstream: %[1]s\n    allow:\n      - roles: [Tenant Admin]\n  - path: /p\n    upstream: %[2]s\n    allow: public\n"})
		if res := h.as("carol").open("/"); res.StatusCode != 403 || !strings.Contains(res.Text, "carol@mail.example") {
			t.Errorf("got %s\n%s", res.Status, res.Text)
		}
	})
	t.Run("a person without tenants is told of once in the log, with the likely cause", func(t *testing.T) {
		h := newHouse(t, build{})
		h.as("carol")
		h.as("carol")
		if n := strings.Count(h.Log.String(), "descope.claims"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
	t.Run("what browsers ask for by themselves is answered where no route takes it", func(t *testing.T) {
		h := newHouse(t, build{})
		b := h.browser()
		for path, want := range map[string]string{"/manifest.json": "{}", "/robots.txt": "User-agent: *\nDisallow: /\n", "/gradio/admin/manifest.json": "{}"} {
			if res := b.do("GET", path, ""); res.StatusCode != 200 || res.Text != want {
				t.Errorf("%s: %s %q", path, res.Status, res.Text)
			}
		}
		if res := b.do("GET", "/favicon.ico", ""); res.StatusCode != 200 || len(res.Text) < 100 {
			t.Errorf("favicon: %s", res.Status)
		}
	})
	t.Run("a bare prefix is finished with a slash, for who may pass", func(t *testing.T) {
		h := newHouse(t, build{})
		if res := h.as("bob").open("/gradio/user?x=1"); res.StatusCode != 302 || res.Header.Get("Location") != h.URL+"/gradio/user/?x=1" {
			t.Errorf("got %s to %q", res.Status, res.Header.Get("Location"))
		}
		if res := h.as("bob").open("/gradio/admin"); res.StatusCode != 403 {
			t.Errorf("got %s", res.Status)
		}
	})
}
