package main

import (
	"slices"
	"time"
)

// What happened to sessions, told to the oracle.

// note adds a standing. The oracle's lock is held.
func (v *visitor) note(s standing) {
	v.history = append(v.history, s)
	old := time.Now().Add(-2 * time.Minute)
	for i := len(v.history) - 1; i > 0; i-- {
		if v.history[i].told.Before(old) { // nothing before it counts any more
			v.history = slices.Delete(v.history, 0, i)
			break
		}
	}
}

// signedIn takes up the session of a sign-in that ended well.
func (k *soak) signedIn(v *visitor, g *grant, now time.Time) {
	k.oracle.mu.Lock()
	defer k.oracle.mu.Unlock()
	s := g.begun
	s.told = now
	v.grant, v.begun = g, now
	v.note(s)
}

// refreshed takes up the tokens of a refresh.
func (k *soak) refreshed(g *grant, s standing) {
	k.figures.refreshes.Add(1)
	k.oracle.mu.Lock()
	defer k.oracle.mu.Unlock()
	v := g.v
	last := v.history[len(v.history)-1]
	if v.grant != g || !last.alive {
		return // of a session that was over by then
	}
	if early := last.ends.Add(-k.life/5 - reaction).Sub(s.from); early > 0 && !last.told.Equal(never) {
		k.violate("%s was refreshed at %s, %s before it was due", v, clock(s.from), early.Round(10*time.Millisecond))
	}
	v.note(s)
}

// ended takes up that the provider refused a refresh.
func (k *soak) ended(g *grant, revoked bool, s standing) {
	k.oracle.mu.Lock()
	defer k.oracle.mu.Unlock()
	v := g.v
	last := v.history[len(v.history)-1]
	if v.grant != g || !last.alive {
		return
	}
	k.figures.refused.Add(1)
	if !revoked {
		k.violate("%s: the provider refused a refresh at %s, and had not been told to", v, clock(s.from))
	}
	v.note(s)
}

// leaving notes that a session is about to end; what it returns is told when
// Gatehouse knows for certain.
func (k *soak) leaving(v *visitor, s standing) func(time.Time) standing {
	k.oracle.mu.Lock()
	defer k.oracle.mu.Unlock()
	s.told = never
	if !v.history[len(v.history)-1].alive {
		return func(now time.Time) standing { s.told = now; return s }
	}
	v.note(s)
	return func(now time.Time) standing {
		k.oracle.mu.Lock()
		defer k.oracle.mu.Unlock()
		for i := range v.history {
			if one := &v.history[i]; one.from.Equal(s.from) && one.why == s.why {
				one.told = now
			}
		}
		s.told = now
		return s
	}
}

// may reports whether the visitor is likely to be let in.
func (k *soak) may(v *visitor, p place) bool {
	k.oracle.mu.RLock()
	defer k.oracle.mu.RUnlock()
	needs := p.needs
	if p.path == swap {
		needs = k.oracle.rules[len(k.oracle.rules)-1].needs
	}
	last := v.history[len(v.history)-1]
	return last.alive && verdict(last.roles, needs) == passes
}
