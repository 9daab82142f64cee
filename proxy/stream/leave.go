package stream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A stream stays open for hours, and most of what it would hold is not its own:
// the server's two buffers and its goroutine, whose stack grew while the request
// was decided. So an HTTP/1.1 stream leaves its handler: upgrades at once, event
// streams when they are not short ([leaveAfter]). It goes on with two small
// goroutines, in the framing that the server began, and gives the server its
// connection back after a clean end.

// leaveAfter is the age at which an event stream leaves. What is over by then has
// not the trouble, and thousands of streams that open within seconds are never all
// large at once.
const leaveAfter = 20 * time.Millisecond

// ErrLeft is what [Stream.Respond] returns of an upgrade: it was answered, and
// nothing is left for the reverse proxy to do.
var ErrLeft = errors.New("the stream has left its handler")

// A source is the body of an upstream's response that can outlive its request's
// context.
type source interface {
	io.ReadCloser
	// Ready waits up to d and reports whether the upstream has said more.
	Ready(d time.Duration) bool
	// Wait waits until it has.
	Wait()
	// Detach keeps the end of the request's context from closing the body.
	Detach()
}

func sourceOf(body io.ReadCloser) source {
	for {
		if s, ok := body.(source); ok {
			return s
		}
		wrapper, ok := body.(interface{ Unwrap() io.ReadCloser })
		if !ok {
			return nil
		}
		body = wrapper.Unwrap()
	}
}

