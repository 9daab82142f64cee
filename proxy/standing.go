package proxy

import (
	"context"
	"log/slog"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/route"
	"gatehouse/proxy/stream"
)

// A holder is who holds a stream: the request that opened it, and the session
// that it speaks for by now.
type holder struct {
	exchange *exchange
	session  *session.Session // nil on public routes and with a bearer
	bearer   *authn.Bearer    // the token that decided, nil with a session
}

// causeOf turns a session's end into its streams'.
func causeOf(c session.Cause) stream.Cause {
	switch c {
	case session.SignedOut:
		return stream.SignOut
	case session.Expired:
		return stream.Expired
	}
	return stream.Revoked
}

// standing decides an open stream again, by the present policy and the newest
// record of its session. It returns why the stream may not go on, or "".
func (h *Handler) standing(s *stream.Stream) stream.Cause {
	cause, _ := h.judge(s)
	return cause
}

// judge is standing, and returns the session too where the stream may not go on
// only as far as the session's record tells: it was trimmed for an earlier policy,
// and lacks something that the present one looks at.
func (h *Handler) judge(s *stream.Stream) (stream.Cause, *session.Session) {
	hold := s.Data().(*holder)
	if hold.session != nil {
		switch ended := hold.session.Ended(); ended {
		case "":
		case session.Replaced:
			// It began while the person signed in again, and became a stream
			// after the others were handed over, or will be handed over with them.
			if hold.session.Moving() {
				return "", nil
			}
			heir := hold.session.Heir()
			if heir == nil {
				return stream.Revoked, nil
			}
			h.SessionMoved(hold.session, heir)
			return "", nil
		default:
			return causeOf(ended), nil
		}
	}
	p, x := h.policy.Load(), hold.exchange
	cause := stream.RoleLost
	if p != x.p {
		cause = stream.PolicyChanged
	}
	rt, tenant, ok := p.routeOf(x.host, x.path)
	if !ok {
		return cause, nil
	}
	var id *authz.Identity
	switch {
	case hold.bearer != nil:
		if !h.bearerStands(p, hold) {
			return cause, nil
		}
		id = hold.bearer.Identity
	case hold.session != nil:
		id = hold.session.Record().Identity
	}
	switch {
	case rt.Access.Decide(id, tenant).Allow:
		return "", nil
	case hold.session != nil && h.sessions.Lacking(hold.session):
		return cause, hold.session
	}
	return cause, nil
}

// bearerStands reports whether the present policy still takes the token that a
// stream was opened with.
func (h *Handler) bearerStands(p *Policy, hold *holder) bool {
	x := hold.exchange
	found, err := p.Table.Lookup(x.host, x.path)
	return err == nil && found.Kind == route.Matched && p.Routes[found.Index].Bearer &&
		p.Bearers.Stands(hold.bearer, func(audience string) bool { return p.isResource(audience, x.host, found) })
}

// routeOf finds the route of a canonical host and path.
func (p *Policy) routeOf(host, path string) (rt *Route, tenant string, ok bool) {
	found, err := p.Table.Lookup(host, path)
	if err != nil || found.Kind != route.Matched {
		return nil, "", false
	}
	rt = p.Routes[found.Index]
	if rt.TenantHost {
		tenant = p.tenantOf(found.Label)
	}
	return rt, tenant, true
}

// Sessions' ends and changes reach exactly the streams that they concern: the
// Handler is the session table's observer.

// SessionEnded closes the session's streams.
func (h *Handler) SessionEnded(s *session.Session, cause session.Cause) {
	h.streams.CloseSession(s.ID, causeOf(cause))
	if cause == session.Revoked {
		h.auditSession(s, eventSessionRevoked, slog.String("reason", string(authz.ReasonRevoked)))
	}
}

// SessionChanged decides the session's streams again: the identity may have
// changed.
func (h *Handler) SessionChanged(s *session.Session) { h.streams.CloseSessionIf(s.ID, h.standing) }

// Refreshed counts the refreshes, and notes those that confirmed somebody.
func (h *Handler) Refreshed(s *session.Session, outcome session.Outcome) {
	h.metrics.refreshes.WithLabelValues(string(outcome)).Inc()
	if outcome == session.Confirmed {
		h.auditSession(s, eventSessionRefreshed, slog.String("result", string(outcome)))
	}
}

// Streaming reports whether the session has a stream open.
func (h *Handler) Streaming(id string) bool { return h.streams.Has(id) }

// SessionStale closes the streams of a session that nobody can confirm.
func (h *Handler) SessionStale(s *session.Session) { h.streams.CloseSession(s.ID, stream.Unavailable) }

// SessionMoved hands the streams of a session to the one that replaced it.
func (h *Handler) SessionMoved(from, to *session.Session) {
	h.streams.Move(from.ID, to.ID, func(data any) any {
		return &holder{exchange: data.(*holder).exchange, session: to}
	})
	h.streams.CloseSessionIf(to.ID, h.standing)
}

// confirmWithin is how long a new policy waits for the provider to say more about
// somebody whose stream it would close: the rest of the 2 s is for the close.
const confirmWithin = time.Second

// Replace takes up a new policy: open streams that it still allows go on, those
// that it denies are closed.
func (h *Handler) Replace(p *Policy) {
	h.policy.Store(p)
	h.upstreams.Use(p)
	doubtful := make(map[*session.Session]bool)
	h.streams.CloseIf(func(s *stream.Stream) stream.Cause {
		cause, doubt := h.judge(s)
		if doubt == nil {
			return cause
		}
		doubtful[doubt] = true
		return ""
	})
	for s := range doubtful {
		go h.confirm(s)
	}
}

// confirm decides a session's streams once its record holds what the policy looks
// at, or by what there is where that takes too long.
func (h *Handler) confirm(s *session.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmWithin)
	defer cancel()
	_, _ = h.sessions.Current(ctx, s, h.now()) // what came of it stands in the session
	h.streams.CloseSessionIf(s.ID, h.standing)
}
