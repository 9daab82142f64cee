package session

import (
	"slices"
	"time"
)

const (
	// cachedCookies bounds the opened cookies kept in memory: about 4 KB each,
	// record included.
	cachedCookies = 65536
	// keptValues is how many cookies of one session are among them: the
	// requests of a page that still carry an older one.
	keptValues = 4
)

// A cookieRef is what a cookie value was found to stand for.
type cookieRef struct {
	session *Session
	version int64
}

// acquire returns the live session that rec belongs to, new or known, and keeps
// it live until remember.
func (t *Table) acquire(rec *Record) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.live[idMark(rec.ID)]
	if s == nil {
		s = t.admit(rec)
	}
	s.pins++
	return s
}

// admit makes a session live. The caller holds t.mu.
func (t *Table) admit(rec *Record) *Session {
	s := &Session{ID: rec.ID, marks: marksOf(rec)}
	s.record.Store(rec)
	if cause := t.revoked.cause(s.marks, rec.SignedInAt); cause != "" {
		s.ended.Store(&cause)
	}
	t.enlist(s)
	return s
}

// enlist makes a session findable by its marks. The caller holds t.mu.
func (t *Table) enlist(s *Session) {
	t.live[s.marks.id] = s
	for _, m := range s.marks.wide() {
		t.kin[m] = append(t.kin[m], s)
	}
}

// strike undoes enlist. The caller holds t.mu.
func (t *Table) strike(s *Session) {
	delete(t.live, s.marks.id)
	for _, m := range s.marks.wide() {
		rest := slices.DeleteFunc(t.kin[m], func(other *Session) bool { return other == s })
		if t.kin[m] = rest; len(rest) == 0 {
			delete(t.kin, m)
		}
	}
}

// adopt takes up a record of the session that came from outside: a cookie, or
// the store. It counts if it is newer; then another instance, or this one before
// a restart, was ahead.
func (t *Table) adopt(s *Session, rec *Record, value string) {
	t.heard(s, rec)
	s.mu.Lock()
	if rec.Version <= s.Record().Version {
		s.mu.Unlock()
		return
	}
	s.record.Store(rec)
	s.value = value
	s.retryAt = time.Time{}
	s.unsaved.Store(false)
	s.mu.Unlock()
	t.published(s)
}

// published tells of a session's new record. The provider's session ID may be
// new in it, and refused already.
func (t *Table) published(s *Session) {
	rec := s.Record()
	t.mu.Lock()
	if is := marksOf(rec); is != s.marks {
		listed := t.live[s.marks.id] == s
		if listed {
			t.strike(s)
		}
		if s.marks = is; listed {
			t.enlist(s)
		}
	}
	cause := t.revoked.cause(s.marks, rec.SignedInAt)
	t.mu.Unlock()
	t.changed.Store(true)
	if cause != "" {
		t.end(s, cause)
		return
	}
	t.observer.SessionChanged(s)
	t.schedule(s)
}

// remember caches what a cookie value stands for, and releases what acquire
// kept. The invariant: while a value is in the cache, or somebody is about to
// put it there, its session is live; else an ID could come to mean two sessions,
// and a sign-out reach only one of them.
func (t *Table) remember(value string, ref cookieRef) {
	s := ref.session
	t.cookies.PeekOrAdd(value, ref) // may call uncached for another one
	var oldest string
	t.mu.Lock()
	s.pins--
	if t.cookies.Contains(value) && !slices.Contains(s.values, value) {
		s.values = append(s.values, value)
		if len(s.values) > keptValues {
			oldest = s.values[0]
		}
	}
	t.settle(s)
	t.mu.Unlock()
	if oldest != "" {
		t.cookies.Remove(oldest)
	}
}

// uncached is called for each cookie value that leaves the cache.
func (t *Table) uncached(value string, ref cookieRef) {
	s := ref.session
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cookies.Contains(value) { // and came back meanwhile
		return
	}
	s.values = slices.DeleteFunc(s.values, func(v string) bool { return v == value })
	t.settle(s)
}

// settle forgets a session that nothing here refers to any more, unless memory
// alone holds its newest record. The caller holds t.mu.
func (t *Table) settle(s *Session) {
	if s.pins > 0 || len(s.values) > 0 || s.open.Load() || t.live[s.marks.id] != s {
		return
	}
	if s.Ended() == "" {
		if t.shared == nil && s.lagging() || s.unsaved.Load() {
			return
		}
		s.mu.Lock()
		busy := s.call != nil
		s.mu.Unlock()
		if busy {
			return
		}
	}
	t.strike(s)
}

// resettle is settle for who does not hold t.mu.
func (t *Table) resettle(s *Session) {
	t.mu.Lock()
	t.settle(s)
	t.mu.Unlock()
}

// sessions returns the live sessions.
func (t *Table) sessions() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*Session, 0, len(t.live))
	for _, s := range t.live {
		all = append(all, s)
	}
	return all
}

// Sweep drops what has expired: call it about once a minute.
func (t *Table) Sweep(now time.Time) {
	for _, s := range t.sessions() {
		t.sweepOne(s, now)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := now.Add(-time.Duration(t.longest.Load()))
	t.revoked.sweep(before)
	t.untold.sweep(before)
}

func (t *Table) sweepOne(s *Session, now time.Time) {
	if now.Before(t.EndOf(s)) {
		if t.shared == nil { // else another instance may know of activity
			t.lapse(s, now)
		}
		return
	}
	t.end(s, Expired)
	t.mu.Lock()
	values := slices.Clone(s.values)
	if t.live[s.marks.id] == s {
		t.strike(s)
	}
	t.mu.Unlock()
	for _, value := range values {
		t.cookies.Remove(value)
	}
}
