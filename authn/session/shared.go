package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// goOn is how long after its last request a session is served while Redis
	// is away.
	goOn = time.Minute
	// askAgain is the wait before a stream's session is asked for again while
	// Redis is away.
	askAgain = time.Second
	// lockPoll is how often a refresh looks whether another instance's is done.
	lockPoll = 200 * time.Millisecond
	// lockRest is how long the lock of a refresh without an outcome is kept: the
	// provider may not have noticed yet that nobody waits for its answer, and would
	// see another instance send the same token beside it.
	lockRest = 2 * time.Second
	// writeBackPage is how many sessions are compared with Redis at once.
	writeBackPage = 500
)

// Run follows a shared store until ctx ends; with the cookie store there is
// nothing to follow.
func (t *Table) Run(ctx context.Context) {
	if t.shared != nil {
		t.shared.watch(ctx, t)
	}
}

func (t *Table) epoch() int64 {
	if t.shared == nil {
		return 0
	}
	epoch, _ := t.shared.proven(time.Now())
	return epoch
}

// vouch makes sure that a session in memory is still good: by the subscription,
// which would have told of its end, else by asking. While Redis is away, people
// who were just here go on.
func (t *Table) vouch(ctx context.Context, s *Session) error {
	if s.Ended() != "" {
		return nil
	}
	now := time.Now()
	epoch, proven := t.shared.proven(now)
	if proven && s.vouched.Load() == epoch && s.Record().Version >= s.known.Load() {
		s.seen.Store(now.UnixMilli())
		return nil
	}
	err := t.reread(ctx, s)
	if err == nil || now.UnixMilli()-s.seen.Load() <= goOn.Milliseconds() {
		s.seen.Store(now.UnixMilli())
		return nil
	}
	return err
}

// openUnread is for a cookie whose record could not be read: the session may be
// in memory all the same.
func (t *Table) openUnread(ctx context.Context, value string, err error) (cookieRef, error) {
	if t.shared == nil || !errors.Is(err, ErrUnavailable) {
		return cookieRef{}, err
	}
	id, _ := t.shared.ticketID(value)
	t.mu.Lock()
	s := t.live[idMark(id)]
	t.mu.Unlock()
	if s == nil {
		return cookieRef{}, err
	}
	return cookieRef{session: s, version: s.Record().Version}, t.vouch(ctx, s)
}

// reread asks Redis for the session, and takes up what it says. A record that is
// older there than here, or gone without a word of why, was lost in a failover
// or never arrived: it is written back. One that is newer and does not open was
// written by an instance that has a session secret more, in the middle of a
// rotation: what this instance holds, its refresh token above all, may have been
// used, and so counts as not confirmed.
func (t *Table) reread(ctx context.Context, s *Session) error {
	epoch, known := t.epoch(), s.known.Load()
	rec := s.Record()
	t.mu.Lock()
	m := s.marks
	t.mu.Unlock()
	found, err := t.shared.read(ctx, ticket{s.ID, rec.key}, m)
	if err != nil {
		return err
	}
	if found.refused != nil {
		t.heed(found.refused)
	}
	if s.Ended() != "" {
		return nil
	}
	if found.record != nil {
		t.adopt(s, found.record, "")
	}
	if found.record == nil || found.record.Version < s.Record().Version {
		err := t.writeBack(ctx, s)
		switch {
		case errors.Is(err, errOvertaken) && found.sealed:
			return fmt.Errorf("%w: the session's newest record does not open with the secrets of this instance", ErrUnavailable)
		case errors.Is(err, errOvertaken): // just now; the next reading takes it up
			t.catchUp(s, err)
		case err != nil:
			return err
		}
	}
	s.known.CompareAndSwap(known, s.Record().Version)
	raise(&s.vouched, epoch)
	return nil
}

// ask finds out whether the person was active on another instance, before the
// session ends for want of activity.
func (t *Table) ask(ctx context.Context, s *Session, now time.Time) error {
	if t.shared == nil || now.Before(t.ExpiresAt(s)) || !now.Before(t.EndOf(s)) || s.Ended() != "" {
		return nil
	}
	return t.reread(ctx, s)
}

