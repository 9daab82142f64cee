package proxy

import (
	"context"
	"errors"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"gatehouse/authz"
	"gatehouse/proxy/route"
	"gatehouse/proxy/stream"
)

// forward sends the request to the upstream and its answer back, registered so
// that it can be cut when the person may no longer have it.
func (x *exchange) forward() error {
	if err := x.checkBody(); err != nil {
		return err
	}
	if err := x.assert(); err != nil {
		return err
	}
	x.noteAccess()
	x.holder = holder{exchange: x, session: x.session, bearer: x.bearer}
	about := stream.About{Key: x.sessionID(), Route: x.route.Name, Data: &x.holder}
	if x.upgrade() {
		about.Active = x.active
	}
	if x.bearer != nil {
		about.Key, about.Expires = x.bearer.Key(), x.bearer.Expires
	}
	s := x.h.streams.Begin(x, x.r, about)
	defer func() {
		if x.left = s.Leave(); x.left {
			x.w = nil // so that the server's buffers are free
		}
		s.End()
	}()
	x.reverse = x.h.reverse
	x.reverse.Transport, x.reverse.BufferPool = x.route.Upstream.transport(x), x
	x.reverse.ServeHTTP(s.ResponseWriter(), s.Request())
	return nil
}

// reverseProxy is what all exchanges copy theirs from. Its functions find the
// exchange by the request's stream: made for each, they would be garbage of
// each.
func reverseProxy(log *log.Logger) httputil.ReverseProxy {
	return httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { exchangeOf(pr.In).rewrite(pr) },
		ModifyResponse: func(res *http.Response) error { return exchangeOf(res.Request).modifyResponse(res) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if err != stream.ErrLeft {
				exchangeOf(r).failed(stream.From(r.Context()), err)
			}
		},
		ErrorLog:      log,
		FlushInterval: -1, // a slow answer's header and first bytes are not held back, whatever its length
	}
}

// exchangeOf returns the exchange of a request that forward has begun.
func exchangeOf(r *http.Request) *exchange {
	return stream.From(r.Context()).Data().(*holder).exchange
}

func (x *exchange) sessionID() string {
	if x.session == nil {
		return ""
	}
	return x.session.ID
}

// active notes that a WebSocket's client did something.
func (x *exchange) active() {
	if x.session != nil {
		x.h.sessions.Touch(x.session, time.Now())
	}
}

// checkBody refuses what must not reach an upstream: an upgrade with a body,
// after which two servers can disagree on where the new protocol begins, and
// more than the route takes. An upgrade to anything but a WebSocket is not
// passed on, which leaves an ordinary request (RFC 9110, section 7.8): an app
// that took up h2c would have a tunnel in which the client says who it is and
// asks for what it likes (attack: h2c smuggling).
func (x *exchange) checkBody() error {
	if !x.upgrade() {
		delete(x.r.Header, "Upgrade")
		delete(x.r.Header, "Http2-Settings")
	}
	if x.upgrade() && (x.r.ContentLength != 0 || x.r.Method != http.MethodGet) {
		return &refusal{status: http.StatusBadRequest, detail: "An upgrade request has no body."}
	}
	if limit := x.route.MaxBody; limit > 0 && x.r.Body != http.NoBody {
		if x.r.ContentLength > limit {
			return tooLarge(nil)
		}
		// The server's own writer is told, so that it answers without waiting for
		// the rest, and closes.
		x.r.Body = http.MaxBytesReader(x.w, x.r.Body, limit)
	}
	return nil
}

func tooLarge(err error) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, detail: "The upload is larger than this app takes.", err: err}
}

