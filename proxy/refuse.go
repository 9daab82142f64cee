package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"gatehouse/authz"
	"gatehouse/proxy/pages"
)

// A refusal is a request that ends here: the status for machines, a reason for
// logs and metrics, words for people. err is for the log alone.
type refusal struct {
	status     int
	reason     authz.Reason // "" where no decision was made
	title      string
	detail     string // a sentence for people; "" is the status's own
	retryAfter time.Duration
	allow      string // methods, for 405
	loginURL   string // for 401
	headers    http.Header
	person     *pages.Denied // for 403: what its page shows
	err        error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return r.err.Error()
	}
	return http.StatusText(r.status)
}

func (r *refusal) Unwrap() error { return r.err }

// refuse answers an error: a page for people, JSON for programs. It is the one
// place where errors become answers, and nothing of what happened inside is
// shown in either.
func (x *exchange) refuse(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, err: err}
	}
	if r.reason != "" {
		x.decision = authz.Decision{Reason: r.reason, Rule: authz.NoRule}
	}
	if r.status >= 500 && r.err != nil {
		x.h.log.Error("a request failed", "request_id", x.id, "route", x.routeName(), "status", r.status, "error", r.err.Error())
	}
	h := x.Header()
	clear(h) // an upstream may have begun to answer
	for name, values := range r.headers {
		h[name] = values
	}
	x.challenge(r.status, h)
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", seconds(r.retryAfter))
	}
	if x.navigation() {
		x.servePage(r.status, func(w io.Writer) error { return x.refusalPage(w, r) })
		return
	}
	x.serveJSON(r.status, refusalBody{Detail: r.words(), LoginURL: r.loginURL, RequestID: x.id})
}

// seconds is a duration as Retry-After takes it, at least 1.
func seconds(d time.Duration) string { return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))) }

// refusalBody is what programs get. Gradio's client shows detail in a toast.
type refusalBody struct {
	Detail    string `json:"detail"`
	LoginURL  string `json:"login_url,omitempty"`
	RequestID string `json:"request_id"`
}

func (x *exchange) refusalPage(w io.Writer, r *refusal) error {
	if r.person != nil {
		r.person.RequestID = x.id
		return x.p.Pages.Denied(w, *r.person)
	}
	return x.p.Pages.Problem(w, pages.Problem{
		Status: r.status, Title: r.title, Message: r.detail, RequestID: x.id,
		Action: r.action(), ActionURL: r.loginURL,
		Again: x.r.Method == http.MethodGet || x.r.Method == http.MethodHead,
	})
}

func (r *refusal) action() string {
	if r.loginURL != "" {
		return "Sign in"
	}
	return ""
}

// words is the refusal in a sentence.
func (r *refusal) words() string {
	switch {
	case r.detail != "":
		return r.detail
	case r.status == http.StatusBadGateway:
		return "The app is not answering. Try again in a moment."
	case r.status == http.StatusGatewayTimeout:
		return "The app took too long to answer."
	case r.status == http.StatusMisdirectedRequest:
		return "Nothing is served under this host name."
	}
	return http.StatusText(r.status) + "."
}

// servePage answers with a page of Gatehouse's own.
func (x *exchange) servePage(status int, render func(io.Writer) error) {
	var body bytes.Buffer
	if err := render(&body); err != nil {
		x.h.log.Error("a page could not be drawn", "request_id", x.id, "error", err)
		body.Reset()
		status = http.StatusInternalServerError
	}
	h := x.Header()
	h.Set("Content-Security-Policy", x.p.Pages.CSP())
	x.serve(status, "text/html; charset=utf-8", body.Bytes())
}

func (x *exchange) serveJSON(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // cannot happen with the types used here
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	x.serve(status, "application/json", body)
}

// serveBytes answers 200 with something of Gatehouse's own.
func (x *exchange) serveBytes(kind string, body []byte) error {
	x.serve(http.StatusOK, kind, body)
	return errAnswered
}

// serve writes an answer of Gatehouse's own: never cached, never sniffed, never
// framed, and its address is told to nobody.
func (x *exchange) serve(status int, kind string, body []byte) {
	x.boundBody()
	h := x.Header()
	h["Content-Type"] = []string{kind}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-store"}
	}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["X-Frame-Options"] = []string{"DENY"}
	h["Referrer-Policy"] = []string{"same-origin"}
	if x.path == x.p.AuthPath+"/callback" { // its address holds a code and a state, and an app may be linked to
		h["Referrer-Policy"] = []string{"no-referrer"}
	}
	x.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write(body) // the client has gone: nothing is left to do
	}
}

// unreadBody is how long the rest of a body may take that nobody wants.
const unreadBody = 2 * time.Second

// boundBody bounds how long the server waits for a body that nobody reads. It
// reads what is left of one before it answers, so a client that announces a body
// and sends none would hold its connection for good, and need no session for it
// (attack: Slowloris by body).
func (x *exchange) boundBody() {
	if x.r.ContentLength == 0 {
		return
	}
	// An error says that there is no connection to have a deadline.
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(unreadBody))
}
