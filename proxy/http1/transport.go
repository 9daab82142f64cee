package http1

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Options say how an upstream is reached. Dial is required; every other zero is
// what its field says.
type Options struct {
	// Dial connects to the upstream. It ends when the context does.
	Dial func(ctx context.Context) (net.Conn, error)

	// HeaderTimeout bounds the wait from the request's last byte to the end of
	// the response's header; 0: no limit.
	HeaderTimeout time.Duration

	// MaxHeaderBytes bounds the response's header, interim responses included;
	// 0: 1 MiB.
	MaxHeaderBytes int

	// ContinueTimeout is how long a body waits for the 100 that its request
	// expects; 0: 1 s.
	ContinueTimeout time.Duration

	// MaxIdle is how many connections may idle; 0: 256.
	MaxIdle int

	// IdleTimeout closes a connection that idled so long; 0: 4 s, shorter than
	// the 5 s of uvicorn and Node, so that a request seldom meets a connection
	// that is closing.
	IdleTimeout time.Duration
}

// A Transport is the http.RoundTripper of one upstream. It may be used from any
// number of goroutines.
type Transport struct {
	options Options
	idle    pool
}

// New returns a Transport. It starts no goroutine.
func New(o Options) *Transport {
	if o.MaxHeaderBytes == 0 {
		o.MaxHeaderBytes = 1 << 20
	}
	if o.ContinueTimeout == 0 {
		o.ContinueTimeout = time.Second
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = 256
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 4 * time.Second
	}
	return &Transport{options: o, idle: pool{max: o.MaxIdle, timeout: o.IdleTimeout}}
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.idle.closeAll() }

// RoundTrip sends the request and returns the response. As every
// http.RoundTripper it closes the request's body, also when it fails, and may do
// so after it has returned. A body of at most 4 KB is read first, so that its
// Read has to end when the request is given up, as net/http's server sees to. The
// body of a 101 response is an io.ReadWriteCloser with CloseWrite.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	head, err := newHead(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	defer head.free()
	ctx := req.Context()
	for fresh := false; ; fresh = true {
		if ctx.Err() != nil {
			closeBody(req)
			return nil, context.Cause(ctx)
		}
		c, err := t.connect(ctx, fresh)
		if err != nil {
			closeBody(req)
			if head.small {
				err = fmt.Errorf("http1: the request was read and cannot be sent: %v", err) // nobody else can send it either
			}
			return nil, canceledOr(ctx, err)
		}
		taken, err := head.takeBody(req)
		if err != nil {
			_ = c.Close()
			closeBody(req)
			return nil, canceledOr(ctx, err)
		}
		if taken && !fresh && !c.quiet() {
			_ = c.Close() // the upstream gave it up while the client took its time
			continue
		}
		res, err := t.exchange(c, req, head)
		if _, stale := err.(*staleError); stale && !fresh {
			continue
		}
		return res, err
	}
}

// connect returns a connection: one that idled unless fresh is asked for.
func (t *Transport) connect(ctx context.Context, fresh bool) (*conn, error) {
	if !fresh {
		if c := t.idle.take(); c != nil {
			return c, nil
		}
	}
	raw, err := t.options.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(raw), nil
}

// canceledOr prefers the reason for which a request was given up to what that
// did to its connection.
func canceledOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
