package descopetest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Endpoint names a place of the provider, for counting and for faults.
type Endpoint string

const (
	Discovery     Endpoint = "discovery"
	Keys          Endpoint = "jwks"
	Authorization Endpoint = "authorize"
	SignInPage    Endpoint = "sign_in" // the pages, and the way back from them
	Token         Endpoint = "token"   // every grant
	Refresh       Endpoint = "refresh" // the token endpoint with grant_type=refresh_token
	Userinfo      Endpoint = "userinfo"
	Revocation    Endpoint = "revoke"
	EndSession    Endpoint = "logout"
	AccessKeys    Endpoint = "accesskey"
	Registration  Endpoint = "register"
	Other         Endpoint = "other"
)

// maxRecorded bounds the requests that are kept.
const maxRecorded = 1000

// Request is one that the provider got.
type Request struct {
	Endpoint Endpoint
	Method   string
	Path     string
	Form     url.Values // query and body together
	// Auth is how the client named itself: basic, post, bearer, or "".
	Auth string
	At   time.Time
}

type recorder struct {
	mu       sync.Mutex
	counts   map[Endpoint]int
	requests []Request
	overlap  int
	reuses   int
}

func (rec *recorder) note(endpoint Endpoint, r *http.Request, at time.Time) {
	_ = r.ParseForm() // the handler reports what is wrong with it
	auth := ""
	switch header := r.Header.Get("Authorization"); {
	case strings.HasPrefix(header, "Basic "):
		auth = "basic"
	case strings.HasPrefix(header, "Bearer "):
		auth = "bearer"
	case r.PostForm.Get("client_secret") != "":
		auth = "post"
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.counts == nil {
		rec.counts = make(map[Endpoint]int)
	}
	rec.counts[endpoint]++
	if len(rec.requests) == maxRecorded {
		rec.requests = slices.Delete(rec.requests, 0, maxRecorded/2)
	}
	rec.requests = append(rec.requests, Request{
		Endpoint: endpoint, Method: r.Method, Path: r.URL.Path, Form: maps.Clone(r.Form), Auth: auth, At: at,
	})
}

func (rec *recorder) inFlight(n int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.overlap = max(rec.overlap, n)
}

func (rec *recorder) reused() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.reuses++
}

// Requests counts what came, by endpoint. A refresh counts as Refresh and as Token.
func (p *Provider) Requests() map[Endpoint]int {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	return maps.Clone(p.seen.counts)
}

// Recorded gives the last requests at an endpoint, the oldest first, secrets
// included: the provider's are nobody's.
func (p *Provider) Recorded(endpoint Endpoint) []Request {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	var found []Request
	for _, request := range p.seen.requests {
		if request.Endpoint == endpoint {
			found = append(found, request)
		}
	}
	return found
}

// Overlap is the largest number of requests that were in flight with one
// refresh token. More than one is a fault of the relying party.
func (p *Provider) Overlap() int {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	return p.seen.overlap
}

// Reuses counts refresh tokens that came again after they had been replaced.
func (p *Provider) Reuses() int {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	return p.seen.reuses
}

// ResetRecord forgets counts and requests.
func (p *Provider) ResetRecord() {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	p.seen.counts, p.seen.requests, p.seen.overlap, p.seen.reuses = nil, nil, 0, 0
}
