package stream

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind tells streams apart.
type Kind uint8

const (
	Request   Kind = iota // not a stream, or not yet
	SSE                   // an event stream
	WebSocket             // an upgrade to the WebSocket protocol
	Upgrade               // an upgrade to any other
	Long                  // anything else still open after After
)

func (k Kind) String() string {
	return [...]string{"request", "sse", "websocket", "upgrade", "long"}[k]
}

// What is allowed for each step of a close. The longest sum, a WebSocket whose
// frame and whose peer both take their time, stays under 2 seconds.
const (
	frameWait = 1000 * time.Millisecond // for the frame under way to end
	eventWait = 500 * time.Millisecond  // for the event under way to end
	sayClose  = 250 * time.Millisecond  // for the close frame to be taken
	replyWait = 500 * time.Millisecond  // for the peer to answer it
	closeWait = 100 * time.Millisecond  // for TLS's own goodbye to be taken after it
	cleanEnd  = 1000 * time.Millisecond // for the end of an event stream to be taken
)

// aLongTimeAgo is a deadline that has passed: it wakes whoever is blocked.
var aLongTimeAgo = time.Unix(1, 0)

// phase is how far a request came, and with it what closing it means.
type phase uint8

const (
	waiting   phase = iota // no header was sent
	answering              // the body is being copied
	upgraded               // the connection is a tunnel
	departed               // the body is copied without the handler
)

// Stream is one request in flight, from Begin to End.
type Stream struct {
	registry *Registry
	route    string
	began    time.Time
	expires  time.Time
	active   func()

	ctx     context.Context
	cancel  context.CancelFunc // of the upstream request
	request *http.Request
	client  context.Context // done when the client has gone
	control http.ResponseController

	kind  atomic.Uint32
	shard atomic.Pointer[shard]

	// Guarded by the shard's lock. The key changes under meta as well.
	peers, age ring
	condemned  Cause // young, but its session is over

	meta  sync.Mutex
	key   string
	data  any
	cause Cause

	mu     sync.Mutex // orders closing, phases and the end
	phase  phase
	ended  bool
	torn   bool   // aborted: the client must see that it is not whole
	conn   *conn  // of an upgrade
	tunnel tunnel // its upstream
	alone  *alone // of an event stream that has left its handler
	expiry *time.Timer
	left   atomic.Bool // it goes on without its handler

	writer writer
	upload upload
	body   body
}

type contextKey struct{}

// requestContext is what context.WithValue would be, in a smaller space.
type requestContext struct {
	context.Context
	stream *Stream
}

func (c requestContext) Value(key any) any {
	if key == (contextKey{}) {
		return c.stream
	}
	return c.Context.Value(key)
}

// From returns the stream of a request's context, nil where there is none.
func From(ctx context.Context) *Stream {
	s, _ := ctx.Value(contextKey{}).(*Stream)
	return s
}

func newStream(r *Registry, w http.ResponseWriter, req *http.Request, about About) *Stream {
	s := &Stream{
		registry: r,
		route:    about.Route,
		began:    time.Now(),
		expires:  about.Expires,
		active:   about.Active,
		client:   req.Context(),
		control:  *http.NewResponseController(w),
		key:      about.Key,
		data:     about.Data,
	}
	s.peers.stream, s.age.stream = s, s
	s.ctx, s.cancel = context.WithCancel(requestContext{req.Context(), s})
	s.writer = writer{ResponseWriter: w, stream: s}
	s.request = req.WithContext(s.ctx)
	if req.Body != nil && req.Body != http.NoBody {
		s.upload.ReadCloser = req.Body
		s.request.Body = &s.upload
		s.upload.begin(&s.control)
	}
	return s
}

// Kind returns what the request is by now.
func (s *Stream) Kind() Kind { return Kind(s.kind.Load()) }

// Route returns the name of its route.
func (s *Stream) Route() string { return s.route }

// Began returns when the request began.
func (s *Stream) Began() time.Time { return s.began }

// Key returns the session that it belongs to by now.
func (s *Stream) Key() string {
	s.meta.Lock()
	defer s.meta.Unlock()
	return s.key
}

// Data returns the owner's data.
func (s *Stream) Data() any {
	s.meta.Lock()
	defer s.meta.Unlock()
	return s.data
}

// SetData replaces the owner's data, as after a refresh of the roles.
func (s *Stream) SetData(data any) {
	s.meta.Lock()
	defer s.meta.Unlock()
	s.data = data
}

// Cause returns why the request was closed, "" while it was not. An error
// handler asks it: anything but "" is the proxy's doing, not the upstream's.
func (s *Stream) Cause() Cause {
	s.meta.Lock()
	defer s.meta.Unlock()
	return s.cause
}

// settle gives the request its cause unless it has one, and returns it.
func (s *Stream) settle(cause Cause) (settled Cause, first bool) {
	s.meta.Lock()
	defer s.meta.Unlock()
	if s.cause != "" {
		return s.cause, false
	}
	s.cause = cause
	return cause, true
}

// ResponseWriter is what the reverse proxy must write to.
func (s *Stream) ResponseWriter() http.ResponseWriter { return &s.writer }

