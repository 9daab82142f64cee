package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

// scripts are texts that would be markup, or end an attribute, if they were
// shown as they are.
var scripts = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg/onload=alert(1)>`, `</title><script>alert(1)</script>`, `javascript:alert(1)`,
	`" onfocus=alert(1) autofocus="`, `' onmouseover='alert(1)`, `{{7*7}}`, `${7*7}`, `<!--`, `]]>`, "\u003cscript\u003e", `&lt;script&gt;`, `%3Cscript%3E`, `<a href="javascript:x">`, "`alert(1)`", `\u003cscript>`,
}

// harmless reports whether none of the scripts stands in a page as markup.
func harmless(page string) (found string, ok bool) {
	low := strings.ToLower(page)
	for _, bad := range []string{"<script>alert", "<img src=x", "<svg/onload", "onerror=alert(1)>", `" onfocus=`, `' onmouseover='`, `href="javascript`, `href='javascript`, "href=javascript", "<a href=\"javascript"} {
		if strings.Contains(low, bad) {
			return bad, false
		}
	}
	return "", true
}

func TestAttack20XSSAndLeaks(t *testing.T) {
	evil := strings.Join(scripts, "")
	h := newHouse(t, build{
		provider: descopetest.Options{
			People: []descopetest.Person{
				{ID: "mallory", Name: evil, Email: `"<script>alert(1)</script>"@evil.example`, Tenants: map[string]descopetest.Grants{`T<script>alert(1)</script>`: {Roles: []string{evil}}, "T2acme": {}}},
			},
			Tenants: []descopetest.Tenant{{ID: `T<script>alert(1)</script>`, Name: evil}, {ID: "T2acme", Name: "Acme"}},
		},
		extra: `pages: {title: "<script>alert(1)</script>", support: "x@example.com"}`,
		routes: `
  - path: /app
    title: '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    description: "<script>alert(1)</script>"
    upstream: "%[1]s"
    allow: authenticated
  - path: /closed
    title: "<script>alert(1)</script>"
    upstream: "%[2]s"
    allow: [{roles: ['"><img src=x onerror=alert(1)>'], permissions: ["<script>alert(1)</script>"]}]
`,
	})
	mallory := h.as("mallory").cookies()
	w := h.wire(t)
	look := func(what string, res reply) {
		t.Helper()
		if res.StatusCode >= 500 && !strings.Contains(what, "/auth/error") {
			t.Errorf("%s: %s", what, res.Status)
		}
		kind := res.Header.Get("Content-Type")
		if bad, ok := harmless(res.Text); !ok && strings.HasPrefix(kind, "text/html") {
			t.Errorf("%s: %q stands in the page:\n%s", what, bad, res.Text)
		}
		if strings.HasPrefix(kind, "text/html") && !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: Content-Security-Policy %q", what, res.Header.Get("Content-Security-Policy"))
		}
		if kind != "" && kind != "text/plain; charset=utf-8" && res.Header.Get("X-Content-Type-Options") != "nosniff" { // plain text is the HTTP server's own 400
			t.Errorf("%s (%s) may be sniffed", what, kind)
		}
	}
	for _, page := range []string{"/auth/", "/closed/x", "/auth/me", "/closed", "/", "/auth/logout"} {
		look("Mallory's "+page, w.ask(h.get(page, mallory, "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site")))
		look("Mallory's "+page, w.ask(h.get(page, mallory)))
	}
	for _, script := range scripts {
		q := url.QueryEscape(script)
		for _, target := range []string{
			"/auth/error?reason=" + q, "/auth/error?reason=denied&id=" + q, "/auth/error?error=" + q + "&error_description=" + q + "&message=" + q, "/auth/callback?error=" + q + "&error_description=" + q + "&state=" + q,
			"/auth/?return_to=" + q, "/auth/login?return_to=" + q + "&login_hint=" + q, "/auth/?signed_out=" + q, "/auth/" + url.PathEscape(script), "/" + url.PathEscape(script), "/closed/" + url.PathEscape(script) + "?" + q,
			"/nowhere/?" + q, "/auth/menu.js?" + q, "/auth/logout?" + q,
		} {
			for _, cookies := range []string{"", mallory} {
				look(target, w.ask(h.get(target, cookies, "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site")))
				look(target, w.ask(h.get(target, cookies, "Referer: "+h.URL+"/closed/"+url.PathEscape(script), "User-Agent: "+script, "Origin: "+script)))
			}
		}
		look("Host", w.ask("GET / HTTP/1.1\r\nHost: "+strings.NewReplacer(" ", "").Replace(script)+"\r\nAccept: text/html\r\n\r\n"))
		look("method", w.ask("<SCRIPT> / HTTP/1.1\r\nHost: "+h.host()+"\r\nAccept: text/html\r\n\r\n"))
	}
	t.Run("what the provider says is not shown", func(t *testing.T) {
		b := h.browser()
		u, err := url.Parse(b.authorize("mallory", ""))
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"state": {u.Query().Get("state")}, "error": {"access_denied<script>"}, "error_description": {"<script>alert(1)</script> s3cret"}}
		res := b.open("/auth/callback?" + q.Encode())
		page := b.open(res.Header.Get("Location"))
		if strings.Contains(page.Text, "s3cret") || strings.Contains(res.Header.Get("Location"), "s3cret") {
			t.Errorf("led to %q:\n%s", res.Header.Get("Location"), page.Text)
		}
	})
}

