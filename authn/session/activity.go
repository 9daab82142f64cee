package session

import (
	"context"
	"time"
)

// noteStep is how much of idle_timeout may pass before activity is noted where a
// restart, or another instance, finds it: a tenth, and at least a second. A note
// is a new cookie, or a write to Redis.
func noteStep(idle time.Duration) time.Duration { return max(idle/10, time.Second) }

// ExpiresAt returns when the session ends if nothing more happens: max_age, or
// idle_timeout after the last activity where that is sooner.
func (t *Table) ExpiresAt(s *Session) time.Time {
	end := t.EndOf(s)
	if idle := t.settings.Load().IdleTimeout; idle > 0 {
		if at := time.UnixMilli(s.active.Load()).Add(idle); at.Before(end) {
			return at
		}
	}
	return end
}

// Touch notes activity of the person: a request that begins, or bytes from a
// WebSocket's client. With idle_timeout it makes a new version of the session
// now and then, so that its cookie can tell when the person was last there.
func (t *Table) Touch(s *Session, now time.Time) {
	at := now.UnixMilli()
	raise(&s.active, at)
	idle := t.settings.Load().IdleTimeout
	if idle <= 0 {
		return
	}
	if noted := s.noted.Load(); at-noted >= noteStep(idle).Milliseconds() && s.noted.CompareAndSwap(noted, at) {
		t.note(s, now)
	}
}

func (t *Table) note(s *Session, now time.Time) {
	if t.shared != nil {
		go func() { // nobody waits for Redis here
			if err := t.shared.touch(context.Background(), s.Record(), now); err != nil {
				t.log.Debug("activity was not noted", "error", err)
			}
		}()
		return
	}
	if !s.saving.TryLock() {
		return // a refresh is about to write a version, with the activity in it
	}
	defer s.saving.Unlock()
	next := *s.Record()
	_ = t.publishNext(context.Background(), s, &next) // too large or ended: the old one stays
}

// heard takes up the activity that a record tells of. A record may lag behind
// the activity by a step; where that is all that is known, the person gets the
// benefit of it.
func (t *Table) heard(s *Session, rec *Record) {
	at := max(rec.ActiveAt.UnixMilli(), rec.SignedInAt.UnixMilli())
	if at <= s.active.Load() {
		return
	}
	raise(&s.noted, at)
	if idle := t.settings.Load().IdleTimeout; idle > 0 {
		at += noteStep(idle).Milliseconds()
	}
	raise(&s.active, at)
}
