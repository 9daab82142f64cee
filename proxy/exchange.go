package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/proxy/route"
)

// An exchange is one request on its way through, and its response: the steps
// fill it in order. It is the ResponseWriter that the rest of the handler
// writes to, so that what Gatehouse says in headers is said last, whatever an
// upstream said before.
type exchange struct {
	h     *Handler
	p     *Policy
	w     http.ResponseWriter
	r     *http.Request
	begun time.Time

	// resolveClient
	id     string     // request ID
	client netip.Addr // the client's address
	plain  bool       // a trusted proxy says that it came by http

	// canonicalize
	host     string // canonical, without port
	path     string // canonical raw path
	query    string // as sent
	hasQuery bool   // there was a ?, even an empty query

	// match
	found  route.Match
	route  *Route // nil on pages of Gatehouse's own
	tenant string // tenant ID that the host stands for

	// identify
	session  *session.Session
	record   *session.Record
	identity *authz.Identity
	carried  bool                  // a session cookie was there, good or not
	cause    session.Cause         // likewise, more precisely
	lacks    *session.LackingError // nobody could be asked for what the session lacks

	bearer     *authn.Bearer // decides in place of a session
	bearerSent bool          // a bearer token came, good or not
	why        string        // what is wrong with it, for the log

	// decide
	decision authz.Decision

	// forward
	assertion string // X-Gatehouse-Assertion
	holder    holder
	reverse   httputil.ReverseProxy
	events    bool // the answer is an event stream
	left      bool // it goes on, and is recorded when it ends

	values [16]string // of header fields, so that they cost no allocation each
	valued int

	// response
	cors    string // listed origin that may read the answer
	last    bool   // no request may follow on the connection
	status  int
	bytes   int64
	wrote   bool
	cookies []string // Set-Cookie lines of Gatehouse's own
}

// open begins an exchange.
func (h *Handler) open(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{h: h, p: h.policy.Load(), w: w, r: r, begun: h.now()}
}

// Header returns the response's headers.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader sends the header, Gatehouse's own part of it included. Interim
// answers of an upstream (100, 103) are not passed on: they would carry headers
// that nobody has checked.
func (x *exchange) WriteHeader(status int) {
	if x.wrote || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	x.wrote, x.status = true, status
	h := x.w.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // the server would guess one
	}
	x.stamp(h)
	x.w.WriteHeader(status)
}

// Write sends a part of the body.
func (x *exchange) Write(b []byte) (int, error) {
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.w.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

// field is the value of a header field that has one.
func (x *exchange) field(value string) []string {
	if x.valued == len(x.values) {
		return []string{value}
	}
	x.values[x.valued] = value
	x.valued++
	return x.values[x.valued-1 : x.valued : x.valued] // what is appended goes elsewhere
}

// stamp sets the headers that every response of Gatehouse carries.
func (x *exchange) stamp(h http.Header) {
	h["X-Request-Id"] = x.field(x.id)
	if x.last {
		h["Connection"] = []string{"close"}
	}
	if len(x.cookies) > 0 {
		h["Set-Cookie"] = append(h["Set-Cookie"], x.cookies...)
	}
	if x.p.HSTS && x.r.TLS != nil { // over plain HTTP it must not be sent (RFC 6797, section 7.2)
		h["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	if x.cors != "" {
		h["Access-Control-Allow-Origin"] = []string{x.cors}
		h["Access-Control-Allow-Credentials"] = []string{"true"}
		h["Access-Control-Expose-Headers"] = []string{"WWW-Authenticate, X-Request-Id"}
	}
	if x.route != nil && len(x.route.Origins) > 0 && x.route.Access.Mode != authz.ModePublic {
		h["Vary"] = x.field(strings.Join(append(h["Vary"], "Origin"), ", "))
	}
}

// setCookies takes over the Set-Cookie lines that a step has written to h.
func (x *exchange) setCookies(h http.Header) {
	x.cookies = append(x.cookies, h["Set-Cookie"]...)
}

// navigation reports whether a person's browser asks for a page to show, who
// can be given a page or led to the sign-in. Without Sec-Fetch headers (old
// browsers, plain http) only Accept tells; Gradio's client sends none on API
// calls.
func (x *exchange) navigation() bool {
	h := x.r.Header
	if mode := h["Sec-Fetch-Mode"]; len(mode) > 0 {
		return len(mode) == 1 && mode[0] == "navigate"
	}
	if h["Sec-Fetch-Site"] != nil || h["Sec-Fetch-Dest"] != nil || h["Sec-Fetch-User"] != nil || h["Sec-Fetch-Storage-Access"] != nil || !x.reading() {
		return false
	}
	for _, accept := range h["Accept"] {
		if strings.Contains(accept, "text/html") {
			return true
		}
	}
	return false
}

// reading reports whether the method is GET or HEAD.
func (x *exchange) reading() bool {
	return x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
}

// upgrade reports whether the client asks for a WebSocket on the connection.
func (x *exchange) upgrade() bool {
	protocols := x.r.Header["Upgrade"]
	return len(protocols) == 1 && strings.EqualFold(protocols[0], "websocket")
}

// redirect answers with the address to go to.
func (x *exchange) redirect(status int, location string) error {
	x.boundBody()
	h := x.Header()
	h["Location"] = []string{location}
	h["Cache-Control"] = []string{"no-store"}
	x.WriteHeader(status)
	return errAnswered
}
