package session

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const issuer = "https://idp.example"

func TestRevocation(t *testing.T) {
	in(t, "a copied cookie does not outlive the sign-out, however old it is", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		old := v.at(w)
		w.provider.rotating = true
		wait(tokenLife)
		v.passes(t, "refreshed")
		v.passes(t, "with the new cookie")
		w.End(v.session, SignedOut)
		v.refused(t, "the newest cookie", SignedOut)
		old.refused(t, "the first cookie", SignedOut)
		w.cookies.Purge()
		old.refused(t, "opened anew", SignedOut)
	})
	in(t, "by sid it refuses that session alone, and closes its streams", Settings{}, func(t *testing.T, w *world) {
		a, b := w.signIn("ada"), w.signIn("bob")
		w.RevokeSID(issuer, "sid-ada")
		a.refused(t, "ada", Revoked)
		b.passes(t, "bob")
		if got := w.seen.all(); got != "ended ada: revoked" {
			t.Errorf("told %q", got)
		}
	})
	in(t, "by sub it refuses every session begun before, and none begun after", Settings{}, func(t *testing.T, w *world) {
		a, b := w.signIn("ada"), w.signIn("ada")
		other := w.signIn("bob")
		wait(time.Millisecond)
		w.RevokeSubject(issuer, "ada", time.Now())
		again := w.signIn("ada")
		a.refused(t, "the first", Revoked)
		b.refused(t, "the second", Revoked)
		again.passes(t, "signed in afterwards, in the same second")
		other.passes(t, "bob")
		again.at(w.restart()).passes(t, "its cookie tells the millisecond")
	})
	in(t, "an earlier logout does not take back a later one", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(time.Minute)
		w.RevokeSubject(issuer, "ada", time.Now())
		w.RevokeSubject(issuer, "ada", time.Now().Add(-time.Hour))
		v.refused(t, "both said", Revoked)
	})
	in(t, "sessions that this instance has not seen are refused too", Settings{}, func(t *testing.T, w *world) {
		a, b := w.signIn("ada"), w.signIn("bob")
		wait(time.Second)
		next := w.restart()
		next.RevokeSubject(issuer, "ada", time.Now())
		next.RevokeSID(issuer, "sid-bob")
		a.at(next).refused(t, "ada, by sub", Revoked)
		b.at(next).refused(t, "bob, by sid", Revoked)
	})
	in(t, "another issuer's word counts for its own people only", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(time.Second)
		w.RevokeSubject("https://evil.example", "ada", time.Now())
		w.RevokeSID("https://evil.example", "sid-ada")
		v.passes(t, "ada")
	})
	in(t, "a sid that a refresh brings is refused if it was revoked before", Settings{}, func(t *testing.T, w *world) {
		rec := recordOf("ada")
		rec.ProviderSID = ""
		v := w.begin(rec, nil)
		w.RevokeSID(issuer, "sid-late")
		w.provider.will(func(rec *Record, n int) (*Record, error) {
			next := w.provider.good(rec, n)
			next.ProviderSID = "sid-late"
			return next, nil
		})
		wait(tokenLife)
		v.refused(t, "after the refresh", Revoked)
	})
	in(t, "it is remembered until the session would have ended by itself", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(time.Minute)
		w.End(v.session, SignedOut)
		w.RevokeSID(issuer, "sid")
		for range 58 {
			wait(time.Minute)
			w.Sweep(time.Now())
		}
		v.refused(t, "a minute before max_age", SignedOut)
		wait(3 * time.Minute)
		w.Sweep(time.Now())
		if len(w.revoked) != 0 {
			t.Errorf("still remembered: %v", w.revoked)
		}
		v.refused(t, "afterwards", Expired)
	})
	in(t, "also when max_age was raised in between", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.End(v.session, SignedOut)
		w.Configure(Settings{MaxAge: 24 * time.Hour})
		wait(2 * time.Hour)
		w.Sweep(time.Now())
		v.refused(t, "two hours later", SignedOut)
	})
	in(t, "none is forgotten for space", Settings{}, func(t *testing.T, w *world) {
		w.cookies.Resize(1)
		var all []*visitor
		for i := range 100 {
			all = append(all, w.signIn(fmt.Sprint("p", i)))
			all[i].passes(t, "signed in")
			w.End(all[i].session, SignedOut)
		}
		for _, v := range all {
			v.refused(t, "signed out", SignedOut)
		}
	})
	in(t, "a sign-out ends both of two sessions that a sibling host mixed", Settings{}, func(t *testing.T, w *world) {
		a, b := w.signIn("ada"), w.signIn("eve")
		both := a.header()
		both.Add("Cookie", "gatehouse="+b.cookie)
		if found, err := w.Find(t.Context(), both); err != nil || !found.Conflict || found.Session != nil {
			t.Errorf("found %+v, %v", found, err)
		}
		if ended := w.EndCarried(t.Context(), both, SignedOut); len(ended) != 2 || ended[0] != a.session || ended[1] != b.session {
			t.Errorf("ended %v", ended)
		}
		a.refused(t, "ada", SignedOut)
		b.refused(t, "eve", SignedOut)
	})
	in(t, "an ended session beside a good one is no conflict", Settings{}, func(t *testing.T, w *world) {
		a := w.signIn("ada")
		next := w.begin(recordOf("ada"), a.session)
		both := a.header()
		both.Add("Cookie", "gatehouse="+next.cookie)
		if found, err := w.Find(t.Context(), both); err != nil || found.Session != next.session || found.Cause != "" {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

// What happens to one person costs the same however many others are there: a
// provider that ends everybody's sessions sends a logout for each of them.
func TestALogoutLooksAtNobodyElse(t *testing.T) {
	alone, crowded := newWorld(t, Settings{}), newWorld(t, Settings{})
	for i := range 20_000 {
		rec := recordOf(fmt.Sprint("p", i))
		crowded.mu.Lock()
		crowded.admit(rec)
		crowded.mu.Unlock()
	}
	for what, logout := range map[string]func(w *world, sub string){
		"by sub": func(w *world, sub string) { w.RevokeSubject(issuer, sub, time.Now().Add(time.Second)) },
		"by sid": func(w *world, sub string) { w.RevokeSID(issuer, "sid-"+sub) },
	} {
		cost := func(w *world) time.Duration {
			var took []time.Duration
			for i := range 51 {
				v := w.signIn(fmt.Sprint(what, i))
				began := time.Now()
				logout(w, v.session.Record().Identity.Subject)
				took = append(took, time.Since(began))
				if v.session.Ended() != Revoked {
					t.Fatalf("%s: the session goes on", what)
				}
			}
			slices.Sort(took)
			return took[len(took)/2]
		}
		few, many := cost(alone), cost(crowded)
		t.Logf("%s: %v alone, %v among 20,000 others", what, few, many)
		if many > 50*few {
			t.Errorf("%s: %v alone, %v among 20,000 others", what, few, many)
		}
	}
	if n := len(crowded.kin); n != 2*len(crowded.live) {
		t.Errorf("%d marks are kept of %d people", n, len(crowded.live))
	}
}

func TestMarksCannotBeSpelledTwoWays(t *testing.T) {
	seen := map[mark][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"a", "b", "c"}, {"abc"}, {"\x02ab", "c"}} {
		for _, kind := range []string{"u", "s"} {
			m := markOf(kind, parts...)
			if before, ok := seen[m]; ok {
				t.Errorf("%q and %q have the mark %s", before, parts, m)
			}
			seen[m] = parts
		}
	}
}

func TestSessionsLeaveMemory(t *testing.T) {
	in(t, "with their last cookie", Settings{}, func(t *testing.T, w *world) {
		w.cookies.Resize(10)
		for i := range 100 {
			v := w.signIn(fmt.Sprint("p", i))
			v.passes(t, "seen")
		}
		if n := len(w.live); n > 10 {
			t.Errorf("%d sessions live with 10 cookies", n)
		}
	})
	in(t, "but not while only memory has their newest record", Settings{}, func(t *testing.T, w *world) {
		w.provider.rotating = true
		w.cookies.Resize(1)
		v := w.signIn("ada")
		v.open()
		wait(tokenLife)
		v.close()
		w.signIn("bob").passes(t, "pushes ada's cookies out")
		v.passes(t, "with the first cookie")
		if v.sent != 1 || v.session.Record().Refresh != "r-ada-1" {
			t.Errorf("%d cookies sent, refresh token %q", v.sent, string(v.session.Record().Refresh))
		}
	})
	in(t, "and not while a stream is open: its end must find it", Settings{}, func(t *testing.T, w *world) {
		w.cookies.Resize(1)
		v := w.signIn("ada")
		v.passes(t, "seen")
		v.open()
		w.signIn("bob").passes(t, "pushes ada's cookie out")
		w.RevokeSID(issuer, "sid-ada")
		if got := w.seen.all(); got != "ended ada: revoked" {
			t.Errorf("told %q", got)
		}
	})
	in(t, "and one ID is never two sessions, whatever is evicted meanwhile", Settings{}, func(t *testing.T, w *world) {
		w.cookies.Resize(2)
		v := w.signIn("ada")
		v.passes(t, "seen")
		done := make(chan bool)
		for i := range 4 {
			go func() {
				defer func() { done <- true }()
				for j := range 50 {
					w.signIn(fmt.Sprint("p", i, j)).passes(t, "other people")
					v.at(w).passes(t, "ada")
				}
			}()
		}
		for range 4 {
			<-done
		}
		found, _ := w.Find(t.Context(), v.header())
		w.End(found.Session, SignedOut)
		v.refused(t, "after the sign-out", SignedOut)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.live {
			if s.pins != 0 {
				t.Errorf("session %s is still pinned", s.Record().Identity.Subject)
			}
		}
	})
	in(t, "and a sweep takes what is over", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.passes(t, "seen")
		wait(2 * time.Hour)
		w.Sweep(time.Now())
		if len(w.live) != 0 || len(w.kin) != 0 || w.cookies.Len() != 0 {
			t.Errorf("%d sessions, %d of their marks and %d cookies are left", len(w.live), len(w.kin), w.cookies.Len())
		}
	})
}
