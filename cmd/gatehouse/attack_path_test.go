package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
)

// spellings makes n spellings of paths to the admin's part, each of one to four
// tricks.
func spellings(n int) []string {
	random := rand.New(rand.NewPCG(20, 26))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	tricks := []func(string) string{
		func(s string) string { // encode a character, or one already encoded
			i := random.IntN(len(s))
			return s[:i] + fmt.Sprintf(pick([]string{"%%%02x", "%%%02X", "%%25%02x"}), s[i]) + s[i+1:]
		},
		func(s string) string { // another slash
			i := strings.LastIndexByte(s[:random.IntN(len(s))+1], '/')
			if i < 0 {
				return s
			}
			return s[:i] + pick([]string{"//", "///", "/./", "/%2e/", "%2f", "%2F", "%252f", `\`, "%5c", "%5C", "/;/", ";/", "/;x=1/", "/%3b/", "%3B/", "%c0%af", "%u002f", "/..;/", "/%2e%2e;/", "/%09/", "/%0a", "/%00/", "/.%00/"}) + s[i+1:]
		},
		func(s string) string { // a detour
			i := strings.IndexByte(s[1:], '/') + 1
			return s[:i] + pick([]string{"/x/..", "/x/%2e%2e", "/x/%2E.", "/x/.%2e", "/x%2f..", "/x/..%2f", "/x/..%5c", `/x/..\`, "/user/..", "/user/../", "/x/..;", "/x/..;y", "/x/%2e%2e%3b", "/x/%252e%252e", "/./", "/.;/", "/x/..%00", "/x/..%20", "/x/...", "/x/. ./"}) + s[i:]
		},
		func(s string) string { // another case
			b := []byte(s)
			for i := range b {
				if b[i] >= 'a' && b[i] <= 'z' && random.IntN(4) == 0 {
					b[i] -= 32
				}
			}
			return string(b)
		},
		func(s string) string {
			return s + pick([]string{"/", ".", "..", "%20", "%09", ";", ";x", "%3b", "%00", "/.", "/..", "%2f", "~", "%ff", "%E2%80%AE", "::$DATA", "%23", "%3f"})
		},
		func(s string) string {
			return pick([]string{"//", "/.", "/;", "/;x/", "/%2e", "/%2f", "/x/..", `/\`, "/%5c"}) + s
		},
		func(s string) string { return s + pick([]string{"?x", "?/../../user", "#/user", "?%2e%2e", "#"}) },
		func(s string) string {
			return pick([]string{"http://x", "http://localhost", "HTTP://LOCALHOST.:1", "https://admin"}) + s
		},
	}
	out := make([]string, 0, n)
	for range n {
		s := pick([]string{"/app/admin/secret", "/app/admin", "/app/admin/", "/app/user/../admin/secret", "/app/ADMIN/secret"})
		for range 1 + random.IntN(4) {
			s = tricks[random.IntN(len(tricks))](s)
		}
		if !strings.ContainsAny(s, " \t\r\n") {
			out = append(out, s)
		}
	}
	return out
}

// readings are how servers come from a request target to the path that they
// look up: each has been seen in one. (Overlong UTF-8, %c0%af for a slash, is not
// among them: no decoder since 2001 takes it, and those bytes are letters in
// Latin-1.)
var readings = map[string]func(target string) string{
	"decoded once":          decodeOnce,
	"decoded and cleaned":   func(s string) string { return path.Clean(decodeOnce(s)) },
	"cleaned, then decoded": func(s string) string { return decodeOnce(path.Clean(s)) },
	"slashes merged":        func(s string) string { return mergeSlashes(decodeOnce(s)) },
	"parameters cut":        func(s string) string { return path.Clean(cutParams(decodeOnce(s))) },
	"parameters cut first":  func(s string) string { return path.Clean(decodeOnce(cutParams(s))) },
	"merged, cut, merged":   func(s string) string { return mergeSlashes(cutParams(mergeSlashes(decodeOnce(s)))) },
	"backslash as slash":    func(s string) string { return path.Clean(strings.ReplaceAll(decodeOnce(s), `\`, "/")) },
	"cut at a NUL":          func(s string) string { before, _, _ := strings.Cut(decodeOnce(s), "\x00"); return before },
	"cut at a fragment":     func(s string) string { before, _, _ := strings.Cut(s, "#"); return decodeOnce(before) },
}

func decodeOnce(s string) string {
	s, _, _ = strings.Cut(s, "?")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if u, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(u)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func mergeSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

func cutParams(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// readsAsAdmin tells by which reading a target is one of the admin's part.
func readsAsAdmin(target string) (how string, yes bool) {
	for how, read := range readings {
		p := strings.ToLower(read(target))
		if p == "/app/admin" || strings.HasPrefix(p, "/app/admin/") {
			return how, true
		}
	}
	return "", false
}

func TestAttack01PathPolicySeesIsPathUpstreamGets(t *testing.T) {
	// One app with two routes to it, the one who is stricter below the other,
	// is where a difference between two parsers lets somebody in.
	shared := newBareApp(t)
	h := newHouse(t, build{routes: `
  - {path: /app, upstream: "` + shared.URL + `", preset: plain, strip_path: false, allow: authenticated}
  - path: /app/admin
    upstream: "` + shared.URL + `"
    preset: plain
    strip_path: false
    allow: [{roles: [Tenant Admin]}]
`})
	bob := h.as("bob").cookies()
	w := h.wire(t)
	const n = 6000
	allowed, statuses := 0, map[int]int{}
	for _, target := range spellings(n) {
		before := len(shared.requests())
		res := w.ask(h.get(target, bob))
		statuses[res.StatusCode]++
		if res.StatusCode >= 500 {
			t.Errorf("%q: %s", target, res.Status)
		}
		seen := shared.requests()[before:]
		if len(seen) == 0 {
			continue
		}
		allowed++
		got := strings.Split(seen[0], " ")[1]
		if how, yes := readsAsAdmin(got); yes {
			t.Errorf("%q reached the app as %q, which is the admin's (%s)", target, got, how)
		}
	}
	t.Logf("%d spellings, %d let through to the member's part; answers %v", n, allowed, statuses)
	if allowed < n/100 {
		t.Errorf("only %d of %d spellings passed: the test tests little", allowed, n)
	}
}

// The same with parsers that are nobody's guess: Go's mux, which cleans and
// redirects, and the older one that matched decoded paths.
func TestAttack01GoMuxesReadWhatPolicySaw(t *testing.T) {
	var mu sync.Mutex
	served := map[string]int{}
	mux := http.NewServeMux()
	tell := func(part string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			served[part+" as "+r.Header.Get("X-Forwarded-User")]++
			mu.Unlock()
			fmt.Fprint(w, part)
		}
	}
	mux.HandleFunc("/app/admin/", tell("admin"))
	mux.HandleFunc("/app/admin", tell("admin"))
	mux.HandleFunc("/app/", tell("user"))
	mux.HandleFunc("/", tell("elsewhere"))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h := newHouse(t, build{routes: `
  - {path: /app, upstream: "` + server.URL + `", preset: plain, strip_path: false, allow: authenticated}
  - path: /app/admin
    upstream: "` + server.URL + `"
    preset: plain
    strip_path: false
    allow: [{roles: [Tenant Admin]}]
`})
	bob := h.as("bob").cookies()
	w := h.wire(t)
	for _, target := range spellings(4000) {
		res := w.ask(h.get(target, bob))
		for hops := 0; res.StatusCode/100 == 3 && hops < 3; hops++ { // a mux that cleans sends to the clean path
			next, err := url.Parse(res.Header.Get("Location"))
			if err != nil || next.Host != "" && next.Host != h.host() {
				break
			}
			res = w.ask(h.get(next.RequestURI(), bob))
		}
		if res.StatusCode == 200 && res.Text == "admin" {
			t.Errorf("%q was served by the admin's handler", target)
		}
	}
	t.Logf("served: %v", served)
	for who, n := range served {
		if !strings.HasPrefix(who, "user") {
			t.Errorf("%s: %d", who, n)
		}
	}
}

func TestAttack02PrefixWithoutBoundary(t *testing.T) {
	h := newHouse(t, build{routes: tutorialRoutes + `
  - {path: /gradio/admin.old, upstream: "%[2]s", allow: authenticated}
`})
	bob, ada := h.as("bob").cookies(), h.as("ada").cookies()
	w := h.wire(t)
	for target, want := range map[string]int{
		"/gradio/adminx": 404, "/gradio/admin.": 404, "/gradio/admin-": 404, "/gradio/admin%20": 404, "/gradio/admin%2e": 404,
		"/gradio/admin;x": 400, "/gradio/admin;/x": 400, "/gradio/admin%3b": 400, "/gradio/admin%2fx": 400, "/gradio/admin%2Fx": 400,
		"/gradio/ADMIN/x": 400, "/gradio%2fadmin/x": 400, "/gradio//admin/x": 400, "//gradio/admin/x": 400, "/gradio/admi": 404,
		"/gradio/admin:80": 404, "/gradio/admin@x": 404, "/gradio/admin~": 404, "/gradio/admin%00": 400, "/gradio/admin%0d": 400,
		"/gradio/admin..": 404, "/gradio/admin/..": 400, "/gradio/admin/../user/x": 400, "/gradio/user/../admin/x": 400,
		"/gradio/user%2f..%2fadmin/x": 400, "/gradio/user/..;/admin/x": 400, `/gradio/user/..\admin`: 400, "/gradio/admin.old/x": 200,
		"/gradio/adm%69n/x": 403, "/gradio/%61dmin": 403, "/gradio/admin/": 403, "/gradio/admin//": 403,
	} {
		before := len(h.Admin.requests())
		if res := w.ask(h.get(target, bob)); res.StatusCode != want {
			t.Errorf("%s for a member: %s, want %d", target, res.Status, want)
		}
		if len(h.Admin.requests()) != before {
			t.Errorf("%s reached the admin app", target)
		}
	}
	for _, target := range []string{"/gradio/adminx", "/gradio/admin.", "/gradio/admin%2fx"} {
		before := len(h.Admin.requests())
		w.ask(h.get(target, ada))
		if len(h.Admin.requests()) != before {
			t.Errorf("%s reached the admin app although it is not below it", target)
		}
	}
}

func TestAttack03HostCasePortDot(t *testing.T) {
	h, _ := newHosts(t)
	bob := h.as("bob").cookies()
	ask := func(host, more string) string {
		return h.raw("GET /x HTTP/1.1\r\nHost: " + host + "\r\n" + more + "Cookie: " + bob + "\r\n\r\n")
	}
	for _, c := range []struct{ host, want string }{
		{"admin.example.test", "403"}, {"ADMIN.example.test", "403"}, {"admin.EXAMPLE.test.", "403"}, {"admin.example.test:443", "403"},
		{"admin.example.test.:65535", "403"}, {"admin.example.test..", "400"}, {".admin.example.test", "400"}, {"admin.example.test:0", "400"},
		{"admin.example.test:65536", "400"}, {"admin.example.test:", "400"}, {"admin.example.test:80:80", "400"}, {"admin.example.test%2e", "400"},
		{"admin%2eexample.test", "400"}, {"x@admin.example.test", "400"}, {"admin.example.test#", "400"}, {"admin.example.test/", "400"},
		{"admin.example.test\\", "400"}, {"admin。example.test", "400"}, {"\u212admin.example.test", "400"}, {"admin .example.test", "400"},
		{"gate.example.test, admin.example.test", "400"}, {"xadmin.example.test", "421"}, {"x.admin.example.test", "421"},
		{"a.acme.desk.example.test", "421"}, {"desk.example.test", "421"}, {".desk.example.test", "400"}, {"*.desk.example.test", "400"},
		{"{tenant}.desk.example.test", "400"}, {"GLOBEX.desk.example.test", "403"}, {"globex.desk.example.test.", "403"}, {"[::1]", "421"}, {"127.0.0.1", "421"},
	} {
		if answer := ask(c.host, ""); !strings.HasPrefix(answer, "HTTP/1.1 "+c.want) {
			t.Errorf("Host: %s: %.40q, want %s", c.host, answer, c.want)
		}
	}
	t.Run("two hosts, or none, are the server's 400", func(t *testing.T) {
		for _, request := range []string{
			"GET /x HTTP/1.1\r\nHost: gate.example.test\r\nHost: admin.example.test\r\n\r\n",
			"GET /x HTTP/1.1\r\n\r\n",
		} {
			if answer := h.raw(request); !strings.HasPrefix(answer, "HTTP/1.1 400") {
				t.Errorf("%q: %.60q", request, answer)
			}
		}
	})
	t.Run("an absolute target's host is the one that counts, for policy and app alike", func(t *testing.T) {
		for target, want := range map[string]string{
			"http://admin.example.test/x": "403", "http://ADMIN.example.test.:9/x": "403", "http://gate.example.test/home/": "200",
			"http://x@gate.example.test/home/": "400", "http://gate.example.test@admin.example.test/": "400",
			"ftp://gate.example.test/home/": "400", "//admin.example.test/x": "404", "gate.example.test/home/": "400",
			"http:///home/": "400", "http:/home/": "400", "http://gate.example.test:x/home/": "400",
		} {
			answer := h.raw("GET " + target + " HTTP/1.1\r\nHost: gate.example.test\r\nCookie: " + bob + "\r\n\r\n")
			if !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
				t.Errorf("%s: %.40q, want %s", target, answer, want)
			}
		}
		h.raw("GET http://gate.example.test/home/ HTTP/1.1\r\nHost: admin.example.test\r\nCookie: " + bob + "\r\n\r\n")
		if got := h.User.last(t); !strings.HasPrefix(got.Host, "gate.example.test") || got.Target != "/" {
			t.Errorf("the app saw %s %s", got.Host, got.Target)
		}
	})
	t.Run("over HTTP/2 :authority counts, and Host cannot contradict it", func(t *testing.T) {
		server := h.overHTTP2(t)
		for _, c := range []struct {
			what   string
			fields []string
			want   string
		}{
			{"the authority alone", []string{":authority", "admin.example.test"}, "403"},
			{"a Host beside it", []string{":authority", "admin.example.test", "host", "gate.example.test"}, "403"},
			{"a Host beside it, the other way", []string{":authority", "gate.example.test", "host", "admin.example.test"}, "404"},
			{"Host alone", []string{"host", "admin.example.test"}, "403"},
			{"userinfo", []string{":authority", "x@admin.example.test"}, ""},
			{"a path in it", []string{":authority", "admin.example.test/x"}, "400"},
			{"none", nil, "400"},
			{"two", []string{":authority", "admin.example.test", ":authority", "gate.example.test"}, ""},
			{"a scheme that is none", []string{":authority", "admin.example.test", ":protocol", "websocket"}, ""},
			{"a pseudo-header after a header", []string{"x", "y", ":authority", "admin.example.test"}, ""},
		} {
			fields := append([]string{":method", "GET", ":scheme", "https", ":path", "/x"}, c.fields...)
			status, _, body := newFrames(t, server).ask(append(fields, "cookie", bob)...)
			if status != c.want {
				t.Errorf("%s: got %q, want %q (%s)", c.what, status, c.want, body)
			}
		}
		for _, target := range []string{"*", "x", "http://admin.example.test/x", "", "/x y", "/x\x00", "/x?a b", `\x`} {
			status, _, body := newFrames(t, server).ask(":method", "GET", ":scheme", "https", ":authority", "gate.example.test", ":path", target, "cookie", bob)
			if status != "400" && status != "" && status != "404" {
				t.Errorf(":path %q: got %s %s", target, status, body)
			}
		}
	})
	for _, seen := range h.Admin.requests() {
		t.Errorf("the admin app was asked: %s %s", seen.Host, seen.Target)
	}
}

func TestAttack04QueryAndFragmentDoNotMatch(t *testing.T) {
	h := newHouse(t, build{})
	bob, ada := h.as("bob").cookies(), h.as("ada").cookies()
	w := h.wire(t)
	for _, target := range []string{
		"/gradio/admin/?/gradio/user/", "/gradio/admin/?path=/gradio/user", "/gradio/admin/x#/gradio/user/", "/gradio/admin?/../user/",
		"/gradio/admin/%3f/gradio/user/", "/gradio/admin/%23/gradio/user/", "/gradio/admin/x?return_to=/gradio/user&route=user",
		"/gradio/admin/auth/health", "/gradio/admin/x?/auth/health", "/gradio/admin/healthz", "/gradio/admin/ping", "/gradio/admin/x?.js",
	} {
		if res := w.ask(h.get(target, bob)); res.StatusCode != 403 {
			t.Errorf("%s for a member: %s", target, res.Status)
		}
		if res := w.ask(h.get(target, "")); res.StatusCode != 401 {
			t.Errorf("%s for nobody: %s", target, res.Status)
		}
	}
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the admin app", n)
	}
	for _, target := range []string{"/gradio/user/?/gradio/admin/", "/gradio/user/?a=1#b", "/gradio/user/?", "/gradio/user/??&&==%zz;;", "/gradio/user/%3F/x?y=%2e%2e/admin"} {
		if res := w.ask(h.get(target, bob)); res.StatusCode != 200 {
			t.Errorf("%s for a member: %s", target, res.Status)
		}
		if got, want := h.User.last(t).Target, strings.TrimPrefix(target, "/gradio/user"); got != want {
			t.Errorf("%s came to the app as %q, want %q", target, got, want)
		}
	}
	if res := w.ask(h.get("/gradio/user?/gradio/admin/", ada, "Accept: text/html")); res.Header.Get("Location") != h.URL+"/gradio/user/?/gradio/admin/" {
		t.Errorf("the bare prefix leads to %q", res.Header.Get("Location"))
	}
}