func TestAttack20OwnAnswersAreFramedCachedSniffedByNobody(t *testing.T) {
	h := newHouse(t, build{})
	bob := h.as("bob").cookies()
	w := h.wire(t)
	for _, target := range []string{
		"/auth/", "/auth/?signed_out=1", "/auth/error?reason=state", "/auth/error?reason=provider", "/auth/login", "/auth/callback?state=x", "/auth/callback?code=x&state=y", "/auth/logout", "/auth/me", "/auth/health", "/auth/nowhere", "/auth/jwks.json", "/auth/menu.js",
		"/", "/gradio", "/gradio/admin/", "/gradio/admin", "/gradio/user", "/nowhere", "/gradio/user/../x", "/gradio/USER/x", "/manifest.json", "/favicon.ico", "/robots.txt", "/gradio/user/manifest.json",
	} {
		for _, cookies := range []string{"", bob} {
			if strings.HasPrefix(target, "/gradio/user/m") && cookies != "" {
				continue // the app's
			}
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
				if target == "/gradio/user" && cookies != "" && method != "GET" && method != "HEAD" {
					continue // the app's too
				}
				for _, more := range [][]string{{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site"}, {"Accept: */*", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin"}} {
					if target == "/auth/logout" && len(more) > 1 && more[1] == "Sec-Fetch-Mode: cors" {
						continue // signs out
					}
					res := w.ask(h.request(method, target, cookies, append(more, "Content-Length: 0")...))
					what := fmt.Sprintf("%s %s (%s, signed in: %v)", method, target, res.Status, cookies != "")
					cache := res.Header.Get("Cache-Control")
					if cache != "no-store" && !(cache == "public, max-age=300" && (target == "/auth/menu.js" || target == "/auth/jwks.json")) {
						t.Errorf("%s: Cache-Control %q", what, cache)
					}
					if res.Header.Get("X-Request-Id") == "" {
						t.Errorf("%s: no X-Request-Id", what)
					}
					if res.Header.Get("Content-Type") == "" {
						continue // a redirect
					}
					referrer := "same-origin"
					if strings.HasPrefix(target, "/auth/callback") { // whose address holds a code
						referrer = "no-referrer"
					}
					for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": referrer} {
						if got := res.Header.Get(name); got != want {
							t.Errorf("%s: %s %q", what, name, got)
						}
					}
					if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
						policy := res.Header.Get("Content-Security-Policy")
						for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"} {
							if !strings.Contains(policy, want) {
								t.Errorf("%s: %q lacks %s", what, policy, want)
							}
						}
						if strings.Contains(policy, "unsafe-") || strings.Contains(policy, "*") {
							t.Errorf("%s: %q", what, policy)
						}
					}
				}
			}
		}
	}
	t.Run("every answer of a protected app is private", func(t *testing.T) {
		for _, said := range []string{"", "public", "public, max-age=60", "max-age=60", "s-maxage=9", "PUBLIC, S-MaxAge=9, must-revalidate", "no-store", "private", "immutable, public", `private="x", public`} {
			for _, status := range []int{200, 203, 206, 301, 304, 404, 410, 500} {
				h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
					if said != "" {
						w.Header().Set("Cache-Control", said)
					}
					w.WriteHeader(status)
					return true
				})
				got := strings.ToLower(w.ask(h.get("/gradio/user/x", bob)).Header.Get("Cache-Control"))
				if !strings.HasPrefix(got, "private") || strings.Contains(got, "public") || strings.Contains(got, "s-maxage") {
					t.Errorf("%d with %q came as %q", status, said, got)
				}
			}
		}
	})
}

func TestAttack21ProtectedBodyWithSignInPage(t *testing.T) {
	h := newHouse(t, build{})
	bob := h.as("bob").cookies()
	w := h.wire(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY", "get", "FROB"} {
		for _, cookies := range []string{"", bob, "gatehouse=x"} {
			for _, more := range [][]string{
				{"Accept: text/html"}, {"Sec-Fetch-Mode: navigate"}, {"Accept: text/event-stream"}, {"Range: bytes=0-10"}, {"If-None-Match: *"}, {"If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT"}, {"X-Requested-With: XMLHttpRequest"},
				{"Purpose: prefetch", "Sec-Purpose: prefetch"}, {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"}, {"Origin: " + h.URL}, {"Service-Worker: script"}, {"Authorization: Basic YWRhOmFkYQ=="}, {"Max-Forwards: 0"},
			} {
				res := w.ask(h.request(method, "/gradio/admin/secret", cookies, append(more, "Content-Length: 0")...))
				if res.StatusCode < 300 || strings.Contains(res.Text, "admin app") {
					t.Errorf("%s %q: %s %q", method, more, res.Status, res.Text)
				}
			}
		}
	}
	for _, seen := range h.Admin.requests() {
		t.Errorf("the app was asked: %s %s", seen.Method, seen.Target)
	}
}

func TestAttack22WebSocketsAndCrossOrigin(t *testing.T) {
	tunnel := newTunnelApp(t)
	h := newHouse(t, build{routes: `
  - path: /admin
    upstream: "` + tunnel.URL + `"
    allow: [{roles: [Tenant Admin]}]
  - {path: /user, upstream: "` + tunnel.URL + `", allow: authenticated}
`})
	ada, bob := h.as("ada").cookies(), h.as("bob").cookies()
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, c := range []struct {
		what, target, cookies string
		more                  []string
		want                  int
	}{
		{"the page's own", "/admin/ws", ada, []string{"Origin: " + h.URL}, 101},
		{"nobody", "/admin/ws", "", []string{"Origin: " + h.URL}, 401},
		{"a member", "/admin/ws", bob, []string{"Origin: " + h.URL}, 403},
		{"a member by another spelling", "/user/%2e%2e/admin/ws", bob, nil, 400},
		{"a member by another case", "/ADMIN/ws", bob, nil, 400},
		{"another site", "/admin/ws", ada, []string{"Origin: https://evil.example"}, 403},
		{"a sibling host", "/admin/ws", ada, []string{"Origin: http://sibling.localhost", "Sec-Fetch-Site: same-site"}, 403},
		{"the same host on another port", "/admin/ws", ada, []string{"Origin: http://localhost:1"}, 403},
		{"the same host by https", "/admin/ws", ada, []string{"Origin: " + strings.Replace(h.URL, "http", "https", 1)}, 403},
		{"a host that begins alike", "/admin/ws", ada, []string{"Origin: " + h.URL + ".evil.example"}, 403},
		{"null", "/admin/ws", ada, []string{"Origin: null"}, 403},
		{"an empty Origin", "/admin/ws", ada, []string{"Origin: "}, 403},
		{"two Origins", "/admin/ws", ada, []string{"Origin: " + h.URL, "Origin: https://evil.example"}, 403},
		{"Origins in a list", "/admin/ws", ada, []string{"Origin: " + h.URL + " https://evil.example"}, 403},
		{"an Origin in capitals", "/admin/ws", ada, []string{"Origin: " + strings.ToUpper(h.URL)}, 403},
		{"cross-site without Origin", "/admin/ws", ada, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"Sec-Fetch-Site in capitals", "/admin/ws", ada, []string{"Sec-Fetch-Site: SAME-ORIGIN", "Origin: https://evil.example"}, 403},
		{"both Sec-Fetch-Sites", "/admin/ws", ada, []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, 403},
		{"a Host that is the attacker's", "/admin/ws", ada, []string{"X-Forwarded-Host: evil.example", "Origin: http://evil.example"}, 403},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := h.wire(t)
			if res := w.ask(h.get(c.target, c.cookies, append(append([]string(nil), upgrade...), c.more...)...)); res.StatusCode != c.want {
				t.Errorf("got %s, want %d", res.Status, c.want)
			}
		})
	}
	t.Run("every spelling of an upgrade is checked", func(t *testing.T) {
		for _, headers := range [][]string{
			{"Connection: upgrade", "Upgrade: WebSocket"}, {"Connection: keep-alive, Upgrade", "Upgrade: websocket"}, {"Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"}, {"CONNECTION: UPGRADE", "UPGRADE: WEBSOCKET"},
			{"Connection: Upgrade", "Upgrade: websocket "}, {"Connection: \tUpgrade", "Upgrade:\twebsocket"},
		} {
			w := h.wire(t)
			if res := w.ask(h.get("/admin/ws", ada, append(headers, "Origin: https://evil.example")...)); res.StatusCode != 403 {
				t.Errorf("%q: %s", headers, res.Status)
			}
		}
	})
	t.Run("an upgrade to one of two protocols is none", func(t *testing.T) {
		for _, headers := range [][]string{
			{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}, {"Connection: Upgrade", "Upgrade: h2c, websocket"}, {"Connection: Upgrade", "Upgrade: websocket, foo/2"}, {"Connection: Upgrade, Sec-WebSocket-Key", "Upgrade: h2c", "Upgrade: websocket"},
		} {
			w := h.wire(t)
			if res := w.ask(h.get("/admin/ws", ada, append(append(headers, upgrade[2:]...), "Origin: https://evil.example")...)); res.StatusCode == 101 {
				t.Errorf("%q: %s", headers, res.Status)
			}
		}
	})
	t.Run("an unsafe method has no simple way around", func(t *testing.T) {
		w := h.wire(t)
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "post", "LINK", "GET\x20"} {
			for _, more := range [][]string{{"Origin: https://evil.example", "Content-Type: text/plain"}, {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, {"Origin: null", "Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site", "Origin: http://sibling.localhost"}} {
				if res := w.ask(h.request(method, "/admin/x", ada, append(more, "Content-Length: 0")...)); res.StatusCode != 403 && res.StatusCode != 400 {
					t.Errorf("%s with %q: %s", method, more, res.Status)
				}
			}
		}
	})
	t.Run("what goes through a tunnel carries no more than was decided", func(t *testing.T) {
		a := newBareApp(t)
		h := newHouse(t, build{routes: "\n  - {path: /app, upstream: \"" + a.URL + "\", allow: authenticated}\n"})
		a.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: gatehouse=evil; Path=/\r\nSet-Cookie: own=1; Path=/; Domain=localhost\r\nClear-Site-Data: \"*\"\r\nX-Gatehouse-X: y\r\n\r\n")
		w := h.wire(t)
		res := w.ask(h.get("/app/ws", h.as("ada").cookies(), upgrade...))
		if res.StatusCode != 101 || res.Header.Get("Clear-Site-Data") != "" || res.Header.Get("X-Gatehouse-X") != "" {
			t.Errorf("got %s %v", res.Status, res.Header)
		}
		if got := res.Header["Set-Cookie"]; len(got) != 1 || got[0] != "own=1; Path=/app/" {
			t.Errorf("cookies %q", got)
		}
		if res.Header.Get("X-Request-Id") == "" {
			t.Errorf("no X-Request-Id on the 101: %v", res.Header)
		}
	})
	t.Run("an app that switches unasked, or refuses, opens no tunnel", func(t *testing.T) {
		a := newBareApp(t)
		h := newHouse(t, build{routes: "\n  - {path: /app, upstream: \"" + a.URL + "\", allow: authenticated}\n"})
		ada := h.as("ada").cookies()
		for answer, request := range map[string]string{
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n":     h.get("/app/x", ada),
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n":           h.get("/app/ws", ada, upgrade...),
			"HTTP/1.1 101 Switching Protocols\r\n\r\n":                                                  h.get("/app/ws", ada, upgrade...),
			"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n":          h.get("/app/ws", ada, upgrade...),
			"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n": h.get("/app/ws", ada, upgrade...),
			"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno":              h.get("/app/ws", ada, upgrade...),
		} {
			a.say(answer)
			w := h.wire(t)
			res := w.ask(request)
			if res.StatusCode == 101 {
				t.Errorf("%.60q: a tunnel", answer)
			}
			n := len(a.requests())
			if w.conn != nil {
				_, _ = w.conn.Write([]byte(h.get("/app/../admin/smuggled", ada, "X-Forwarded-User: forged")))
				if next, err := w.read("GET"); err == nil && next.StatusCode != 400 {
					t.Errorf("%.60q: what followed was answered %s", answer, next.Status)
				}
			}
			if seen := a.requests()[n:]; len(seen) != 0 {
				t.Errorf("%.60q: what followed reached the app: %q", answer, seen)
			}
		}
	})
}

func TestAttack28AppsThatSpeakForTheProxy(t *testing.T) {
	a := newBareApp(t)
	h := newHouse(t, build{routes: `
  - {path: /app, upstream: "` + a.URL + `", allow: authenticated}
  - {path: /open, upstream: "` + a.URL + `", allow: public}
`})
	ada := h.as("ada").cookies()
	for _, target := range []string{"/app/x", "/open/x"} {
		for _, line := range []string{
			"Set-Cookie: gatehouse=evil", "Set-Cookie: gatehouse=; Max-Age=0", "set-cookie:gatehouse.0=evil", "SET-COOKIE:  gatehouse.1=evil", "Set-Cookie: gatehouse-state-aaaaaaaaaaaa=evil", "Set-Cookie: \tgatehouse=evil", "Set-Cookie: gatehouse =evil",
			"Set-Cookie: gatehouse", "Set-Cookie: =gatehouse=evil", "Set-Cookie: ; gatehouse=evil", "Set-Cookie: __Host-x=evil; Path=/; Secure", "Set-Cookie: __HOST-x=evil; Path=/; Secure",
			"Strict-Transport-Security: max-age=0; evil", "Clear-Site-Data: \"evil\"", "Alt-Svc: evil", "Nel: evil", "NEL: evil", "Report-To: evil", "report-to: evil", "CDN-Cache-Control: evil", "Surrogate-Control: evil", "X-Request-Id: evil", "x-request-id: evil",
			"X-Accel-Redirect: /evil", "x_accel_redirect: /evil", "X-Accel-Expires: evil", "X-Sendfile: /evil", "X-Lighttpd-Send-File: /evil", "X-LiteSpeed-Location: /evil", "X-Reproxy-URL: http://evil", "Cloudflare-CDN-Cache-Control: evil", "Edge-Control: evil",
			"X-Gatehouse-Assertion: evil", "x_gatehouse_x: evil", "Service-Worker-Allowed: /", "Service-Worker-Allowed: /app/../evil", "Service-Worker-Allowed: /application/evil", "Service-Worker-Allowed: //evil", "Service-Worker-Allowed: https://evil",
			"Trailer: Set-Cookie", "Connection: X-Request-Id, Cache-Control", "Keep-Alive: evil", "Proxy-Authenticate: Basic realm=evil", "Proxy-Connection: evil", "Upgrade: evil",
		} {
			a.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + line + "\r\n\r\nok")
			res := h.wire(t).ask(h.get(target, ada))
			for name, values := range res.Header {
				for _, v := range values {
					if strings.Contains(v, "evil") || strings.Contains(v, "gatehouse") || name == "Service-Worker-Allowed" {
						t.Errorf("%s: %q came as %s: %q", target, line, name, v)
					}
				}
			}
			if res.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s: %q took the request ID away", target, line)
			}
			if target == "/app/x" && !strings.HasPrefix(res.Header.Get("Cache-Control"), "private") {
				t.Errorf("%s: %q left Cache-Control %q", target, line, res.Header.Get("Cache-Control"))
			}
		}
	}
	t.Run("CORS of an app behind a session is none", func(t *testing.T) {
		a.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: https://evil.example\r\naccess-control-allow-credentials: true\r\nAccess-Control-Allow-Private-Network: true\r\nAccess-Control-Expose-Headers: *\r\n\r\nok")
		res := h.wire(t).ask(h.get("/app/x", ada, "Origin: https://evil.example"))
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s passed", name)
			}
		}
	})
	t.Run("what an app appends to its answer is nobody's answer", func(t *testing.T) {
		poison := "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
		for _, answer := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poison, "HTTP/1.1 204 No Content\r\n\r\n" + poison, "HTTP/1.1 304 Not Modified\r\n\r\n" + poison, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + poison,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + poison, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: gatehouse=evil\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poison,
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nok" + poison, "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nok" + poison, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok" + poison, "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok" + poison,
			"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok" + poison, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" + poison, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\nok\r\n0\r\n\r\n" + poison, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokX0\r\n\r\n" + poison, "\r\n" + poison, "HTTP/1.1 200 OK\nContent-Length: 2\n\nok" + poison,
		} {
			for range 2 {
				a.say(answer)
				w := h.wire(t)
				first := ask(w, h.get("/app/x", ada))
				a.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
				// net/http puts a connection back before it sees what else came; for that
				// instant an app could answer its own next request early.
				time.Sleep(20 * time.Millisecond)
				second := ask(h.wire(t), h.get("/app/y", ada))
				if second.Text == "poison" || strings.Contains(second.Text, "poison") || first.StatusCode == 200 && first.Text == "poison" && !strings.HasPrefix(answer, "\r\n") {
					t.Errorf("%.80q: first %q, the next request got %q", answer, first.Text, second.Text)
				}
				for _, c := range append(first.Header["Set-Cookie"], second.Header["Set-Cookie"]...) {
					t.Errorf("%.80q: set %q", answer, c)
				}
			}
		}
	})
	t.Run("a header that would be two lines is none", func(t *testing.T) {
		for _, line := range []string{"X: a\rSet-Cookie: gatehouse=evil", "X: a\x00b", "X : evil", "X\x00: evil", "X: a\r\n folded: evil", ": evil"} {
			a.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + line + "\r\n\r\nok")
			res := ask(h.wire(t), h.get("/app/x", ada))
			for name, values := range res.Header {
				for _, v := range values {
					if strings.Contains(v, "gatehouse=") || strings.ContainsAny(v, "\r\n\x00") || strings.EqualFold(name, "folded") {
						t.Errorf("%q came as %s: %q", line, name, v)
					}
				}
			}
		}
	})
}

// ask is wire.ask for answers that may be torn on purpose.
func ask(w *wire, request string) reply {
	conn := w.dial()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = conn.Write([]byte(request))
	res, err := w.read("GET")
	w.close()
	if err != nil {
		return reply{Response: &http.Response{Header: http.Header{}}}
	}
	return res
}

func TestAttack30GradiosOwn(t *testing.T) {
	h := newHouse(t, build{routes: tutorialRoutes})
	ada := h.as("ada")
	h.Admin.on(func(w http.ResponseWriter, r *http.Request) bool {
		// As Gradio answers file= with Range: the request's own headers come back;
		// and any Origin is allowed to read them.
		for name, values := range r.Header {
			w.Header()[name] = values
		}
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Content-Range", "bytes 0-3/100")
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Type", "image/png")
		w.Header()["Content-Length"] = []string{"4"}
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, "abcd")
		return true
	})
	res := ada.do("GET", "/gradio/admin/gradio_api/file=/tmp/x.png", "", "Range", "bytes=0-3", "Cookie", "own=1", "Origin", "https://evil.example", "Authorization", "Bearer abc", "X-Custom", "echo", "Service-Worker-Allowed", "/", "Location", "https://evil.example", "Refresh", "0;url=//evil.example", "Content-Security-Policy-Report-Only", "x", "Link", "x", "Www-Authenticate", "Basic", "Set-Cookie", "x=y", "Origin-Agent-Cluster", "?1")
	if res.StatusCode != 206 || res.Text != "abcd" || res.Header.Get("Content-Range") != "bytes 0-3/100" || res.Header.Get("Content-Type") != "image/png" {
		t.Fatalf("the part did not come: %s %v", res.Status, res.Header)
	}
	for name := range res.Header {
		switch name {
		case "Accept-Ranges", "Content-Range", "Content-Length", "Content-Type", "Date", "Cache-Control", "X-Request-Id", "Vary", "Etag", "Last-Modified", "Content-Disposition", "Content-Encoding", "Expires":
		default:
			t.Errorf("the 206 carries %s: %q", name, res.Header[name])
		}
	}
	h.Admin.on(nil)
	t.Run("a client says no root", func(t *testing.T) {
		ada.do("GET", "/gradio/admin/config", "", "X-Gradio-Server", "https://evil.example", "X-Direct-Url", "https://evil.example", "X-Forwarded-Host", "evil.example/x", "X-Gradio-User", "forged", "X_Gradio_Server", "https://evil.example", "x-hf-authorization", "Bearer hf_x", "X-Forwarded-Proto", "https")
		got := h.Admin.last(t).Header
		for name, values := range got {
			if strings.Contains(strings.Join(values, " "), "evil") || strings.Contains(strings.ToLower(name), "gradio") || strings.Contains(strings.Join(values, ""), "hf_x") {
				t.Errorf("%s: %q reached the app", name, values)
			}
		}
		if got.Get("X-Forwarded-Host") != h.host()+"/gradio/admin" || got.Get("X-Forwarded-Proto") != "http" {
			t.Errorf("the app saw %q by %q", got.Get("X-Forwarded-Host"), got.Get("X-Forwarded-Proto"))
		}
	})
	t.Run("a member reaches no route of the admin's app", func(t *testing.T) {
		bob := h.as("bob")
		before := len(h.Admin.requests())
		for _, target := range []string{
			"config", "info", "theme.css", "login", "logout", "assets/x.js", "static/x", "openapi.json", "monitoring", "pwa_icon", "svelte/x.js", "gradio_api/info", "gradio_api/queue/data?session_hash=x", "gradio_api/heartbeat/x",
			"gradio_api/upload_progress?upload_id=x", "gradio_api/call/x/y", "gradio_api/mcp/sse", "gradio_api/mcp", "gradio_api/file=/etc/passwd", "gradio_api/file=/gradio_api/queue/x", "gradio_api/proxy=http://127.0.0.1/", "gradio_api/stream/h/r/i/playlist.m3u8",
			"gradio_api/deep_link?session_hash=x", "gradio_api/startup-events", "gradio_api/app_id", "gradio_api/custom_component/x/y/z", "gradio_api/queue%2Fstatus", "queue/join", "ws", "file/x", "",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				if res := bob.fetch(method, "/gradio/admin/"+target, ""); res.StatusCode != 403 {
					t.Errorf("%s %s: %s", method, target, res.Status)
				}
			}
		}
		for _, target := range []string{"queue/join", "call/x", "run/x", "upload", "component_server", "process_recording", "cancel", "reset", "stream/x", "api/predict"} {
			if res := bob.fetch("POST", "/gradio/admin/gradio_api/"+target, "{}"); res.StatusCode != 403 {
				t.Errorf("POST %s: %s", target, res.Status)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, res, err := websocket.Dial(ctx, "ws://"+h.host()+"/gradio/admin/queue/join", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {bob.cookies()}}})
		if err == nil || res == nil || res.StatusCode != 403 {
			t.Errorf("a WebSocket: %v", err)
		}
		if n := len(h.Admin.requests()) - before; n != 0 {
			t.Errorf("%d requests reached the admin's app", n)
		}
	})
}
