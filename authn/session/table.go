package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"gatehouse/authz"
)

// Settings are what an operator may change without a restart.
type Settings struct {
	MaxAge      time.Duration // from sign-in; never extended
	IdleTimeout time.Duration // 0: none
	// NeedsCover reports whether records trimmed for the policy needs of the
	// given digest still hold all that the present policy looks at. Nil: yes.
	NeedsCover func(digest string) bool
	// Tighten returns the least of an identity that decisions need, for a
	// session that is too large otherwise, and the digest to judge that by. It
	// may be nil.
	Tighten func(*authz.Identity) (*authz.Identity, string)
}

// An Observer learns what happens to sessions, so that open streams can follow.
// Its methods must not block. They are called without locks held.
type Observer interface {
	// SessionEnded is called once a session, unless another one replaced it and
	// takes its streams.
	SessionEnded(s *Session, cause Cause)
	// SessionChanged is called when the identity was confirmed or changed, here
	// or by another instance.
	SessionChanged(s *Session)
	// SessionStale is called when the provider has been away for longer than
	// the grace: the session stays, and its streams close.
	SessionStale(s *Session)
	// SessionMoved is called when the same person signed in again: what was
	// open under from goes on under to.
	SessionMoved(from, to *Session)
	// Refreshed is called with the outcome of each refresh of this instance.
	Refreshed(s *Session, outcome Outcome)
	// Streaming reports whether the session has a stream open.
	Streaming(id string) bool
}

// An Outcome is what came of a refresh. Its text is used in logs and metrics.
type Outcome string

const (
	// Confirmed: the provider answered with the identity.
	Confirmed Outcome = "ok"
	// Unreachable: no answer, 429 or 5xx; the session goes on for the grace.
	Unreachable Outcome = "unreachable"
	// Refused: invalid_grant, or tokens of somebody else; the session is over.
	Refused Outcome = "ended"
)

// A Table holds the sessions that this instance has seen. A session once seen
// costs one map lookup on its next request: no cryptography and no decoding.
//
// Table says whether a session is still good; whether a cookie is authentic is
// the Store's part, and what the session may do is the policy's.
type Table struct {
	Cookie Cookie

	store    Store
	shared   *RedisStore // the store, where several instances share it; else nil
	refresh  Refresher
	observer Observer
	log      *slog.Logger
	settings atomic.Pointer[Settings]
	longest  atomic.Int64 // the longest max_age that there was, in nanoseconds
	pace     *pacer
	changed  atomic.Bool // what the state file holds is not the newest
	distrust time.Time   // sessions not confirmed since must be before they count

	cookies *lru.Cache[string, cookieRef]

	mu      sync.Mutex
	live    map[mark]*Session   // by the mark of its ID
	kin     map[mark][]*Session // the same by subject, and by the provider's session ID
	revoked revocations
	untold  revocations // those that the shared store has not taken yet
}

