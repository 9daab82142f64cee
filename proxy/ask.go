package proxy

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"gatehouse/authz"
	"gatehouse/proxy/route"
)

// Outcome is what comes of a request, in the words of explain and of policy
// tests.
type Outcome string

const (
	OutcomeAllow      Outcome = "allow"       // it gets its answer, from an app or a page of Gatehouse's own
	OutcomeDeny       Outcome = "deny"        // 403
	OutcomeSignIn     Outcome = "sign_in"     // 401, or 302 to the sign-in
	OutcomeNotFound   Outcome = "not_found"   // 404; on a host that has no routes 421, or 302 to public_url
	OutcomeBadRequest Outcome = "bad_request" // 400, or 405 for a method that is never taken
)

// An Answer is what the policy says to a request, and why.
type Answer struct {
	Outcome Outcome
	Reason  authz.Reason // "" where a request ends before any decision (405)

	Host, Path string      // canonical; "" where malformed
	Found      route.Match // zero where malformed
	Route      *Route      // nil where none took it
	HostTenant string      // tenant ID that a {tenant} host stands for
	LeadsTo    string      // address that a landing or an unknown host sends people to

	// Explanation is that of the route's rules; zero where there is no route.
	Explanation authz.Explanation
	// Err says what is wrong with a bad request.
	Err error
}

// Tenant is the tenant that decided, "" where none did.
func (a *Answer) Tenant() string { return a.Explanation.Tenant }

// Ask tells what would come of a request for the identity, nil being nobody: by
// the same table, the same canonical forms and the same evaluator as a request
// that comes over the wire, and so without what only the wire knows (sessions
// that ended, origins, bodies). rawURL is a path on public_url, or an absolute
// URL, of which the host counts and scheme and port do not. Dot segments are not
// resolved, as a browser would: the path is taken as if it had been sent.
func (p *Policy) Ask(method, rawURL string, id *authz.Identity) Answer {
	if method == http.MethodConnect || method == http.MethodTrace {
		return Answer{Outcome: OutcomeBadRequest, Err: errors.New("the method " + method + " is never taken")}
	}
	authority, target, err := p.splitAsked(rawURL)
	if err != nil {
		return badRequest(Answer{}, err)
	}
	var a Answer
	var query string
	var hasQuery bool
	if a.Path, query, hasQuery, err = route.CanonicalPath(target); err != nil {
		return badRequest(a, err)
	}
	health := a.Path == p.AuthPath+"/health"
	if a.Host, err = route.CanonicalHost(authority); err != nil && !health {
		return badRequest(a, err)
	}
	if health {
		a.Found = route.Match{Kind: route.Own, Index: -1, Prefix: p.AuthPath}
		return a.page(method, reads)
	}
	if rt, _ := p.protectedResource(a.Host, a.Path); rt != nil {
		return a.page(method, metadataMethods)
	}
	if a.Found, err = p.Table.Lookup(a.Host, a.Path); err != nil {
		return badRequest(a, err)
	}
	switch a.Found.Kind {
	case route.Matched:
		return p.askRoute(a, id)
	case route.Landing:
		return p.askLanding(a, method, id)
	case route.Own:
		return p.askOwn(a, method, id)
	case route.UnknownHost:
		a.LeadsTo = p.PublicURL() + a.Path
		if hasQuery {
			a.LeadsTo += "?" + query
		}
	}
	if a.Found.Kind == route.None && unasked(a.Path) && slices.Contains(reads, method) {
		return a.to(OutcomeAllow, authz.ReasonPublic)
	}
	return a.to(OutcomeNotFound, authz.ReasonNoRoute)
}

// splitAsked parts what people write as an address into authority and request
// target. A fragment never leaves the browser.
func (p *Policy) splitAsked(raw string) (authority, target string, err error) {
	raw, _, _ = strings.Cut(raw, "#")
	if strings.HasPrefix(raw, "/") {
		return p.Host, raw, nil
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", errors.New("neither a path that begins with / nor an http(s) URL")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		return rest, "/", nil
	}
	if rest[end] == '?' {
		return rest[:end], "/" + rest[end:], nil
	}
	return rest[:end], rest[end:], nil
}

func (a Answer) to(o Outcome, reason authz.Reason) Answer {
	a.Outcome, a.Reason = o, reason
	return a
}

func badRequest(a Answer, err error) Answer {
	a.Err = err
	return a.to(OutcomeBadRequest, authz.ReasonBadPath)
}

// askRoute asks the route's rules.
func (p *Policy) askRoute(a Answer, id *authz.Identity) Answer {
	a.Route = p.Routes[a.Found.Index]
	if a.Route.TenantHost {
		a.HostTenant = p.tenantOf(a.Found.Label)
	}
	a.Explanation = a.Route.Access.Explain(id, a.HostTenant)
	outcome := OutcomeAllow
	switch {
	case a.Explanation.Allow:
	case id == nil:
		outcome = OutcomeSignIn
	default:
		outcome = OutcomeDeny
	}
	return a.to(outcome, a.Explanation.Reason)
}

func (p *Policy) askLanding(a Answer, method string, id *authz.Identity) Answer {
	switch {
	case !slices.Contains(reads, method):
		return a.page(method, reads)
	case id == nil:
		return a.to(OutcomeSignIn, authz.ReasonNoSession)
	}
	if a.LeadsTo = p.firstBelow(a.Host, a.Path, id); a.LeadsTo == "" {
		return a.to(OutcomeDeny, authz.ReasonNoRule)
	}
	if p.Portal {
		a.LeadsTo = p.PublicURL() + p.AuthPath + "/"
	}
	return a.to(OutcomeAllow, authz.ReasonAuthenticated)
}

func (p *Policy) askOwn(a Answer, method string, id *authz.Identity) Answer {
	name := strings.TrimPrefix(a.Path, p.AuthPath)
	page, ok := ownPages()[name]
	switch {
	case !ok:
		return a.to(OutcomeNotFound, authz.ReasonNoRoute)
	case name == "/me" && id == nil && slices.Contains(page.methods, method):
		return a.to(OutcomeSignIn, authz.ReasonNoSession)
	}
	return a.page(method, page.methods)
}

// page is a page of Gatehouse's own, which is everybody's.
func (a Answer) page(method string, methods []string) Answer {
	if !slices.Contains(methods, method) {
		a.Err = errors.New("the method " + method + " is not taken here; " + strings.Join(methods, ", ") + " would be")
		return a.to(OutcomeBadRequest, "")
	}
	return a.to(OutcomeAllow, authz.ReasonPublic)
}

// WhyNot says why the request was not the route's, which is not that of the
// answer.
func (p *Policy) WhyNot(rt *Route, a *Answer) string {
	_, serves := p.serves(rt, a.Host)
	host := rt.Host
	if host == "" {
		host = p.Host
	}
	switch {
	case !serves:
		return "is on " + host
	case !route.Within(a.Path, rt.Prefix):
		return "its path " + rt.Prefix + " is not above this one"
	case rt.Wildcard || rt.TenantHost:
		return "gives way: " + a.Host + " has routes of its own"
	}
	return "gives way to the longer path"
}
