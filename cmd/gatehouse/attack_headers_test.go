package main

import (
	"strings"
	"testing"
)

// identityNames are the headers that tell an app who it is, as the most lenient
// server reads them.
var identityNames = []string{
	"x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username", "x-forwarded-groups", "x-forwarded-tenant",
	"x-gatehouse-assertion", "x-auth-request-user", "x-auth-request-email", "x-auth-request-groups", "remote-user", "x-remote-user", "comfy-user",
}

// forgeries are headers that a client may not say, each line as it is sent.
func forgeries() []string {
	var out []string
	for _, name := range []string{
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "X-Forwarded-Groups", "X-Forwarded-Tenant",
		"X-Forwarded-Access-Token", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Uri", "X-Forwarded-Prefix",
		"X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Method", "X-Gatehouse-Assertion", "X-Gatehouse-Anything",
		"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Gradio-Server", "X-Gradio-User", "X-Original-URL", "X-Original-Host",
		"X-Original-Method", "Forwarded", "X-Real-IP", "True-Client-IP", "Remote-User", "X-Remote-User", "X-Direct-Url", "X-Rewrite-URL",
		"X-HF-Authorization", "Comfy-User", "X-Secret", "X-Request-Id",
		// What apps believe of other proxies.
		"Remote-Name", "Remote-Email", "Remote-Groups", "X-Remote-Group", "X-Remote-Extra-Scopes", "X-Webauth-User", "X-Webauth-Email", "X-Authentik-Username", "X-Authentik-Groups",
		"X-Pomerium-Claim-Email", "X-Vouch-User", "X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-TOKEN-AAD-ID-TOKEN", "X-Consumer-Username", "X-Credential-Identifier",
		"Tailscale-User-Login", "Tailscale-User-Name", "X-SSL-Client-S-DN", "X-SSL-Client-Verify", "Ssl-Client-Cert", "X-Client-Cert", "X-Client-Verify", "Cf-Access-Authenticated-User-Email",
		"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-Authenticated-Userid", "X-Userinfo", "X-Token-User-Email",
		"X-Client-IP", "X-Cluster-Client-IP", "Cf-Connecting-IP", "X-Forwarded", "Client-IP", "Forwarded-For", "X-Originating-IP", "Fly-Client-IP", "Do-Connecting-IP", "X-Azure-ClientIP", "X-Host", "X-Sendfile-Type", "X-Accel-Mapping",
	} {
		for _, spell := range []func(string) string{
			func(s string) string { return s },
			strings.ToLower,
			strings.ToUpper,
			func(s string) string { return strings.ReplaceAll(s, "-", "_") },
			func(s string) string { return strings.ReplaceAll(s, "-", ".") },
			func(s string) string { return strings.ToLower(strings.Replace(s, "-", "_", 1)) },
			func(s string) string { return strings.Replace(s, "-", ".", 1) },
			func(s string) string { // what CGI makes _ of, and may stand in a name
				for _, c := range "!#$%&'*+^`|~" {
					s = strings.Replace(s, "-", string(c), 1)
				}
				return s
			},
			func(s string) string { return strings.ReplaceAll(s, "-", "~") },
			func(s string) string { // mIxEd
				b := []byte(s)
				for i := range b {
					if i%2 == 1 {
						b[i] ^= 0x20 & (b[i] >> 1)
					}
				}
				return string(b)
			},
		} {
			out = append(out, spell(name)+": forged")
		}
	}
	return out
}

// headerHouse has an app behind an authenticated route with a configured
// header, and one behind a public route.
func headerHouse(t *testing.T, trusted string) (*house, *bareApp) {
	a := newBareApp(t)
	return newHouse(t, build{extra: trusted, routes: `
  - path: /app
    upstream: "` + a.URL + `"
    allow: authenticated
    headers: {x-SECRET: ours}
  - {path: /open, upstream: "` + a.URL + `", allow: public}
`}), a
}

