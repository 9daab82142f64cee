package stream

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
)

// An idle WebSocket waits for its next byte with a buffer in its hand, in both
// directions: two of io.Copy's 32 KB each. So it waits with a small one and
// takes a large one while there is much to carry.
const (
	smallBuffer = 2 << 10
	largeBuffer = 32 << 10
)

// ReadFrom copies from the upstream to the client.
func (c *conn) ReadFrom(upstream io.Reader) (int64, error) {
	return relay(c.buffers, upstream.Read, c.Write)
}

// WriteTo copies from the client to the upstream. When the stream is being cut
// the upstream may be gone first; the client is read on, for its close frame.
func (c *conn) WriteTo(upstream io.Writer) (int64, error) {
	n, err := relay(c.buffers, c.Read, upstream.Write)
	if err != nil && c.cutting.Load() {
		var drain [512]byte
		c.Read(drain[:]) // returns when the client has answered or is gone
	}
	return n, err
}

func relay(buffers *sync.Pool, read, write func([]byte) (int, error)) (total int64, err error) {
	small := make([]byte, smallBuffer)
	var large *[largeBuffer]byte
	defer func() {
		if large != nil {
			buffers.Put(large)
		}
	}()
	buf := small
	for {
		n, rerr := read(buf)
		if n > 0 {
			written, werr := write(buf[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
		}
		if rerr == io.EOF {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
		switch {
		case n >= len(small) && large == nil:
			large = buffers.Get().(*[largeBuffer]byte)
			buf = large[:]
		case n < len(small) && large != nil:
			buffers.Put(large)
			large, buf = nil, small
		}
	}
}

func closeConn(c net.Conn) { c.Close() }

// reset closes a connection so that the peer sees an error and not an end: RST,
// and no close_notify under TLS. It also does not wait for a peer that does not
// read. Connections wrapped by a listener are seen through by their NetConn
// method; without one the connection is closed plainly.
func reset(c net.Conn) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	for inner := c; ; {
		if tcp, ok := inner.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
			break
		}
		wrapped, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapped.NetConn()
	}
	c.Close()
}
