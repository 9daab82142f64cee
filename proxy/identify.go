package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gatehouse/authn/session"
	"gatehouse/authz"
)

// identify finds out who the request speaks for. Nobody is no error: the rules
// decide on nobody too. A public route asks for nobody, so that no outage of
// the provider or the store closes it.
func (x *exchange) identify() error {
	if x.route.Public() {
		return nil
	}
	if x.route.Bearer {
		if sent, err := x.findBearer(); sent {
			return err
		}
	}
	return x.findSession()
}

// findSession takes the identity from the session cookie, and notes that the
// person is there.
func (x *exchange) findSession() error {
	return x.find(true)
}

// findQuietly is findSession for what is no activity of the person.
func (x *exchange) findQuietly() error { return x.find(false) }

func (x *exchange) find(active bool) error {
	found, err := x.h.sessions.Find(x.r.Context(), x.r.Header)
	if err != nil {
		return storeAway(err)
	}
	x.carried, x.cause = found.Carried, found.Cause
	if found.Conflict {
		// Two different sessions in one request: somebody planted one of them
		// (cookie tossing). Neither counts, and both go.
		x.dropCookie()
		return nil
	}
	if found.Session == nil {
		return nil // a foreign or stale cookie is left alone: another instance may know its secret
	}
	record, err := x.h.sessions.Current(x.r.Context(), found.Session, x.begun)
	if err != nil && !errors.As(err, &x.lacks) {
		return x.notCurrent(err)
	}
	x.session, x.record, x.identity = found.Session, record, record.Identity
	if active {
		x.h.sessions.Touch(found.Session, x.begun)
	}
	x.renewCookie(found)
	return nil
}

// notCurrent deals with a session that was found and does not count now.
func (x *exchange) notCurrent(err error) error {
	var ended *session.EndedError
	var away *session.UnreachableError
	switch {
	case errors.As(err, &ended):
		x.cause = ended.Cause
		return nil
	case errors.Is(err, session.ErrSignInAgain):
		x.cause = session.Expired
		return nil
	case errors.As(err, &away):
		return unavailable("Your session cannot be confirmed at the moment. It is kept; try again shortly.", max(away.RetryAfter, 5*time.Second), err)
	case errors.Is(err, session.ErrUnavailable):
		return storeAway(err)
	case errors.Is(err, context.Canceled):
		return &refusal{status: statusClientGone, err: err}
	}
	return unavailable("Your session cannot be confirmed at the moment.", 5*time.Second, err)
}

// forgo takes a session for none whose request would be denied, perhaps for want of
// what nobody could be asked for.
func (x *exchange) forgo() error {
	if err := x.notCurrent(x.lacks); err != nil {
		return err
	}
	x.session, x.record, x.identity = nil, nil, nil
	return nil
}

// statusClientGone is nginx's word for a client that went before its answer; it
// is only ever seen in logs.
const statusClientGone = 499

// storeAway is for a session store that is needed and away: never a sign-in.
func storeAway(err error) *refusal {
	return unavailable("The place where sessions are kept is not answering. Nobody was signed out; try again in a moment.", time.Second, err)
}

func unavailable(detail string, retry time.Duration, err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, reason: authz.ReasonUnavailable, detail: detail, retryAfter: retry, err: err}
}

// renewCookie sends the session's newest cookie with the response, where the
// request came with an older one.
func (x *exchange) renewCookie(found session.Found) {
	value, life := x.h.sessions.Renewal(found)
	if value == "" || life <= 0 {
		return
	}
	h := http.Header{}
	if err := x.h.sessions.Cookie.Write(h, x.r.Header, value, life); err != nil {
		x.h.log.Error("a session's cookie could not be renewed", "request_id", x.id, "error", err)
		return
	}
	x.setCookies(h)
}

// dropCookie removes the session cookie in every form.
func (x *exchange) dropCookie() {
	h := http.Header{}
	x.h.sessions.Cookie.Expire(h)
	x.setCookies(h)
}