// writeBack stores the newest record that this instance has. It fails with
// errOvertaken where Redis has a newer one.
func (t *Table) writeBack(ctx context.Context, s *Session) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	rec := s.Record()
	_, err := t.shared.Save(ctx, rec, t.endOf(rec))
	switch {
	case errors.Is(err, errRefused):
		t.end(s, Revoked)
		err = nil
	case err != nil && !errors.Is(err, errOvertaken):
		return err
	}
	s.unsaved.Store(false)
	return err
}

// behindOf notes that another instance has a newer record. Open streams need it
// at once, requests when they come.
func (t *Table) behindOf(m mark, version int64) {
	t.mu.Lock()
	s := t.live[m]
	t.mu.Unlock()
	if s == nil || s.Record().Version >= version {
		return
	}
	raise(&s.known, version)
	if s.open.Load() {
		go func() { _ = t.reread(context.Background(), s) }() // tend tries again
	}
}

// behind reports whether the session has streams open that may rest on an older
// record than the newest.
func (s *Session) behind() bool {
	return s.open.Load() && s.Ended() == "" && s.Record().Version < s.known.Load()
}

// returned squares what this instance knows with a Redis that has come back,
// perhaps as another one: revocations, records and locks that it does not have are
// written back.
func (t *Table) returned(ctx context.Context, revoked map[mark]revocation) {
	missing := make(map[mark]revocation)
	t.mu.Lock()
	for m, rv := range t.revoked {
		if rv.Cause != Expired && revoked[m].At < rv.At {
			missing[m] = rv
		}
	}
	clear(t.untold)
	t.mu.Unlock()
	t.shared.relock()
	if len(missing) > 0 {
		t.tell(missing)
	}
	all := t.sessions()
	for len(all) > 0 && ctx.Err() == nil {
		page := all[:min(len(all), writeBackPage)]
		all = all[len(page):]
		there, err := t.shared.versions(ctx, page)
		if err != nil {
			return // the subscription breaks too, and all this comes again
		}
		for i, s := range page {
			switch had := s.Record().Version; {
			case s.Ended() != "":
			case there[i] < had:
				t.catchUp(s, t.writeBack(ctx, s)) // tend tries again
			case there[i] > had && there[i] != unreadable: // news that were missed
				t.behindOf(idMark(s.ID), there[i])
			}
		}
	}
}

// tend writes what Redis did not take before, and reads what it did not tell: an
// open stream waits for no request to learn that its role is gone.
func (t *Table) tend(ctx context.Context) {
	t.mu.Lock()
	news := t.untold
	t.untold = revocations{}
	var unsaved, behind []*Session
	for _, s := range t.live {
		switch {
		case s.unsaved.Load() && s.Ended() == "":
			unsaved = append(unsaved, s)
		case s.behind():
			behind = append(behind, s)
		}
	}
	t.mu.Unlock()
	if len(news) > 0 {
		t.tell(news)
	}
	for _, s := range unsaved {
		err := t.writeBack(ctx, s)
		if err != nil && !errors.Is(err, errOvertaken) {
			return
		}
		t.catchUp(s, err)
		t.resettle(s)
	}
	for _, s := range behind {
		if s.behind() && t.reread(ctx, s) != nil && t.shared.away.Load() {
			return
		}
	}
}

// catchUp has the session asked for at its next use, where Redis has a newer
// record of it.
func (t *Table) catchUp(s *Session, err error) {
	if errors.Is(err, errOvertaken) {
		raise(&s.known, s.Record().Version+1)
	}
}

// overtaken reports whether another instance has stored a newer record, and
// takes it up.
func (t *Table) overtaken(ctx context.Context, s *Session) bool {
	had := s.Record().Version
	return t.reread(ctx, s) == nil && s.Record().Version > had
}

