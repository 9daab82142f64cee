package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
)

// callback ends a sign-in: state first, then the code, then the session.
func (x *exchange) callback() error {
	own := http.Header{}
	in, err := x.p.Flow.Complete(x.r.Context(), own, x.r)
	x.setCookies(own)
	if err != nil {
		return x.signInFailed(err)
	}
	old := x.previousSession(in.Record)
	s, value, err := x.h.sessions.Begin(x.r.Context(), in.Record, old)
	if err != nil {
		x.h.discard(in.Record.Refresh)
		return x.signInFailed(storeError(err))
	}
	cookie := http.Header{}
	if err := x.h.sessions.Cookie.Write(cookie, x.r.Header, value, time.Until(x.h.sessions.EndOf(s))); err != nil {
		x.h.sessions.End(s, session.SignedOut)
		return x.signInFailed(storeError(err))
	}
	x.setCookies(cookie)
	x.session, x.record, x.identity = s, s.Record(), s.Record().Identity
	x.h.signedIn(x)
	return x.redirect(http.StatusFound, in.ReturnTo)
}

func storeError(err error) error {
	if errors.Is(err, session.ErrTooLarge) {
		return &authn.Error{Reason: authn.ReasonSessionTooLarge, Err: err}
	}
	return &authn.Error{Reason: authn.ReasonNoSessionStore, Err: err}
}

// previousSession returns the session of this browser that the new one takes
// over from: the same person's. Somebody else's is signed out.
func (x *exchange) previousSession(rec *session.Record) *session.Session {
	found, err := x.h.sessions.Find(x.r.Context(), x.r.Header)
	if err != nil || found.Session == nil {
		return nil
	}
	old := found.Session.Record()
	if old.Identity.Issuer == rec.Identity.Issuer && old.Identity.Subject == rec.Identity.Subject {
		return found.Session
	}
	x.h.endSession(found.Session, session.SignedOut)
	x.h.discard(old.Refresh)
	x.session, x.record, x.identity = found.Session, old, old.Identity
	x.h.signedOut(x)
	x.session, x.record, x.identity = nil, nil, nil
	return nil
}

// discard revokes a refresh token that nobody will use. Nobody waits for it: the
// session is refused here in any case, or was never made.
func (h *Handler) discard(token session.Token) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
		defer cancel()
		_ = h.policy.Load().Refresh.Revoke(ctx, token) // best effort
	}()
}