// rewrite makes the request that the upstream gets. ReverseProxy has already
// removed what Connection names, so that no client can have a header removed
// that is set here (Go issue 50580).
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	path := x.path
	if x.route.Strip {
		path = route.StripPrefix(path, x.route.Prefix)
	}
	decoded, err := url.PathUnescape(path)
	if err != nil { // cannot happen: the path is canonical
		decoded = path
	}
	out.URL.Scheme, out.URL.Host = x.route.Upstream.URL().Scheme, x.route.Upstream.URL().Host
	// The raw path is sent as it was decided; ReverseProxy would have dropped
	// query parameters that Go cannot parse.
	out.URL.Path, out.URL.RawPath = decoded, path
	out.URL.RawQuery, out.URL.ForceQuery = x.query, x.hasQuery && x.query == ""
	out.Host = x.host + x.p.Port
	out.Trailer = nil // a trailer could name any header once more

	h := out.Header
	stripRequest(h)
	x.h.stripCookies(h)
	x.setForwarded(h)
	x.setIdentity(h)
	if x.bearer != nil {
		delete(h, "Authorization") // consumed: the app could use it elsewhere
	}
	x.suit(h)
	if configured := x.route.Headers; len(configured) > 0 {
		stripConfigured(h, configured)
		maps.Copy(h, configured)
	}
	if x.takesMenu() {
		x.askForMenu(h)
	}
}

// failed answers a request that has no answer of the upstream. Nothing of where
// the upstream is or what it said shows.
func (x *exchange) failed(s *stream.Stream, err error) {
	var cut *stream.CutError
	var large *http.MaxBytesError
	var broken *stream.UploadError
	var timeout net.Error
	var away *connectError
	x.last = s.Pending()
	switch {
	case s.Cause() != "":
		x.refuse(x.cutBefore(s.Cause()))
	case errors.As(err, &cut):
		x.refuse(x.cutBefore(cut.Cause))
	case errors.As(err, &large):
		x.refuse(tooLarge(err))
	case x.r.Context().Err() != nil || errors.Is(err, context.Canceled):
		x.refuse(&refusal{status: statusClientGone, err: err})
	case errors.As(err, &broken):
		x.refuse(&refusal{status: http.StatusBadRequest, detail: "The upload is malformed or broke off.", err: err})
	case errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, &away):
		x.refuse(&refusal{status: http.StatusGatewayTimeout, err: err})
	default:
		x.refuse(&refusal{status: http.StatusBadGateway, err: err})
	}
}

// cutBefore is the answer of a request that was cut before it had one.
func (x *exchange) cutBefore(cause stream.Cause) *refusal {
	r := &refusal{status: cause.Status(), reason: reasonOf(cause)}
	switch r.status {
	case http.StatusUnauthorized:
		if x.bearer != nil {
			r.detail = "The access token is not valid any more."
			break
		}
		r.detail = "Your session has ended. Sign in again to go on."
		if r.loginURL = x.loginURLForPage(); x.navigation() && x.reading() {
			r.loginURL = x.signInURL(x.here())
		}
	case http.StatusForbidden:
		r.detail = "You no longer have access to " + x.route.Label() + "."
		r.person = x.deniedPage(authz.Missing{})
	case http.StatusServiceUnavailable:
		r.detail, r.retryAfter = "Gatehouse is restarting. Try again in a moment.", time.Second
		if cause != stream.Shutdown {
			r.detail = "Your session cannot be confirmed at the moment. It is kept; try again shortly."
		}
	}
	return r
}

func reasonOf(cause stream.Cause) authz.Reason {
	switch cause {
	case stream.SignOut, stream.Revoked:
		return authz.ReasonRevoked
	case stream.Expired, stream.BearerExpired:
		return authz.ReasonExpired
	case stream.RoleLost, stream.PolicyChanged:
		return authz.ReasonNoRule
	}
	return authz.ReasonUnavailable
}

// Bodies are copied through a large buffer, events, which are small and whose
// streams stay open for hours, through a small one.
const (
	bodyBuffer  = 32 << 10
	eventBuffer = 4 << 10
)

var bodyBuffers = sync.Pool{New: func() any { return new([bodyBuffer]byte) }}

// Get is the httputil.BufferPool of this exchange's answer.
func (x *exchange) Get() []byte {
	if x.events {
		return make([]byte, eventBuffer)
	}
	return bodyBuffers.Get().(*[bodyBuffer]byte)[:]
}

// Put takes back what Get gave.
func (x *exchange) Put(b []byte) {
	if len(b) == bodyBuffer {
		bodyBuffers.Put((*[bodyBuffer]byte)(b))
	}
}
