package stream

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// flow is whether an upstream's bytes still pass.
type flow uint8

const (
	flowing   flow = iota
	finishing      // to the end of the event under way
	stopped
)

// body is the response's body as the reverse proxy copies it. Cutting it decides
// what that copy ends with: io.EOF, which the server turns into a clean end, or
// an error, on which the reverse proxy aborts the response.
type body struct {
	upstream io.ReadCloser
	events   bool // an event stream: ends cleanly
	readable bool // its events can be told apart: it is not compressed

	source  source // nil: the stream stays with its handler
	began   time.Time
	leaving bool // the handler's copy was given an end that is none

	mu     sync.Mutex
	last   []byte // what is left to say after a cut
	flow   flow
	tail   eventTail
	timer  *time.Timer
	eof    bool // the copy was given its clean end
	failed bool // the upstream broke off
}

func (b *body) wrap(res *http.Response, events bool) {
	encoding := res.Header.Get("Content-Encoding")
	b.upstream = res.Body
	b.events = events
	b.readable = encoding == "" || encoding == "identity"
}

func (b *body) Read(p []byte) (int, error) {
	if b.source != nil {
		if left := leaveAfter - time.Since(b.began); left <= 0 || !b.source.Ready(left) {
			b.leaving, b.source = true, nil
			return 0, io.EOF
		}
	}
	b.mu.Lock()
	if b.flow == stopped {
		defer b.mu.Unlock()
		return b.end(p)
	}
	b.mu.Unlock()

	n, err := b.upstream.Read(p)

	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.flow == stopped:
		return b.end(p) // what came meanwhile is not passed
	case b.flow == finishing:
		end, whole := b.tail.next(p[:n])
		if !whole && err == nil {
			return n, nil
		}
		b.flow = stopped
		n, err = b.end(p[end:])
		return end + n, err
	case b.events:
		b.tail.note(p[:n])
	}
	if err == io.EOF {
		b.eof = true
	} else if err != nil {
		b.failed = true
	}
	return n, err
}

// end is what the copy sees last: of an event stream the last event, unless the
// app's own was cut off in the middle. For an abort that is context.Canceled, the
// one error that httputil.ReverseProxy aborts on without logging it as a
// failure of the upstream; the cause stands in the stream.
func (b *body) end(p []byte) (n int, err error) {
	if !b.events {
		return 0, context.Canceled
	}
	if b.readable && b.tail.between() {
		n = copy(p, b.last)
		if b.last = b.last[n:]; len(b.last) > 0 {
			return n, nil
		}
	}
	b.eof = true
	return n, io.EOF
}

// stop lets no further byte pass.
func (b *body) stop() {
	b.mu.Lock()
	b.flow = stopped
	b.mu.Unlock()
}

// finish stops an event stream at the end of the event under way, or after
// eventWait. A browser discards an event that is cut off, but clients that read
// line by line take half a line for a whole one.
func (b *body) finish(cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.eof || b.failed {
		return
	}
	if !b.readable || b.tail.between() {
		b.flow = stopped
		cancel()
		return
	}
	b.flow = finishing
	b.timer = time.AfterFunc(eventWait, func() {
		b.stop()
		cancel()
	})
}

// endless reports whether an event stream was cut but its copy failed before it
// got the clean end, as when the client did not read.
func (b *body) endless() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events && b.flow != flowing && !b.eof
}

func (b *body) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}

// outcome says how an uncut body ended. A copy that saw neither an end nor an
// error failed at the client's side.
func (b *body) outcome() Cause {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.eof:
		return Ended
	case b.failed:
		return UpstreamGone
	}
	return ClientGone
}

// Close is called when the reverse proxy is done.
func (b *body) Close() error {
	if b.leaving {
		return nil
	}
	return b.upstream.Close()
}

// eventTail holds the last bytes of an event stream, enough to tell whether they
// end an event: a blank line, where a line ends with CR LF, LF or CR (WHATWG
// HTML §9.2.5).
type eventTail struct {
	last [4]byte
	n    int
}

func (t *eventTail) note(p []byte) {
	if len(p) >= len(t.last) {
		t.n = copy(t.last[:], p[len(p)-len(t.last):])
		return
	}
	keep := min(t.n, len(t.last)-len(p))
	copy(t.last[:], t.last[t.n-keep:t.n])
	t.n = keep + copy(t.last[keep:], p)
}

// between reports whether the stream stands between two events, which it does
// before its first byte.
func (t *eventTail) between() bool {
	n := t.n
	if n == 0 {
		return true
	}
	switch {
	case t.last[n-1] == '\n' && n > 1 && t.last[n-2] == '\r':
		n -= 2
	case t.last[n-1] == '\n' || t.last[n-1] == '\r':
		n--
	default:
		return false
	}
	return n == 0 || t.last[n-1] == '\n' || t.last[n-1] == '\r'
}

// next returns how many bytes of p belong to the event under way and whether it
// ends there.
func (t *eventTail) next(p []byte) (n int, whole bool) {
	for i := range p {
		t.note(p[i : i+1])
		if t.between() {
			return i + 1, true
		}
	}
	return len(p), false
}
