package descopetest

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Failure is a way to fail. Its zero value answers 500 without a body.
type Failure struct {
	// Times is how many requests fail so, 0 until [Provider.Recover].
	Times int
	// AfterWork lets the provider do the work first, so that only its answer
	// is lost: the code is used, the refresh token rotated.
	AfterWork bool

	Status int // default 500
	Header http.Header
	Body   string // application/json unless Header says otherwise
	// Size pads the body to this many bytes, without an end in sight for who
	// reads it all.
	Size int64

	Hang  bool // no answer until the client gives up
	Drip  bool // an answer letter by letter, without an end
	Reset bool // the connection is reset (RST)

	// IDToken spoils the ID token of an otherwise good answer.
	IDToken IDTokenFault
}

// Status answers with a bare status.
func Status(status int) Failure { return Failure{Status: status} }

// Hang never answers.
func Hang() Failure { return Failure{Hang: true} }

// Drip answers a letter at a time, for as long as somebody listens.
func Drip() Failure { return Failure{Drip: true} }

// Redirect answers 302 to an address.
func Redirect(to string) Failure {
	return Failure{Status: http.StatusFound, Header: http.Header{"Location": {to}}}
}

// ResetConnection breaks the connection off.
func ResetConnection() Failure { return Failure{Reset: true} }

// RateLimit is Descope's 429.
func RateLimit(retryAfter time.Duration) Failure {
	f := DescopeError(http.StatusTooManyRequests, "E130429", "API rate limit exceeded.")
	f.Header = http.Header{"Retry-After": {strconv.Itoa(int(retryAfter / time.Second))}}
	return f
}

// DescopeError answers in Descope's own form.
func DescopeError(status int, code, description string) Failure {
	body, _ := json.Marshal(descopeError(code, description, ""))
	return Failure{Status: status, Body: string(body)}
}

// OAuthError answers in RFC 6749's form.
func OAuthError(status int, code, description string) Failure {
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": description})
	return Failure{Status: status, Body: string(body)}
}

// Malformed answers 200 with JSON that is cut.
func Malformed() Failure { return Failure{Status: http.StatusOK, Body: `{"access_token":"ey`} }

// Oversized answers 200 with a JSON string of so many bytes.
func Oversized(size int64) Failure {
	return Failure{Status: http.StatusOK, Body: `{"access_token":"`, Size: size}
}

// BadIDToken answers as ever, but for the ID token.
func BadIDToken(fault IDTokenFault) Failure { return Failure{IDToken: fault} }

// Once makes a failure happen a single time.
func (f Failure) Once() Failure {
	f.Times = 1
	return f
}

// AnswerLost makes the provider do its work before it fails.
func (f Failure) AnswerLost() Failure {
	f.AfterWork = true
	return f
}

type faults struct {
	mu      sync.Mutex
	pending map[Endpoint][]Failure
	holds   map[Endpoint]*Hold
}

// Fail makes the endpoint fail. Failures asked for one after the other happen
// one after the other.
func (p *Provider) Fail(endpoint Endpoint, failure Failure) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	if p.faults.pending == nil {
		p.faults.pending = make(map[Endpoint][]Failure)
	}
	p.faults.pending[endpoint] = append(p.faults.pending[endpoint], failure)
}

// Recover takes back what [Provider.Fail] asked for, everywhere when no
// endpoint is named. Requests that hang go on hanging.
func (p *Provider) Recover(endpoints ...Endpoint) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	if len(endpoints) == 0 {
		p.faults.pending = nil
	}
	for _, endpoint := range endpoints {
		delete(p.faults.pending, endpoint)
	}
}

// next takes the failure that is due, if any.
func (f *faults) next(endpoints []Endpoint) (Failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, endpoint := range endpoints {
		due := f.pending[endpoint]
		if len(due) == 0 {
			continue
		}
		failure := due[0]
		switch due[0].Times {
		case 0:
		case 1:
			f.pending[endpoint] = due[1:]
		default:
			due[0].Times--
		}
		return failure, true
	}
	return Failure{}, false
}

// Hold keeps requests of an endpoint waiting, before any work, until it is
// released: how a test sees two things happen at once without sleeping.
type Hold struct {
	// Arrived gets a value for every request that waits, up to 100 unread.
	Arrived <-chan struct{}

	arrived  chan struct{}
	released chan struct{}
	once     sync.Once
}

// Release lets the waiting requests and all later ones go on.
func (h *Hold) Release() { h.once.Do(func() { close(h.released) }) }

// Hold makes requests of the endpoint wait. It replaces and releases an
// earlier hold.
func (p *Provider) Hold(endpoint Endpoint) *Hold {
	h := &Hold{arrived: make(chan struct{}, 100), released: make(chan struct{})}
	h.Arrived = h.arrived
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	if p.faults.holds == nil {
		p.faults.holds = make(map[Endpoint]*Hold)
	}
	if before := p.faults.holds[endpoint]; before != nil {
		before.Release()
	}
	p.faults.holds[endpoint] = h
	return h
}

// wait reports whether the request may go on after the holds of its endpoints.
func (f *faults) wait(ctx context.Context, stop <-chan struct{}, endpoints []Endpoint) bool {
	for _, endpoint := range endpoints {
		f.mu.Lock()
		h := f.holds[endpoint]
		f.mu.Unlock()
		if h == nil {
			continue
		}
		select {
		case h.arrived <- struct{}{}:
		default:
		}
		select {
		case <-h.released:
		case <-ctx.Done():
			return false
		case <-stop:
			return false
		}
	}
	return true
}

// fail answers r in the failure's way.
func (p *Provider) fail(f Failure, handler http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	if f.IDToken != "" {
		handler(w, r.WithContext(context.WithValue(r.Context(), faultKey, f.IDToken)))
		return
	}
	if f.AfterWork {
		handler(newAnswer(), r)
	}
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-p.stop:
		}
		panic(http.ErrAbortHandler)
	case f.Drip:
		p.drip(w, r)
	case f.Reset:
		reset(w)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	for name, values := range f.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
	pad := []byte(strings.Repeat("x", 32<<10))
	for left := f.Size - int64(len(f.Body)); left > 0; left -= int64(len(pad)) {
		if _, err := w.Write(pad[:min(left, int64(len(pad)))]); err != nil {
			return
		}
	}
}

// drip writes JSON that never ends, ten letters a second.
func (p *Provider) drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"access_token":"`))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for http.NewResponseController(w).Flush() == nil {
		select {
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-p.stop:
			panic(http.ErrAbortHandler)
		case <-tick.C:
			_, _ = w.Write([]byte("x"))
		}
	}
	panic(http.ErrAbortHandler)
}

// reset closes the connection in a way that the other side sees as an error
// and not as an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}
