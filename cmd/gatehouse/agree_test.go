package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/config"
	"gatehouse/proxy"
)

// What explain says, what policy tests find, what the portal and /auth/me list
// and what a request gets are one: made-up policies are asked about made-up people
// and addresses in all five ways.
func TestExplainTestsPortalMeAndRequestsAgree(t *testing.T) {
	const policies, people, addresses = 60, 4, 12
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Reached", r.Header.Get("X-Route"))
		w.Header().Set("X-Tenant", r.Header.Get("X-Forwarded-Tenant"))
	}))
	defer upstream.Close()
	outcomes := map[proxy.Outcome]int{}
	for seed := range uint64(policies) {
		d := dice{rand.New(rand.NewPCG(seed, 1))}
		w := newWorld(t, d, upstream.URL)
		for range people {
			id, claims := d.person(t)
			cookie := w.signIn(id)
			w.checkPlaces(id, cookie)
			for range addresses {
				method, host, path := d.pick("GET", "GET", "GET", "HEAD", "POST", "DELETE", "TRACE"), d.host(), d.target()
				a := w.policy.Ask(method, "https://"+host+path, id)
				outcomes[a.Outcome]++
				w.checkRequest(&a, method, host, path, cookie)
				w.checkTest(&a, method, host, path, claims, id == nil)
			}
			if t.Failed() {
				t.Fatalf("seed %d, policy:\n%s\nclaims: %s", seed, w.source, claims)
			}
		}
	}
	for _, o := range []proxy.Outcome{proxy.OutcomeAllow, proxy.OutcomeDeny, proxy.OutcomeSignIn, proxy.OutcomeNotFound, proxy.OutcomeBadRequest} {
		if outcomes[o] < 20 {
			t.Errorf("the dice hardly ever fall on %s: %v", o, outcomes)
		}
	}
}

// dice makes things up.
type dice struct{ *rand.Rand }

func (d dice) pick(of ...string) string { return of[d.IntN(len(of))] }

func (d dice) some(of ...string) []string {
	n := 1 + d.IntN(2)
	of = slices.Clone(of)
	d.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:n]
}

func (d dice) once(in int) bool { return d.IntN(in) == 0 }

var (
	someTenants = []string{"T1", "t2", "T3.x"}
	someRoles   = []string{"Admin", "Member", "Owner, of all"}
)

func (d dice) host() string {
	return d.pick("app.example.test", "app.example.test", "app.example.test", "APP.example.test:443", "two.example.test", "x.wild.example.test",
		"one.tenant.example.test", "t2.tenant.example.test", "t3.tenant.example.test", "other.test", "a_b", "..")
}

func (d dice) target() string {
	return d.pick("/", "/a", "/a/", "/a/b", "/a/b/c", "/a/bc", "/A/b", "/a%2Fb", "/a//b", "/a;x/b", "/%61/b", "/a/../b", "/b", "/b/x?y=1", "/c%zz", "/c/d",
		"/auth", "/auth/", "/auth/me", "/auth/nope", "/auth/health", "/auth/menu.js", "/robots.txt", "/.well-known/oauth-protected-resource/a/b", `/a\b`, "/a/%00")
}

func (d dice) rule(tenantHost bool) map[string]any {
	r := map[string]any{}
	for len(r) == 0 {
		if d.once(3) {
			r["tenant"] = d.some(someTenants...)
		}
		if tenantHost && d.once(2) {
			r["tenant"] = "{tenant}"
		}
		if d.once(2) {
			r["roles"] = d.some(someRoles...)
		}
		if d.once(4) {
			r["permissions"] = d.some("read", "write", "sudo")
		}
		if d.once(5) {
			r["emails"] = d.some("ann@example.com", "Bob@Example.com")
		}
		if d.once(5) {
			r["email_domains"] = d.some("example.com", "example.org")
		}
		if d.once(6) {
			r["amr"] = d.some("fed", "mfa", "pwd")
		}
		if d.once(6) {
			r["subjects"] = d.some("U1", "U2")
		}
		if d.once(6) {
			r["claims"] = map[string]any{"dept": d.some("a", "b", "7"), "https://x.y/z": "true"}
		}
	}
	return r
}

func (d dice) allow(tenantHost bool) any {
	switch d.IntN(5) {
	case 0:
		return "public"
	case 1:
		return "authenticated"
	}
	rules := []any{d.rule(tenantHost)}
	for d.once(2) {
		rules = append(rules, d.rule(tenantHost))
	}
	return rules
}

