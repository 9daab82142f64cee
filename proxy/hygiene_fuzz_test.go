package proxy

import (
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/route"
)

// fuzzed is a request on its way to a stripping route at /gradio/admin of
// gate.example.test:8000, and the policy around it.
func fuzzed(t testing.TB) *exchange {
	t.Helper()
	inner, err := url.Parse("http://10.1.2.3:7861")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	upstream, err := NewUpstreams(log).Upstream(UpstreamOptions{URL: inner})
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{
		Scheme: "http", Host: "gate.example.test", Port: ":8000", AuthPath: "/auth", Tenants: map[string]string{"acme": "T2acme"},
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		Flow:    authn.NewFlow(nil, authn.FlowOptions{AuthPath: "/auth"}),
	}
	gradio, _ := PresetNamed("gradio")
	var entries []route.Entry
	for i, at := range []struct{ host, path string }{
		{"", "/gradio/admin"}, {"", "/gradio/user"}, {"app.example.test", "/"}, {"{tenant}.desk.example.test", "/x"},
	} {
		p.Routes = append(p.Routes, &Route{
			Name: at.host + at.path, Host: at.host, Prefix: at.path, Strip: true, Preset: gradio, Upstream: upstream,
			Access: authz.Access{Mode: authz.ModeAuthenticated}, TenantHost: strings.HasPrefix(at.host, "{"),
			Headers: http.Header{"X-Api-Key": {"ours"}},
		})
		entries = append(entries, route.Entry{Host: at.host, Path: at.path, Index: i})
	}
	if p.Table, err = route.NewTable(p.Host, p.AuthPath, entries); err != nil {
		t.Fatal(err)
	}
	h := &Handler{log: log, sessions: session.NewTable(session.Options{
		Cookie: session.Cookie{Name: "gatehouse"}, Store: session.NewCookieStore(nil), Settings: session.Settings{MaxAge: time.Hour},
	})}
	h.policy.Store(p)
	x := &exchange{
		h: h, p: p, r: &http.Request{Method: "GET", Header: http.Header{}}, id: "0123456789abcdefghjkmnpqrs",
		client: netip.MustParseAddr("203.0.113.7"), host: p.Host, path: "/gradio/admin/x", route: p.Routes[0],
		found: route.Match{Kind: route.Matched, Prefix: "/gradio/admin"},
		identity: &authz.Identity{
			Subject: "U2ada", Name: "Ada", Email: "ada@acme.example", EmailVerified: true, CurrentTenant: "T2acme",
			Tenants: map[string]authz.Grants{"T2acme": {Roles: []string{"Admin, all", "Bär"}}},
		},
	}
	return x
}

// FuzzReturnTo holds that a return address stays on the hosts that have routes,
// however a browser reads it, and never is a page of Gatehouse's own.
func FuzzReturnTo(f *testing.F) {
	x := fuzzed(f)
	for _, seed := range []string{
		"/", "/gradio/admin/?a=1&b=%zz", "//evil.example", `/\evil.example`, `/\/evil`, "/\t/evil", "/%09/evil.example", "/%5c/evil", "https:evil.example", "javascript:alert(1)",
		"http://gate.example.test:8000/gradio/user/x?y#z", "http://app.example.test:8000", "http://app.example.test:8000?x", "http://acme.desk.example.test:8000/x", "http://gate.example.test:8000@evil.example/",
		"http://gate.example.test:8000.evil.example/", "http://evil.example:8000/", "http://gate.example.test/", "/auth/logout", "/%61uth/logout", "/AUTH/logout", "/gradio/../auth/logout", "//auth", "/auth;x", "/gradio/user?" + strings.Repeat("é", 900),
		"/" + strings.Repeat("a", 2100), "/gradio/user/" + strings.Repeat("a", 2100), "/x\r\nLocation: //evil", "/gradio/user/?\\\"<>", "http://[::1]:8000/", "http://GATE.example.test:8000/gradio",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		back := x.p.returnTo(raw)
		if len(back) > maxReturnTo {
			t.Fatalf("%q: %d bytes", raw, len(back))
		}
		for i := range len(back) {
			if c := back[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' {
				t.Fatalf("%q: %q holds %q", raw, back, c)
			}
		}
		rest := back
		if !strings.HasPrefix(back, "/") {
			u, err := url.Parse(back)
			if err != nil || u.Scheme != "http" || u.User != nil || u.Port() != "8000" {
				t.Fatalf("%q led to %q", raw, back)
			}
			if host := u.Hostname(); host != "app.example.test" && !strings.HasSuffix(host, ".desk.example.test") {
				t.Fatalf("%q led to %q", raw, back)
			}
			rest = strings.TrimPrefix(back, "http://"+u.Host)
		}
		if !strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "//") {
			t.Fatalf("%q led to %q", raw, back)
		}
		place, ok := x.p.locate(back)
		if !ok || place.found.Kind == route.Own || strings.HasPrefix(strings.ToLower(place.path), "/auth/") || strings.EqualFold(place.path, "/auth") {
			t.Fatalf("%q led to %q", raw, back)
		}
		if again := x.p.returnTo(back); again != back {
			t.Fatalf("%q led to %q, and that to %q", raw, back, again)
		}
	})
}

