package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// graceAfterExpiry is how long a session serves after its tokens ended
	// while the provider cannot be reached.
	graceAfterExpiry = 5 * time.Minute
	// refreshTimeout is when a refresh is given up, and how long a request
	// waits for one.
	refreshTimeout = 10 * time.Second
	// retryMin and retryMax bound the wait after a refresh that got no answer.
	retryMin, retryMax = 2 * time.Second, 10 * time.Second
)

var (
	// ErrEnded is what a Refresher returns when the provider has ended the
	// session: invalid_grant, or tokens of somebody else.
	ErrEnded = errors.New("the provider ended the session")
	// ErrSignInAgain says that a session lacks what the present policy looks
	// at and has no refresh token to ask for it.
	ErrSignInAgain = errors.New("the policy needs more than the session holds")
)

// An UnreachableError says that the provider could not be asked, or refused to
// be asked now: 429, 5xx, or no answer. It says nothing about the session.
type UnreachableError struct {
	RetryAfter time.Duration // 0: not said
	Err        error
	// Rotated, if not "", is a refresh token that arrived although the
	// identity did not: the old one must never be sent again.
	Rotated Token
}

func (e *UnreachableError) Error() string { return "provider unreachable: " + e.Err.Error() }

func (e *UnreachableError) Unwrap() error { return e.Err }

// An EndedError says why a session is over.
type EndedError struct{ Cause Cause }

func (e *EndedError) Error() string { return "session ended: " + string(e.Cause) }

// A LackingError says that the session lacks something that the policy looks at by
// now, and why the provider could not be asked for it. What it holds is still good.
type LackingError struct{ Err error }

func (e *LackingError) Error() string {
	return "the session lacks what the policy looks at: " + e.Err.Error()
}
func (e *LackingError) Unwrap() error { return e.Err }

// A Refresher asks the provider for a session's identity anew. It is never
// called twice at a time for one session.
type Refresher interface {
	// Refresh returns the next version of rec, ErrEnded, or an
	// *UnreachableError.
	Refresh(ctx context.Context, rec *Record) (*Record, error)
	// Revoke tells the provider that a refresh token is not needed any more.
	Revoke(ctx context.Context, token Token) error
}

// refreshCall is one refresh in flight, however many wait for it.
type refreshCall struct {
	done chan struct{}
	turn *turn
	err  error // set before done is closed
}

// Current returns the newest record of a session that is still good. While the
// record is fresh it costs a few comparisons. In the last part of its tokens'
// life it starts a refresh and returns at once; after their end it waits for
// it.
//
// It returns a *EndedError when the session is over, and an *UnreachableError when
// the tokens have ended, the provider is away and the grace is over: the session
// itself stays. With a *LackingError it returns a record too. That names ErrSignInAgain
// where nobody can be asked.
func (t *Table) Current(ctx context.Context, s *Session, now time.Time) (*Record, error) {
	if err := t.ask(ctx, s, now); err != nil {
		return nil, err
	}
	if cause := t.lapse(s, now); cause != "" {
		return nil, &EndedError{cause}
	}
	rec := s.Record()
	lacking := t.lacking(rec)
	if rec.Refresh == "" || t.refresh == nil {
		switch {
		case t.distrusted(rec):
			return nil, ErrSignInAgain
		case lacking:
			return rec, &LackingError{ErrSignInAgain}
		}
		return rec, nil
	}
	if !lacking && now.Before(rec.dueAt()) {
		return rec, nil
	}
	return t.renew(ctx, s, rec, now, lacking)
}

// Lacking reports whether the session does not hold what the present policy looks
// at, and can be asked for it: Current does that.
func (t *Table) Lacking(s *Session) bool {
	rec := s.Record()
	return rec.Refresh != "" && t.refresh != nil && t.lacking(rec)
}

// lacking reports whether the record does not hold what the present policy looks
// at, or has to be confirmed before it counts.
func (t *Table) lacking(rec *Record) bool {
	if t.distrusted(rec) {
		return true
	}
	cover := t.settings.Load().NeedsCover
	return rec.Needs != "" && cover != nil && !cover(rec.Needs)
}

