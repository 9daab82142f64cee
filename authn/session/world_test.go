package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/authz"
)

// A world is a table with a provider and streams that tests steer.
type world struct {
	*Table
	t        *testing.T
	provider *provider
	seen     *observer
	sealer   *Sealer

	tickets atomic.Pointer[Sealer] // with Redis
	records atomic.Pointer[RecordSealer]
}

const tokenLife = 10 * time.Minute // Descope's default

var secret = []byte("a secret of the tests, long enough")

func sealerFor(t testing.TB, purpose Purpose, secrets ...[]byte) *Sealer {
	t.Helper()
	if secrets == nil {
		secrets = [][]byte{secret}
	}
	s, err := NewSealer(purpose, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWorld(t *testing.T, set Settings) *world {
	t.Helper()
	if set.MaxAge == 0 {
		set.MaxAge = 24 * time.Hour
	}
	w := &world{t: t, provider: newProvider(), seen: &observer{streams: map[string]bool{}}, sealer: sealerFor(t, SessionPurpose)}
	w.Table = NewTable(Options{
		Cookie: Cookie{Name: "gatehouse"}, Store: NewCookieStore(func() *Sealer { return w.sealer }),
		Refresher: w.provider, Observer: w.seen, Settings: set,
	})
	return w
}

// restart is another instance, or this one after a restart: the same secrets and
// provider, nothing in memory.
func (w *world) restart() *world {
	next := &world{t: w.t, provider: w.provider, seen: &observer{streams: map[string]bool{}}, sealer: w.sealer}
	next.Table = NewTable(Options{
		Cookie: w.Cookie, Store: w.store, Refresher: w.provider, Observer: next.seen, Settings: *w.settings.Load(),
	})
	return next
}

// in runs the test in a bubble, whose time passes when everybody waits.
func in(t *testing.T, name string, set Settings, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, set)
			test(t, w)
			w.provider.will(nil)
			w.seen.mu.Lock()
			clear(w.seen.streams)
			w.seen.mu.Unlock()
			wait(time.Hour) // what is queued or in flight comes to its end
		})
	})
}

// A visitor is a browser with its session cookie.
type visitor struct {
	w       *world
	cookie  string
	session *Session
	sent    int // cookies that answers have set
}

func recordOf(sub string) *Record {
	now := time.Now()
	return &Record{
		ID: NewID(), Version: now.UnixMilli(), SignedInAt: now, ActiveAt: now, RefreshedAt: now, FreshUntil: now.Add(tokenLife),
		Refresh: Token("r-" + sub + "-0"), ProviderSID: "sid-" + sub,
		Identity: &authz.Identity{Issuer: "https://idp.example", Subject: sub, Email: sub + "@acme.example",
			Tenants: map[string]authz.Grants{"T2acme": {Roles: []string{"Member"}}}},
	}
}

func (w *world) signIn(sub string) *visitor { return w.begin(recordOf(sub), nil) }

func (w *world) begin(rec *Record, old *Session) *visitor {
	w.t.Helper()
	s, value, err := w.Begin(context.Background(), rec, old)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w: w, cookie: value, session: s}
}

// at lets the visitor come to another instance.
func (v *visitor) at(w *world) *visitor { return &visitor{w: w, cookie: v.cookie} }

func (v *visitor) header() http.Header {
	return http.Header{"Cookie": {"gatehouse=" + v.cookie}}
}

// request is what the proxy does for a request; look is the same without
// activity.
func (v *visitor) request() (*Record, error) { return v.ask(true) }
func (v *visitor) look() (*Record, error)    { return v.ask(false) }

func (v *visitor) ask(active bool) (*Record, error) {
	v.w.t.Helper()
	found, err := v.w.Find(context.Background(), v.header())
	if err != nil {
		return nil, err
	}
	if found.Session == nil {
		if found.Cause != "" {
			return nil, &EndedError{found.Cause}
		}
		return nil, ErrNoSession
	}
	now := time.Now()
	rec, err := v.w.Current(context.Background(), found.Session, now)
	if err != nil {
		return nil, err
	}
	if active {
		v.w.Touch(found.Session, now)
	}
	if value, life := v.w.Renewal(found); value != "" && life > 0 {
		v.cookie = value
		v.sent++
	}
	return rec, nil
}

