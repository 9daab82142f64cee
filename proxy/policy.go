package proxy

import (
	"net/http"
	"net/netip"
	"strings"

	"gatehouse/authn"
	"gatehouse/authz"
	"gatehouse/proxy/pages"
	"gatehouse/proxy/route"
)

// A Policy is what an operator's configuration comes to: the routes, compiled,
// and who may pass. It is not changed once it serves; a reload replaces it.
type Policy struct {
	Scheme     string // public_url's
	Host       string // public_url's, canonical, without port
	Port       string // public_url's with its colon, or ""
	AuthPath   string
	Direct     bool // sign_in: direct
	Portal     bool // landing: portal
	HSTS       bool // Gatehouse ends TLS
	Trusted    []netip.Prefix
	Tenants    map[string]string // {tenant} label → tenant ID
	Routes     []*Route          // in the order of the file
	Table      *route.Table      // finds the index in Routes
	Needs      *authz.Needs      // what of an identity the rules and the portal look at
	Least      *authz.Needs      // what of an identity the rules alone look at
	ConfigHash string

	// Where people sign in, and what is asked and told there. They are parts of
	// the policy so that a request never sees a half of one and a half of another.
	Provider *authn.Provider
	Flow     *authn.Flow
	Refresh  *authn.Refresher
	Logouts  *authn.LogoutTokens
	// Pages draws Gatehouse's own pages.
	Pages *pages.Pages

	// Bearers verifies the tokens that bearer routes take; required where there
	// is one.
	Bearers *authn.Bearers
	// AuthorizationServer is where clients of bearer routes get their tokens.
	AuthorizationServer string
	// Assertions signs what upstreams are told of a person; nil: nothing is.
	Assertions *authn.Assertions
}

// A Route is where a request goes, and who may send it there.
type Route struct {
	Name, Title, Description string

	Host        string // as configured: "", exact, *.suffix or {tenant}.suffix
	Prefix      string // canonical raw path, no trailing slash unless "/"
	Strip       bool
	Preset      Preset
	Access      authz.Access
	Bearer      bool     // takes bearer tokens; never on a public route
	Origins     []string // other origins that may call it
	MaxBody     int64    // bytes; 0: no limit
	Headers     http.Header
	AccountMenu bool // put into the app's pages
	Upstream    *Upstream
	TenantHost  bool // a {tenant} host
	Wildcard    bool // a *.suffix host
}

// Public reports whether the route asks for nobody.
func (rt *Route) Public() bool { return rt.Access.Mode == authz.ModePublic }

// Label is what people are shown as the route's name.
func (rt *Route) Label() string {
	if rt.Title != "" {
		return rt.Title
	}
	return rt.Name
}

// Origin is the public origin on a canonical host.
func (p *Policy) Origin(host string) string { return p.Scheme + "://" + host + p.Port }

// PublicURL is public_url, without a trailing slash.
func (p *Policy) PublicURL() string { return p.Origin(p.Host) }

// tenantOf returns the tenant ID that a label of a {tenant} host stands for: an
// alias, or the ID itself. Nothing is folded.
func (p *Policy) tenantOf(label string) string {
	if id, ok := p.Tenants[label]; ok {
		return id
	}
	return label
}

// A Place is a route as one person may open it.
type Place struct {
	Route  *Route
	URL    string
	Tenant string // for a {tenant} route, the tenant's ID
	path   string
	host   string
}

// Places returns what the identity may open, in the order of the file: each
// route that is not public, a {tenant} route once per tenant of the person, and
// wildcard routes never, since they have no address of their own. It asks the
// same evaluator as a request.
func (p *Policy) Places(id *authz.Identity) []Place {
	var out []Place
	for i, rt := range p.Routes {
		switch {
		case rt.Public() || rt.Wildcard:
		case rt.TenantHost:
			for _, label := range p.labelsOf(id) {
				if tenant := p.tenantOf(label); rt.Access.Decide(id, tenant).Allow {
					host := label + strings.TrimPrefix(rt.Host, "{tenant}")
					if found, err := p.Table.Lookup(host, rt.Prefix); err == nil && found.Kind == route.Matched && found.Index == i {
						out = append(out, p.place(rt, host, tenant)) // else the host has routes of its own
					}
				}
			}
		case rt.Access.Decide(id, "").Allow:
			host := rt.Host
			if host == "" {
				host = p.Host
			}
			out = append(out, p.place(rt, host, ""))
		}
	}
	return out
}

func (p *Policy) place(rt *Route, host, tenant string) Place {
	path := rt.Prefix
	if path != "/" && rt.Preset.Slash {
		path += "/"
	}
	return Place{Route: rt, URL: p.Origin(host) + path, Tenant: tenant, path: rt.Prefix, host: host}
}