// distrusted reports whether the record is older than what this instance knows of
// revocations.
func (t *Table) distrusted(rec *Record) bool { return rec.RefreshedAt.Before(t.distrust) }

// dueAt is when the tokens are to be refreshed: in the last fifth of their
// life, at most 60 s before its end.
func (r *Record) dueAt() time.Time {
	ahead := min(r.FreshUntil.Sub(r.RefreshedAt)/5, time.Minute)
	return r.FreshUntil.Add(-ahead)
}

// renew starts or joins the session's refresh. Whoever still has fresh tokens
// does not wait.
func (t *Table) renew(ctx context.Context, s *Session, rec *Record, now time.Time, lacking bool) (*Record, error) {
	stale := lacking || !now.Before(rec.FreshUntil)
	call, retryIn := t.startRefresh(s, now, stale)
	if !stale {
		return rec, nil
	}
	grace := rec.FreshUntil.Add(graceAfterExpiry)
	patience := refreshTimeout
	if now.Before(grace) && !t.distrusted(rec) {
		patience = graceWait
	}
	var err error = &UnreachableError{RetryAfter: retryIn, Err: errors.New("waiting to try again")}
	if call != nil {
		err = t.await(ctx, call, patience)
	}
	switch {
	case err == nil:
		return s.Record(), nil
	case s.Ended() != "":
		return nil, &EndedError{s.Ended()}
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.distrusted(rec) || !time.Now().Before(grace):
		return nil, err
	case lacking:
		return s.Record(), &LackingError{err}
	}
	return s.Record(), nil
}

// graceWait is how long a request waits for a refresh that it can do without.
const graceWait = 3 * time.Second

