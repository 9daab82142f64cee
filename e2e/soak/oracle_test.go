package main

import (
	"testing"
	"time"
)

func TestTheOracleKnowsWhatMayBeAnswered(t *testing.T) {
	t0 := time.Unix(1_000_000, 0)
	at := func(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }
	// A session with role a, told everywhere at 0 s, whose tokens end at 30 s.
	begun := standing{from: at(0), told: at(0), at: everywhere, alive: true, roles: roleA, ends: at(30), why: "signing in"}
	lost := standing{from: at(10), told: at(10), at: everywhere, alive: true, ends: at(40), why: "a refresh"}
	out := standing{from: at(10), told: at(10.5), at: 0, why: "sign-out"}
	for _, tc := range []struct {
		name     string
		next     []standing
		redis    []span
		path     string
		needs    roles
		instance int
		from, to float64
		unread   time.Time
		want     outcome
	}{
		{"who has the role passes", nil, nil, "/a", roleA, 0, 5, 6, time.Time{}, passes},
		{"who has another role is denied", nil, nil, "/b", roleB, 0, 5, 6, time.Time{}, denied},
		{"one of two roles will do", nil, nil, "/either", roleA | roleB, 0, 5, 6, time.Time{}, passes},
		{"before the sign-in there is nobody", nil, nil, "/any", 0, 0, -3, -2, time.Time{}, nobody},
		{"around the sign-in either will do", nil, nil, "/any", 0, 0, -1, 1, time.Time{}, nobody | passes},
		{"within the grace a session serves", nil, nil, "/a", roleA, 0, 40, 45, time.Time{}, passes},
		{"at the end of the grace either will do", nil, nil, "/a", roleA, 0, 49.5, 51.5, time.Time{}, passes | waiting},
		{"after the grace a session waits", nil, nil, "/a", roleA, 0, 52, 53, time.Time{}, waiting},
		{"before a role is lost it counts", []standing{lost}, nil, "/a", roleA, 0, 8, 9, time.Time{}, passes},
		{"for a moment after it was lost either will do", []standing{lost}, nil, "/a", roleA, 0, 10.5, 10.6, time.Time{}, passes | denied},
		{"then it is lost", []standing{lost}, nil, "/a", roleA, 0, 11.5, 12, time.Time{}, denied},
		{"where a sign-out was said it holds at once", []standing{out}, nil, "/a", roleA, 0, 11.6, 12, time.Time{}, nobody},
		{"elsewhere too", []standing{out}, nil, "/a", roleA, 1, 11.6, 12, time.Time{}, nobody},
		{"elsewhere not while Redis is away", []standing{out}, []span{{from: at(9)}}, "/a", roleA, 1, 20, 21, time.Time{}, passes | nobody},
		{"where it was said even then", []standing{out}, []span{{from: at(9)}}, "/a", roleA, 0, 20, 21, time.Time{}, nobody},
		{"elsewhere when Redis is back", []standing{out}, []span{{at(9), at(15)}}, "/a", roleA, 1, 21.5, 22, time.Time{}, nobody},
		{"new tokens that could not be read do not count", []standing{lost}, []span{{from: at(12)}}, "/a", roleA, 1, 20, 21, at(5), passes | denied},
		{"a sign-out is no token to read", []standing{lost, {from: at(12), told: at(12), at: 0, why: "sign-out"}}, nil, "/a", roleA, 1, 20, 21, at(5), nobody},
		{"by the rule before the reload", nil, nil, swap, 0, 0, 3, 4, time.Time{}, passes},
		{"while it is taken up either will do", nil, nil, swap, 0, 0, 12.5, 12.6, time.Time{}, passes | denied},
		{"by the reloaded rule", nil, nil, swap, 0, 0, 15, 16, time.Time{}, denied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := oracle{grace: 20 * time.Second, settle: 5 * time.Second, redis: tc.redis, rules: []rule{
				{told: make([]time.Time, 2), needs: roleA},
				{from: at(12), told: []time.Time{at(13), at(13)}, needs: roleB},
			}}
			h := append(history{{at: everywhere}, begun}, tc.next...)
			if got := o.possible(h, question{path: tc.path, needs: tc.needs, instance: tc.instance, t0: at(tc.from), t1: at(tc.to), slack: reaction, unread: tc.unread}); got != tc.want {
				t.Errorf("possible are %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTheOracleNamesWhatEndedARight(t *testing.T) {
	t0 := time.Unix(1_000_000, 0)
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	alive := func(from int, have roles, why string) standing {
		return standing{from: at(from), told: at(from), at: everywhere, alive: true, roles: have, ends: at(from + 30), why: why}
	}
	for _, tc := range []struct {
		name string
		h    history
		path string
		at   int
		why  string
	}{
		{"a sign-out", history{alive(0, roleA, "in"), {from: at(20), told: at(20), at: 0, why: "sign-out"}}, "/a", 20, "sign-out"},
		{"the last loss of a role", history{alive(0, roleA, "in"), alive(10, 0, "a refresh"), alive(20, roleA, "a refresh"), alive(30, roleB, "another")}, "/a", 30, "another"},
		{"an outage that outlasts the grace", history{alive(0, roleA, "in")}, "/a", 50, "the provider being away for longer than the grace"},
		{"a reload", history{alive(0, roleA, "in"), alive(25, roleA, "a refresh")}, swap, 40, "a reloaded policy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := oracle{grace: 20 * time.Second, rules: []rule{{told: make([]time.Time, 1), needs: roleA}, {from: at(40), told: []time.Time{at(40)}, needs: roleB}}}
			got, why := o.ended(tc.h, tc.path, roleA, 0, at(51))
			if !got.Equal(at(tc.at)) || why != tc.why {
				t.Errorf("ended at %s by %s, want %s by %s", got.Sub(t0), why, at(tc.at).Sub(t0), tc.why)
			}
		})
	}
}

// The soak's Gatehouse is the product but for some constants: a build that finds
// them changed must say so, and so must this.
func TestTheConstantsToReplaceAreThere(t *testing.T) {
	if _, err := overlay("../.."); err != nil {
		t.Error(err)
	}
}
