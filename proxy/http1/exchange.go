package http1

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
)

// A staleError is the failure of a connection that had idled, with a request
// that may be sent again.
type staleError struct{ err error }

func (e *staleError) Error() string { return e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

// A timeoutError is a header that did not come in time.
type timeoutError struct{}

func (timeoutError) Error() string   { return "http1: timeout awaiting the upstream's response header" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Is(err error) bool {
	return err == context.DeadlineExceeded || err == os.ErrDeadlineExceeded
}

// An exchange is one request and its response on one connection.
type exchange struct {
	t       *Transport
	c       *conn
	req     *http.Request
	upload  *upload     // nil without a body
	stop    func() bool // ends the watch of the request's context
	upgrade bool        // another protocol was asked for, without a body
	once    bool        // the connection carries no further request
}

// exchange sends the request on c, and gives c away: to the pool, to the
// response's body, or closed.
func (t *Transport) exchange(c *conn, req *http.Request, h *head) (*http.Response, error) {
	x := exchange{t: t, c: c, req: req, upgrade: h.upgrade, once: h.once}
	c.begin()
	x.stop = context.AfterFunc(req.Context(), c.abort)
	if n, err := c.Write(h.bytes); err != nil {
		return nil, x.unsent(n, err)
	}
	if h.length != 0 {
		x.upload = newUpload(c, req.Body, h, &t.options)
	} else {
		c.await(t.options.HeaderTimeout)
	}
	res, err := x.answer()
	if err != nil {
		return nil, x.failed(err)
	}
	return x.deliver(res)
}

// unsent ends an exchange whose head could not be sent, but for n bytes. The
// body is as it was.
func (x *exchange) unsent(n int, err error) error {
	x.abandon()
	if x.c.reused && x.req.Context().Err() == nil && (n == 0 || x.repeatable()) {
		return &staleError{err}
	}
	closeBody(x.req)
	return canceledOr(x.req.Context(), err)
}

// repeatable reports whether the request may be sent again although the upstream
// may have taken it: it changes nothing (RFC 9110, section 9.2.1), and whatever
// became of it, no byte of an answer came.
func (x *exchange) repeatable() bool {
	if x.c.got || x.req.Body != nil && x.req.Body != http.NoBody {
		return false
	}
	switch x.req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// abandon closes the connection.
func (x *exchange) abandon() {
	x.stop()
	_ = x.c.Close()
}

// failed ends an exchange without a response, and finds the error that tells
// most: that the request was given up, that its body could not be read, and only
// then what became of the connection.
func (x *exchange) failed(err error) error {
	x.abandon()
	ctx := x.req.Context()
	if up := x.upload; up != nil {
		// It may wait for a client that says nothing, for which nobody else has
		// to wait.
		up.settle(false)
		if fault := up.fault.Load(); fault != nil && ctx.Err() == nil {
			return *fault
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timeoutError{}
	case x.c.reused && x.repeatable():
		return &staleError{err}
	}
	return err
}

// answer reads the response up to its body. Interim responses are told to the
// request's trace; all of them together have to fit the limit of one header, so
// that they cannot go on for ever.
func (x *exchange) answer() (response, error) {
	limit := x.t.options.MaxHeaderBytes
	for {
		r, size, err := readResponse(x.c.in, x.req, limit)
		if err != nil {
			return response{}, err
		}
		limit -= size
		x.once = x.once || r.once
		if r.StatusCode >= 200 || r.StatusCode == http.StatusSwitchingProtocols {
			return r, x.final(r.Response)
		}
		x.once = true // nobody is to count responses otherwise than the upstream
		if r.StatusCode == http.StatusContinue && x.upload != nil {
			x.upload.settle(true)
		}
		if err := x.interim(r.Response); err != nil {
			return response{}, err
		}
	}
}

func (x *exchange) interim(res *http.Response) error {
	trace := httptrace.ContextClientTrace(x.req.Context())
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	return trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header))
}

// final checks what is no interim response.
func (x *exchange) final(res *http.Response) error {
	if x.upload != nil {
		x.upload.settle(false) // answered without a 100: the body is not wanted
		// What comes after the answer could be read as the next request by an
		// upstream that has done with this one (attack: smuggling in a body).
		x.once = x.once || !x.upload.last.Load()
	}
	if res.StatusCode == http.StatusSwitchingProtocols && (!x.upgrade || res.Header["Upgrade"] == nil) {
		return errors.New("http1: the upstream switched protocols, which was not asked for")
	}
	x.c.header(x.t.options.HeaderTimeout)
	return nil
}

// deliver gives the response its body.
func (x *exchange) deliver(r response) (*http.Response, error) {
	switch {
	case r.StatusCode == http.StatusSwitchingProtocols:
		if !x.stop() {
			_ = x.c.Close()
			return nil, context.Cause(x.req.Context())
		}
		r.Body = &tunnel{conn: x.c.Conn, early: x.c.in}
	case r.framing == bodiless:
		x.end()
	default:
		r.Body = newBody(x, r)
	}
	return r.Response, nil
}

// end lets go of the connection after a response that was read to its end: into
// the pool if nothing speaks against it.
func (x *exchange) end() {
	unwatched := x.stop() // or it is being closed
	if unwatched && !x.once && x.c.in.Buffered() == 0 && (x.upload == nil || x.upload.whole()) {
		x.t.idle.put(x.c)
		return
	}
	_ = x.c.Close()
}
