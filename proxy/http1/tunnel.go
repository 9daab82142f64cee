package http1

import (
	"bufio"
	"net"
	"net/http"
)

// A tunnel is the connection after a 101.
type tunnel struct {
	conn  net.Conn
	early *bufio.Reader // holds what came with the 101; nil once it is empty
}

func (t *tunnel) Read(p []byte) (int, error) {
	if t.early != nil {
		if n := t.early.Buffered(); n > 0 {
			return t.early.Read(p[:min(n, len(p))])
		}
		t.early = nil
	}
	return t.conn.Read(p)
}

func (t *tunnel) Write(p []byte) (int, error) { return t.conn.Write(p) }

func (t *tunnel) Close() error { return t.conn.Close() }

// CloseWrite tells the upstream that nothing more comes from the client.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return http.ErrNotSupported
}
