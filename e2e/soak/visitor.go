package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/e2e/rig"
)

// patience is how long a visitor waits for an answer: longer than Gatehouse waits
// for the provider.
const patience = 40 * time.Second

// A visitor is a browser: one session at a time, and some streams.
type visitor struct {
	k       *soak
	number  int
	person  *person
	random  *rand.Rand
	cookies cookies
	here    bool // signed in, as far as the visitor knows
	dead    []ghost
	seen    []time.Time // by instance: when it last took this session
	read    []time.Time // and when it last did while Redis was well
	offered atomic.Pointer[grant]

	// The oracle guards these.
	history history
	grant   *grant
	begun   time.Time
	lateAt  time.Time // the tokens' end that was reported as missed
}

// A ghost is the cookie of a session that is over.
type ghost struct {
	cookie string
	over   standing
}

func newVisitor(k *soak, number int, p *person) *visitor {
	return &visitor{
		k: k, number: number, person: p, random: rand.New(rand.NewPCG(k.seed, uint64(number)+1)),
		cookies: cookies{}, seen: make([]time.Time, len(k.gates)), read: make([]time.Time, len(k.gates)),
		history: history{{at: everywhere, why: "nobody signed in"}},
	}
}

func (v *visitor) String() string { return fmt.Sprintf("browser %d (%s)", v.number, v.person.id) }

func (v *visitor) instance() int { return v.random.IntN(len(v.k.gates)) }

// cookies are those of one host, by name.
type cookies map[string]string

func (c cookies) header() string {
	var s strings.Builder
	for _, name := range slices.Sorted(keysOf(c)) {
		if s.Len() > 0 {
			s.WriteString("; ")
		}
		s.WriteString(name + "=" + c[name])
	}
	return s.String()
}

func keysOf(c cookies) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range c {
			if !yield(name) {
				return
			}
		}
	}
}

func (c cookies) take(res *http.Response) {
	for _, one := range res.Cookies() {
		if one.MaxAge < 0 || !one.Expires.IsZero() && one.Expires.Before(time.Now()) {
			delete(c, one.Name)
		} else {
			c[one.Name] = one.Value
		}
	}
}

// session is what of them names a session.
func (c cookies) session() string {
	kept := cookies{}
	for name, value := range c {
		if name == "gatehouse" || strings.HasPrefix(name, "gatehouse.") {
			kept[name] = value
		}
	}
	return kept.header()
}

// stay comes, goes about, and stops when ctx ends.
func (v *visitor) stay(ctx context.Context, come chan struct{}) {
	select {
	case come <- struct{}{}:
	case <-ctx.Done():
		return
	}
	v.signIn(v.k.ctx)
	for range v.wants() {
		v.openOne(v.k.ctx)
	}
	<-come
	for rig.Pause(ctx, 2*time.Second+time.Duration(v.random.Int64N(int64(4*time.Second)))) {
		v.act(v.k.ctx)
	}
}

// wants is how many streams the visitor likes to have open.
func (v *visitor) wants() int {
	n := v.k.settings.streams / v.k.sessions
	if v.number < v.k.settings.streams%v.k.sessions {
		n++
	}
	return n
}

// act does one thing that people do.
func (v *visitor) act(ctx context.Context) {
	open := v.k.streams.of(v)
	switch n := v.random.IntN(1000); {
	case !v.here:
		if n < 600 {
			v.signIn(ctx)
		} else {
			v.ask(ctx)
		}
	case n < 8:
		v.signOut(ctx)
	case n < 12:
		v.signIn(ctx) // once more: the streams go on
	case n < 40 && len(v.dead) > 0:
		v.haunt(ctx)
	case n < 60 && len(open) > 0:
		open[v.random.IntN(len(open))].leave()
	case len(open) < v.wants():
		v.openOne(ctx)
		v.openOne(ctx)
	default:
		v.ask(ctx)
	}
}

func (v *visitor) request(ctx context.Context, method, path, cookie string) (*http.Request, error) {
	origin := "http://" + v.k.gates[0].address
	req, err := http.NewRequestWithContext(ctx, method, origin+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Origin", origin)
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	return req, nil
}

// send sends a request to an instance and reads the answer. The body is returned
// as far as it is short.
func (v *visitor) send(ctx context.Context, instance int, method, path, cookie string) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := v.request(ctx, method, path, cookie)
	if err != nil {
		return nil, "", err
	}
	req.URL.Host = v.k.gates[instance].address // the Host field stays the public one
	res, err := v.k.wire.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res, string(text), err
}

// ask asks for a page of some route, allowed or not.
func (v *visitor) ask(ctx context.Context) {
	p, instance := places[v.random.IntN(len(places))], v.instance()
	t0 := time.Now()
	res, text, err := v.send(ctx, instance, http.MethodGet, p.path+"/info", v.cookies.header())
	if err != nil {
		v.noAnswer("a request for "+p.path, instance, t0, err)
		return
	}
	v.cookies.take(res)
	if v.answered(p, instance, t0, res) && res.StatusCode == http.StatusOK && text != "U2"+v.person.id {
		v.k.violate("%s was %q to the app on %s, instance %d", v, text, p.path, instance)
	}
}

