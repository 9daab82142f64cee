package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/pages"
	"gatehouse/proxy/route"
)

// An ownPage is something that Gatehouse itself serves below auth_path.
type ownPage struct {
	methods []string
	home    bool // only on public_url's host: others are sent there
	serve   func(*exchange) error
}

var (
	reads   = []string{http.MethodGet, http.MethodHead}
	getOnly = []string{http.MethodGet}
	posts   = []string{http.MethodPost}
)

// ownPages are the pages below auth_path, by their path there.
func ownPages() map[string]ownPage {
	return map[string]ownPage{
		"":                    {reads, false, (*exchange).toFrontPage},
		"/":                   {reads, true, (*exchange).frontPage},
		"/login":              {reads, true, (*exchange).login},
		"/callback":           {getOnly, true, (*exchange).callback},
		"/logout":             {append(slices.Clone(reads), http.MethodPost), false, (*exchange).logout},
		"/error":              {reads, true, (*exchange).errorPage},
		"/me":                 {reads, false, (*exchange).me},
		"/menu.js":            {reads, false, (*exchange).menuScript},
		"/jwks.json":          {reads, false, (*exchange).jwks},
		"/backchannel-logout": {posts, false, (*exchange).backchannelLogout},
	}
}

// serveOwn answers for the pages below auth_path.
func (x *exchange) serveOwn() error {
	page, ok := x.h.own[strings.TrimPrefix(x.path, x.p.AuthPath)]
	if !ok {
		return &refusal{status: http.StatusNotFound, reason: authz.ReasonNoRoute}
	}
	if err := x.allow(page.methods); err != nil {
		return err
	}
	if page.home && x.host != x.p.Host {
		return x.toHome()
	}
	return page.serve(x)
}

// allow refuses methods that a page of Gatehouse's own does not take.
func (x *exchange) allow(methods []string) error {
	if slices.Contains(methods, x.r.Method) {
		return nil
	}
	return &refusal{status: http.StatusMethodNotAllowed, allow: strings.Join(methods, ", ")}
}

// health tells a load balancer whether to send requests here, under whatever
// host it asks.
func (x *exchange) health() error {
	if err := x.allow(reads); err != nil {
		return err
	}
	if x.h.draining.Load() {
		x.serve(http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("draining\n"))
		return errAnswered
	}
	return x.serveBytes("text/plain; charset=utf-8", []byte("ok\n"))
}

// toHome sends a page that lives on public_url's host there. What has no
// address to come back to comes back to this host.
func (x *exchange) toHome() error {
	q, _ := url.ParseQuery(x.query) // what cannot be read is left out
	page := strings.TrimPrefix(x.path, x.p.AuthPath)
	if back := q["return_to"]; page == "/login" || page == "/" {
		here := x.p.Origin(x.host)
		switch {
		case len(back) == 1 && strings.HasPrefix(back[0], "/") && !strings.HasPrefix(back[0], "//"):
			q.Set("return_to", here+back[0])
		case len(back) == 0 && (page == "/login" || !x.signedIn()):
			q.Set("return_to", here+"/")
		}
	}
	target := x.p.PublicURL() + x.path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	return x.redirect(http.StatusFound, target)
}

// signedIn finds the session for a page of Gatehouse's own.
func (x *exchange) signedIn() bool {
	return x.session == nil && x.findSession() == nil && x.session != nil
}

func (x *exchange) toFrontPage() error {
	target := x.p.AuthPath + "/"
	if x.hasQuery {
		target += "?" + x.query
	}
	return x.redirect(http.StatusFound, asLocation(target))
}

// frontPage is the sign-in page for who is signed out, and the portal or the
// way back for who is signed in.
func (x *exchange) frontPage() error {
	if err := x.findSession(); err != nil {
		return err
	}
	if x.lacks != nil && errors.Is(x.lacks, session.ErrSignInAgain) {
		if err := x.forgo(); err != nil { // a denial leads here, and must not be led back
			return err
		}
	}
	back, asked := x.comeBack()
	signedOut := onlyQuery(x.query, "signed_out") == "1"
	if x.identity != nil {
		if asked {
			return x.redirect(http.StatusFound, back)
		}
		return x.portal()
	}
	login := x.loginURL(asked, back)
	if x.p.Direct && !signedOut {
		return x.redirect(http.StatusFound, login)
	}
	host := ""
	if place, ok := x.p.locate(back); ok && place.host != x.p.Host {
		host = place.host
	}
	x.servePage(http.StatusOK, func(w io.Writer) error {
		return x.p.Pages.SignIn(w, pages.SignIn{LoginURL: login, SignedOut: signedOut, Expired: x.cause != "", Host: host})
	})
	return errAnswered
}

