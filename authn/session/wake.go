package session

import (
	"context"
	"time"
)

// staleAgain is how soon the streams of a session whose grace is over are closed
// once more, where some are left.
const staleAgain = 500 * time.Millisecond

// Opened notes that the session has a stream open: from now on its tokens are
// refreshed, and its end is noticed, without a request.
func (t *Table) Opened(s *Session) {
	for heir := s.Heir(); heir != nil; heir = s.Heir() {
		s = heir // it was replaced while the stream began
	}
	s.open.Store(true)
	t.schedule(s)
}

// Closed notes that a stream of the session has closed.
func (t *Table) Closed(s *Session) {
	for heir := s.Heir(); heir != nil; heir = s.Heir() {
		s = heir
	}
	if t.idleStreams(s) {
		t.resettle(s)
	}
}

// idleStreams reports whether the session has no stream open, and then stops its
// timer. The registry is asked anew rather than counted along: streams move
// between sessions, and a count that is wrong once stays wrong.
func (t *Table) idleStreams(s *Session) bool {
	if t.observer.Streaming(s.ID) {
		return false
	}
	s.open.Store(false)
	if t.observer.Streaming(s.ID) { // opened in between
		s.open.Store(true)
		return false
	}
	s.mu.Lock()
	if s.wake != nil {
		s.wake.Stop()
	}
	s.mu.Unlock()
	return true
}

// schedule arms the timer of a session that has streams open for what happens
// to it next: a refresh that is due, or its end.
func (t *Table) schedule(s *Session) { t.scheduleAfter(s, 10*time.Millisecond) }

// scheduleAfter is schedule, but not before least has passed.
func (t *Table) scheduleAfter(s *Session, least time.Duration) {
	if !s.open.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ended() != "" {
		return
	}
	now := time.Now()
	at := t.ExpiresAt(s)
	if rec := s.Record(); rec.Refresh != "" && t.refresh != nil {
		// The grace may have ended since its timer was set, or before the stream
		// was one: whoever waited for the next refresh would close it too late.
		stale := rec.FreshUntil.Add(graceAfterExpiry)
		if !stale.After(now) {
			stale = now.Add(staleAgain)
		}
		at = earlier(at, stale)
		if s.call == nil { // else runRefresh schedules again
			at = earlier(at, later(rec.dueAt(), s.retryAt))
		}
	}
	wait := max(at.Sub(now), least)
	if s.wake != nil {
		s.wake.Reset(wait)
		return
	}
	s.wake = time.AfterFunc(wait, func() { t.awake(s) })
}

// awake does what schedule armed the timer for.
func (t *Table) awake(s *Session) {
	if t.idleStreams(s) {
		t.resettle(s)
		return
	}
	now := time.Now()
	if t.ask(context.Background(), s, now) != nil {
		t.scheduleAfter(s, askAgain) // nobody ends while the store cannot say
		return
	}
	if t.lapse(s, now) != "" {
		return
	}
	rec := s.Record()
	if rec.Refresh != "" && t.refresh != nil && !now.Before(rec.dueAt()) {
		if !now.Before(rec.FreshUntil.Add(graceAfterExpiry)) {
			t.observer.SessionStale(s)
		}
		t.startRefresh(s, now, false)
	}
	t.schedule(s)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