// openOne opens a stream on a route that is likely to be allowed.
func (v *visitor) openOne(ctx context.Context) {
	if len(v.k.streams.of(v)) >= v.wants() {
		return
	}
	p := places[v.random.IntN(len(places))]
	for range 4 {
		if v.k.may(v, p) {
			break
		}
		p = places[v.random.IntN(len(places))]
	}
	which := []kind{events, events, events, events, socket, socket, socket, socket, download}[v.random.IntN(9)]
	instance, t0 := v.instance(), time.Now()
	s, res, err := v.open(ctx, p, which, instance)
	if err != nil {
		v.noAnswer(fmt.Sprintf("opening a %s on %s", which, p.path), instance, t0, err)
		return
	}
	v.cookies.take(res)
	good := v.answered(p, instance, t0, res)
	if s == nil {
		return
	}
	v.k.figures.opened.Add(1)
	if user := res.Header.Get("X-User"); good && user != "U2"+v.person.id {
		v.k.violate("%s was %q to the app: %s", v, user, s)
	}
}

// haunt tries the cookie of a session that is over.
func (v *visitor) haunt(ctx context.Context) {
	g := v.dead[v.random.IntN(len(v.dead))]
	instance, t0 := v.instance(), time.Now()
	res, _, err := v.send(ctx, instance, http.MethodGet, "/any/info", g.cookie)
	if err != nil {
		v.noAnswer("a request with an old cookie", instance, t0, err)
		return
	}
	v.k.figures.ghosts.Add(1)
	if why := v.k.ghost(g, instance, t0, outcomeOf(res.StatusCode)); why != "" {
		v.k.violate("%s came in with the cookie of a session that is over (%s) at instance %d, at %s: %s", v, g.over.why, instance, clock(t0), why)
	}
}

func (v *visitor) noAnswer(what string, instance int, t0 time.Time, err error) {
	if v.k.ctx.Err() == nil {
		v.k.violate("%s got no answer to %s at instance %d, asked at %s: %v", v, what, instance, clock(t0), err)
	}
}

// bury keeps a cookie whose session is over.
func (v *visitor) bury(cookie string, over standing) {
	if cookie == "" {
		return
	}
	v.dead = append(v.dead, ghost{cookie, over})
	if len(v.dead) > 3 {
		v.dead = v.dead[1:]
	}
}

// signIn signs in, perhaps over a session that is alive.
func (v *visitor) signIn(ctx context.Context) {
	v.person.lock.RLock()
	defer v.person.lock.RUnlock()
	t0, was := time.Now(), v.cookies.session()
	instance, err := v.throughProvider(ctx)
	now := time.Now()
	if err != nil {
		if ctx.Err() == nil && v.k.weather.fine(t0, now) {
			v.k.violate("%s could not sign in at instance %d between %s and %s: %v", v, instance, clock(t0), clock(now), err)
		}
		v.k.figures.signInsFailed.Add(1)
		return
	}
	v.k.figures.signIns.Add(1)
	if v.here {
		v.k.figures.takeovers.Add(1)
	}
	v.bury(was, standing{told: now, at: instance, why: "the same person signed in again"})
	v.here = true
	clear(v.seen)
	clear(v.read)
	v.seen[instance], v.read[instance] = now, now
	v.k.signedIn(v, v.offered.Load(), now)
}

// throughProvider is the way to the provider and back. It returns the instance
// that ended it.
func (v *visitor) throughProvider(ctx context.Context) (int, error) {
	instance := v.instance()
	res, _, err := v.send(ctx, instance, http.MethodGet, "/auth/login?return_to=/any", v.cookies.header())
	if err != nil {
		return instance, err
	}
	v.cookies.take(res)
	address := res.Header.Get("Location")
	if res.StatusCode != http.StatusFound || !strings.HasPrefix(address, "http") {
		return instance, fmt.Errorf("/auth/login: %s to %q", res.Status, address)
	}
	back, err := v.k.provider.Authorize(ctx, &http.Client{Timeout: patience, Transport: v.k.wire}, address, v.person.id)
	if err != nil {
		return instance, err
	}
	u, err := url.Parse(back)
	if err != nil {
		return instance, err
	}
	v.offered.Store(nil)
	v.k.provider.expect(u.Query().Get("code"), v)
	instance = v.instance()
	before := v.cookies.session()
	if res, _, err = v.send(ctx, instance, http.MethodGet, u.RequestURI(), v.cookies.header()); err != nil {
		return instance, err
	}
	v.cookies.take(res)
	if res.StatusCode != http.StatusFound || v.cookies.session() == before || v.offered.Load() == nil {
		return instance, fmt.Errorf("/auth/callback: %s to %q", res.Status, res.Header.Get("Location"))
	}
	return instance, nil
}

// signOut signs out. It must succeed whatever is away.
func (v *visitor) signOut(ctx context.Context) {
	instance, was := v.instance(), v.cookies.session()
	t0 := time.Now()
	learned := v.k.leaving(v, standing{from: t0, at: instance, why: fmt.Sprintf("sign-out at instance %d", instance)})
	res, _, err := v.send(ctx, instance, http.MethodPost, "/auth/logout", v.cookies.header())
	over := learned(time.Now())
	v.here = false
	v.bury(was, over)
	if err != nil {
		v.noAnswer("the sign-out", instance, t0, err)
		return
	}
	v.cookies.take(res)
	v.k.figures.signOuts.Add(1)
	if res.StatusCode != http.StatusSeeOther || v.cookies.session() != "" {
		v.k.violate("%s signed out at instance %d at %s: %s, and the cookie %q is left", v, instance, clock(t0), res.Status, v.cookies.session())
		clear(v.cookies)
	}
}
