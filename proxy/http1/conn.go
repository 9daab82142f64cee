package http1

import (
	"bufio"
	"net"
	"sync"
	"syscall"
	"time"
)

// readBuffer holds a header and the beginning of a body. Larger reads of a body
// pass it by; a stream keeps it as long as it is open.
const readBuffer = 2 << 10

// A conn is a connection to the upstream. It belongs to one exchange or to the
// pool.
type conn struct {
	net.Conn
	in     *bufio.Reader // reads from the conn itself, which notes it
	reused bool          // carried an exchange before
	parked time.Time
	got    bool // bytes of a response came in

	abort func() // closes it; made once, for context.AfterFunc

	peek    func(fd uintptr) bool // made once
	control syscall.RawConn       // nil: it cannot be looked at, and is not reused
	silent  bool                  // what peek saw: open, and nothing to read

	mu       sync.Mutex
	answered bool // the header is in: no timeout applies any more
}

func newConn(raw net.Conn) *conn {
	c := &conn{Conn: raw}
	c.in = bufio.NewReaderSize((*noted)(c), readBuffer)
	c.abort = func() { _ = raw.Close() }
	if s, ok := raw.(syscall.Conn); ok {
		c.control, _ = s.SyscallConn()
		c.peek = c.look
	}
	return c
}

// begin readies the connection for an exchange.
func (c *conn) begin() {
	c.got = false
	c.mu.Lock()
	c.answered = false
	c.mu.Unlock()
}

// await starts the timeout of the header, once the request is out.
func (c *conn) await(timeout time.Duration) {
	if timeout <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered {
		_ = c.SetReadDeadline(time.Now().Add(timeout))
	}
}

// header ends the timeout of the header.
func (c *conn) header(timeout time.Duration) {
	if timeout <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = true
	_ = c.SetReadDeadline(time.Time{})
}

// noted is the conn as its buffer reads it.
type noted conn

func (c *noted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.got = true
	}
	return n, err
}

// quiet reports whether an idle connection is open and has nothing to say. What
// an upstream says before it is asked, be it a 408 or the rest of an answer that
// was longer than announced, would be taken for the next answer.
func (c *conn) quiet() bool {
	if c.control == nil || c.in.Buffered() > 0 {
		return false
	}
	c.silent = false
	return c.control.Read(c.peek) == nil && c.silent
}
