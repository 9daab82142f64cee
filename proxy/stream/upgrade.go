package stream

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

var errOtherProtocol = errors.New("the upstream switched to a protocol that was not asked for")

// upgrade answers a request that switched protocols, and leaves the handler with
// the two connections. The reverse proxy's own way would keep a third goroutine,
// with the server's buffers, for as long as they are open. s.mu is held.
func (s *Stream) upgrade(res *http.Response) error {
	upstream, ok := res.Body.(tunnel)
	if !ok || !strings.EqualFold(res.Header.Get("Upgrade"), s.request.Header.Get("Upgrade")) {
		return errOtherProtocol
	}
	raw, buffered, err := s.control.Hijack()
	if err != nil {
		return err
	}
	s.conn = newConn(raw, s)
	if early, _ := buffered.Reader.Peek(buffered.Reader.Buffered()); len(early) > 0 {
		s.conn.early = bytes.Clone(early) // not the server's buffer, for hours
	}
	s.conn.cancel = func() { _ = upstream.Close() }
	s.phase = upgraded
	s.left.Store(true)
	// The header passes the connection, too: no close frame can get ahead of it.
	buffered.Writer.Reset(s.conn)
	res.Body = http.NoBody
	if err = res.Write(buffered); err == nil {
		err = buffered.Flush()
	}
	s.tunnel = upstream
	if err != nil {
		s.conn.finish(closeConn)
	}
	return ErrLeft
}

// A tunnel is the body of a 101 response.
type tunnel interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// carry copies both ways until both have ended, or one has failed.
func (s *Stream) carry() {
	var ended atomic.Int32
	way := func(copied func() error) {
		if copied() != nil {
			_ = s.conn.Close()
			_ = s.tunnel.Close()
		}
		if ended.Add(1) == 2 {
			_ = s.tunnel.Close()
			s.end()
		}
	}
	go way(func() error {
		if _, err := s.conn.WriteTo(s.tunnel); err != nil {
			return err
		}
		return s.tunnel.CloseWrite()
	})
	go way(func() error {
		if _, err := s.conn.ReadFrom(s.tunnel); err != nil {
			return err
		}
		return s.conn.CloseWrite()
	})
}
