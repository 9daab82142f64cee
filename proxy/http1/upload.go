package http1

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// An upload sends the body of a request while its exchange waits for the
// response, which may come first.
type upload struct {
	c       *conn
	body    io.ReadCloser
	length  int64 // -1: in chunks
	timeout time.Duration

	gate chan bool // whether to send, for a body that waits for a 100; else nil
	wait time.Duration

	last     atomic.Bool           // everything was read, and the last bytes are being sent
	fault    atomic.Pointer[error] // of the body, for which the connection was closed
	finished chan struct{}         // closed when the body is not touched any more
	sent     bool                  // before finished: all of it
}

func newUpload(c *conn, r io.ReadCloser, h *head, o *Options) *upload {
	up := &upload{c: c, body: r, length: h.length, timeout: o.HeaderTimeout, wait: o.ContinueTimeout, finished: make(chan struct{})}
	if h.expects {
		up.gate = make(chan bool, 1)
	}
	go up.run()
	return up
}

func (up *upload) run() {
	if !up.wanted() {
		up.finish(false)
		return
	}
	buf := chunks.Get().(*[chunkSize]byte)
	readErr, sendErr := up.send(buf)
	chunks.Put(buf)
	if readErr != nil {
		up.fault.Store(&readErr)
		_ = up.c.Close() // the upstream must not take what it got for the whole
	}
	up.finish(readErr == nil && sendErr == nil)
}

// wanted waits for the upstream's 100, where the request expects one, but not
// for long: many servers never send it (RFC 9110, section 10.1.1).
func (up *upload) wanted() bool {
	if up.gate == nil {
		return true
	}
	timer := time.NewTimer(up.wait)
	defer timer.Stop()
	select {
	case yes := <-up.gate:
		return yes
	case <-timer.C:
		return true
	}
}

// settle says whether the body is wanted. Only the first word counts.
func (up *upload) settle(wanted bool) {
	if up.gate == nil {
		return
	}
	select {
	case up.gate <- wanted:
	default:
	}
}

func (up *upload) finish(sent bool) {
	_ = up.body.Close()
	up.sent = sent
	up.c.await(up.timeout)
	close(up.finished)
}

// patience is how long whole waits for an upload whose last bytes are on their
// way: the response to them can be here before the upload's goroutine runs on.
const patience = 50 * time.Millisecond

// whole reports whether all of the body was sent.
func (up *upload) whole() bool {
	if up.last.Load() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-up.finished:
		case <-timer.C:
			return false
		}
	}
	select {
	case <-up.finished:
		return up.sent
	default:
		return false
	}
}

// A chunk is written at once: its length in front of the bytes, an end behind.
const (
	chunkSize  = 32 << 10
	chunkFront = len("7ff0\r\n")
	chunkEnd   = len("\r\n")
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func (up *upload) send(buf *[chunkSize]byte) (readErr, sendErr error) {
	if up.length < 0 {
		return up.sendChunks(buf)
	}
	for left := up.length; ; {
		n, err := up.body.Read(buf[:])
		if int64(n) > left {
			return errLonger, nil
		}
		left -= int64(n)
		if left == 0 {
			up.last.Store(true)
		}
		if n > 0 {
			if _, sendErr := up.c.Write(buf[:n]); sendErr != nil {
				return nil, sendErr
			}
		}
		switch {
		case err == io.EOF && left == 0:
			return nil, nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF, nil
		case err != nil:
			return err, nil
		}
	}
}

func (up *upload) sendChunks(buf *[chunkSize]byte) (readErr, sendErr error) {
	room := buf[chunkFront : chunkSize-chunkEnd]
	for {
		n, err := up.body.Read(room)
		if n > 0 {
			front := chunkFront - len("\r\n") - hexLen(n)
			strconv.AppendInt(buf[front:front], int64(n), 16)
			copy(buf[chunkFront-2:], "\r\n")
			copy(room[n:n+chunkEnd], "\r\n")
			if _, sendErr := up.c.Write(buf[front : chunkFront+n+chunkEnd]); sendErr != nil {
				return nil, sendErr
			}
		}
		if err == io.EOF {
			up.last.Store(true)
			_, sendErr := up.c.Write([]byte("0\r\n\r\n"))
			return nil, sendErr
		}
		if err != nil {
			return err, nil
		}
	}
}

// hexLen is how many digits n has in base 16.
func hexLen(n int) int {
	digits := 1
	for n >>= 4; n > 0; n >>= 4 {
		digits++
	}
	return digits
}
