package session

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestARefreshComesInTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		life  time.Duration
		ahead time.Duration
	}{
		{"tokens of ten minutes are refreshed a minute before their end", 10 * time.Minute, time.Minute},
		{"tokens of an hour too: never more than a minute ahead", time.Hour, time.Minute},
		{"tokens of a minute are refreshed in their last fifth", time.Minute, 12 * time.Second},
		{"tokens of five seconds in their last second", 5 * time.Second, time.Second},
	} {
		in(t, c.name, Settings{}, func(t *testing.T, w *world) {
			rec := recordOf("ada")
			rec.FreshUntil = rec.RefreshedAt.Add(c.life)
			v := w.begin(rec, nil)
			wait(c.life - c.ahead - time.Millisecond)
			v.passes(t, "before")
			if n := len(w.provider.asked()); n != 0 {
				t.Fatalf("%d refreshes before the last fifth", n)
			}
			wait(time.Millisecond)
			before := time.Now()
			v.passes(t, "in the last fifth")
			if time.Since(before) != 0 {
				t.Error("a request waited although the tokens were still good")
			}
			synctest.Wait()
			if n := len(w.provider.asked()); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			wait(time.Second)
		})
	}
}

func TestRefresh(t *testing.T) {
	ended := func(*Record, int) (*Record, error) { return nil, fmt.Errorf("%w: invalid_grant", ErrEnded) }

	in(t, "twenty requests after the tokens' end wait for one refresh", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		wait(tokenLife)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := v.at(w).request(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(w.provider.asked()); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
	in(t, "the newest refresh token is the one that is sent", Settings{}, func(t *testing.T, w *world) {
		w.provider.rotating = true
		v := w.signIn("ada")
		for range 3 {
			wait(tokenLife)
			v.passes(t, "after the tokens' end")
		}
		if got, want := w.provider.tokens(), "r-ada-0 r-ada-1 r-ada-2"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
	in(t, "a refresh token that came without an identity replaces the old one", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.will(func(rec *Record, n int) (*Record, error) {
			if n == 1 {
				return nil, &UnreachableError{Err: errors.New("userinfo: 502"), Rotated: "r-ada-1"}
			}
			return w.provider.good(rec, n), nil
		})
		wait(tokenLife)
		v.passes(t, "in the grace")
		wait(retryMax)
		v.passes(t, "later")
		if got, want := w.provider.tokens(), "r-ada-0 r-ada-1"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
	in(t, "a request without an answer is repeated with the same token, never beside it", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.took = time.Hour
		v.open()
		wait(tokenLife)
		v.passes(t, "while the provider hangs")
		w.provider.mu.Lock()
		w.provider.took = 0
		w.provider.mu.Unlock()
		wait(30 * time.Second)
		v.close()
		if got := w.provider.tokens(); !strings.HasPrefix(got, "r-ada-0 r-ada-0") || w.provider.overlap != 1 {
			t.Errorf("sent %s, up to %d at a time", got, w.provider.overlap)
		}
	})
	in(t, "invalid_grant ends the session", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.will(ended)
		wait(tokenLife)
		v.refused(t, "the request that waited", Revoked)
		v.refused(t, "the next one", Revoked)
		if got, want := w.seen.all(), "refreshed ada: ended, ended ada: revoked"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
	in(t, "an error that says nothing of the session ends nothing", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.will(func(*Record, int) (*Record, error) { return nil, errors.New("a bug") })
		wait(tokenLife)
		v.passes(t, "in the grace")
	})
	in(t, "while the provider is away the session serves for five minutes, and goes on when it returns", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.away(0)
		wait(tokenLife + graceAfterExpiry - time.Second)
		v.passes(t, "in the grace")
		wait(2 * time.Second)
		var away *UnreachableError
		if _, err := v.request(); !errors.As(err, &away) {
			t.Errorf("after the grace: %v", err)
		}
		wait(10 * time.Hour)
		w.provider.will(nil)
		v.passes(t, "after the outage")
	})
	in(t, "without a refresh token the session lasts to max_age, and nobody is asked", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world) {
		rec := recordOf("ada")
		rec.Refresh, rec.FreshUntil = "", time.Time{}
		v := w.begin(rec, nil)
		wait(time.Hour - time.Millisecond)
		v.passes(t, "up to max_age")
		wait(time.Millisecond)
		v.refused(t, "at max_age", Expired)
		if n := len(w.provider.asked()); n != 0 {
			t.Errorf("%d refreshes", n)
		}
	})
	in(t, "a refresh never extends max_age", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		for range 12 {
			wait(time.Hour / 12)
			if _, err := v.request(); err == nil && !w.EndOf(v.session).Equal(v.session.Record().SignedInAt.Add(time.Hour)) {
				t.Error("the end moved")
			}
		}
		v.refused(t, "at max_age", Expired)
		v.at(w.restart()).refused(t, "at another instance", Expired)
	})
	in(t, "what the policy lacks is asked for at the next request", Settings{NeedsCover: func(d string) bool { return d == "new" }}, func(t *testing.T, w *world) {
		rec := recordOf("ada")
		rec.Needs = "old"
		v := w.begin(rec, nil)
		w.provider.will(func(rec *Record, n int) (*Record, error) {
			next := w.provider.good(rec, n)
			next.Needs = "new"
			return next, nil
		})
		if got, err := v.request(); err != nil || got.Needs != "new" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	in(t, "and without a refresh token there must be a new sign-in", Settings{NeedsCover: func(string) bool { return false }}, func(t *testing.T, w *world) {
		rec := recordOf("ada")
		rec.Needs, rec.Refresh = "old", ""
		if _, err := w.begin(rec, nil).request(); !errors.Is(err, ErrSignInAgain) {
			t.Errorf("got %v", err)
		}
	})
}

func TestARefreshThatOutlivesItsSession(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(w *world, v *visitor)
		wants string
	}{
		{"signed out meanwhile: the token that came is revoked", func(w *world, v *visitor) { w.End(v.session, SignedOut) }, "[r-ada-1]"},
		{"logged out by the provider: the same", func(w *world, v *visitor) { w.RevokeSID("https://idp.example", "sid-ada") }, "[r-ada-1]"},
		{"replaced by another sign-in: it is left alone", func(w *world, v *visitor) { w.begin(recordOf("ada"), v.session) }, "[]"},
	} {
		for _, rotated := range []bool{false, true} {
			name := c.name
			if rotated {
				name += ", also when it came without an identity"
			}
			in(t, name, Settings{}, func(t *testing.T, w *world) {
				w.provider.rotating = true
				if rotated {
					w.provider.will(func(*Record, int) (*Record, error) {
						return nil, &UnreachableError{Err: errors.New("userinfo: 502"), Rotated: "r-ada-1"}
					})
				}
				v := w.signIn("ada")
				wait(tokenLife - time.Second)
				v.passes(t, "before its end")
				synctest.Wait() // the provider has the request
				c.end(w, v)
				wait(time.Second)
				if got := fmt.Sprintf("%s", raw(w.provider.revoked)); got != c.wants {
					t.Errorf("revoked %s, want %s", got, c.wants)
				}
			})
		}
	}
}

func raw(tokens []Token) []string {
	out := []string{}
	for _, token := range tokens {
		out = append(out, string(token))
	}
	return out
}

func TestStreamsKeepTheirSessionFresh(t *testing.T) {
	in(t, "a session with a stream open is refreshed without a request", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		wait(time.Hour)
		if n := len(w.provider.asked()); n != 6 { // each lasts ten minutes and is renewed after nine
			t.Errorf("%d refreshes in an hour, want 6", n)
		}
		v.close()
		wait(time.Hour)
		if n := len(w.provider.asked()); n != 6 {
			t.Errorf("%d refreshes, although the stream was closed after 6", n)
		}
	})
	in(t, "the provider away for longer than the grace closes the streams, and the session stays", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		w.provider.away(0)
		wait(tokenLife + graceAfterExpiry - time.Millisecond)
		if strings.Contains(w.seen.all(), "stale") {
			t.Error("told within the grace")
		}
		wait(time.Second)
		if n := strings.Count(w.seen.all(), "stale ada"); n != 1 {
			t.Errorf("told %d times", n)
		}
		w.provider.will(nil)
		wait(retryMax)
		v.passes(t, "after the outage")
	})
	in(t, "a stream that becomes one after the grace does not wait for the next refresh", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		w.provider.away(time.Minute)
		wait(tokenLife + graceAfterExpiry + time.Second)
		if _, err := v.request(); err == nil {
			t.Fatal("served after the grace")
		}
		v.open()
		wait(time.Second)
		if !strings.Contains(w.seen.all(), "stale ada") {
			t.Errorf("told %q", w.seen.all())
		}
	})
	in(t, "max_age ends a session that nobody asks for", Settings{MaxAge: 30 * time.Minute}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		wait(30*time.Minute - time.Millisecond)
		if strings.Contains(w.seen.all(), "ended") {
			t.Fatal("too early")
		}
		wait(20 * time.Millisecond)
		if !strings.HasSuffix(w.seen.all(), "ended ada: expired") {
			t.Errorf("told %q", w.seen.all())
		}
	})
	in(t, "a max_age that a reload shortens ends it then", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		wait(time.Minute)
		w.Configure(Settings{MaxAge: 5 * time.Minute})
		wait(4*time.Minute - time.Millisecond)
		if strings.Contains(w.seen.all(), "ended") {
			t.Fatal("too early")
		}
		wait(20 * time.Millisecond)
		if !strings.HasSuffix(w.seen.all(), "ended ada: expired") {
			t.Errorf("told %q", w.seen.all())
		}
	})
	in(t, "so does an idle_timeout that comes with one, at once where it is over", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		wait(7 * time.Minute)
		w.Configure(Settings{MaxAge: time.Hour, IdleTimeout: 5 * time.Minute})
		wait(20 * time.Millisecond)
		if !strings.HasSuffix(w.seen.all(), "ended ada: expired") {
			t.Errorf("told %q", w.seen.all())
		}
	})
	in(t, "invalid_grant ends it too", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		w.provider.will(func(*Record, int) (*Record, error) { return nil, ErrEnded })
		wait(tokenLife)
		if !strings.HasSuffix(w.seen.all(), "ended ada: revoked") {
			t.Errorf("told %q", w.seen.all())
		}
	})
}

func TestASecondSignInTakesOver(t *testing.T) {
	in(t, "the streams go on under the new session, and the old ID is refused", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		v.open()
		next := w.begin(recordOf("ada"), v.session)
		v.refused(t, "the old cookie", Replaced)
		next.passes(t, "the new cookie")
		if got := w.seen.all(); got != "moved ada" {
			t.Errorf("told %q", got)
		}
		wait(tokenLife)
		calls := w.provider.asked()
		if len(calls) != 1 || calls[0].id != next.session.ID {
			t.Errorf("refreshed %+v, want the new session alone", calls)
		}
		w.seen.set(next.session.ID, false)
		w.Closed(next.session)
	})
	in(t, "a stream that opens only now under the old one counts for the new one", Settings{}, func(t *testing.T, w *world) {
		v := w.signIn("ada")
		next := w.begin(recordOf("ada"), v.session)
		w.seen.set(next.session.ID, true) // the registry has moved it
		w.Opened(v.session)
		wait(tokenLife)
		if n := len(w.provider.asked()); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
		w.seen.set(next.session.ID, false)
		w.Closed(v.session)
	})
}
