package main

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// closing is how long an open stream may outlive its right.
	closing = 2 * time.Second
	// reaction is how long after Gatehouse could know of a change a request may
	// still be answered by what was before it.
	reaction = time.Second
	// rounding is how far two reckonings of a token's end may lie apart.
	rounding = 250 * time.Millisecond
	// everywhere stands for no instance in particular.
	everywhere = -1
)

// Roles, and what a route asks for, as bits.
type roles uint8

const (
	roleA roles = 1 << iota
	roleB
)

func (r roles) names() []string {
	names := []string{}
	if r&roleA != 0 {
		names = append(names, "a")
	}
	if r&roleB != 0 {
		names = append(names, "b")
	}
	return names
}

// swap is the route whose rule each reload changes.
const swap = "/swap"

// A place is a route: any of the roles will do, none are asked for with 0.
type place struct {
	path  string
	needs roles
}

// places are all routes. Nothing writes it.
var places = []place{{"/any", 0}, {"/a", roleA}, {"/b", roleB}, {"/either", roleA | roleB}, {swap, 0}}

// An outcome is a set of answers.
type outcome uint8

const (
	passes  outcome = 1 << iota // 200, 101
	denied                      // 403
	nobody                      // 401
	waiting                     // 503
)

// A standing is what a session is owed from some moment on, until the next one.
type standing struct {
	from  time.Time // from when Gatehouse may know
	told  time.Time // from when it does: at one instance, or everywhere
	at    int       // that instance, or everywhere
	alive bool
	roles roles
	ends  time.Time // of the tokens, while alive
	why   string
}

// A history is a session's standings, in order. The oracle guards it.
type history []standing

// A rule is what swap asks for from some moment on.
type rule struct {
	from  time.Time
	told  []time.Time // by instance; zero: not taken up yet
	needs roles
}

// A span is an outage; to is zero while it lasts.
type span struct{ from, to time.Time }

// An oracle knows who has a right to what, and when.
type oracle struct {
	mu     sync.RWMutex
	grace  time.Duration // after a token's end, while nobody can confirm it
	settle time.Duration // from Redis's return until all instances know all
	rules  []rule
	redis  []span
}

var never = time.Unix(math.MaxInt32, 0)

// begin notes an outage of Redis, which lasts until what it returns is called.
func (o *oracle) begin(now time.Time) (end func(time.Time)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := len(o.redis)
	o.redis = append(o.redis, span{from: now})
	return func(now time.Time) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.redis[i].to = now
	}
}

// hiccup notes a time in which Redis, or who asks it, came to nothing for want of
// a processor: Gatehouse takes it for away when a ping has no answer for 0.7 s.
func (o *oracle) hiccup(s span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.redis = append(o.redis, s)
}

// troubled reports whether Redis was away, or had just come back, at some time
// between. The lock is held.
func (o *oracle) troubled(t0, t1 time.Time) bool {
	for _, s := range o.redis {
		if s.from.Before(t1) && (s.to.IsZero() || t0.Before(s.to.Add(o.settle))) {
			return true
		}
	}
	return false
}

// away reports whether Redis was away at some time between. The lock is held.
func (o *oracle) away(t0, t1 time.Time) bool {
	for _, s := range o.redis {
		if s.from.Before(t1) && (s.to.IsZero() || t0.Before(s.to)) {
			return true
		}
	}
	return false
}

// spread is when what was told at one instance is known at all: at once, or when
// Redis is back.
func (o *oracle) spread(told time.Time) time.Time {
	for moved := true; moved; {
		moved = false
		for _, s := range o.redis {
			switch back := s.to.Add(o.settle); {
			case told.Before(s.from.Add(-reaction)):
			case s.to.IsZero():
				return never
			case told.Before(back):
				told, moved = back, true
			}
		}
	}
	return told
}

// known is when the instance knows of the standing for certain.
func (o *oracle) known(s *standing, instance int) time.Time {
	if s.at == instance {
		return s.told
	}
	return o.spread(s.told)
}

// A question is what an instance is asked about a route between two times.
type question struct {
	path     string
	needs    roles
	instance int
	t0, t1   time.Time
	// slack is for how long what came before a change still counts after the
	// change is known.
	slack time.Duration
	// unread, if not zero, is when the instance last looked at the session: new
	// tokens are read at the next request, and Redis is away for this one.
	unread time.Time
}

// possible are the answers that may be given to the question. The lock is held.
func (o *oracle) possible(h history, q question) outcome {
	var all outcome
	for i := range h {
		s := &h[i]
		from, until := later(s.from, q.t0), q.t1
		for j := i + 1; j < len(h); j++ {
			next := &h[j]
			if next.alive && !q.unread.IsZero() && next.told.After(q.unread) {
				continue
			}
			until = earlier(until, o.known(next, q.instance).Add(q.slack))
		}
		if from.After(until) {
			continue
		}
		if !s.alive {
			all |= nobody
			continue
		}
		stale := s.ends.Add(o.grace)
		if until.After(stale.Add(-reaction)) {
			all |= waiting
		}
		if from.Before(stale.Add(max(q.slack, rounding))) {
			all |= o.decided(s.roles, q, until)
		}
	}
	return all
}

// decided is what the rules that may hold from the question on say of the roles. A
// request that waited for a refresh is decided by the policy that it began under.
func (o *oracle) decided(have roles, q question, until time.Time) outcome {
	if q.path != swap {
		return verdict(have, q.needs)
	}
	var all outcome
	for i := range o.rules {
		r := &o.rules[i]
		if r.from.After(until) {
			continue
		}
		if i+1 < len(o.rules) {
			if told := o.rules[i+1].told[q.instance]; !told.IsZero() && told.Add(q.slack).Before(q.t0) {
				continue
			}
		}
		all |= verdict(have, r.needs)
	}
	return all
}

func verdict(have, needs roles) outcome {
	if needs == 0 || have&needs != 0 {
		return passes
	}
	return denied
}

// A loss is a moment at which a right may have ended.
type loss struct {
	from, known time.Time
	why         string
}

// ended returns the last moment before the given time at which a right to the
// route ended, as the instance knew it for certain, and why. The lock is held.
func (o *oracle) ended(h history, path string, needs roles, instance int, before time.Time) (time.Time, string) {
	var all []loss
	for i := range h {
		s := &h[i]
		all = append(all, loss{s.from, o.known(s, instance), s.why})
		if s.alive {
			stale := s.ends.Add(o.grace)
			all = append(all, loss{stale, stale, "the provider being away for longer than the grace"})
		}
	}
	for i := range o.rules {
		if told := o.rules[i].told[instance]; path == swap && !told.IsZero() {
			all = append(all, loss{o.rules[i].from, told, "a reloaded policy"})
		}
	}
	slices.SortFunc(all, func(a, b loss) int { return a.known.Compare(b.known) })
	at, why, had := time.Time{}, "nothing that is known", false
	for _, one := range all {
		after := one.known.Add(rounding + time.Millisecond)
		has := o.possible(h, question{path: path, needs: needs, instance: instance, t0: after, t1: after})&passes != 0
		if had && !has && one.from.Before(before) {
			at, why = one.known, one.why
		}
		had = has
	}
	return at, why
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