// Options are the parts that a Table is made of.
type Options struct {
	Cookie    Cookie
	Store     Store
	Refresher Refresher // nil: sessions are never refreshed
	Observer  Observer  // nil: nobody listens
	Log       *slog.Logger
	Settings  Settings
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	t := &Table{
		Cookie: o.Cookie, store: o.Store, refresh: o.Refresher, observer: o.Observer, log: o.Log,
		pace: newPacer(), live: make(map[mark]*Session), kin: make(map[mark][]*Session), revoked: revocations{}, untold: revocations{},
	}
	t.shared, _ = o.Store.(*RedisStore)
	if t.observer == nil {
		t.observer = noObserver{}
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.Configure(o.Settings)
	t.cookies, _ = lru.NewWithEvict(cachedCookies, t.uncached) // fails only for a size of 0
	return t
}

// Observe sets the observer; call it before the first request.
func (t *Table) Observe(o Observer) { t.observer = o }

// Configure takes up settings that changed, for open streams too.
func (t *Table) Configure(s Settings) {
	raise(&t.longest, int64(s.MaxAge))
	t.settings.Store(&s)
	for _, s := range t.sessions() {
		t.schedule(s)
	}
}

// Found is what a request's cookies stand for.
type Found struct {
	Session  *Session
	Conflict bool  // two different valid sessions: neither counts
	Cause    Cause // why a session that was found does not count any more
	Carried  bool  // a cookie of ours was there, good or not

	shown int64 // the newest version that a cookie presented
}

// Find returns the session that the request's cookies stand for. It returns
// ErrUnavailable where the store was needed and could not be asked, which is
// never the same as having no session.
func (t *Table) Find(ctx context.Context, h http.Header) (Found, error) {
	var space [2]string
	var f Found
	for _, value := range t.Cookie.values(h, space[:0]) {
		f.Carried = true
		ref, err := t.open(ctx, value)
		switch {
		case errors.Is(err, ErrNoSession):
			continue
		case err != nil:
			return Found{Carried: true}, err
		}
		if cause := ref.session.Ended(); cause != "" {
			// It is not valid any more, so it is no conflict either: a late
			// answer may have set the old cookie again beside the new one.
			f.Cause = cause
			continue
		}
		if f.Session != nil && f.Session != ref.session {
			return Found{Conflict: true, Carried: true}, nil
		}
		f.Session = ref.session
		f.shown = max(f.shown, ref.version)
	}
	if f.Session != nil {
		f.Cause = ""
	}
	return f, nil
}

// open returns the session of one cookie value.
func (t *Table) open(ctx context.Context, value string) (cookieRef, error) {
	if ref, ok := t.cookies.Get(value); ok {
		raise(&ref.session.shown, ref.version)
		if t.shared == nil {
			return ref, nil
		}
		return ref, t.vouch(ctx, ref.session)
	}
	epoch := t.epoch()
	rec, err := t.store.Open(ctx, value)
	if err != nil {
		return t.openUnread(ctx, value, err)
	}
	s := t.acquire(rec)
	if t.shared != nil {
		raise(&s.vouched, epoch)
		s.seen.Store(time.Now().UnixMilli())
	}
	t.adopt(s, rec, value)
	raise(&s.shown, rec.Version)
	ref := cookieRef{session: s, version: rec.Version}
	t.remember(value, ref)
	if t.shared != nil {
		// Until the list of revocations was read, those by subject and by the
		// provider's session ID have to be asked for.
		if _, proven := t.shared.proven(time.Now()); !proven {
			return ref, t.reread(ctx, s)
		}
	}
	return ref, nil
}

// Begin makes a session of a fresh sign-in and returns it with the cookie value
// to set. A live session of the same person in the same browser hands over its
// streams, and its ID is refused from then on; somebody else's is the caller's
// to sign out first. It fails with ErrTooLarge or ErrUnavailable.
func (t *Table) Begin(ctx context.Context, rec *Record, old *Session) (*Session, string, error) {
	first := *rec
	first.key = newTicketKey()
	rec, value, err := t.save(ctx, &first)
	if err != nil {
		return nil, "", err
	}
	epoch := t.epoch()
	s := t.acquire(rec)
	raise(&s.active, rec.SignedInAt.UnixMilli())
	raise(&s.noted, rec.SignedInAt.UnixMilli())
	s.mu.Lock()
	s.value = value
	s.mu.Unlock()
	raise(&s.vouched, epoch)
	s.seen.Store(time.Now().UnixMilli())
	t.remember(value, cookieRef{session: s, version: rec.Version})
	t.changed.Store(true)
	if old != nil {
		t.handOver(old, s)
	}
	return s, value, nil
}

// save stores the record, or as much of it as fits, and returns what it stored
// with its cookie value.
func (t *Table) save(ctx context.Context, rec *Record) (*Record, string, error) {
	value, err := t.store.Save(ctx, rec, t.endOf(rec))
	if tighten := t.settings.Load().Tighten; errors.Is(err, ErrTooLarge) && tighten != nil {
		tight := *rec
		tight.Identity, tight.Needs = tighten(rec.Identity)
		rec = &tight
		value, err = t.store.Save(ctx, rec, t.endOf(rec))
	}
	return rec, value, err
}

// Renewal returns the cookie value to send along with the response to a request
// that came with an older one, and its remaining lifetime; "" where the
// browser's cookie will do. A ticket always does.
func (t *Table) Renewal(f Found) (value string, life time.Duration) {
	s := f.Session
	if t.shared != nil || s.Record().Version <= f.shown || s.Ended() != "" {
		return "", 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oversize {
		return "", 0
	}
	if s.value == "" { // the secrets changed since
		value, err := t.store.Save(context.Background(), s.Record(), t.EndOf(s))
		if err != nil {
			t.log.Error("a session's cookie could not be renewed", "error", err)
			return "", 0
		}
		s.value = value
	}
	return s.value, time.Until(t.EndOf(s))
}

// Rekeyed takes up session secrets that changed: a cookie that they do not open
// must not go on counting because it was opened before, nor must the streams that
// it let in. Call it after the sealers were replaced.
func (t *Table) Rekeyed() {
	streaming := make(map[*Session]map[string]int64) // versions by the cookies that came
	t.mu.Lock()
	for _, s := range t.live {
		s.mu.Lock()
		s.value = ""
		s.mu.Unlock()
		if s.open.Load() && len(s.values) > 0 {
			came := make(map[string]int64, len(s.values))
			for _, value := range s.values {
				ref, _ := t.cookies.Peek(value)
				came[value] = ref.version
			}
			streaming[s] = came
		}
	}
	t.mu.Unlock()
	t.cookies.Purge()
	for s, came := range streaming {
		good := false
		for value, version := range came {
			if t.opens(value) {
				good = true
				t.recall(s, value, version) // for the next change of secrets
			}
		}
		if !good {
			t.end(s, Revoked)
		}
	}
	t.changed.Store(true)
}

// opens reports whether the present secrets open a cookie value.
func (t *Table) opens(value string) bool {
	if t.shared != nil {
		_, ok := t.shared.ticketID(value)
		return ok
	}
	_, err := t.store.Open(context.Background(), value)
	return err == nil
}

// EndOf returns when max_age ends the session. A refresh never extends it.
func (t *Table) EndOf(s *Session) time.Time { return t.endOf(s.Record()) }

// endOf returns when max_age ends the session that rec belongs to.
func (t *Table) endOf(rec *Record) time.Time {
	return rec.SignedInAt.Add(t.settings.Load().MaxAge)
}

type noObserver struct{}

func (noObserver) SessionEnded(*Session, Cause) {}
func (noObserver) SessionChanged(*Session)      {}
func (noObserver) SessionStale(*Session)        {}
func (noObserver) SessionMoved(_, _ *Session)   {}
func (noObserver) Refreshed(*Session, Outcome)  {}
func (noObserver) Streaming(string) bool        { return false }