func TestAttack05ForwardedHeadersDecideNothing(t *testing.T) {
	h, a := headerHouse(t, "")
	w := h.wire(t)
	for _, line := range []string{
		"X-Forwarded-Uri: /open/x", "X-Forwarded-Prefix: /open", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http",
		"X-Original-URL: /open/x", "X-Rewrite-URL: /open/x", "X-Forwarded-Method: OPTIONS", "X-HTTP-Method-Override: GET", "X-Forwarded-Path: /open",
		"X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1;host=evil.example;proto=https", "X-Forwarded-User: ada", "X-Forwarded-Port: 443",
		"X-Gatehouse-Assertion: e30.e30.e30", "Host-Override: evil.example", "X-Host: evil.example", "X-Forwarded-Server: evil.example",
	} {
		res := w.ask(h.get("/app/x", "", line))
		if res.StatusCode != 401 || strings.Contains(res.Text, "evil") {
			t.Errorf("%s: %s %s", line, res.Status, res.Text)
		}
		page := w.ask(h.get("/app/x", "", line, "Accept: text/html"))
		if want := h.URL + "/auth/?return_to=%2Fapp%2Fx"; page.Header.Get("Location") != want {
			t.Errorf("%s: led to %q, want %q", line, page.Header.Get("Location"), want)
		}
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests reached the app", n)
	}
	t.Run("from a trusted proxy, X-Forwarded-Host and -Uri still decide nothing", func(t *testing.T) {
		h, a := headerHouse(t, "trusted_proxies: [127.0.0.0/8]")
		w := h.wire(t)
		res := w.ask(h.get("/app/x", "", "X-Forwarded-Host: evil.example", "X-Forwarded-Uri: /open", "X-Forwarded-Proto: https", "Accept: text/html"))
		if want := h.URL + "/auth/?return_to=%2Fapp%2Fx"; res.Header.Get("Location") != want {
			t.Errorf("led to %q", res.Header.Get("Location"))
		}
		w.ask(h.get("/open/x", "", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"))
		if got := lines(a.last(t), "x-forwarded-host"); len(got) != 1 || strings.Contains(got[0], "evil") {
			t.Errorf("the app saw %q", got)
		}
		if got := lines(a.last(t), "x-forwarded-proto"); len(got) != 1 || got[0] != "X-Forwarded-Proto: http" {
			t.Errorf("the app saw %q", got)
		}
	})
}

func TestAttack06ForwardedForFromAnyone(t *testing.T) {
	for _, c := range []struct {
		what, trusted string
		headers       []string
		want          string
	}{
		{"nobody is trusted by default", "", []string{"X-Forwarded-For: 10.9.9.9"}, "127.0.0.1"},
		{"another network is not this peer", "trusted_proxies: [10.0.0.0/8]", []string{"X-Forwarded-For: 10.9.9.9"}, "127.0.0.1"},
		{"a trusted peer names its client", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{"what the client itself wrote does not count", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: 10.1.1.1, 203.0.113.7"}, "203.0.113.7"},
		{"not in a line before either", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: 10.1.1.1", "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{"a chain of trusted proxies is followed", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		{"to its end where all are trusted", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]", []string{"X-Forwarded-For: 10.0.0.2, 10.0.0.1"}, "10.0.0.2"},
		{"no further than what is no address", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]", []string{"X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.1"}, "10.0.0.1"},
		{"a port is taken off", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: 203.0.113.7:4711"}, "203.0.113.7"},
		{"IPv6 too", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: [2001:db8::1]:80"}, "2001:db8::1"},
		{"a mapped address is what it maps to", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]", []string{"X-Forwarded-For: 203.0.113.7, ::ffff:10.0.0.1"}, "203.0.113.7"},
		{"a zone says nothing", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: fe80::1%eth0"}, "fe80::1"},
		{"an alias is not the header", "trusted_proxies: [127.0.0.0/8]", []string{"X_Forwarded_For: 203.0.113.7"}, "127.0.0.1"},
		{"Forwarded and X-Real-IP are not read", "trusted_proxies: [127.0.0.0/8]", []string{"Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7"}, "127.0.0.1"},
		{"an empty one is none", "trusted_proxies: [127.0.0.0/8]", []string{"X-Forwarded-For: ,"}, "127.0.0.1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			h, a := headerHouse(t, c.trusted)
			h.wire(t).ask(h.get("/open/x", "", c.headers...))
			if got := lines(a.last(t), "x-forwarded-for"); len(got) != 1 || got[0] != "X-Forwarded-For: "+c.want {
				t.Errorf("the app saw %q, want %s", got, c.want)
			}
		})
	}
	t.Run("a request ID is taken from a trusted proxy only, and only if it is harmless", func(t *testing.T) {
		for _, c := range []struct{ trusted, id, want string }{
			{"", "abc-123", ""}, {"trusted_proxies: [127.0.0.0/8]", "abc-123", "abc-123"},
			{"trusted_proxies: [127.0.0.0/8]", "<script>", ""}, {"trusted_proxies: [127.0.0.0/8]", strings.Repeat("a", 129), ""},
			{"trusted_proxies: [127.0.0.0/8]", "a b", ""}, {"trusted_proxies: [127.0.0.0/8]", `a"b`, ""},
		} {
			h, a := headerHouse(t, c.trusted)
			res := h.wire(t).ask(h.get("/open/x", "", "X-Request-Id: "+c.id, "X_Request_Id: forged"))
			if got := res.Header.Get("X-Request-Id"); (got == c.id) != (c.want != "") || got == "" {
				t.Errorf("%q answered with %q", c.id, got)
			}
			if got := lines(a.last(t), "x-request-id"); len(got) != 1 || got[0] != "X-Request-Id: "+res.Header.Get("X-Request-Id") {
				t.Errorf("the app saw %q", got)
			}
		}
	})
}

func TestAttack07IdentityHeaderNotStrippedWhenEmpty(t *testing.T) {
	// Carol has no tenant, no roles and no permission: what she has not must be
	// absent, never what she sent.
	h, a := headerHouse(t, "")
	carol := h.as("carol").cookies()
	forged := forgeries()
	for i := 0; i < len(forged); i += 40 {
		h.wire(t).ask(h.get("/app/x", carol, forged[i:min(i+40, len(forged))]...))
		if got := a.last(t); strings.Contains(got, "forged") {
			t.Errorf("a forged header reached the app:\n%s", got)
		}
		for _, name := range []string{"x-forwarded-groups", "x-forwarded-tenant", "x-gatehouse-assertion"} {
			if got := lines(a.last(t), name); len(got) != 0 {
				t.Errorf("%s reached the app", got)
			}
		}
		if got := lines(a.last(t), "x-forwarded-user"); len(got) != 1 || got[0] != "X-Forwarded-User: U2carol" {
			t.Errorf("the app saw %q", got)
		}
	}
}

func TestAttack08HeaderAliases(t *testing.T) {
	h, a := headerHouse(t, "")
	ada := h.as("ada").cookies()
	w := h.wire(t)
	for _, line := range forgeries() {
		// Beside the real name too: of two lines many servers take the first or last.
		w.ask(h.get("/app/x", ada, line, line))
		raw := a.last(t)
		if strings.Contains(raw, "forged") {
			t.Errorf("%q reached the app:\n%s", line, raw)
		}
		for _, name := range append(identityNames, "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-secret", "cookie") {
			if got := lines(raw, name); len(got) > 1 {
				t.Errorf("after %q the app saw %q", line, got)
			}
		}
	}
	if got := lines(a.last(t), "x-secret"); len(got) != 1 || got[0] != "x-SECRET: ours" {
		t.Errorf("the configured header came as %q", got)
	}
	t.Run("what is not about the person, or is proof by itself, passes", func(t *testing.T) {
		for _, name := range []string{"X-Requested-With", "X-Csrftoken", "X-Xsrftoken", "X-User-Agent", "X-Api-Key", "X-Auth-Token", "Cf-Access-Jwt-Assertion", "X-Goog-Iap-Jwt-Assertion", "X-Amzn-Oidc-Data", "X-Pomerium-Jwt-Assertion", "Range", "Referer", "Traceparent", "Ce-Type", "Sec-Gpc", "X-Sslmode", "X-Conversation-Id"} {
			w.ask(h.get("/app/x", ada, name+": passes"))
			if got := lines(a.last(t), strings.ToLower(name)); len(got) != 1 || !strings.HasSuffix(got[0], ": passes") {
				t.Errorf("%s came as %q", name, got)
			}
		}
	})
	t.Run("names that are no names are refused before anybody reads them", func(t *testing.T) {
		for _, line := range []string{
			"X-Forwarded-User : forged", "X-Forwarded-User\t: forged", "X-Forwarded User: forged",
			"X-Forwarded-User\x00: forged", ": forged", "X-Forwarded-Us\u00e9r: forged", "X-Forwarded-User", "(X): forged", "X-Forwarded-User\x0b: forged",
		} {
			answer := h.raw(h.get("/app/x", ada, line))
			if !strings.HasPrefix(answer, "HTTP/1.1 400") {
				t.Errorf("%q: %.60q", line, answer)
			}
		}
	})
	t.Run("a folded line is part of the one before", func(t *testing.T) {
		h.raw(h.get("/app/x", ada, "X-Other: a", " X-Forwarded-User: forged", "\tX-Forwarded-Groups: forged"))
		for _, name := range []string{"x-forwarded-user", "x-forwarded-groups"} {
			if got := lines(a.last(t), name); len(got) != 1 || strings.Contains(got[0], "forged") {
				t.Errorf("the app saw %q", got)
			}
		}
	})
	t.Run("over HTTP/2 too", func(t *testing.T) {
		server := h.overHTTP2(t)
		for _, name := range []string{"x-forwarded-user", "x_forwarded_user", "x.forwarded.user", "x-gatehouse_assertion", "remote_user", "x-secret", "x_secret", "comfy.user"} {
			status, _, _ := newFrames(t, server).ask(":method", "GET", ":scheme", "https", ":authority", h.host(), ":path", "/app/x", "cookie", ada, name, "forged", name, "forged")
			if status != "200" || strings.Contains(a.last(t), "forged") {
				t.Errorf("%s: %s\n%s", name, status, a.last(t))
			}
		}
		for _, field := range [][2]string{{"X-Forwarded-User", "forged"}, {"x forwarded", "forged"}, {"x", "a\r\nX-Forwarded-User: forged"}, {"x", "a\x00"}, {"connection", "x-forwarded-user"}, {"transfer-encoding", "chunked"}, {"te", "gzip"}, {"upgrade", "h2c"}} {
			before := len(a.requests())
			if status, _, _ := newFrames(t, server).ask(":method", "GET", ":scheme", "https", ":authority", h.host(), ":path", "/app/x", "cookie", ada, field[0], field[1]); status == "200" {
				t.Errorf("%q was taken", field)
			}
			if len(a.requests()) != before {
				t.Errorf("%q reached the app", field)
			}
		}
	})
}

func TestAttack09ConnectionDeletesInjectedHeader(t *testing.T) {
	h, a := headerHouse(t, "")
	ada := h.as("ada").cookies()
	w := h.wire(t)
	names := append([]string{"X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "X-Secret", "Host", "X-Direct-Url"},
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username")
	for _, connection := range []string{strings.Join(names, ", "), strings.ToLower(strings.Join(names, ",")), strings.Join(names, " , ,,") + ", keep-alive", strings.Join(names, "\r\nConnection: ")} {
		for _, via := range []string{"Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer"} {
			value := via + ": " + strings.ReplaceAll(connection, "\r\nConnection", "\r\n"+via)
			if via == "Trailer" && strings.Contains(strings.ToLower(connection), "host") {
				value = "Trailer: X-Forwarded-User, X-Secret"
			}
			res := w.ask(h.get("/app/x", ada, value))
			if res.StatusCode != 200 {
				t.Fatalf("%.60q: %s", value, res.Status)
			}
			raw := a.last(t)
			for _, name := range names {
				if got := lines(raw, strings.ToLower(name)); len(got) != 1 {
					t.Errorf("after %.60q the app saw %d %s: %q", value, len(got), name, got)
				}
			}
		}
	}
	t.Run("a trailer says nothing once more", func(t *testing.T) {
		res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nTrailer: X-Forwarded-User, X-Secret\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"3\r\nabc\r\n0\r\nX-Forwarded-User: forged\r\nX-Secret: forged\r\nX-Other: forged\r\n\r\n")
		if res.StatusCode != 200 || strings.Contains(a.last(t), "forged") {
			t.Errorf("%s, the app saw\n%s", res.Status, a.last(t))
		}
	})
}

func TestAttack23IdentityOnRequestsNobodyAuthenticated(t *testing.T) {
	h, a := headerHouse(t, "")
	ada := h.as("ada").cookies()
	w := h.wire(t)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
		for _, more := range [][]string{nil, {"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, forgeries()[:80]} {
			w.ask(h.request(method, "/open/x", ada, append([]string{"Content-Length: 0"}, more...)...))
			for _, name := range identityNames {
				if got := lines(a.last(t), name); len(got) != 0 {
					t.Errorf("%s on a public route told the app %q", method, got)
				}
			}
			if got := lines(a.last(t), "cookie"); len(got) != 0 {
				t.Errorf("%s on a public route carried %q", method, got)
			}
		}
	}
	before := len(a.requests())
	for _, request := range []string{
		h.request("OPTIONS", "/app/x", "", "Origin: https://evil.example", "Access-Control-Request-Method: POST"),
		h.request("OPTIONS", "/app/x", ada, "Origin: https://evil.example", "Access-Control-Request-Method: POST"),
		h.request("OPTIONS", "/app/x", "", "Origin: "+h.URL, "Access-Control-Request-Method: POST"),
		h.request("OPTIONS", "/app/x", ""),
		h.request("OPTIONS", "*", ada),
		h.request("TRACE", "/app/x", ada),
		h.request("TRACE", "/open/x", ada),
		h.request("CONNECT", "/open/x", ada),
		h.request("CONNECT", "127.0.0.1:22", ada),
		h.request("HEAD", "/app/x", ""),
	} {
		if res := h.wire(t).ask(request); res.StatusCode < 300 {
			t.Errorf("%.60q: %s", request, res.Status)
		}
	}
	if n := len(a.requests()) - before; n != 0 {
		t.Errorf("%d of them reached the app", n)
	}
}

func TestAttack11HealthPathOrUserAgentBypass(t *testing.T) {
	h := newHouse(t, build{})
	w := h.wire(t)
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "Mozilla/5.0 (compatible; Googlebot/2.1)", "curl/8", ""} {
		for _, target := range []string{
			"/gradio/admin/", "/gradio/admin/healthz", "/gradio/admin/ping", "/gradio/admin/ready", "/gradio/admin/auth/health", "/gradio/admin/robots.txt",
			"/gradio/admin/favicon.ico", "/gradio/admin/theme.css", "/gradio/admin/gradio_api/startup-events", "/gradio/admin/gradio_api/app_id",
			"/gradio/admin/static/x.js", "/gradio/admin/manifest.json/", "/gradio/admin/x/manifest.json", "/gradio/admin/.well-known/acme-challenge/x",
			"/gradio/admin/%2e%77ell-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/gradio/admin",
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PROPFIND"} {
				res := w.ask(h.request(method, target, "", "User-Agent: "+agent, "Content-Length: 0"))
				if res.StatusCode < 400 {
					t.Errorf("%s %s as %q: %s", method, target, agent, res.Status)
				}
			}
		}
	}
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the app", n)
	}
	if res := w.ask(h.get("/auth/health", "")); res.StatusCode != 200 || res.Text != "ok\n" {
		t.Errorf("/auth/health: %s %q", res.Status, res.Text)
	}
	t.Run("the admin listener's paths are none of the public one's", func(t *testing.T) {
		for _, target := range []string{"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/debug/vars"} {
			if res := w.ask(h.get(target, "")); res.StatusCode != 404 {
				t.Errorf("%s: %s", target, res.Status)
			}
		}
	})
}