// FuzzForwarded holds that only trusted proxies name a client: what an untrusted
// peer writes changes nothing, and of a chain the rightmost address that is no
// trusted proxy is taken.
func FuzzForwarded(f *testing.F) {
	for _, seed := range [][4]string{
		{"10.0.0.1:1", "203.0.113.7", "https", "id-1"}, {"203.0.113.9:1", "10.0.0.1", "http", "id"}, {"10.0.0.1:1", "1.1.1.1, 203.0.113.7, 10.2.2.2", "http", "<script>"}, {"[2001:db8::1]:1", "unknown, [2001:db8::2]:80", "HTTP", ""},
		{"[::ffff:10.0.0.1]:1", "::ffff:203.0.113.7", "http,https", strings.Repeat("a", 200)}, {"10.0.0.1:1", ",,", "", "a b"}, {"not an address", "1.2.3.4", "http", "x"}, {"10.0.0.1:1", "fe80::1%eth0, 10.0.0.2", "ftp", "x"}, {"10.0.0.1:1", "203.0.113.7:99999", "http", "x"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	p := fuzzed(f).p
	f.Fuzz(func(t *testing.T, peer, chain, proto, id string) {
		h := http.Header{"X-Forwarded-For": {chain}, "X-Forwarded-Proto": {proto}, "X-Request-Id": {id}}
		x := &exchange{p: p, r: &http.Request{Method: "GET", RemoteAddr: peer, Header: h}}
		if err := x.resolveClient(); err != nil {
			t.Fatal(err)
		}
		if x.id == "" || len(x.id) > 128 || strings.ContainsAny(x.id, " \t\r\n\"<>&'\\,;%") {
			t.Fatalf("request ID %q", x.id)
		}
		var direct netip.Addr
		if ap, err := netip.ParseAddrPort(peer); err == nil {
			direct = ap.Addr().Unmap()
		}
		if !p.trusts(direct) {
			if x.client != direct || x.plain || x.id == id {
				t.Fatalf("%q had a say: client %s, plain %v, ID %q", peer, x.client, x.plain, x.id)
			}
			return
		}
		if x.client.Zone() != "" || x.client.Is4In6() {
			t.Fatalf("client %s", x.client)
		}
		// Everything to the right of the client must be a trusted proxy.
		hops := strings.Split(chain, ",")
		i := len(hops) - 1
		for ; i >= 0; i-- {
			if a, ok := parseHop(hops[i]); !ok || !p.trusts(a) {
				break
			}
		}
		want := direct
		if i+1 < len(hops) {
			want, _ = parseHop(hops[i+1])
		}
		if i >= 0 {
			if a, ok := parseHop(hops[i]); ok {
				want = a
			}
		}
		if x.client != want {
			t.Fatalf("client %s of %q, want %s", x.client, chain, want)
		}
		if x.plain != strings.EqualFold(proto, "http") {
			t.Fatalf("%q: plain %v", proto, x.plain)
		}
	})
}

// lenient is how the most lenient server reads a header's name.
func lenient(name string) string {
	b := []byte(strings.ToLower(name))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	return string(b)
}

// FuzzHeaderHygiene holds that nothing a client sends stands beside or in place
// of what Gatehouse says of it, and that what is not Gatehouse's is left alone.
func FuzzHeaderHygiene(f *testing.F) {
	for _, seed := range []string{
		"X-Forwarded-User", "x_forwarded_user", "X.Forwarded-Groups", "X-FORWARDED-anything", "X-Gatehouse-Assertion", "Remote_User", "Comfy.User", "X-Api-Key", "x_api_key", "X-Request_Id", "Forwarded", "X-Forwarded", "X-Real-Ip", "XForwarded-User", "Accept", "x", "X-Gradio-", "X_Auth_Request_Email",
	} {
		f.Add(seed, "forged", "Ada", "ada@acme.example", "Admin")
	}
	f.Add("X-Forwarded-User", "a", "Ad\r\nX: y", "a@b\x00", "a,b%2c\xff")
	f.Fuzz(func(t *testing.T, name, value, person, email, role string) {
		if !httpguts.ValidHeaderFieldName(name) { // the server has refused it
			return
		}
		x := fuzzed(t)
		x.identity.Name, x.identity.Email = person, email
		x.identity.Tenants = map[string]authz.Grants{"T2acme": {Roles: []string{role, "Second"}}}
		h := http.Header{name: {value, value}}
		stripRequest(h)
		x.setForwarded(h)
		x.setIdentity(h)
		stripConfigured(h, x.route.Headers)
		maps.Copy(h, x.route.Headers)
		seen := map[string]string{}
		ours := func(n string) bool {
			return strings.HasPrefix(n, "x-forwarded-") || strings.HasPrefix(n, "x-gatehouse-") || strings.HasPrefix(n, "x-gradio-") || n == "x-api-key" || n == "x-request-id" || n == "x-direct-url" || n == "remote-user" || n == "comfy-user"
		}
		for n, values := range h {
			if other, twice := seen[lenient(n)]; twice {
				t.Fatalf("%q and %q are the same to some", n, other)
			}
			seen[lenient(n)] = n
			if !ours(lenient(n)) {
				continue
			}
			if n != http.CanonicalHeaderKey(n) || len(values) != 1 {
				t.Fatalf("%s: %q", n, values)
			}
			for _, c := range []byte(values[0]) {
				if c < ' ' || c > '~' {
					t.Fatalf("%s: %q", n, values)
				}
			}
		}
		if got := h["X-Forwarded-User"]; len(got) != 1 || got[0] != "U2ada" {
			t.Fatalf("user %q", got)
		}
		if groups := h["X-Forwarded-Groups"]; role != "" && (len(groups) != 1 || strings.Count(groups[0], ",") != 1) {
			t.Fatalf("roles %q came as %q", role, groups)
		}
		if email == "" && h["X-Forwarded-Email"] != nil {
			t.Fatalf("an email from nowhere: %q", h["X-Forwarded-Email"])
		}
		if decoded, err := url.PathUnescape(strings.Join(h["X-Forwarded-Preferred-Username"], "")); err != nil || decoded != person {
			t.Fatalf("name %q came as %q", person, h["X-Forwarded-Preferred-Username"])
		}
		if !forbiddenHeader(name) && !configuredHeader(name, x.route.Headers) && len(h[name]) != 2 && !ours(lenient(name)) {
			t.Fatalf("%q is nobody's business and was removed", name)
		}
	})
}

// browserCookie reads a Set-Cookie line as browsers do (RFC 6265bis, section
// 5.6): name, path and whether there is a domain.
func browserCookie(line string) (name, path string, domain bool) {
	parts := strings.Split(line, ";")
	name, _, ok := strings.Cut(parts[0], "=")
	if !ok {
		name = ""
	}
	for _, attribute := range parts[1:] {
		key, value, _ := strings.Cut(attribute, "=")
		switch strings.ToLower(strings.Trim(key, " \t")) {
		case "path":
			path = strings.Trim(value, " \t")
		case "domain":
			domain = true
		}
	}
	return strings.Trim(name, " \t"), path, domain
}

// FuzzSetCookie holds that no upstream's cookie leaves its route, and none is
// Gatehouse's.
func FuzzSetCookie(f *testing.F) {
	for _, seed := range []string{
		"a=1", "a=1; Path=/", "a=1; Domain=example.test; Path=/gradio/user", "gatehouse=evil", "gatehouse.0=x", " gatehouse =x", "\tgatehouse=x", "gatehouse-state-abc=x", "=gatehouse=x", "gatehouse", "__Host-a=1; Path=/; Secure", "__hOsT-a=1",
		"a=1; PATH=/; path=/gradio/admin/../user", "a=1; domain", "a=1;;;Path=x", "a=1; Path=/gradio/administrator", "a=1; Path", "a=\"1; Path=/\"", "a=1; Path=/\x0b", "a=1;\x0bDomain=x", "\x0b0=", "\x0bgatehouse=x", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=None; Partitioned",
	} {
		f.Add(seed)
	}
	x := fuzzed(f)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n\x00") { // the transport has refused it
			return
		}
		h := http.Header{"Set-Cookie": {line}}
		x.rewriteSetCookies(h)
		for _, out := range h["Set-Cookie"] {
			name, path, domain := browserCookie(out)
			if name == "" || x.h.ownsCookie(name) || domain || strings.HasPrefix(strings.ToLower(name), "__host-") {
				t.Fatalf("%q came as %q", line, out)
			}
			if path != "/gradio/admin" && !strings.HasPrefix(path, "/gradio/admin/") && !strings.HasPrefix(path, "/gradio/admin?") && !strings.HasPrefix(path, "/gradio/admin#") {
				t.Fatalf("%q came as %q with path %q", line, out, path)
			}
			if was, _, _ := browserCookie(line); was != name {
				t.Fatalf("%q came as %q: another name", line, out)
			}
		}
	})
}

