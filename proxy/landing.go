package proxy

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/authz"
	"gatehouse/proxy/pages"
	"gatehouse/proxy/route"
)

// land answers for / and other paths above all routes: the sign-in page for who
// is signed out, and the first app that is theirs, or the portal, for who is
// signed in.
func (x *exchange) land() error {
	if err := x.allow(reads); err != nil {
		return err
	}
	if err := x.findSession(); err != nil {
		return err
	}
	first := ""
	if x.identity != nil {
		if first = x.p.firstBelow(x.host, x.path, x.identity); first == "" && x.lacks != nil {
			if err := x.forgo(); err != nil {
				return err
			}
		}
	}
	if x.identity == nil {
		if x.navigation() {
			return x.redirect(http.StatusFound, x.signInURL(x.here()))
		}
		return &refusal{
			status: http.StatusUnauthorized, reason: authz.ReasonNoSession, detail: "You are not signed in.",
			loginURL: x.p.PublicURL() + x.p.AuthPath + "/?return_to=" + url.QueryEscape(x.here()),
		}
	}
	switch {
	case first == "":
		return x.nothingHere()
	case x.p.Portal:
		return x.redirect(http.StatusFound, x.p.PublicURL()+x.p.AuthPath+"/")
	}
	return x.redirect(http.StatusFound, first)
}

// firstBelow returns the address of the first route below the landing that the
// person may open, in the order of the file; on public_url's / that of any.
// Public routes do not count: nobody has to sign in for them.
func (p *Policy) firstBelow(host, path string, id *authz.Identity) string {
	landing := strings.TrimSuffix(path, "/")
	if landing == "" {
		landing = "/"
	}
	for _, rt := range p.Routes {
		tenant, ok := p.serves(rt, host)
		if ok && !rt.Public() && route.Within(rt.Prefix, landing) && rt.Access.Decide(id, tenant).Allow {
			return p.place(rt, host, tenant).URL
		}
	}
	if path == "/" && host == p.Host {
		if places := p.Places(id); len(places) > 0 {
			return places[0].URL
		}
	}
	return ""
}

// serves reports whether the route is on the host, and for which tenant.
func (p *Policy) serves(rt *Route, host string) (tenant string, ok bool) {
	switch {
	case rt.TenantHost, rt.Wildcard:
		label, rest, _ := strings.Cut(host, ".")
		_, suffix, _ := strings.Cut(rt.Host, ".")
		if rest != suffix || label == "" {
			return "", false
		}
		if rt.TenantHost {
			tenant = p.tenantOf(label)
		}
		return tenant, true
	case rt.Host == "":
		return "", host == p.Host
	}
	return "", host == rt.Host
}

// nothingHere is for somebody who is signed in and may open nothing.
func (x *exchange) nothingHere() error {
	return &refusal{
		status: http.StatusForbidden, reason: authz.ReasonNoRule, detail: "There is no app here that you may open.",
		person: &pages.Denied{
			Person: x.person(), Routes: x.p.links(x.p.Places(x.identity)),
			LoginURL:  x.p.PublicURL() + x.p.AuthPath + "/login",
			LogoutURL: x.p.AuthPath + "/logout",
		},
	}
}

// hostLabel reports whether a tenant's ID can be a host label as it is. IDs
// with upper-case letters or dots need an alias: nothing is folded.
func hostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// aliasOf is the first alias of a tenant, "" where it has none.
func (p *Policy) aliasOf(tenant string) string {
	first := ""
	for alias, id := range p.Tenants {
		if id == tenant && (first == "" || alias < first) {
			first = alias
		}
	}
	return first
}

// tenantName is what people know a tenant by: the operator's alias of it, else
// its ID, since Descope's claims tell no name.
func (p *Policy) tenantName(id string) string { return cmp.Or(p.aliasOf(id), id) }
