package config

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Warnings are what is allowed and yet often a mistake or a risk, in the order of
// the file. They never stop a configuration from being used.
func (c *Config) Warnings() []Problem {
	w := &warner{config: c}
	w.server()
	w.session()
	w.secrets()
	for i := range c.Routes {
		w.route(i)
		w.neverHolds(i)
	}
	w.shadowedHosts()
	w.sharedHosts()
	w.publicAbove()
	return sortProblems(w.problems)
}

type warner struct {
	config   *Config
	problems []Problem
}

func (w *warner) warn(key, message string) {
	w.problems = append(w.problems, w.config.Problem(key, message))
}

// Problem is a finding about a key, such as tests[1] or routes[0].upstream, at the
// place where the file has it, or has what would hold it.
func (c *Config) Problem(key, message string) Problem {
	return c.places.problem(c.file, key, message)
}

func (w *warner) server() {
	c := w.config
	if c.PublicURL.Scheme == "http" && !isLoopback(c.PublicURL.Hostname()) {
		w.warn("public_url", "is http on another machine than this: sessions and what the apps show travel in the clear; use https")
	}
	if c.PublicURL.Scheme == "http" && c.TLS.Enabled() {
		w.warn("public_url", "is http although tls is set: links and redirects will lead to http, and cookies are not Secure")
	}
	for _, network := range c.TrustedProxies {
		if network.Bits() == 0 {
			w.warn("trusted_proxies", "believes everybody: any client can claim any address")
		}
	}
	if u, err := url.Parse(c.Descope.Issuer); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		w.warn("descope.issuer", "is http on another machine than this: whoever is between can sign in as anybody; use https")
	}
	if slices.ContainsFunc(c.Descope.Scopes, isDescopeScope) && c.Descope.Elsewhere() {
		w.warn("descope.scopes", "holds scopes of Descope's, for which another provider may refuse the sign-in; write [openid, profile, email]")
	}
	if len(c.Routes) == 0 {
		w.warn("routes", "is empty: every path is answered 404")
	}
}

func isDescopeScope(scope string) bool { return strings.HasPrefix(scope, "descope.") }

func (w *warner) session() {
	s := w.config.Session
	if s.CookieDomain != "" {
		w.warn("session.cookie_domain", "hands the session cookie to every host under it: give Gatehouse and its apps a domain of their own")
	}
	if w.config.unused != "" {
		w.warn("session.cookie_name", "has no effect on http, where the name is gatehouse")
	}
	if s.StateFile != "" && s.Store == "redis" {
		w.warn("session.state_file", "has no effect with store: redis")
	}
}

// secrets tells of those that are written out in the file, which ends up in
// repositories, images and backups. A Redis address without a password is none.
func (w *warner) secrets() {
	for _, key := range w.config.literal {
		if key == "session.redis_url" {
			u, err := url.Parse(w.config.Session.RedisURL.Reveal())
			if err != nil || u.User == nil {
				continue
			}
		}
		name, _, _ := strings.Cut(key, "[")
		message := "stands in the file; write ${NAME} and set that variable, or set " + variableName(name)
		if name != "session.previous_secrets" {
			message += ", or use " + name[strings.Index(name, ".")+1:] + "_file"
		}
		w.warn(key, message)
	}
}

func (w *warner) route(i int) {
	r, key := &w.config.Routes[i], childIndex("routes", i)
	for j, rule := range r.Allow.Rules {
		if len(rule.Tenant) > 0 || rule.TenantFromHost {
			continue
		}
		at := childIndex(key+".allow", j)
		if len(rule.Roles) > 0 {
			w.warn(at+".roles", "go without tenant: the role in any tenant will do, whoever gave it there; add tenant where one is meant")
		} else if len(rule.Permissions) > 0 {
			w.warn(at+".permissions", "go without tenant: the permission in any tenant will do, whoever gave it there; add tenant where one is meant")
		}
	}
	if r.Allow.Public && len(r.Origins) > 0 {
		w.warn(key+".origins", "has no effect on a public route, whose upstream answers cross-origin requests itself")
	}
	if r.CAFile != "" && !hasHTTPS(r.Upstreams) {
		w.warn(key+".ca_file", "has no effect: no upstream is https")
	}
}

func hasHTTPS(upstreams []Upstream) bool {
	for _, u := range upstreams {
		if u.Scheme == "https" {
			return true
		}
	}
	return false
}

// sharedHosts tells of apps with different rules on one host. Their pages share an
// origin, so a script in one can call the other with the person's session.
func (w *warner) sharedHosts() {
	first := map[string]*Route{}
	told := map[string]bool{}
	for i := range w.config.Routes {
		r := &w.config.Routes[i]
		other, seen := first[r.Host]
		switch {
		case !seen:
			first[r.Host] = r
		case !told[r.Host] && !reflect.DeepEqual(r.Allow, other.Allow):
			told[r.Host] = true
			w.warn(childIndex("routes", i)+".allow", "differs from that of another route on the same host: their pages share an origin, so that a script in one app can use the other; a host for each app is safer")
		}
	}
}

// publicAbove tells of public routes above protected ones: a slip in the lower
// path, and its app is open to everybody.
func (w *warner) publicAbove() {
	for i, upper := range w.config.Routes {
		if !upper.Allow.Public {
			continue
		}
		for j, lower := range w.config.Routes {
			if lower.Allow.Public || lower.Host != upper.Host || !isAbove(upper.Path, lower.Path) {
				continue
			}
			w.warn(childIndex("routes", i)+".allow", "is public above "+childIndex("routes", j)+", which is not: whatever the lower path does not match is open to everybody")
			break
		}
	}
}

func isAbove(upper, lower string) bool {
	return upper != lower && (upper == "/" || strings.HasPrefix(lower, upper+"/"))
}