// Request is what the reverse proxy must forward. Its context carries the
// stream and is cancelled when the stream is cut.
func (s *Stream) Request() *http.Request { return s.request }

// Pending reports whether an HTTP/1 request's body has not been read to its end.
// Whoever answers by another writer than ResponseWriter must close the
// connection then: what is left of the body, or comes yet, would be read as the
// next request (attack: request smuggling). The server itself does not see to it
// since the body is the transport's alone.
func (s *Stream) Pending() bool { return s.upload.pending() && s.request.ProtoMajor == 1 }

// Close ends the request, stream or not yet, for the first cause that it is
// given. It does not block. "" does nothing.
func (s *Stream) Close(cause Cause) {
	if cause == "" {
		return
	}
	if _, first := s.settle(cause); first {
		go s.cut(cause)
	}
}

func (s *Stream) cut(cause Cause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return // also: the response writer is not ours to touch any more
	}
	switch {
	case s.phase == upgraded:
		s.conn.cut(cause)
	case s.phase == departed:
		s.body.finish(s.giveUp)
		_ = s.alone.client.SetWriteDeadline(time.Now().Add(cleanEnd))
	case s.phase == answering && s.body.events:
		s.body.finish(s.giveUp)
		s.control.SetWriteDeadline(time.Now().Add(cleanEnd))
	case s.phase == answering:
		s.torn = true
		s.body.stop()
		s.cancel()
		// A write that the client does not read is blocked in the kernel (HTTP/1)
		// or in flow control (HTTP/2, where this sends RST_STREAM).
		s.control.SetWriteDeadline(aLongTimeAgo)
		s.upload.interrupt(&s.control)
	default:
		// The round trip fails, and the error handler answers.
		s.cancel()
		s.upload.interrupt(&s.control)
	}
}

// Farewell is the event that an event stream ends with when it is cut, for pages
// that take a clean end for nothing. It must be set before [Stream.Respond]. What
// ends by itself is passed as it is.
func (s *Stream) Farewell(event []byte) { s.body.last = event }

// Respond takes the upstream's response, at the end of ModifyResponse. It
// registers event streams and upgrades and wraps the body. When the stream is
// closed already it returns a [CutError], and no header has been sent. An upgrade
// is answered here: of that the reverse proxy learns by [ErrLeft].
func (s *Stream) Respond(res *http.Response) error {
	kind := kindOf(res)
	if kind != Request {
		s.registry.promote(s, kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cause := s.Cause(); cause != "" {
		return &CutError{cause}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return s.upgrade(res)
	}
	s.phase = answering
	s.body.wrap(res, kind == SSE)
	if kind == SSE && s.mayLeave(res) {
		s.body.source, s.body.began = sourceOf(res.Body), s.began
	}
	res.Body = &s.body
	return nil
}

func kindOf(res *http.Response) Kind {
	if res.StatusCode == http.StatusSwitchingProtocols {
		if strings.EqualFold(strings.TrimSpace(res.Header.Get("Upgrade")), "websocket") {
			return WebSocket
		}
		return Upgrade
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if strings.EqualFold(strings.TrimSpace(media), "text/event-stream") {
		return SSE
	}
	return Request
}

// End takes the request out of the registry, or lets it go on by itself where it
// has left. It must be deferred in the handler, and waits for a WebSocket that is
// being closed, under 2 seconds.
func (s *Stream) End() {
	if s.Leave() {
		s.goOn()
	} else {
		s.end()
	}
}

func (s *Stream) end() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	torn, cut := s.torn || s.body.endless(), s.Cause() != ""
	s.mu.Unlock()

	s.body.rest()
	if s.conn != nil {
		s.conn.leave()
	}
	switch {
	case s.alone != nil:
		s.alone.end(torn, cut)
	case torn && s.request.ProtoMajor == 1:
		s.tear()
	}
	if s.Pending() {
		s.upload.abandon(&s.control)
	}
	natural := s.outcome()
	s.giveUp()
	if s.expiry != nil {
		s.expiry.Stop()
	}
	cause, _ := s.settle(natural)
	kind := s.registry.remove(s)
	if kind != Request && s.registry.config.Closed != nil {
		s.registry.config.Closed(s, cause)
	}
	s.registry.land()
}

// tear resets the connection of an aborted HTTP/1 response. Closing it would do
// for chunks and for a Content-Length, but to an HTTP/1.0 client a closed
// connection is the end of a whole file, and closing a TLS connection waits up
// to 5 seconds for a client that does not read.
func (s *Stream) tear() {
	s.control.SetWriteDeadline(aLongTimeAgo)
	if c, _, err := s.control.Hijack(); err == nil {
		reset(c)
	}
}

// outcome says how a request ended that nobody closed.
func (s *Stream) outcome() Cause {
	if s.conn != nil {
		return s.conn.outcome()
	}
	if s.alone != nil && s.alone.gone.Load() || s.alone == nil && s.client.Err() != nil {
		return ClientGone
	}
	if s.phase != answering && s.phase != departed {
		return UpstreamGone
	}
	return s.body.outcome()
}