// document makes up a configuration.
func (d dice) document(upstream string) map[string]any {
	var routes []any
	seen := map[string]bool{}
	for range 1 + d.IntN(6) {
		host := d.pick("", "", "", "two.example.test", "*.wild.example.test", "{tenant}.tenant.example.test")
		path := d.pick("/", "/a", "/a/b", "/a/b/c", "/b", "/c/d")
		if seen[host+path] {
			continue
		}
		seen[host+path] = true
		rt := map[string]any{
			"host": host, "path": path, "upstream": upstream, "allow": d.allow(strings.HasPrefix(host, "{")),
			"preset": d.pick("gradio", "plain"), "bearer": d.once(4), "unverified_email": d.once(4),
			"headers": map[string]any{"X-Route": host + path},
		}
		if host != "" {
			rt["name"] = "n" + strings.NewReplacer("/", "-", "*", "w", "{", "", "}", "", ".", "-").Replace(host+path)
		}
		routes = append(routes, rt)
	}
	return map[string]any{
		"public_url": "https://app.example.test", "landing": d.pick("first", "portal"), "admin": map[string]any{"listen": ""},
		"descope": map[string]any{"project_id": "P2abcdefghijklmnopqrstuvwxyz", "client_secret": "${C}"},
		"session": map[string]any{"secret": "${S}", "cookie_domain": "example.test"},
		"tenants": map[string]any{"one": "T1", "t3": "T3.x"}, "routes": routes, "log": map[string]any{"level": "error"},
	}
}