func (v *visitor) passes(t *testing.T, when string) {
	t.Helper()
	if _, err := v.request(); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

func (v *visitor) refused(t *testing.T, when string, want Cause) {
	t.Helper()
	_, err := v.request()
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Cause != want {
		t.Errorf("%s: got %v, want the end by %s", when, err, want)
	}
}

// open opens a stream under the visitor's session.
func (v *visitor) open() {
	v.w.seen.set(v.session.ID, true)
	v.w.Opened(v.session)
}

func (v *visitor) close() {
	v.w.seen.set(v.session.ID, false)
	v.w.Closed(v.session)
}

// A provider answers refreshes as it is told.
type provider struct {
	mu       sync.Mutex
	calls    []call
	flying   map[Token]int
	overlap  int
	revoked  []Token
	answer   func(rec *Record, n int) (*Record, error) // nil: good ones
	took     time.Duration                             // how long it thinks
	life     time.Duration
	rotating bool
}

type call struct {
	token Token
	at    time.Time
	id    string
}

func newProvider() *provider {
	return &provider{flying: map[Token]int{}, life: tokenLife, took: 100 * time.Millisecond}
}

func (p *provider) Refresh(ctx context.Context, rec *Record) (*Record, error) {
	p.mu.Lock()
	p.calls = append(p.calls, call{rec.Refresh, time.Now(), rec.ID})
	n, answer, took := len(p.calls), p.answer, p.took
	p.flying[rec.Refresh]++
	p.overlap = max(p.overlap, p.flying[rec.Refresh])
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.flying[rec.Refresh]--
		p.mu.Unlock()
	}()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return nil, &UnreachableError{Err: ctx.Err()}
	}
	if answer != nil {
		return answer(rec, n)
	}
	return p.good(rec, n), nil
}

func (p *provider) good(rec *Record, n int) *Record {
	next := *rec
	next.Version++
	next.RefreshedAt = time.Now()
	next.FreshUntil = next.RefreshedAt.Add(p.life)
	if p.rotating {
		next.Refresh = Token(fmt.Sprintf("r-%s-%d", rec.Identity.Subject, n))
	}
	return &next
}

func (p *provider) Revoke(_ context.Context, token Token) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, token)
	return nil
}

func (p *provider) will(answer func(rec *Record, n int) (*Record, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *provider) away(retry time.Duration) {
	p.will(func(*Record, int) (*Record, error) {
		return nil, &UnreachableError{RetryAfter: retry, Err: errors.New("503")}
	})
}

func (p *provider) asked() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func (p *provider) tokens() string {
	var all []string
	for _, c := range p.asked() {
		all = append(all, string(c.token))
	}
	return strings.Join(all, " ")
}

// An observer remembers what it was told, and knows which sessions stream.
type observer struct {
	mu      sync.Mutex
	events  []string
	streams map[string]bool
}

func (o *observer) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf(format, args...))
}

func (o *observer) set(id string, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if open {
		o.streams[id] = true
	} else {
		delete(o.streams, id)
	}
}

func (o *observer) SessionEnded(s *Session, cause Cause) {
	o.note("ended %s: %s", s.Record().Identity.Subject, cause)
	o.set(s.ID, false)
}
func (o *observer) SessionChanged(s *Session) { o.note("changed %s", s.Record().Identity.Subject) }
func (o *observer) SessionStale(s *Session) {
	o.note("stale %s", s.Record().Identity.Subject)
	o.set(s.ID, false)
}
func (o *observer) SessionMoved(from, to *Session) {
	o.mu.Lock()
	if o.streams[from.ID] {
		delete(o.streams, from.ID)
		o.streams[to.ID] = true
	}
	o.mu.Unlock()
	o.note("moved %s", to.Record().Identity.Subject)
}
func (o *observer) Refreshed(s *Session, outcome Outcome) {
	o.note("refreshed %s: %s", s.Record().Identity.Subject, outcome)
}
func (o *observer) Streaming(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.streams[id]
}

func (o *observer) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.events, ", ")
}

// wait lets time pass until everybody waits again.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