// FuzzLocation holds that an upstream's own address never comes out, that what
// is somebody else's stays, and that a public address stays public.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"/", "/page/", "/gradio/admin/x", "/gradio/administrator", "/auth/logout", "//evil.example", "page", "", "?x", "#x", "http://10.1.2.3:7861/x?y#z", "http://10.1.2.3:7861", "HTTP://10.1.2.3:7861/", "http://10.1.2.3:7861?x", "//10.1.2.3:7861/x",
		"http://gate.example.test:8000/page", "http://gate.example.test:8000/gradio/user/", "https://gate.example.test:8000/", "http://x@10.1.2.3:7861/", "http://10.1.2.3/", `http:\\10.1.2.3:7861\x`, "http://10.1.2.3:7861\\@evil", "javascript:alert(1)", "http://10.1.2.3:7861//evil.example", "http:/x", "http://[::1", "/gradio/admin/../user",
	} {
		f.Add(seed)
	}
	x := fuzzed(f)
	f.Fuzz(func(t *testing.T, value string) {
		out := x.publicAddress(value)
		if again := x.publicAddress(out); again != out {
			t.Fatalf("%q came as %q, and that as %q", value, out, again)
		}
		if u, err := url.Parse(out); err == nil && strings.EqualFold(u.Host, "10.1.2.3:7861") && u.User == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "") {
			t.Fatalf("%q came as %q", value, out)
		}
		if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//") {
			if !within(out, "/gradio/admin") && !within(out, "/auth") || !strings.HasSuffix(out, value) {
				t.Fatalf("%q came as %q", value, out)
			}
			return
		}
		if out != value && !strings.HasPrefix(out, "http://gate.example.test:8000/") {
			t.Fatalf("%q came as %q", value, out)
		}
	})
}

