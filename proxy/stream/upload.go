package stream

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// abandoned is how long the rest of a body may take whose answer is complete.
const abandoned = 2 * time.Second

// upload is the request's body. Nothing but a deadline wakes a read of it.
type upload struct {
	io.ReadCloser
	reading     sync.Mutex  // held by a read
	over        atomic.Bool // the handler ends
	done        atomic.Bool // read to its end
	interrupted atomic.Bool
}

// UploadError tells an error handler that the request's body could not be read,
// be it malformed or broken off: the client's fault, not the upstream's.
type UploadError struct{ err error }

func (e *UploadError) Error() string { return "the request's body: " + e.err.Error() }
func (e *UploadError) Unwrap() error { return e.err }

// begin leaves the whole body to the transport. An app may answer before it has
// read all of it, and on HTTP/1 the server would read the rest itself then: it
// would hold that answer back until the rest is there, and whoever of the two
// loses that race takes the body for closed and tears the answer.
func (u *upload) begin(control *http.ResponseController) {
	_ = control.EnableFullDuplex() // HTTP/2 always is, and says so with nil
}

func (u *upload) Read(p []byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	if u.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := u.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		u.done.Store(true)
	case err != nil:
		err = &UploadError{err}
	}
	return n, err
}

// pending reports whether there is, or could be, more of the body: of one that is
// malformed nobody knows where it ends.
func (u *upload) pending() bool { return u.ReadCloser != nil && !u.done.Load() }

// interrupt leaves a body alone that was read to its end: there the server
// itself is reading, to notice a client that goes.
func (u *upload) interrupt(control *http.ResponseController) {
	if !u.pending() {
		return
	}
	u.interrupted.Store(true)
	_ = control.SetReadDeadline(aLongTimeAgo)
}

// abandon bounds how long the server looks for the end of a body that nobody
// reads any more: without it, a client that stops in the middle would hold the
// connection for good. A read under way is ended first, since the server would
// end it itself and lift the deadline that is set here.
func (u *upload) abandon(control *http.ResponseController) {
	u.over.Store(true)
	if control.SetReadDeadline(aLongTimeAgo) != nil {
		return // no connection that has deadlines
	}
	u.reading.Lock()
	defer u.reading.Unlock()
	if !u.interrupted.Load() {
		_ = control.SetReadDeadline(time.Now().Add(abandoned))
	}
}
