package stream

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

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
// client sees that the stream is not whole. A stream that was cut takes its
// connection with it: who waits for that learns of the end at once.
func (a *alone) end(torn, cut bool) {
	a.ended.Store(true)
	if torn || a.failed {
		reset(a.client)
		return
	}
	back := !cut && a.unwatch()
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
