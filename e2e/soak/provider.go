package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse/authn/descopetest"
)

// A provider is the stand-in Descope, with somebody who reads its token answers
// along: what Gatehouse is told, and when.
type provider struct {
	*descopetest.Provider
	k      *soak
	issuer string
	server *http.Server

	mu     sync.Mutex
	codes  map[string]*visitor // whose sign-in a code ends
	grants map[string]*grant   // by refresh token
	starts []time.Time         // of refreshes, in the last minute
	most   int                 // refreshes in any minute
	flying map[string]int      // refreshes that somebody waits for, by token
	at     int                 // the most at a time with one token
	spent  map[string]bool     // tokens whose replacement has come to Gatehouse
}

// A grant is a session at the provider.
type grant struct {
	v       *visitor
	revoked bool // at the provider: its next refresh is refused
	begun   standing
	sid     string
}

func newProvider(k *soak) (*provider, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &provider{k: k, codes: make(map[string]*visitor), grants: make(map[string]*grant), flying: make(map[string]int), spent: make(map[string]bool)}
	p.issuer = "http://" + listener.Addr().String() + "/" + descopetest.DefaultProjectID
	people := make([]descopetest.Person, 0, len(k.people))
	for _, one := range k.people {
		people = append(people, descopetest.Person{
			ID: one.id, Name: one.id, Email: one.id + "@acme.example",
			Tenants: map[string]descopetest.Grants{descopetest.Acme: {Roles: one.has.names()}},
		})
	}
	p.Provider, err = descopetest.New(descopetest.Options{
		Issuer: p.issuer, People: people, SessionTTL: k.life, RotateRefresh: true,
		// A token whose answer was lost may be sent again, however much later. That
		// none is sent whose answer came is looked at here.
		ReuseInterval: 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // ends with close
	return p, nil
}

func (p *provider) close() {
	p.Provider.Close()
	_ = p.server.Close()
}

// ServeHTTP keeps the token endpoint's answers back until it has read them.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/token") {
		p.Provider.ServeHTTP(w, r)
		return
	}
	_ = r.ParseForm()
	refresh := r.PostForm.Get("refresh_token")
	began := time.Now()
	if refresh != "" {
		p.count(began)
		defer p.fly(r.Context(), refresh)()
		if p.isSpent(refresh) {
			p.k.violate("a refresh came with a token that had been replaced")
		}
	}
	kept := &keptAnswer{ResponseWriter: w, status: http.StatusOK}
	p.Provider.ServeHTTP(kept, r)
	from := time.Now()
	if from.Sub(began) > slow { // for want of a processor, or by a fault
		p.k.weather.outage(span{began, from})
	}
	if r.Context().Err() != nil {
		return // nobody waits for the answer any more
	}
	w.WriteHeader(kept.status)
	_, _ = w.Write(kept.body)
	_ = http.NewResponseController(w).Flush()
	var answer struct {
		IDToken string `json:"id_token"`
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(kept.body, &answer) != nil {
		return // a fault
	}
	switch {
	case kept.status == http.StatusOK && answer.IDToken != "":
		p.granted(r.PostForm.Get("code"), refresh, answer.Refresh, answer.IDToken, from, from.Sub(began) < certain)
	case answer.Error == "invalid_grant" && refresh != "":
		p.refused(refresh, from)
	}
}

type keptAnswer struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (a *keptAnswer) WriteHeader(status int) { a.status = status }
func (a *keptAnswer) Unwrap() http.ResponseWriter {
	return a.ResponseWriter
}
func (a *keptAnswer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}

// slow is from when on a token answer counts as an outage.
const slow = 2 * time.Second

// fly notes that somebody waits for a refresh with the token, until what it
// returns is called or nobody waits any more.
func (p *provider) fly(ctx context.Context, token string) (land func()) {
	p.mu.Lock()
	p.flying[token]++
	p.at = max(p.at, p.flying[token])
	p.mu.Unlock()
	once := sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.flying[token]--; p.flying[token] == 0 {
			delete(p.flying, token)
		}
	})
	stop := context.AfterFunc(ctx, once)
	return func() { stop(); once() }
}

// overlap is the largest number of refreshes with one token that were waited for
// at a time.
func (p *provider) overlap() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// count notes a refresh, for the pace.
func (p *provider) count(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts = append(p.starts, now)
	for now.Sub(p.starts[0]) > time.Minute {
		p.starts = p.starts[1:]
	}
	p.most = max(p.most, len(p.starts))
}

// certain is within what time an answer comes to Gatehouse, which gives up after
// 10 s; of a later one nobody can say.
const certain = 7 * time.Second

func (p *provider) isSpent(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spent[token]
}

// granted takes up new tokens, which came to Gatehouse for certain or not.
func (p *provider) granted(code, refresh, next, idToken string, from time.Time, came bool) {
	have, sid, err := readIDToken(idToken)
	if err != nil {
		p.k.violate("the stand-in's own ID token: %v", err)
		return
	}
	s := standing{
		from: from, told: time.Now(), at: everywhere, alive: true,
		roles: have, ends: time.Now().Add(p.k.life), why: "a refresh",
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if code != "" {
		if v := p.codes[code]; v != nil {
			delete(p.codes, code)
			s.why = "signing in again"
			g := &grant{v: v, begun: s, sid: sid}
			p.grants[next] = g
			v.offered.Store(g)
		}
		return
	}
	g := p.grants[refresh]
	if g == nil {
		p.k.violate("a refresh with a token that nobody was given")
		return
	}
	p.grants[next] = g
	p.spent[refresh] = came
	if !came {
		s.told = never
	}
	p.k.refreshed(g, s)
}

// refused takes up that the provider has ended a session.
func (p *provider) refused(refresh string, from time.Time) {
	p.mu.Lock()
	g := p.grants[refresh]
	var revoked bool
	if g != nil {
		revoked = g.revoked
	}
	p.mu.Unlock()
	if g != nil {
		p.k.ended(g, revoked, standing{from: from, told: time.Now(), at: everywhere, why: "the provider's invalid_grant"})
	}
}

// expect notes who comes back with the code.
func (p *provider) expect(code string, v *visitor) {
	p.mu.Lock()
	p.codes[code] = v
	p.mu.Unlock()
}

func (p *provider) revoke(g *grant) {
	p.mu.Lock()
	g.revoked = true
	p.mu.Unlock()
}

func (p *provider) busiest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// readIDToken reads a token's payload without checking it: it was made here.
func readIDToken(token string) (have roles, sid string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0, "", fmt.Errorf("not a JWT: %.20q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return 0, "", err
	}
	var claims struct {
		SID     string                        `json:"sid"`
		Tenants map[string]descopetest.Grants `json:"tenants"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return 0, "", err
	}
	for _, name := range claims.Tenants[descopetest.Acme].Roles {
		switch name {
		case "a":
			have |= roleA
		case "b":
			have |= roleB
		}
	}
	return have, claims.SID, nil
}