// mayLeave reports whether the server will send an event stream in chunks on a
// connection of its own.
func (s *Stream) mayLeave(res *http.Response) bool {
	if s.Pending() || s.request.ProtoMajor != 1 || s.request.ProtoMinor != 1 || s.request.Method == http.MethodHead ||
		res.StatusCode != http.StatusOK || res.Header["Content-Length"] != nil || res.Header["Transfer-Encoding"] != nil {
		return false
	}
	for w := s.writer.ResponseWriter; ; {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}

// Leave reports whether the stream goes on after its handler, which must not touch
// the response writer any more then. It is called in the handler, at its end; if it
// is not, End does.
func (s *Stream) Leave() bool {
	if !s.body.leaving && !s.left.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body.leaving {
		s.depart()
	}
	if !s.left.Load() {
		return false
	}
	s.control, s.writer.ResponseWriter, s.client = http.ResponseController{}, nil, nil
	return true
}

// Left reports whether Leave did.
func (s *Stream) Left() bool { return s.left.Load() }

// Carried is how many bytes of the body passed after the stream left.
func (s *Stream) Carried() int64 {
	if s.alone == nil {
		return 0
	}
	return s.alone.bytes
}

// depart takes the connection from the server, which has sent the header. s.mu is
// held.
func (s *Stream) depart() {
	s.body.leaving = false
	server, _ := s.client.Value(http.ServerContextKey).(*http.Server)
	if s.request.Close || httpguts.HeaderValuesContainsToken(s.writer.Header()["Connection"], "close") {
		server = nil
	}
	client, ahead, err := s.control.Hijack()
	if err != nil { // the upstream's body was not read to its end
		s.torn = true
		s.body.stop()
		_ = s.body.Close()
		return
	}
	s.alone = &alone{client: client, server: server}
	s.alone.spoke.Store(ahead.Reader.Buffered() > 0)
	s.phase = departed
	s.left.Store(true)
	upstream := sourceOf(s.body.upstream)
	upstream.Detach()
	s.body.upstream = upstream // what wraps it is the reverse proxy's affair
	if s.Cause() != "" {       // being cut; Hijack lifted the deadline
		_ = client.SetWriteDeadline(time.Now().Add(cleanEnd))
	}
}

// giveUp ends the upstream's part. The request's context does not do it where the
// stream has left.
func (s *Stream) giveUp() {
	s.cancel()
	if s.left.Load() && s.alone != nil {
		_ = s.body.upstream.Close()
	}
}

// goOn carries on what the handler began.
func (s *Stream) goOn() {
	if s.conn != nil {
		s.carry()
		return
	}
	upstream := s.body.upstream.(source) // see depart
	s.alone.watching.Go(func() {
		if s.alone.watch(); s.alone.ended.Load() {
			return
		}
		s.alone.gone.Store(true)
		s.giveUp()
	})
	go func() {
		s.alone.copy(upstream, &s.body)
		s.end()
	}()
}

// alone is the client's connection of an event stream without its handler.
type alone struct {
	client net.Conn
	server *http.Server // takes the connection back, if set
	bytes  int64
	failed bool // what the client has is not the whole

	watching sync.WaitGroup
	spoke    atomic.Bool // the client has begun its next request, which is lost
	gone     atomic.Bool // the client is
	ended    atomic.Bool // the stream is, and nobody needs to watch
}

// mostUnasked is what a client may say while its event stream is open. It has
// nothing to say but the beginning of its next request.
const mostUnasked = 64 << 10

// watch waits for the client to go, or to say more than it may. What it says would
// be its next request (pipelining), which has to come on another connection.
func (a *alone) watch() {
	var unasked [64]byte
	for said := 0; said <= mostUnasked; {
		n, err := a.client.Read(unasked[:])
		if n > 0 {
			a.spoke.Store(true)
		}
		if err != nil {
			return
		}
		said += n
	}
}

const (
	aloneBuffer = 4 << 10
	aloneFront  = len("ff6\r\n")
	aloneEnd    = len("\r\n")
)

// aloneBuffers are shared: an idle stream holds none.
var aloneBuffers = sync.Pool{New: func() any { return new([aloneBuffer]byte) }}

// copy sends the body in chunks, each in one write.
func (a *alone) copy(upstream source, body io.Reader) {
	for more := true; more; {
		upstream.Wait()
		buf := aloneBuffers.Get().(*[aloneBuffer]byte)
		more = a.pass(body, buf[:])
		aloneBuffers.Put(buf)
	}
}

// pass sends what can be read at once, and reports whether there may be more.
func (a *alone) pass(body io.Reader, buf []byte) bool {
	room := buf[aloneFront : aloneBuffer-aloneEnd]
	n, err := body.Read(room)
	if n > 0 {
		var size [aloneFront]byte
		head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
		front := aloneFront - len(head)
		copy(buf[front:], head)
		copy(room[n:n+aloneEnd], "\r\n")
		if _, werr := a.client.Write(buf[front : aloneFront+n+aloneEnd]); werr != nil {
			a.failed = true
			return false
		}
		a.bytes += int64(n)
	}
	if err != nil {
		a.failed = err != io.EOF
	}
	return err == nil
}

// end gives the connection back, or closes it: after the last chunk, or so that the
// client sees that the stream is not whole.
func (a *alone) end(torn bool) {
	a.ended.Store(true)
	if torn || a.failed {
		reset(a.client)
		return
	}
	back := a.unwatch()
	switch _, err := io.WriteString(a.client, "0\r\n\r\n"); {
	case err != nil:
		reset(a.client)
	case !back || a.client.SetDeadline(time.Time{}) != nil || !serveAgain(a.server, a.client):
		closeConn(a.client)
	}
}

// unwatch ends the watch, before the client can learn that its next request may
// come, and reports whether the server may have the connection.
func (a *alone) unwatch() bool {
	if a.server == nil || a.client.SetReadDeadline(aLongTimeAgo) != nil {
		return false
	}
	a.watching.Wait()
	return !a.spoke.Load()
}

// serveAgain gives a connection that was hijacked back to its server, as one that
// has just come. It reports false if the server does not take it, since it is
// closing.
func serveAgain(server *http.Server, c net.Conn) bool {
	again := &again{conn: c}
	_ = server.Serve(again) // which ends when there is none to accept
	return again.conn == nil
}

// again is a listener of one connection.
type again struct{ conn net.Conn }

func (a *again) Accept() (net.Conn, error) {
	c := a.conn
	if c == nil {
		return nil, net.ErrClosed
	}
	a.conn = nil
	return c, nil
}

func (a *again) Close() error   { return nil }
func (a *again) Addr() net.Addr { return nil }