// refreshShared refreshes a session that other instances may be refreshing too:
// never two requests with one token. Redis says whose turn it is, so without
// Redis nothing is refreshed.
func (t *Table) refreshShared(s *Session, turn *turn) error {
	had := s.Record()
	if t.overtaken(context.Background(), s) && !t.wanting(s) {
		return nil
	}
	t.pace.wait(turn)
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	for {
		release, err := t.shared.lock(ctx, s.ID)
		if err == nil && release != nil {
			return t.refreshLocked(s, release)
		}
		if err == nil {
			err = t.reread(ctx, s)
		}
		switch {
		case s.Ended() != "":
			return &EndedError{s.Ended()}
		case err == nil && s.Record().Version > had.Version && !t.wanting(s):
			return nil
		case err == nil && ctx.Err() != nil:
			err = errors.New("another instance is asking the provider")
		}
		if err != nil {
			away := &UnreachableError{Err: err}
			t.notReached(s, away)
			return away
		}
		time.Sleep(lockPoll)
	}
}

// refreshLocked refreshes with the lock held. The record is read first: another
// instance may have been here a moment ago. The lock is kept where the new
// record could not be stored, since the one in Redis holds a token that was used, and
// rests for a moment where the provider did not answer.
func (t *Table) refreshLocked(s *Session, release func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	err := t.reread(ctx, s)
	if err == nil && !t.shared.whole() {
		err = errUnsettled
	}
	var away *UnreachableError
	switch {
	case s.Ended() != "":
		err = &EndedError{s.Ended()}
	case err != nil:
		away = &UnreachableError{Err: err}
		t.notReached(s, away)
		err = away
	case t.wanting(s):
		err = t.refreshOnce(ctx, s)
	}
	switch {
	case s.unsaved.Load():
	case errors.As(err, &away):
		time.AfterFunc(lockRest, release)
	default:
		release()
	}
	return err
}

// errUnsettled puts a refresh off: of a Redis that came back empty nobody knows
// yet whether another instance has a newer token (once a new one arrived the old
// one is never sent again).
var errUnsettled = errors.New("the session store has just come back, and may lack what another instance knows")

// wanting reports whether the session's newest record wants a refresh now.
func (t *Table) wanting(s *Session) bool {
	rec := s.Record()
	return t.lacking(rec) || !time.Now().Before(rec.dueAt())
}

// sealHeir seals the ticket of the session that replaces another one, so that
// instances which hold streams of the old one can hand them over: they have its
// key. It is no cookie, and nobody else can make one of it.
func (t *Table) sealHeir(from, to *Session) []byte {
	if t.shared == nil {
		return nil
	}
	k := ticket{to.ID, to.Record().key}
	sealed, err := t.shared.records().seal("heir of "+from.ID, from.Record().key, k.bytes())
	if err != nil {
		return nil
	}
	return sealed
}

// inherit ends a session that another instance has replaced, and hands its
// streams to its heir. It reports whether the heir's ticket could be read.
func (t *Table) inherit(from *Session, sealed []byte) bool {
	if t.shared == nil || from.Ended() != "" {
		return false
	}
	plain, err := t.shared.records().open("heir of "+from.ID, from.Record().key, sealed)
	if err != nil {
		return false
	}
	k, ok := parseTicket(plain)
	if !ok {
		return false
	}
	from.moving.Store(true) // before it ends: who finds it ended shall wait for the heir
	t.end(from, Replaced)
	go func() {
		found, err := t.shared.read(context.Background(), k, marks{id: idMark(k.id)})
		if err != nil || found.record == nil || found.refused != nil {
			from.moving.Store(false)
			t.observer.SessionEnded(from, Revoked) // nobody for its streams to go on under
			return
		}
		to := t.acquire(found.record)
		t.adopt(to, found.record, "")
		from.heir.Store(to)
		from.moving.Store(false) // before the move, which reaches whoever was told to wait
		t.move(from, to)
		t.mu.Lock()
		to.pins--
		t.settle(to)
		t.mu.Unlock()
	}()
	return true
}