// person makes up somebody, or nobody.
func (d dice) person(t *testing.T) (*authz.Identity, []byte) {
	if d.once(5) {
		return nil, nil
	}
	claims := map[string]any{"sub": d.pick("U1", "U2", "U3")}
	grants := func() map[string]any {
		return map[string]any{"roles": d.some(someRoles...), "permissions": d.some("read", "write", "sudo")}
	}
	if d.once(2) {
		claims["email"], claims["email_verified"] = d.pick("ann@example.com", "BOB@example.com", "eve@example.org"), d.once(2)
	}
	if d.once(2) {
		tenants := map[string]any{}
		for _, id := range d.some(someTenants...) {
			tenants[id] = grants()
		}
		claims["tenants"] = tenants
	}
	if d.once(2) {
		claims["dct"] = d.pick(someTenants...)
	}
	if d.once(3) {
		for name, value := range grants() {
			claims[name] = value
		}
	}
	if d.once(2) {
		claims["amr"] = d.some("fed", "mfa", "pwd")
	}
	if d.once(2) {
		claims["dept"], claims["https://x.y/z"] = []any{"a", 7}, true
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	id, err := claimsIdentity(raw)
	if err != nil {
		t.Fatal(err)
	}
	return id, raw
}

// A world is an instance with a made-up policy, asked without a network.
type world struct {
	t      *testing.T
	in     *instance
	config *config.Config
	policy *proxy.Policy
	source []byte
}

func newWorld(t *testing.T, d dice, upstream string) *world {
	t.Helper()
	source, err := json.MarshalIndent(d.document(upstream), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("gatehouse.yaml", source, []string{"C=x", "S=" + newSecret()})
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	in, err := assemble(c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, in: in, config: c, policy: in.handler.Policy(), source: source}
}

// signIn returns the cookie of a session of the person.
func (w *world) signIn(id *authz.Identity) string {
	if id == nil {
		return ""
	}
	now := time.Now()
	rec := &session.Record{ID: session.NewID(), Version: 1, SignedInAt: now, ActiveAt: now, RefreshedAt: now}
	rec.Identity, rec.Needs = w.in.needs.trim(id)
	_, value, err := w.in.sessions.Begin(w.t.Context(), rec, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.in.sessions.Cookie.Name + "=" + value
}

// send puts a request through the handler as it would come over the wire. One
// that net/http refuses never gets there.
func (w *world) send(method, host, target, cookie string) *http.Response {
	w.t.Helper()
	raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", method, target, host, cookie)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody}
	}
	r.RemoteAddr = "192.0.2.1:1234"
	rec := httptest.NewRecorder()
	w.in.handler.ServeHTTP(rec, r.WithContext(w.t.Context()))
	return rec.Result()
}

// checkRequest holds a request's answer against what the policy said.
func (w *world) checkRequest(a *proxy.Answer, method, host, target, cookie string) {
	w.t.Helper()
	res := w.send(method, host, target, cookie)
	var want []int
	switch a.Outcome {
	case proxy.OutcomeAllow:
		want = []int{200, 302, 400, 503} // of Gatehouse's own pages: no logout token, provider away
		if a.Route != nil {
			want = []int{200, 302}
		}
	case proxy.OutcomeDeny:
		want = []int{403}
	case proxy.OutcomeSignIn:
		want = []int{401}
		if strings.HasSuffix(a.Path, "/manifest.json") {
			want = []int{200}
		}
	case proxy.OutcomeNotFound:
		want = []int{404, 421}
	case proxy.OutcomeBadRequest:
		want = []int{400, 405}
	}
	if !slices.Contains(want, res.StatusCode) {
		w.t.Errorf("%s %s%s: the policy says %s (%s), the request gets %d", method, host, target, a.Outcome, a.Reason, res.StatusCode)
	}
	if a.Outcome == proxy.OutcomeAllow && a.Route != nil && res.StatusCode == 200 {
		if got := res.Header.Get("X-Reached"); got != a.Route.Host+a.Route.Prefix {
			w.t.Errorf("%s %s%s: the policy says %s, the request reached %s", method, host, target, a.Route.Name, got)
		}
		if got := res.Header.Get("X-Tenant"); got != a.Tenant() && !a.Route.Public() {
			w.t.Errorf("%s %s%s: the policy says tenant %q, the app is told %q", method, host, target, a.Tenant(), got)
		}
	}
}

// checkTest holds a policy test and explain against what the policy said.
func (w *world) checkTest(a *proxy.Answer, method, host, target string, claims []byte, anonymous bool) {
	w.t.Helper()
	test := config.Test{Anonymous: anonymous, Method: method, URL: "https://" + host + target, Want: string(a.Outcome)}
	if !anonymous {
		if err := json.Unmarshal(claims, &test.As); err != nil {
			w.t.Fatal(err)
		}
	}
	if r := runTest(w.config, w.policy, 0, test); !r.OK || r.Reason != a.Reason {
		w.t.Errorf("%s %s%s: the policy says %s (%s), a test gets %s (%s)", method, host, target, a.Outcome, a.Reason, r.Got, r.Reason)
	}
	e := answerJSON(a)
	holds := slices.IndexFunc(e.Rules, func(r ruleJSON) bool { return r.Holds })
	if e.Reason == authz.ReasonRule && (holds < 0 || holds != a.Explanation.Rule) || e.Reason == authz.ReasonNoRule && holds >= 0 {
		w.t.Errorf("%s %s%s: %s (%s) does not go with its rules %+v", method, host, target, e.Decision, e.Reason, e.Rules)
	}
}

// checkPlaces holds the portal and /auth/me against what the policy says to a
// request for each of the places, and to one for each place that is not there.
func (w *world) checkPlaces(id *authz.Identity, cookie string) {
	w.t.Helper()
	if id == nil {
		return
	}
	listed := map[string]bool{}
	var urls []string
	kept, _ := w.in.needs.trim(id) // a session lists no tenant that no rule looks at
	for _, place := range w.policy.Places(kept) {
		listed[place.URL] = true
		urls = append(urls, place.URL)
		if a := w.policy.Ask("GET", place.URL, id); a.Outcome != proxy.OutcomeAllow || a.Route != place.Route || a.HostTenant != place.Tenant {
			w.t.Errorf("the portal lists %s, which is %s (%s) by %v", place.URL, a.Outcome, a.Reason, a.Route)
		}
	}
	for _, rt := range w.policy.Routes {
		if rt.Public() || rt.Wildcard || rt.TenantHost {
			continue
		}
		host := rt.Host
		if host == "" {
			host = w.policy.Host
		}
		address := w.policy.Origin(host) + rt.Prefix
		if rt.Preset.Slash && rt.Prefix != "/" {
			address += "/"
		}
		if a := w.policy.Ask("GET", address, id); (a.Outcome == proxy.OutcomeAllow) != listed[address] {
			w.t.Errorf("%s is %s, and the portal's list is %v", address, a.Outcome, urls)
		}
	}
	res := w.send("GET", "app.example.test", "/auth/me", cookie)
	var me struct{ Routes []struct{ URL string } }
	var body bytes.Buffer
	_, _ = body.ReadFrom(res.Body)
	if err := json.Unmarshal(body.Bytes(), &me); err != nil {
		w.t.Errorf("/auth/me: %d %v", res.StatusCode, err)
		return
	}
	var told []string
	for _, r := range me.Routes {
		told = append(told, r.URL)
	}
	if !slices.Equal(told, urls) {
		w.t.Errorf("/auth/me lists %v, the portal %v", told, urls)
	}
}
