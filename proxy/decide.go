package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/pages"
)

// decide asks the policy, and answers where it denies.
func (x *exchange) decide() error {
	x.decision = x.route.Access.Decide(x.identity, x.tenant)
	switch {
	case x.decision.Allow:
		return nil
	case x.identity == nil:
		return x.signedOut()
	case x.lacks != nil: // perhaps the very thing that would have let them in
		if err := x.forgo(); err != nil {
			return err
		}
		return x.signedOut()
	}
	return x.denied()
}

// signedOut answers somebody without a session: a page that is opened leads to
// the sign-in and back, everything else gets 401, which scripts and open pages
// understand, and no cookie.
func (x *exchange) signedOut() error {
	reason := authz.ReasonNoSession
	switch x.cause {
	case session.Expired:
		reason = authz.ReasonExpired
	case session.SignedOut, session.Revoked, session.Replaced:
		reason = authz.ReasonRevoked
	}
	x.decision = authz.Decision{Reason: reason, Rule: authz.NoRule}
	if x.route.Preset.Manifest && x.reading() && x.path == strings.TrimSuffix(x.route.Prefix, "/")+"/manifest.json" {
		// Browsers fetch it without credentials, and Gradio's page links it.
		return x.serveBytes("application/manifest+json", []byte("{}"))
	}
	if x.asksAppID() {
		return x.serveBytes("application/json", reauthBody)
	}
	if x.navigation() && x.reading() {
		return x.redirect(http.StatusFound, x.signInURL(x.here()))
	}
	detail := "You are not signed in."
	if reason != authz.ReasonNoSession {
		detail = "Your session has ended. Sign in again to go on."
	}
	return &refusal{
		status: http.StatusUnauthorized, reason: reason, title: "Sign in to go on", detail: detail,
		loginURL: x.loginURLForPage(),
	}
}

// loginURLForPage is the sign-in that comes back to the page which asked, or to the
// app: what was asked for is often no page itself.
func (x *exchange) loginURLForPage() string {
	back, ok := x.refererInRoute()
	switch {
	case ok:
	case x.host == x.p.Host:
		back = x.route.Prefix
	default:
		back = x.p.Origin(x.host) + x.route.Prefix
	}
	return x.p.PublicURL() + x.p.AuthPath + "/?return_to=" + url.QueryEscape(back)
}

// signInURL is where a page that needs a session leads.
func (x *exchange) signInURL(returnTo string) string {
	page := "/"
	if x.p.Direct {
		page = "/login"
	}
	return x.p.PublicURL() + x.p.AuthPath + page + "?return_to=" + url.QueryEscape(returnTo)
}

// here is the request's own address as return_to takes it: a path on
// public_url's host, and absolute on others. What is too long to come back to
// is shortened to its path, then to the route's prefix.
func (x *exchange) here() string {
	origin := ""
	if x.host != x.p.Host {
		origin = x.p.Origin(x.host)
	}
	prefix := "/"
	if x.route != nil {
		prefix = x.route.Prefix
	}
	for _, address := range []string{origin + x.target(), origin + x.path} {
		if len(address) <= maxReturnTo {
			return address
		}
	}
	return origin + prefix
}

// refererInRoute returns the page that the request came from, if it lies in the
// same route.
func (x *exchange) refererInRoute() (string, bool) {
	referer := x.r.Header.Get("Referer")
	if referer == "" {
		return "", false
	}
	back := x.p.returnTo(referer)
	place, ok := x.p.locate(back)
	if !ok || place.found.Index != x.found.Index || place.host != x.host || place.found.Kind != x.found.Kind {
		return "", false
	}
	if len(referer) <= maxReturnTo && asLocation(referer) == referer {
		return referer, true
	}
	return back, true
}

// denied answers somebody who is signed in and may not pass.
func (x *exchange) denied() error {
	missing := x.route.Access.Explain(x.identity, x.tenant).Missing
	return &refusal{
		status: http.StatusForbidden, reason: x.decision.Reason,
		detail: "You do not have access to " + x.route.Label() + "." + missingWords(missing),
		person: x.deniedPage(missing),
	}
}

func (x *exchange) deniedPage(missing authz.Missing) *pages.Denied {
	var routes []pages.RouteLink
	if x.identity != nil {
		routes = x.p.links(x.p.Places(x.identity))
	}
	return &pages.Denied{
		Person: x.person(), What: x.route.Label(),
		MissingRoles: missing.Roles, MissingPermissions: missing.Permissions, Routes: routes,
		LoginURL:  x.p.PublicURL() + x.p.AuthPath + "/login?return_to=" + url.QueryEscape(x.here()),
		LogoutURL: x.p.AuthPath + "/logout",
	}
}

func missingWords(m authz.Missing) string {
	var s string
	if len(m.Roles) > 0 {
		s += " Missing role: " + strings.Join(m.Roles, " or ") + "."
	}
	if len(m.Permissions) > 0 {
		s += " Missing permission: " + strings.Join(m.Permissions, " or ") + "."
	}
	return s
}

func (x *exchange) person() pages.Person {
	if x.identity == nil {
		return pages.Person{}
	}
	return pages.Person{Name: x.identity.Name, Email: x.identity.Email}
}

func (p *Policy) links(places []Place) []pages.RouteLink {
	out := make([]pages.RouteLink, 0, len(places))
	for _, place := range places {
		out = append(out, pages.RouteLink{
			Name: place.Route.Name, Title: place.Route.Title, Description: place.Route.Description,
			URL: place.URL, Tenant: p.tenantName(place.Tenant),
		})
	}
	return out
}