// FuzzStripCookies holds that no reader of Cookie finds one of Gatehouse's, and
// that the others keep their order.
func FuzzStripCookies(f *testing.F) {
	for _, seed := range []string{
		"gatehouse=x", "a=1; gatehouse=x; b=2", "gatehouse.0=x;gatehouse.1=y", " gatehouse =x", "\tgatehouse\t=x", "gatehouse", "=gatehouse=x", "a=\"1; gatehouse=x\"", "gatehouse-state-abc=x; a", ";;;", "Gatehouse=x", "gatehousex=1", "gatehouse.2=1", "a=gatehouse=x", "$Version=1; gatehouse=x; $Path=/", "a=1, gatehouse=x", "\u00a0gatehouse=x", "gatehouse\x00=x",
	} {
		f.Add(seed, "")
		f.Add("own=1", seed)
	}
	x := fuzzed(f)
	pairs := func(lines []string) (all, own []string) {
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ";") {
				part = strings.TrimSpace(part)
				name, _, _ := strings.Cut(part, "=")
				switch name = strings.TrimSpace(name); {
				case name == "gatehouse", name == "gatehouse.0", name == "gatehouse.1", strings.HasPrefix(name, "gatehouse-state-"):
					own = append(own, part)
				case part != "":
					all = append(all, part)
				}
			}
		}
		return all, own
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Cookie": {first, second}}
		want, _ := pairs(h["Cookie"])
		x.h.stripCookies(h)
		got, own := pairs(h["Cookie"])
		if len(own) != 0 {
			t.Fatalf("%q, %q: %q is left", first, second, own)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, %q came as %q", first, second, h["Cookie"])
		}
		for _, c := range (&http.Request{Header: h}).Cookies() {
			if x.h.ownsCookie(c.Name) {
				t.Fatalf("%q, %q: net/http finds %s", first, second, c.Name)
			}
		}
	})
}

// FuzzServiceWorkerScope holds that a scope that passes lies in the prefix, as a
// browser resolves it.
func FuzzServiceWorkerScope(f *testing.F) {
	for _, seed := range []string{"/", "/gradio/admin", "/gradio/admin/x", "/gradio/admin/../x", "/gradio/admin/%2e%2e/x", "/gradio/admin/.\t./x", `/gradio/admin/..\x`, "//evil", "https://x", "./x", "", "/gradio/admin?/../", "/gradio/administrator", "/gradio/admin#?%0X"} {
		f.Add(seed)
	}
	x := fuzzed(f)
	base, err := url.Parse("http://gate.example.test:8000/gradio/admin/sw.js")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		h := http.Header{"Service-Worker-Allowed": {scope}}
		x.dropUnwanted(h)
		if len(h) == 0 {
			return
		}
		scope, _, _ = strings.Cut(scope, "#") // Go refuses fragments that browsers take; they have no part in a scope
		u, err := base.Parse(strings.NewReplacer("\t", "", `\`, "/").Replace(scope))
		if err != nil || u.Host != base.Host || !route.Within(u.Path, "/gradio/admin") {
			t.Fatalf("%q passed", scope)
		}
	})
}
