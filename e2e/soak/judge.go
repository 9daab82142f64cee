package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse/e2e/rig"
)

// afterthought is how long after its end a stream is judged: by then all that
// could have ended its right is known here too.
const afterthought = 4 * time.Second

// streams are those that are open, and those that ended and are not judged yet.
type streams struct {
	mu    sync.Mutex
	live  map[*stream]struct{}
	by    map[*visitor][]*stream
	ended []*stream
}

func (t *streams) add(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == nil {
		t.live, t.by = make(map[*stream]struct{}), make(map[*visitor][]*stream)
	}
	t.live[s] = struct{}{}
	t.by[s.v] = append(t.by[s.v], s)
}

func (t *streams) over(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, s)
	kept := t.by[s.v][:0]
	for _, one := range t.by[s.v] {
		if one != s {
			kept = append(kept, one)
		}
	}
	t.by[s.v] = kept
	t.ended = append(t.ended, s)
}

func (t *streams) open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live)
}

func (t *streams) of(v *visitor) []*stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*stream(nil), t.by[v]...)
}

func (t *streams) all() []*stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*stream, 0, len(t.live))
	for s := range t.live {
		all = append(all, s)
	}
	return all
}

// due takes the ended streams that can be judged.
func (t *streams) due(now time.Time) []*stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due, later []*stream
	for _, s := range t.ended {
		if now.Sub(s.ended) > afterthought {
			due = append(due, s)
		} else {
			later = append(later, s)
		}
	}
	t.ended = later
	return due
}

// judge looks at all streams four times a second.
func (k *soak) judge(ctx context.Context) {
	for n := 0; rig.Pause(ctx, 250*time.Millisecond); n++ {
		now, stall := time.Now(), k.stalls.recent()
		k.oracle.mu.RLock()
		for _, s := range k.streams.all() {
			k.outlived(s, now, stall)
		}
		for _, s := range k.streams.due(now) {
			k.lost(s, stall)
		}
		if n%4 == 0 {
			for _, v := range k.visitors {
				k.late(v, now, stall)
			}
		}
		k.oracle.mu.RUnlock()
	}
}

// asks is the question whether the stream may be open between two times.
func (s *stream) asks(t0, t1 time.Time, slack time.Duration) question {
	return question{path: s.place.path, needs: s.place.needs, instance: s.instance, t0: t0, t1: t1, slack: slack}
}

// outlived reports an open stream that nobody can have had a right to for longer
// than it may take to close. The oracle's lock is held.
func (k *soak) outlived(s *stream, now time.Time, stall time.Duration) {
	since := now.Add(-closing - stall)
	if s.told.Load() || s.opened.Add(s.kind.youth()).After(since) {
		return
	}
	could := k.oracle.possible(s.v.history, s.asks(since, now, 0))
	if could&passes != 0 {
		return
	}
	s.told.Store(true)
	at, why := k.oracle.ended(s.v.history, s.place.path, s.place.needs, s.instance, now)
	k.violate("%s is open %s after its right ended at %s by %s", s, now.Sub(at).Round(10*time.Millisecond), clock(at), why)
}

// lost judges a stream that ended. The oracle's lock is held.
func (k *soak) lost(s *stream, stall time.Duration) {
	if s.left.Load() {
		return
	}
	since := later(s.opened, s.ended.Add(-closing-stall-reaction))
	q := s.asks(since, s.ended.Add(rounding), reaction)
	if k.oracle.troubled(s.opened.Add(-reaction), s.opened) && k.oracle.away(since, s.ended) {
		q.unread = s.read // what another instance refreshed since then cannot be known here
	}
	could := k.oracle.possible(s.v.history, q)
	if could == passes {
		k.violate("%s ended at %s (%s), and nothing had taken the right to it", s, clock(s.ended), s.how)
		return
	}
	at, why := k.oracle.ended(s.v.history, s.place.path, s.place.needs, s.instance, s.ended)
	if s.how != s.kind.wanted() {
		k.violate("%s was cut at %s after %s: %s, want a %s", s, clock(s.ended), why, s.how, s.kind.wanted())
	}
	if !at.IsZero() && at.After(s.opened.Add(s.kind.youth())) {
		cause, _, _ := strings.Cut(why, " at instance")
		k.figures.cut(cause, max(0, s.ended.Sub(at)))
	}
}