// await waits for a refresh, unless its turn would come too late.
func (t *Table) await(ctx context.Context, call *refreshCall, patience time.Duration) error {
	late := &UnreachableError{RetryAfter: refreshTimeout, Err: errors.New("the provider takes long, or many sessions wait for it")}
	if !t.pace.soon(call.turn, patience) {
		return late
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-call.done:
		return call.err
	case <-timer.C:
		return late
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startRefresh returns the refresh in flight, having started one if there was
// none. After a failure it starts none for a while, and says for how long.
func (t *Table) startRefresh(s *Session, now time.Time, waiting bool) (*refreshCall, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.call != nil {
		if waiting {
			t.pace.hurry(s.call.turn)
		}
		return s.call, 0
	}
	if wait := s.retryAt.Sub(now); wait > 0 {
		return nil, wait
	}
	over := func() bool { return s.Ended() != "" }
	call := &refreshCall{done: make(chan struct{}), turn: newTurn(waiting, over)}
	s.call = call
	go t.runRefresh(s, call)
	return call, 0
}

// runRefresh waits for its turn, asks the provider and publishes the outcome.
func (t *Table) runRefresh(s *Session, call *refreshCall) {
	err := t.takeTurn(s, call.turn)
	s.mu.Lock()
	call.err = err
	s.call = nil
	s.mu.Unlock()
	close(call.done)
	t.schedule(s)
	t.resettle(s)
}

func (t *Table) takeTurn(s *Session, turn *turn) error {
	if t.shared != nil {
		return t.refreshShared(s, turn)
	}
	t.pace.wait(turn)
	if cause := s.Ended(); cause != "" {
		return &EndedError{cause}
	}
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	return t.refreshOnce(ctx, s)
}

// refreshOnce asks the provider. Nobody else is asking it with this token.
func (t *Table) refreshOnce(ctx context.Context, s *Session) error {
	fresh, err := t.refresh.Refresh(ctx, s.Record())
	var away *UnreachableError
	switch {
	case err == nil:
		return t.publish(s, fresh)
	case errors.As(err, &away):
		t.notReached(s, away)
		return err
	case !errors.Is(err, ErrEnded): // nobody is signed out for what it does not say
		t.notReached(s, &UnreachableError{Err: err})
		return &UnreachableError{Err: err}
	case t.shared != nil && t.overtaken(ctx, s):
		return nil
	}
	t.log.Info("the provider ended a session", "error", err.Error())
	t.observer.Refreshed(s, Refused)
	t.End(s, Revoked)
	return &EndedError{s.Ended()}
}

// publish makes fresh the session's newest record.
func (t *Table) publish(s *Session, fresh *Record) error {
	s.saving.Lock()
	err := t.publishNext(context.Background(), s, fresh)
	s.saving.Unlock()
	if err != nil {
		t.giveUp(s, fresh.Refresh)
		return err
	}
	s.mu.Lock()
	s.retryAt = time.Time{}
	s.mu.Unlock()
	t.observer.Refreshed(s, Confirmed)
	t.published(s)
	if cause := s.Ended(); cause != "" {
		return &EndedError{cause}
	}
	return nil
}

// publishNext stores next and makes it the session's newest record. The caller
// holds s.saving, so that versions come in order. The record is published even
// where the store fails: its refresh token may be the only one that still
// works. It fails, with an *EndedError, only where the session has ended.
func (t *Table) publishNext(ctx context.Context, s *Session, next *Record) error {
	for {
		had := s.Record()
		rec := *next
		rec.key = had.key
		rec.ActiveAt = time.UnixMilli(s.active.Load())
		rec.Version = max(had.Version+1, time.Now().UnixMilli())
		saved, value, err := t.save(ctx, &rec)
		if errors.Is(err, errRefused) { // another instance ended it
			t.end(s, Revoked)
		}
		s.mu.Lock()
		switch {
		case s.Ended() != "":
			s.mu.Unlock()
			return &EndedError{s.Ended()}
		case s.Record().Version >= rec.Version: // a newer cookie came in
			s.mu.Unlock()
			continue
		}
		s.record.Store(saved)
		s.value, s.oversize = value, errors.Is(err, ErrTooLarge)
		s.unsaved.Store(err != nil && t.shared != nil)
		s.mu.Unlock()
		raise(&s.noted, rec.ActiveAt.UnixMilli())
		t.changed.Store(true)
		if err != nil {
			t.log.Error("a session could not be stored; it lives on in memory", "error", err)
		} else if t.shared == nil {
			t.recall(s, value, saved.Version)
		}
		return nil
	}
}

// recall caches the cookie value of a new record, so that the request that
// brings it costs no cryptography.
func (t *Table) recall(s *Session, value string, version int64) {
	t.mu.Lock()
	s.pins++
	t.mu.Unlock()
	t.remember(value, cookieRef{session: s, version: version})
}

// giveUp revokes a refresh token that came too late for its session: nobody else
// knows it. That of a session that another sign-in replaced is left alone: the
// provider may end both with it.
func (t *Table) giveUp(s *Session, token Token) {
	if token == "" || s.Ended() == Replaced {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	if err := t.refresh.Revoke(ctx, token); err != nil {
		t.log.Warn("a refresh token that came after its session's end was not revoked", "error", err.Error())
	}
}

// notReached notes a refresh without an outcome, and when to try again.
func (t *Table) notReached(s *Session, e *UnreachableError) {
	t.observer.Refreshed(s, Unreachable)
	if e.Rotated != "" {
		s.saving.Lock()
		kept := *s.Record()
		kept.Refresh = e.Rotated
		err := t.publishNext(context.Background(), s, &kept)
		s.saving.Unlock()
		if err != nil {
			t.giveUp(s, e.Rotated)
		}
	}
	wait := retryMin + rand.N(retryMax-retryMin)
	if e.RetryAfter > 0 {
		wait = e.RetryAfter + rand.N(retryMin)
		t.pace.pause(e.RetryAfter)
	}
	s.mu.Lock()
	s.retryAt = time.Now().Add(wait)
	s.mu.Unlock()
}
