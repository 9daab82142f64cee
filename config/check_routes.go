package config

import (
	"strings"
)

// checkRoutes gives routes their names and checks them against each other and
// against the rest.
func (d *decoder) checkRoutes(c *Config) {
	for i := range c.Routes {
		r, key := &c.Routes[i], childIndex("routes", i)
		if d.broken(key) {
			continue // not even a mapping
		}
		if c.PublicURL != nil && r.Host == joinHost(c.PublicURL.Hostname(), "") {
			r.Host = ""
		}
		d.required(key+".upstream", "the address of the app, such as http://127.0.0.1:7860")
		d.required(key+".allow", "want authenticated, public or a list of rules")
		d.checkPath(key, r, c.AuthPath)
		d.checkReach(key, r, c)
		d.checkTenantRules(key, r)
		if _, wildcard := r.IsWildcard(); wildcard && c.TLS.ACME.Enabled() {
			d.problem(key+".host", "want exact hosts with tls.acme, or tls.cert_file with a wildcard certificate")
		}
	}
	d.checkTwins(c)
	d.nameRoutes(c)
}

func (d *decoder) checkPath(key string, r *Route, authPath string) {
	path := strings.ToLower(r.Path)
	own := strings.ToLower(authPath)
	if own != "" && path != "" && (path == own || strings.HasPrefix(path, own+"/")) {
		d.problem(key+".path", "lies at or below auth_path (%s), where Gatehouse's own pages are; want another path", d.show("auth_path", authPath))
	}
	if r.Preset == "openwebui" && r.Path != "/" && r.Path != "" {
		d.problem(key+".path", "want / for the preset openwebui, which cannot live under a path; give it a host of its own")
	}
}

// checkReach refuses a route whose people could never be signed in: the browser
// would not send the session cookie to its host.
func (d *decoder) checkReach(key string, r *Route, c *Config) {
	if r.Host == "" || !r.NeedsSession() || c.PublicURL == nil || d.broken("session.cookie_domain") || d.broken(key+".allow") {
		return
	}
	host, wildcard := r.IsWildcard()
	if !wildcard {
		host = r.Host
	}
	if domain := c.Session.CookieDomain; domain == "" {
		d.problem(key+".host", "is not reached by the session cookie, which belongs to public_url's host; set session.cookie_domain to a domain that holds both")
	} else if !covers(domain, host) {
		d.problem(key+".host", "is not reached by the session cookie; want a host under session.cookie_domain (%s)", d.show("session.cookie_domain", domain))
	}
}

func (d *decoder) checkTenantRules(key string, r *Route) {
	if r.HasTenantHost() || d.broken(key+".host") {
		return
	}
	for j, rule := range r.Allow.Rules {
		if rule.TenantFromHost {
			d.problem(childIndex(key+".allow", j)+".tenant", "{tenant} needs a host such as {tenant}.example.com; write the tenant's ID")
		}
	}
}

// checkTwins refuses two routes for the same requests. Paths that differ in case
// alone are as bad: a request for either could mean the other, and is refused.
func (d *decoder) checkTwins(c *Config) {
	first := map[string]int{}
	for i, r := range c.Routes {
		key := childIndex("routes", i)
		if r.Path == "" || d.broken(key) || d.broken(key+".host") {
			continue
		}
		host := r.Host
		if suffix, ok := r.IsWildcard(); ok {
			host = wildcardLabel + suffix
		}
		where := host + " " + strings.ToLower(r.Path)
		j, taken := first[where]
		switch {
		case !taken:
			first[where] = i
		case c.Routes[j].Path == r.Path:
			d.problem(d.pathOrRoute(key), "has host and path of routes[%d]; want another path, or one route", j)
		default:
			d.problem(d.pathOrRoute(key), "differs from the path of routes[%d] in case alone, so that neither would be matched; want another path", j)
		}
	}
}

func (d *decoder) pathOrRoute(key string) string {
	if d.written(key + ".path") {
		return key + ".path"
	}
	return key
}

// nameRoutes derives what names are missing and refuses names that are there
// twice: a name stands for its route in logs, metrics and assertions.
func (d *decoder) nameRoutes(c *Config) {
	first := map[string]int{}
	for i := range c.Routes {
		r, key := &c.Routes[i], childIndex("routes", i)
		if r.Path == "" || d.broken(key+".host") || d.broken(key+".name") {
			continue
		}
		derived := r.Name == ""
		if derived {
			r.Name = routeName(r.Host, r.Path)
		}
		if r.Title == "" {
			r.Title = r.Name
		}
		j, taken := first[r.Name]
		switch {
		case !taken:
			first[r.Name] = i
		case d.broken(d.pathOrRoute(key)):
		case derived:
			d.problem(key+".name", "is required: the name made of path and host is that of routes[%d] too", j)
		default:
			d.problem(key+".name", "is the name of routes[%d] too; want one of its own", j)
		}
	}
}

// routeName is gradio/admin for /gradio/admin, dash.example.com/app with a host,
// and / for the root of public_url's host.
func routeName(host, path string) string {
	if host == "" && path != "/" {
		return strings.TrimPrefix(path, "/")
	}
	if path == "/" && host != "" {
		return host
	}
	return host + path
}
