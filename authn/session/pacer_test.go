package session

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func never() bool { return false }

// busiest returns the most calls that fall in any window of the length.
func busiest(calls []call, window time.Duration) int {
	most := 0
	for i := range calls {
		n := 0
		for j := i; j < len(calls) && calls[j].at.Sub(calls[i].at) <= window; j++ {
			n++
		}
		most = max(most, n)
	}
	return most
}

func TestRefreshesArePaced(t *testing.T) {
	in(t, "a thousand sessions whose tokens end together take sixty refreshes a minute", Settings{}, func(t *testing.T, w *world) {
		w.provider.life = 2 * time.Hour
		for i := range 1000 {
			w.signIn(fmt.Sprint("p", i)).open()
		}
		wait(tokenLife + 17*time.Minute)
		calls := w.provider.asked()
		if len(calls) != 1000 {
			t.Errorf("%d refreshes, want 1000", len(calls))
		}
		if n := busiest(calls, time.Minute); n != 60 {
			t.Errorf("up to %d in a minute, want 60", n)
		}
	})
	in(t, "after an outage they do not come back in one second", Settings{}, func(t *testing.T, w *world) {
		w.provider.away(0)
		for i := range 1000 {
			w.signIn(fmt.Sprint("p", i)).open()
		}
		wait(tokenLife)
		before := len(w.provider.asked())
		w.provider.will(nil)
		wait(5 * time.Minute)
		calls := w.provider.asked()[before:]
		if n := busiest(calls, time.Second-1); n > refreshBurst {
			t.Errorf("up to %d in a second", n)
		}
		if n := busiest(w.provider.asked(), time.Minute); n > 60 {
			t.Errorf("up to %d in a minute", n)
		}
	})
	in(t, "nor when a 429 has told all of them the same time", Settings{}, func(t *testing.T, w *world) {
		for i := range 1000 {
			w.signIn(fmt.Sprint("p", i)).open()
		}
		w.provider.away(time.Minute)
		wait(tokenLife - time.Minute + time.Second)
		before := len(w.provider.asked())
		w.provider.will(nil)
		wait(59*time.Second - time.Millisecond)
		if n := len(w.provider.asked()) - before; n > 0 {
			t.Errorf("%d asked before the minute was over", n)
		}
		wait(3 * time.Minute)
		calls := w.provider.asked()[before:]
		if n := busiest(calls, time.Second-1); n > refreshBurst+1 || len(calls) < 100 {
			t.Errorf("%d in three minutes, up to %d in a second", len(calls), n)
		}
		if n := busiest(w.provider.asked(), time.Minute); n > 60 {
			t.Errorf("up to %d in a minute", n)
		}
	})
	in(t, "a session that a request waits for goes before those that only stream", Settings{}, func(t *testing.T, w *world) {
		var all []*visitor
		for i := range 200 {
			v := w.signIn(fmt.Sprint("p", i))
			if i < 199 {
				v.open()
			}
			all = append(all, v)
		}
		wait(tokenLife + time.Second) // a hundred of them are queued
		before := time.Now()
		all[199].passes(t, "in the queue")
		if took := time.Since(before); took > 2*refreshEvery {
			t.Errorf("it waited for %s", took)
		}
		wait(10 * time.Minute)
	})
	in(t, "a request joins a queued refresh and pulls it to the front", Settings{}, func(t *testing.T, w *world) {
		var last *visitor
		for i := range 200 {
			last = w.signIn(fmt.Sprint("p", i))
			last.open()
		}
		wait(tokenLife + time.Second)
		before := time.Now()
		last.passes(t, "in the queue")
		if took := time.Since(before); took > 2*refreshEvery {
			t.Errorf("it waited for %s", took)
		}
		wait(10 * time.Minute)
	})
	in(t, "whose turn cannot come in time does not wait for it", Settings{}, func(t *testing.T, w *world) {
		w.provider.life = 24 * time.Hour
		var all []*visitor
		for i := range 200 {
			all = append(all, w.signIn(fmt.Sprint("p", i)))
		}
		wait(tokenLife)
		for _, v := range all[:199] {
			go v.request() //nolint:errcheck // they only fill the queue
		}
		synctest.Wait()
		before := time.Now()
		all[199].passes(t, "behind 199 others, in the grace")
		if took := time.Since(before); took != 0 {
			t.Errorf("it waited for %s in vain", took)
		}
		wait(10 * time.Minute)
	})
	in(t, "Retry-After holds for all sessions, and requests do not wait for it", Settings{}, func(t *testing.T, w *world) {
		a, b := w.signIn("ada"), w.signIn("bob")
		w.provider.away(9 * time.Second)
		wait(tokenLife)
		a.passes(t, "the first, in the grace")
		w.provider.will(nil)
		before := time.Now()
		b.passes(t, "the second, in the grace")
		a.passes(t, "the first again")
		if took := time.Since(before); took != 0 {
			t.Errorf("they waited for %s", took)
		}
		wait(2 * time.Minute)
		a.passes(t, "later")
		wait(5 * time.Second)
		calls := w.provider.asked()
		for _, c := range calls[1:] {
			if c.at.Sub(calls[0].at) < 9*time.Second {
				t.Errorf("asked again after %s", c.at.Sub(calls[0].at))
			}
		}
		if len(calls) < 3 {
			t.Errorf("%d refreshes; both should have been tried again", len(calls))
		}
	})
	in(t, "a session that ended in the queue takes nobody's turn", Settings{}, func(t *testing.T, w *world) {
		w.provider.life = 24 * time.Hour
		var all []*visitor
		for i := range 100 {
			all = append(all, w.signIn(fmt.Sprint("p", i)))
			all[i].open()
		}
		wait(tokenLife - time.Minute)
		for _, v := range all[:99] {
			w.End(v.session, SignedOut)
		}
		wait(2 * refreshEvery)
		calls := w.provider.asked()
		if last := calls[len(calls)-1]; last.id != all[99].session.ID && len(calls) > refreshBurst {
			t.Errorf("%d refreshes, the last not of the one that is left", len(calls))
		}
		wait(time.Minute)
	})
}

func TestThePacersBurstIsPartOfItsMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		time.Sleep(time.Hour) // the bucket does not fill beyond its burst
		var started []call
		for range 200 {
			p.wait(newTurn(false, never))
			started = append(started, call{at: time.Now()})
		}
		if n := busiest(started, time.Minute); n != 60 {
			t.Errorf("up to %d in a minute", n)
		}
	})
}
