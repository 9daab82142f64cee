package session

import (
	"strings"
	"testing"
	"time"
)

const idle = 10 * time.Minute

func TestIdleTimeout(t *testing.T) {
	set := Settings{IdleTimeout: idle}
	in(t, "requests keep a session alive", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 20 {
			wait(idle - time.Second)
			v.passes(t, "in time")
		}
	})
	in(t, "without them it ends", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(time.Minute)
		v.passes(t, "a minute later")
		wait(idle)
		v.refused(t, "ten minutes after that", Expired)
	})
	in(t, "looking who is signed in is no activity", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 3 {
			wait(idle/3 - time.Second)
			if _, err := v.look(); err != nil {
				t.Fatal(err)
			}
		}
		wait(4 * time.Second)
		v.refused(t, "after looks alone", Expired)
	})
	in(t, "a stream's output is no activity, and its end comes without a request", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		wait(idle + 20*time.Millisecond)
		if !strings.HasSuffix(w.seen.all(), "ended ada: expired") {
			t.Errorf("told %q", w.seen.all())
		}
	})
	in(t, "bytes from a WebSocket's client are", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		for range 10 {
			wait(idle / 2)
			w.Touch(v.session, time.Now())
		}
		if strings.Contains(w.seen.all(), "ended") {
			t.Errorf("told %q", w.seen.all())
		}
		v.close()
	})
	in(t, "the cookie learns of activity, but not with every request", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 600 {
			wait(time.Second)
			v.passes(t, "each second")
		}
		if v.sent < 9 || v.sent > 12 { // a refresh is among them
			t.Errorf("%d cookies in ten minutes, want one a minute", v.sent)
		}
	})
	in(t, "a restart does not expire an active person", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 30 {
			wait(59 * time.Second) // just less than what is noted
			v.passes(t, "active")
		}
		v = v.at(w.restart())
		wait(idle - time.Second)
		v.passes(t, "after the restart")
	})
	in(t, "nor does it revive an idle one", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(idle + idle/10)
		v.at(w.restart()).refused(t, "after the restart", Expired)
	})
	in(t, "who was idle stays out, although the cookie's time is coarser", set, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(idle)
		v.refused(t, "idle", Expired)
		w.cookies.Purge() // nothing in memory but the revocation
		v.refused(t, "opened anew", Expired)
	})
	in(t, "with an idle_timeout of seconds a cookie is sent each second at most", Settings{IdleTimeout: 2 * time.Second}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 40 {
			wait(250 * time.Millisecond)
			v.passes(t, "active")
		}
		if v.sent > 10 {
			t.Errorf("%d cookies in ten seconds", v.sent)
		}
		wait(2 * time.Second)
		v.refused(t, "two seconds later", Expired)
	})
	in(t, "without idle_timeout no cookie is sent for activity", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 8 {
			wait(time.Minute)
			v.passes(t, "active")
		}
		if v.sent != 0 {
			t.Errorf("%d cookies", v.sent)
		}
	})
}
