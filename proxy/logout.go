package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"gatehouse/authn/session"
	"gatehouse/proxy/pages"
)

// revokeTimeout is how long a sign-out waits for the provider. The session is
// over here before it is asked.
const revokeTimeout = 3 * time.Second

// logout ends the session here, at once, and then at the provider. It succeeds
// here even if the provider, or the session store, is away.
func (x *exchange) logout() error {
	if !x.meansLogout() {
		if x.r.Method == http.MethodPost {
			return crossOrigin()
		}
		_ = x.findSession() // only to greet the person on the page
		x.servePage(http.StatusOK, func(w io.Writer) error {
			return x.p.Pages.ConfirmLogout(w, pages.ConfirmLogout{Person: x.person(), LogoutURL: x.p.AuthPath + "/logout"})
		})
		return errAnswered
	}
	x.dropCookie()
	signedOut := x.p.PublicURL() + x.p.AuthPath + "/?signed_out=1"
	target := signedOut
	if !x.endHere() {
		if there := x.p.Provider.EndSessionURL(signedOut); there != "" {
			target = there
		}
	}
	return x.redirect(http.StatusSeeOther, target)
}

// meansLogout reports whether the person wants to sign out, and not another
// site (attack: sign-out CSRF).
func (x *exchange) meansLogout() bool {
	if x.r.Method == http.MethodPost {
		return x.sameOrigin(nil)
	}
	if x.r.Method != http.MethodGet {
		return false
	}
	h := x.r.Header
	if site := h["Sec-Fetch-Site"]; len(site) > 0 {
		return len(site) == 1 && (site[0] == "same-origin" || site[0] == "same-site" || site[0] == "none")
	}
	if h["Sec-Fetch-Mode"] != nil || h["Sec-Fetch-Dest"] != nil || h["Sec-Fetch-User"] != nil {
		return false
	}
	referer, err := url.Parse(h.Get("Referer"))
	return err == nil && referer.Scheme+"://"+referer.Host == x.p.Origin(x.host)
}

// endHere ends the session on this side and revokes its refresh token. Two of
// them, which only somebody who planted one can have brought about, both go. It
// reports whether the provider is known to be away, so that the browser is not
// sent into the void.
func (x *exchange) endHere() (away bool) {
	ended := x.h.sessions.EndCarried(x.r.Context(), x.r.Header, session.SignedOut)
	if len(ended) == 0 {
		return !x.p.Provider.Ready()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), revokeTimeout)
	defer cancel()
	for _, s := range ended {
		x.session, x.record, x.identity = s, s.Record(), s.Record().Identity
		x.h.signedOut(x)
		away = x.revoke(ctx, s.Record().Refresh) || away
	}
	return away
}

// revoke reports whether the provider could not be told.
func (x *exchange) revoke(ctx context.Context, token session.Token) (away bool) {
	err := x.p.Refresh.Revoke(ctx, token)
	var unreachable *session.UnreachableError
	if errors.As(err, &unreachable) {
		x.h.log.Warn("the provider could not be told of a sign-out", "request_id", x.id, "error", err)
		return true
	}
	if err != nil {
		x.h.log.Warn("the provider did not revoke a refresh token", "request_id", x.id, "error", err)
	}
	return false
}

// endSession ends a session and, through the table's observer, its streams.
func (h *Handler) endSession(s *session.Session, cause session.Cause) { h.sessions.End(s, cause) }
