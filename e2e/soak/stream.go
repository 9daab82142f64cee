package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A kind of stream.
type kind string

const (
	events   kind = "event stream"
	socket   kind = "WebSocket"
	download kind = "download"
)

func (k kind) path() string {
	switch k {
	case events:
		return "/events"
	case socket:
		return "/socket"
	}
	return "/download"
}

// wanted is how a stream of the kind ends that Gatehouse cuts.
func (k kind) wanted() string {
	switch k {
	case events:
		return "clean end"
	case socket:
		return "close frame 1008"
	}
	return "broken off"
}

// youth is how long a request must be open to be a stream of its kind.
func (k kind) youth() time.Duration {
	if k == download {
		return 2 * time.Second
	}
	return 0
}

// A stream is one that a visitor has open.
type stream struct {
	v        *visitor
	place    place
	kind     kind
	instance int
	opened   time.Time
	read     time.Time // when the instance had last read the session, before this
	conn     net.Conn
	left     atomic.Bool // closed by the visitor
	told     atomic.Bool // a violation was reported

	ended time.Time // set before it is handed over
	how   string
}

func (s *stream) String() string {
	return fmt.Sprintf("%s of %s on %s at instance %d, open since %s", s.kind, s.v, s.place.path, s.instance, clock(s.opened))
}

// open asks for a stream. It returns nil and the status where it is refused.
func (v *visitor) open(ctx context.Context, p place, k kind, instance int) (*stream, *http.Response, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", v.k.gates[instance].address)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	req, err := v.request(ctx, http.MethodGet, p.path+k.path(), v.cookies.header())
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	if k == socket {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("Sec-WebSocket-Version", "13")
		req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	if err := req.Write(conn); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	in := bufio.NewReaderSize(conn, 1<<10)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = conn.Close()
		return nil, res, nil
	}
	_ = conn.SetDeadline(time.Time{})
	s := &stream{v: v, place: p, kind: k, instance: instance, opened: time.Now(), read: v.read[instance], conn: conn}
	v.k.streams.add(s)
	go s.follow(in, res.Body)
	return s, res, nil
}

// follow reads until the stream ends, and hands it over to be judged.
func (s *stream) follow(in *bufio.Reader, body io.Reader) {
	how := ""
	if s.kind == socket {
		how = readFrames(in)
	} else {
		switch _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, make([]byte, 256)); {
		case err == nil:
			how = "clean end"
		case errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
			how = "broken off"
		default:
			how = err.Error()
		}
	}
	_ = s.conn.Close()
	s.ended, s.how = time.Now(), how
	s.v.k.streams.over(s)
}

// readFrames reads the frames of a WebSocket's server until it ends.
func readFrames(in *bufio.Reader) string {
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return "no close frame: " + err.Error()
		}
		length := int(head[1])
		if length > 125 {
			return fmt.Sprintf("torn: a frame begins with %x", head)
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return "torn: " + err.Error()
		}
		switch {
		case head[0] == 0x88 && length >= 2:
			return fmt.Sprintf("close frame %d", binary.BigEndian.Uint16(payload))
		case head[0] != 0x81 || string(payload) != "hello":
			return fmt.Sprintf("torn: frame %x %q", head, payload)
		}
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "read" && !op.Timeout() && !errors.Is(err, net.ErrClosed)
}

// leave closes the stream as a browser does that goes elsewhere.
func (s *stream) leave() {
	s.left.Store(true)
	_ = s.conn.Close()
}
