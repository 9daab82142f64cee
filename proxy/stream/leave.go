package stream

import (
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A stream stays open for hours, and most of what it would hold is not its own:
// the server's two buffers and its goroutine, whose stack grew while the request
// was decided. So an HTTP/1.1 stream leaves its handler: upgrades at once, event
// streams when they are not short ([leaveAfter]). It goes on with two small
// goroutines, in the framing that the server began, and gives the server its
// connection back when the stream ends by itself.

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
