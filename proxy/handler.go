// Package proxy is the way through Gatehouse: a request comes in, is given a
// name, a place and an identity, is decided, and goes to its upstream or gets
// an answer that says why not.
//
// [Handler.walk] is the order of a request. Each step is a method of exchange
// in the file of its name, and returns nil to go on, errAnswered when it has
// answered, or a [*refusal] that is answered in one place (refuse.go).
package proxy

import (
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/authn/session"
	"gatehouse/proxy/pages"
	"gatehouse/proxy/stream"
)

// Options are the parts that a Handler is made of. All are required.
type Options struct {
	Policy    *Policy
	Sessions  *session.Table
	Upstreams *Upstreams
	Metrics   *Metrics
	Log       *slog.Logger // diagnostics
	Audit     *slog.Logger // audit events, whatever the level
	Now       func() time.Time
}

// A Handler answers every request that reaches Gatehouse's public listener.
type Handler struct {
	sessions  *session.Table
	upstreams *Upstreams
	streams   *stream.Registry
	metrics   *Metrics
	log       *slog.Logger
	audit     *slog.Logger
	now       func() time.Time

	policy      atomic.Pointer[Policy]
	draining    atomic.Bool
	told        sync.Map // what is said once was said
	own         map[string]ownPage
	upstreamLog *log.Logger
	reverse     httputil.ReverseProxy // what the exchanges' are copied from
	menu, ico   []byte
	menuTag     string // entity tag of menu
}

// NewHandler returns a Handler that serves the policy in o, and observes its
// sessions.
func NewHandler(o Options) *Handler {
	h := &Handler{
		sessions: o.Sessions, upstreams: o.Upstreams, metrics: o.Metrics, log: o.Log, audit: o.Audit, now: o.Now,
		own: ownPages(), menu: pages.Menu(), ico: pages.Favicon(),
		upstreamLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	h.menuTag = strongTag(h.menu)
	h.streams = stream.NewRegistry(stream.Config{Recheck: h.standing, Opened: h.streamOpened, Closed: h.streamClosed})
	h.reverse = reverseProxy(h.upstreamLog)
	h.policy.Store(o.Policy)
	h.sessions.Observe(h)
	return h
}

// Policy is the present policy.
func (h *Handler) Policy() *Policy { return h.policy.Load() }

// Streams are the requests in flight.
func (h *Handler) Streams() *stream.Registry { return h.streams }

// Draining reports whether Drain was called.
func (h *Handler) Draining() bool { return h.draining.Load() }

// Drain makes /auth/health answer 503 from now on.
func (h *Handler) Drain() { h.draining.Store(true) }

// errAnswered ends the walk of a request that has its answer.
var errAnswered = errors.New("answered")

// ServeHTTP takes the request through its steps, and answers what a step
// refused.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.open(w, r)
	defer h.close(x)
	if err := h.walk(x); err != nil && err != errAnswered {
		x.refuse(err)
	}
}

// walk is the order of a request.
func (h *Handler) walk(x *exchange) error {
	for _, step := range [...]func(*exchange) error{
		(*exchange).resolveClient, // who connects: request ID, trusted proxies
		(*exchange).canonicalize,  // one host and one path, for policy and upstream alike
		(*exchange).match,         // the route, or a page of Gatehouse's own
		(*exchange).preflight,     // CORS preflights end here
		(*exchange).identify,      // the session or bearer token, if there is one
		(*exchange).decide,        // allow or deny
		(*exchange).checkOrigin,   // no other site's page acts for the person
		(*exchange).finishPrefix,  // /app → /app/
		(*exchange).forward,       // header hygiene, upstream, stream registry
	} {
		if err := step(x); err != nil {
			return err
		}
	}
	return nil
}

// close records the exchange unless its stream goes on, and answers a panic: the
// answer never shows what happened inside.
func (h *Handler) close(x *exchange) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			h.record(x)
			panic(v)
		}
		h.log.Error("a request panicked", "request_id", x.id, "panic", v, "stack", string(debug.Stack()))
		if !x.wrote {
			x.refuse(&refusal{status: http.StatusInternalServerError})
		} else {
			h.record(x)
			panic(http.ErrAbortHandler) // a torn answer must not look whole
		}
	}
	if !x.left {
		h.record(x)
	}
}
