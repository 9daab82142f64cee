package session

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// End ends the session: its ID is refused until it would have ended by itself,
// and its streams close. With a shared store that holds for all instances.
func (t *Table) End(s *Session, cause Cause) { t.endWith(s, revocation{Cause: cause}) }

func (t *Table) endWith(s *Session, rv revocation) {
	rv.At = time.Now().UnixMilli()
	m := idMark(s.ID)
	t.mu.Lock()
	t.revoked.add(m, rv) // before it ends: a request that finds it gone must not revive it
	t.mu.Unlock()
	t.changed.Store(true)
	t.end(s, rv.Cause)
	t.tell(map[mark]revocation{m: rv})
}

// end ends the session on this instance.
func (t *Table) end(s *Session, cause Cause) {
	s.mu.Lock()
	if s.Ended() != "" {
		s.mu.Unlock()
		return
	}
	s.ended.Store(&cause)
	if s.wake != nil {
		s.wake.Stop()
	}
	s.mu.Unlock()
	if cause != Replaced {
		t.observer.SessionEnded(s, cause)
	}
	t.resettle(s)
}

// handOver puts to in the place of from.
func (t *Table) handOver(from, to *Session) {
	from.heir.Store(to)
	t.endWith(from, revocation{Cause: Replaced, heir: t.sealHeir(from, to)})
	t.move(from, to)
}

// move hands the streams of a session that ended over to its heir. Streams that
// open only now follow by Opened.
func (t *Table) move(from, to *Session) {
	t.observer.SessionMoved(from, to)
	if t.observer.Streaming(to.ID) {
		t.Opened(to)
	}
}

// EndCarried ends every session that the request's cookies stand for, valid
// together or not, and returns them. It works while the store is away too:
// the session's ID is in its ticket, and is refused here at once and elsewhere
// when the store is back.
func (t *Table) EndCarried(ctx context.Context, h http.Header, cause Cause) (ended []*Session) {
	for _, value := range t.Cookie.values(h, nil) {
		ref, err := t.open(ctx, value)
		switch {
		case errors.Is(err, ErrNoSession):
			continue
		case err != nil && ref.session == nil:
			if id, ok := t.shared.ticketID(value); ok {
				t.revoke(idMark(id), revocation{At: time.Now().UnixMilli(), Cause: cause})
			}
			continue
		}
		if ref.session.Ended() != "" {
			continue
		}
		t.End(ref.session, cause)
		ended = append(ended, ref.session)
	}
	return ended
}

// lapse ends the session if its time is over, and returns why it is over.
func (t *Table) lapse(s *Session, now time.Time) Cause {
	if cause := s.Ended(); cause != "" {
		return cause
	}
	if now.Before(t.ExpiresAt(s)) {
		return ""
	}
	if now.Before(t.EndOf(s)) {
		// Idle. Its cookie is good for longer, and must not revive it with the
		// coarser time of activity in it.
		t.mu.Lock()
		t.revoked.add(idMark(s.ID), revocation{At: now.UnixMilli(), Cause: Expired})
		t.mu.Unlock()
		t.changed.Store(true)
	}
	t.end(s, Expired)
	return s.Ended()
}