// late reports a session with a stream whose tokens have ended although the
// provider could have been asked. The oracle's lock is held.
func (k *soak) late(v *visitor, now time.Time, stall time.Duration) {
	last := &v.history[len(v.history)-1]
	if !last.alive || now.Before(last.ends.Add(reaction+stall)) || v.lateAt.Equal(last.ends) {
		return
	}
	due := last.ends.Add(-k.life / 5)
	open := k.streams.of(v)
	if len(open) == 0 || open[0].opened.Add(open[0].kind.youth()).After(due.Add(-reaction)) || !k.weather.settled(due, now) {
		return
	}
	v.lateAt = last.ends
	k.violate("%s has streams open and was not refreshed in its tokens' life, which ended at %s", v, clock(last.ends))
}

// answered judges an answer. It reports whether the answer is in order.
func (v *visitor) answered(p place, instance int, t0 time.Time, res *http.Response) bool {
	t1, got := time.Now(), outcomeOf(res.StatusCode)
	k := v.k
	k.oracle.mu.RLock()
	q := question{path: p.path, needs: p.needs, instance: instance, t0: t0, t1: t1, slack: reaction + k.stalls.recent()}
	troubled := k.oracle.troubled(t0, t1)
	if troubled {
		q.unread = v.read[instance]
	}
	could := k.oracle.possible(v.history, q)
	last := v.history[len(v.history)-1]
	k.oracle.mu.RUnlock()
	k.figures.answer(got)
	fresh := t1.Sub(v.seen[instance]) < 45*time.Second
	if troubled && !fresh {
		could |= waiting
	}
	switch got {
	case passes, denied:
		v.seen[instance] = t1
		if !troubled {
			v.read[instance] = t1
		}
	case nobody:
		v.here = false
	case waiting:
		if res.Header.Get("Retry-After") == "" {
			k.violate("%s got a 503 without Retry-After for %s at instance %d", v, p.path, instance)
		}
	}
	if could&got != 0 {
		return true
	}
	k.violate("%s asked for %s at instance %d from %s to %s and got %s; possible were %s (roles %v, tokens until %s, by %s; Redis troubled: %v; session seen there: %s)",
		v, p.path, instance, clock(t0), clock(t1), res.Status, could, last.roles.names(), clock(last.ends), last.why, troubled, clock(v.seen[instance]))
	return false
}

// ghost judges the answer to the cookie of a session that is over. It returns
// what is wrong.
func (k *soak) ghost(g ghost, instance int, t0 time.Time, got outcome) string {
	k.oracle.mu.RLock()
	defer k.oracle.mu.RUnlock()
	known := k.oracle.known(&g.over, instance)
	switch {
	case got == nobody, got == waiting && k.oracle.troubled(t0, time.Now()):
	case got == passes && t0.Before(known.Add(reaction)):
	case got == waiting && t0.Before(known.Add(reaction)): // its tokens had ended
	default:
		return fmt.Sprintf("%s, and it had to be known there at %s", got, clock(known))
	}
	return ""
}

func outcomeOf(status int) outcome {
	switch status {
	case http.StatusOK, http.StatusSwitchingProtocols:
		return passes
	case http.StatusUnauthorized:
		return nobody
	case http.StatusForbidden:
		return denied
	case http.StatusServiceUnavailable:
		return waiting
	}
	return 0
}

func (o outcome) String() string {
	s := ""
	for i, name := range []string{"200", "403", "401", "503"} {
		if o&(1<<i) != 0 {
			s += " " + name
		}
	}
	if s == "" {
		return "none"
	}
	return s[1:]
}
