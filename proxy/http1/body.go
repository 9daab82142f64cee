package http1

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"sync/atomic"
	"time"
)

var errBodyClosed = errors.New("http1: read of a closed response body")

// maxTrailer is how large a trailer may be.
const maxTrailer = 16 << 10

// A body is a response's body. It is never used for a second response, so that
// whoever holds on to it cannot read from somebody else's.
type body struct {
	exchange
	res     *http.Response
	framing framing
	left    int64     // by length
	chunks  io.Reader // in chunks

	err  error       // what every further Read returns
	over atomic.Bool // the connection is let go of
}

func newBody(x *exchange, r response) *body {
	b := &body{exchange: *x, res: r.Response, framing: r.framing, left: r.ContentLength}
	if b.framing == inChunks {
		b.chunks = httputil.NewChunkedReader(x.c.in)
	}
	return b
}

// Read reads the body. The connection is free once the end was read.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.over.Load() {
		return 0, errBodyClosed
	}
	n, err := b.read(p)
	if err == nil {
		return n, nil
	}
	if !b.over.CompareAndSwap(false, true) {
		b.err = errBodyClosed
	} else if b.err = err; err == io.EOF {
		b.end()
	} else {
		b.abandon()
		b.err = canceledOr(b.req.Context(), err)
	}
	return n, b.err
}

// read returns io.EOF at the end of the body and for nothing else: what is cut
// off must not look whole.
func (b *body) read(p []byte) (n int, err error) {
	switch b.framing {
	case byLength:
		if int64(len(p)) > b.left {
			p = p[:b.left]
		}
		n, err = b.c.in.Read(p)
		b.left -= int64(n)
		if b.left == 0 {
			return n, io.EOF
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	case inChunks:
		if n, err = b.chunks.Read(p); err == io.EOF {
			err = b.trailer()
		}
	default:
		n, err = b.c.in.Read(p)
	}
	return n, err
}

// trailer reads what comes after the last chunk, and returns io.EOF if that is
// what can come there.
func (b *body) trailer() error {
	lines, err := readLines(b.c.in, maxTrailer, crLF)
	if err != nil {
		return err
	}
	if lines == "" {
		return io.EOF
	}
	fields, err := parseFields(lines)
	if err != nil {
		return err
	}
	if b.res.Trailer == nil {
		b.res.Trailer = make(http.Header, len(fields))
	}
	for name, values := range fields {
		if framingField(name) {
			return errTrailer
		}
		b.res.Trailer[name] = values
	}
	return io.EOF
}

// Ready waits up to d and reports whether the upstream has said more or hung up.
// Read may wait all the same, for the rest of a chunk's frame. Ready must not be
// called while a Read waits.
func (b *body) Ready(d time.Duration) bool {
	if b.err != nil || b.over.Load() || b.c.in.Buffered() > 0 {
		return true
	}
	_ = b.c.SetReadDeadline(time.Now().Add(d))
	_, err := b.c.in.Peek(1)
	_ = b.c.SetReadDeadline(time.Time{})
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// Wait waits until the upstream has said more or hung up, or the body is closed. It
// holds no buffer of the caller's, as a Read would.
func (b *body) Wait() {
	if b.err == nil && !b.over.Load() && b.c.in.Buffered() == 0 {
		_, _ = b.c.in.Peek(1)
	}
}

// Detach lets the body outlive its request's context: from now on nothing but
// Close gives it up.
func (b *body) Detach() { b.stop() }

// Close closes the connection unless the end was read: what is left could be
// endless. It may be called while a Read waits, and ends it.
func (b *body) Close() error {
	if b.over.CompareAndSwap(false, true) {
		b.abandon()
	}
	return nil
}
