package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Cause says why a session is not, or no longer, good. Its text is used in
// logs and metrics.
type Cause string

const (
	// SignedOut: the person signed out, here or at the provider.
	SignedOut Cause = "sign_out"
	// Expired: max_age or idle_timeout is over.
	Expired Cause = "expired"
	// Revoked: back-channel logout, or the provider answered invalid_grant.
	Revoked Cause = "revoked"
	// Replaced: the same person signed in again over it.
	Replaced Cause = "replaced"
)

// A Session is a session as this instance knows it: its newest record, and
// what happens to it while it lives. Locks are taken in the order saving,
// Table.mu, mu.
type Session struct {
	// ID is the session's ID. It never changes.
	ID string

	record atomic.Pointer[Record]
	ended  atomic.Pointer[Cause]
	heir   atomic.Pointer[Session]             // the session that replaced it
	moving atomic.Bool                         // it was replaced, and its heir is being asked for
	active atomic.Int64                        // Unix milliseconds of the last activity
	noted  atomic.Int64                        // likewise, as far as the store knows
	shown  atomic.Int64                        // highest version that a cookie has presented
	used   atomic.Pointer[map[string]struct{}] // names given to FirstUse
	open   atomic.Bool                         // has, or lately had, open streams

	// With a shared store.
	vouched atomic.Int64 // epoch of the subscription in which the store was asked
	known   atomic.Int64 // highest version that another instance told of
	seen    atomic.Int64 // Unix milliseconds of the last request that it was good for
	unsaved atomic.Bool  // the store does not have the newest record

	saving sync.Mutex // held from the choice of a version to its publication

	// Guarded by Table.mu.
	marks  marks
	values []string // cookie values in the cache, the oldest first
	pins   int      // callers between finding the session and caching its cookie

	mu       sync.Mutex
	value    string // cookie value of the newest record; "": not sealed yet
	oversize bool   // no cookie holds the newest record
	call     *refreshCall
	retryAt  time.Time // after a refresh that failed: not before
	wake     *time.Timer
}

// Record returns the newest version of the session.
func (s *Session) Record() *Record { return s.record.Load() }

// Ended returns why the session ended, or "" while it lives.
func (s *Session) Ended() Cause {
	if c := s.ended.Load(); c != nil {
		return *c
	}
	return ""
}

// Heir returns the session that a later sign-in of the same person put in this
// one's place, or nil.
func (s *Session) Heir() *Session { return s.heir.Load() }

// Moving reports whether the session was replaced at another instance and its
// heir is not known here yet. The streams that are registered while it says so
// are told of what comes: SessionMoved, or SessionEnded where nobody does.
func (s *Session) Moving() bool { return s.moving.Load() }

// lagging reports whether the newest record was never seen in a cookie, so
// that only this instance's memory holds it.
func (s *Session) lagging() bool { return s.Record().Version > s.shown.Load() }

// FirstUse reports whether the session uses something of this name for the
// first time on this instance.
func (s *Session) FirstUse(name string) bool {
	for {
		used := s.used.Load()
		if used != nil {
			if _, ok := (*used)[name]; ok {
				return false
			}
		}
		next := map[string]struct{}{name: {}}
		if used != nil {
			for k := range *used {
				next[k] = struct{}{}
			}
		}
		if s.used.CompareAndSwap(used, &next) {
			return true
		}
	}
}

// raise sets v to at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n; old = v.Load() {
		if v.CompareAndSwap(old, n) {
			return
		}
	}
}
