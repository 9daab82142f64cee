package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/route"
	"gatehouse/proxy/stream"
)

// The audit events. They are written at every log level, each with what is
// known of who, what and whence; never a token, code, cookie or secret, and
// never a query, which may hold one.
const (
	eventSignedIn         = "signed_in"
	eventSignInFailed     = "sign_in_failed"
	eventSignedOut        = "signed_out"
	eventAccessed         = "accessed"
	eventDenied           = "denied"
	eventSessionRefreshed = "session_refreshed"
	eventSessionRevoked   = "session_revoked"
	eventStreamOpened     = "stream_opened"
	eventStreamClosed     = "stream_closed"
)

// sessionHash names a session in logs without saying its ID, which would be a
// handle on it.
func sessionHash(id string) string {
	sum := sha256.Sum256([]byte("gatehouse audit " + id))
	return hex.EncodeToString(sum[:8])
}

// auditRequest writes an event about a request.
func (h *Handler) auditRequest(x *exchange, event string, more ...slog.Attr) {
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("event", event), slog.String("request_id", x.id))
	attrs = appendPerson(attrs, x.session, x.identity)
	attrs = appendText(attrs, "tenant", x.decision.Tenant)
	attrs = appendText(attrs, "route", x.routeName())
	attrs = append(attrs,
		slog.String("method", clip(x.r.Method, maxLogged)), slog.String("path", clip(x.loggedPath(), maxLogged)),
		slog.String("client_ip", x.client.String()), slog.String("user_agent", clip(x.r.UserAgent(), 256)))
	if reason := x.decision.Reason; reason != "" {
		attrs = append(attrs, slog.String("decision", allowWord(x.decision)), slog.String("reason", string(reason)))
	}
	attrs = appendText(attrs, "traceparent", clip(x.r.Header.Get("Traceparent"), 128))
	attrs = append(attrs, slog.String("config", x.p.ConfigHash))
	attrs = append(attrs, more...)
	h.audit.LogAttrs(context.Background(), slog.LevelInfo, event, attrs...)
}

// auditSession writes an event about a session without a request.
func (h *Handler) auditSession(s *session.Session, event string, more ...slog.Attr) {
	attrs := appendPerson([]slog.Attr{slog.String("event", event)}, s, s.Record().Identity)
	attrs = append(attrs, slog.String("config", h.policy.Load().ConfigHash))
	attrs = append(attrs, more...)
	h.audit.LogAttrs(context.Background(), slog.LevelInfo, event, attrs...)
}

func appendPerson(attrs []slog.Attr, s *session.Session, id *authz.Identity) []slog.Attr {
	if s != nil {
		attrs = append(attrs, slog.String("session", sessionHash(s.ID)))
	}
	if id != nil {
		attrs = append(attrs, slog.String("sub", id.Subject))
		attrs = appendText(attrs, "email", id.Email)
	}
	return attrs
}

func appendText(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

// maxLogged bounds method and path in the log, in bytes: a line of 64 KB for every
// request of a stranger is a cheap way to fill a disk.
const maxLogged = 2048

// clip bounds what a client may write into the log.
func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// loggedPath is the canonical path, or what there was in place of one.
func (x *exchange) loggedPath() string {
	if x.path != "" {
		return x.path
	}
	path, _, _ := strings.Cut(x.r.RequestURI, "?")
	return path
}

func allowWord(d authz.Decision) string {
	if d.Allow {
		return "allow"
	}
	return "deny"
}

func (x *exchange) routeName() string {
	if x.route == nil {
		return ""
	}
	return x.route.Name
}

// noteAccess writes the first use of a route by a session or a bearer token.
func (x *exchange) noteAccess() {
	if x.bearer != nil && x.bearer.FirstUse(x.route.Name) || x.session != nil && x.session.FirstUse(x.route.Name) {
		x.h.auditRequest(x, eventAccessed)
	}
}

func (h *Handler) signedIn(x *exchange) {
	h.metrics.signIns.WithLabelValues("ok").Inc()
	h.auditRequest(x, eventSignedIn, slog.Any("amr", x.identity.AMR))
}

func (h *Handler) signInFailed(x *exchange, err *authn.Error) {
	h.metrics.signIns.WithLabelValues(string(err.Reason)).Inc()
	h.auditRequest(x, eventSignInFailed, slog.String("reason", string(err.Reason)), slog.String("error", err.Err.Error()))
}

func (h *Handler) signedOut(x *exchange) { h.auditRequest(x, eventSignedOut) }

// record writes what came of a request into metrics and logs.
func (h *Handler) record(x *exchange) {
	name := x.routeName()
	h.metrics.request(name, x.status, h.now().Sub(x.begun))
	if x.decision.Reason != "" {
		h.metrics.decisions.WithLabelValues(name, allowWord(x.decision), string(x.decision.Reason)).Inc()
		if !x.decision.Allow && x.found.Kind != route.UnknownHost {
			why := appendText([]slog.Attr{slog.Int("status", x.status)}, "error", x.why)
			h.auditRequest(x, eventDenied, why...)
		}
	}
	if !h.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	h.logRequest(x)
}

// logRequest is the line a request at debug.
func (h *Handler) logRequest(x *exchange) {
	h.log.LogAttrs(context.Background(), slog.LevelDebug, "request",
		slog.String("request_id", x.id), slog.String("method", clip(x.r.Method, maxLogged)), slog.String("host", x.host),
		slog.String("path", clip(x.loggedPath(), maxLogged)), slog.String("route", x.routeName()), slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes), slog.Float64("seconds", h.now().Sub(x.begun).Seconds()),
		slog.String("client_ip", x.client.String()), slog.String("reason", string(x.decision.Reason)))
}

func (h *Handler) streamOpened(s *stream.Stream) {
	hold := s.Data().(*holder)
	if hold.session != nil {
		h.sessions.Opened(hold.session)
	}
	h.auditRequest(hold.exchange, eventStreamOpened, slog.String("kind", s.Kind().String()))
}

func (h *Handler) streamClosed(s *stream.Stream, cause stream.Cause) {
	hold := s.Data().(*holder)
	if hold.session != nil {
		h.sessions.Closed(hold.session)
	}
	h.metrics.streamsClosed.WithLabelValues(string(cause)).Inc()
	h.auditRequest(hold.exchange, eventStreamClosed, slog.String("kind", s.Kind().String()),
		slog.String("cause", string(cause)), slog.Float64("seconds", time.Since(s.Began()).Round(time.Millisecond).Seconds()))
	if s.Left() {
		hold.exchange.bytes += s.Carried()
		h.record(hold.exchange)
	}
}
