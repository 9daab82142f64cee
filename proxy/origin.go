package proxy

import (
	"net/http"
	"slices"

	"gatehouse/authz"
)

// preflight answers CORS preflights of routes that are not public. They never
// reach an upstream: Gradio, for one, allows any origin with credentials.
func (x *exchange) preflight() error {
	if x.route.Public() {
		return nil
	}
	origin := x.listedOrigin()
	x.cors = origin
	method := x.r.Header["Access-Control-Request-Method"]
	if x.r.Method != http.MethodOptions || len(method) == 0 || x.r.Header["Origin"] == nil {
		return nil
	}
	if origin == "" {
		return &refusal{status: http.StatusForbidden, reason: authz.ReasonCrossOrigin, detail: "This origin may not call the app."}
	}
	h := x.Header()
	h.Set("Access-Control-Allow-Methods", method[0])
	if wanted := x.r.Header["Access-Control-Request-Headers"]; len(wanted) > 0 {
		h["Access-Control-Allow-Headers"] = wanted
	}
	h.Set("Cache-Control", "no-store")
	x.WriteHeader(http.StatusNoContent)
	return errAnswered
}

// listedOrigin returns the request's origin if the route's origins name it.
func (x *exchange) listedOrigin() string {
	if origin := x.r.Header["Origin"]; len(origin) == 1 && slices.Contains(x.route.Origins, origin[0]) {
		return origin[0]
	}
	return ""
}

// checkOrigin lets no page of another site act for the person. SameSite=Lax
// does not stop sibling hosts, and it never stopped WebSockets (attacks:
// GHSA-w3vc-fx9p-wp4v, GHSA-2vfc-3h43-vghh). Nothing in Gradio checks Origin. A
// bearer token is sent by whoever holds it and never by a browser of itself, so
// there it is no question.
func (x *exchange) checkOrigin() error {
	if x.route.Public() || x.bearer != nil || !x.upgrade() && safeMethod(x.r.Method) {
		return nil
	}
	if x.sameOrigin(x.route.Origins) {
		return nil
	}
	return crossOrigin()
}

func crossOrigin() *refusal {
	return &refusal{status: http.StatusForbidden, reason: authz.ReasonCrossOrigin, detail: "The request comes from a page of another site."}
}

// sameOrigin reports whether the request comes from a page of this origin, from
// a listed one, from the address bar, or from something that is no browser and
// sends neither header.
func (x *exchange) sameOrigin(listed []string) bool {
	site, origin := x.r.Header["Sec-Fetch-Site"], x.r.Header["Origin"]
	switch {
	case len(site) == 1 && (site[0] == "same-origin" || site[0] == "none"):
		return true
	case len(origin) == 1:
		return origin[0] == x.p.Origin(x.host) || slices.Contains(listed, origin[0])
	}
	return len(site) == 0 && len(origin) == 0
}

// safeMethod follows RFC 9110, section 9.2.1. TRACE is not let in at all.
func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
