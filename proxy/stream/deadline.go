package stream

import (
	"net"
	"sync"
	"time"
)

// FirmDeadlines returns l for a server that ends TLS on it. Of its connections a
// write deadline may be brought forward and lifted, but not put off.
//
// A stream is cut by such a deadline where its client does not read. The server
// then closes the connection, and crypto/tls gives its own goodbye, close_notify,
// another 5 seconds: the client would hold the connection for that much longer
// than its stream. Plain connections need none of this, and would lose sendfile
// and splice by it.
//
// http.HTTP2Config.WriteByteTimeout, which puts its deadline off with every byte,
// does not go with it.
func FirmDeadlines(l net.Listener) net.Listener { return firmListener{l} }

type firmListener struct{ net.Listener }

func (l firmListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &firmConn{Conn: c}, nil
}

type firmConn struct {
	net.Conn

	mu     sync.Mutex
	latest time.Time // zero: there is no write deadline
}

// NetConn returns the connection beneath.
func (c *firmConn) NetConn() net.Conn { return c.Conn }

func (c *firmConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.IsZero() && !c.latest.IsZero() && t.After(c.latest) {
		return nil
	}
	c.latest = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *firmConn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