// comeBack is where return_to leads, and whether it is given at all. A place that
// wants a session which no cookie reaches is none to come back to: it would send the
// person here again, for ever.
func (x *exchange) comeBack() (back string, asked bool) {
	raw, asked := queryValue(x.query, "return_to")
	back = x.p.returnTo(raw)
	if place, ok := x.p.locate(back); ok && !x.h.sessions.Cookie.Reaches(place.host, x.p.Host) {
		switch found := place.found; {
		case found.Kind == route.Landing, found.Kind == route.Matched && !x.p.Routes[found.Index].Public():
			back = "/"
		}
	}
	return back, asked
}

// loginURL starts the sign-in and comes back.
func (x *exchange) loginURL(asked bool, back string) string {
	login := x.p.AuthPath + "/login"
	if !asked {
		return login
	}
	return login + "?return_to=" + url.QueryEscape(back)
}

// portal lists the apps that the person may open.
func (x *exchange) portal() error {
	view := pages.Portal{
		Person: x.person(), Routes: x.p.links(x.p.Places(x.identity)), LogoutURL: x.p.AuthPath + "/logout",
	}
	if len(x.identity.Tenants) > 1 {
		for id := range x.identity.Tenants {
			view.Tenants = append(view.Tenants, pages.TenantChoice{
				Name: x.p.tenantName(id), Current: id == x.identity.CurrentTenant,
				SwitchURL: x.p.AuthPath + "/login?tenant=" + url.QueryEscape(id),
			})
		}
		slices.SortFunc(view.Tenants, func(a, b pages.TenantChoice) int { return strings.Compare(a.Name, b.Name) })
	}
	x.servePage(http.StatusOK, func(w io.Writer) error { return x.p.Pages.Portal(w, view) })
	return errAnswered
}

// login starts a sign-in. Another site cannot start one over a living session:
// it would replace who is signed in (attack: login CSRF).
func (x *exchange) login() error {
	back, asked := x.comeBack()
	if found, err := x.h.sessions.Find(x.r.Context(), x.r.Header); err == nil && found.Conflict {
		x.dropCookie()
	}
	if site := x.r.Header["Sec-Fetch-Site"]; len(site) > 0 && site[0] == "cross-site" {
		if err := x.findSession(); err != nil {
			return err
		}
		if x.identity != nil {
			person := x.person()
			x.servePage(http.StatusOK, func(w io.Writer) error {
				return x.p.Pages.SignIn(w, pages.SignIn{LoginURL: x.loginURL(asked, back), SignedInAs: &person, ContinueURL: back})
			})
			return errAnswered
		}
	}
	tenant := onlyQuery(x.query, "tenant")
	if tenant == "" {
		tenant = x.p.tenantFor(back)
	}
	own := http.Header{}
	location, err := x.p.Flow.Begin(own, x.r, authn.Start{
		ReturnTo: back, LoginHint: onlyQuery(x.query, "login_hint"), Tenant: tenant,
	})
	x.setCookies(own)
	if err != nil {
		return x.signInFailed(err)
	}
	return x.redirect(http.StatusFound, location)
}

// signInFailed leads to the page that says what went wrong. What lies with the
// browser (state) is answered at once.
func (x *exchange) signInFailed(err error) error {
	var failure *authn.Error
	if !errors.As(err, &failure) {
		failure = &authn.Error{Reason: authn.ReasonProvider, Err: err}
	}
	x.h.signInFailed(x, failure)
	if failure.Reason == authn.ReasonState {
		if x.findSession() == nil && x.identity != nil {
			return x.redirect(http.StatusFound, "/") // a second tab, or the back button
		}
		return x.showAuthError(string(failure.Reason), x.id, 0)
	}
	if strings.HasSuffix(x.path, "/login") {
		if !x.navigation() {
			return &refusal{
				status: pages.AuthErrorStatus(string(failure.Reason)), retryAfter: failure.RetryAfter,
				detail: "Sign-in is not available right now. Try again in a moment.", err: failure,
			}
		}
		return x.showAuthError(string(failure.Reason), x.id, failure.RetryAfter)
	}
	q := url.Values{"reason": {string(failure.Reason)}}
	if ownRequestID(x.id) {
		q.Set("id", x.id)
	}
	return x.redirect(http.StatusFound, x.p.AuthPath+"/error?"+q.Encode())
}

// errorPage shows why a sign-in failed. Of its query only a known word and a
// request ID in Gatehouse's own form are ever shown (attack: reflected XSS).
func (x *exchange) errorPage() error {
	id := onlyQuery(x.query, "id")
	if !ownRequestID(id) {
		id = ""
	}
	return x.showAuthError(onlyQuery(x.query, "reason"), id, 0)
}

func (x *exchange) showAuthError(reason, id string, retry time.Duration) error {
	status := pages.AuthErrorStatus(reason)
	if status == http.StatusServiceUnavailable && retry == 0 {
		retry = 10 * time.Second
	}
	if retry > 0 {
		x.Header()["Retry-After"] = []string{seconds(retry)}
	}
	x.servePage(status, func(w io.Writer) error {
		return x.p.Pages.AuthError(w, pages.AuthError{Reason: reason, RequestID: id, RetryURL: x.p.AuthPath + "/login"})
	})
	return errAnswered
}
