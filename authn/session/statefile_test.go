package session

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A stateWorld is a world with a state file, in a bubble.
func inFile(t *testing.T, name string, set Settings, test func(t *testing.T, w *world, f *StateFile)) {
	t.Helper()
	dir := t.TempDir() // outside of the bubble, whose time is not the disk's
	in(t, name, set, func(t *testing.T, w *world) {
		sealer := sealerFor(t, StateFilePurpose)
		test(t, w, NewStateFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), func() *Sealer { return sealer }))
	})
}

// reload is restart, with the file.
func (w *world) reload(t *testing.T, f *StateFile) *world {
	t.Helper()
	if err := w.Store(f); err != nil {
		t.Fatal(err)
	}
	next := w.restart()
	if err := next.Load(f); err != nil {
		t.Fatal(err)
	}
	return next
}

func TestTheStateFile(t *testing.T) {
	inFile(t, "keeps the token that no cookie has", Settings{}, func(t *testing.T, w *world, f *StateFile) {
		w.provider.rotating = true
		v := w.signIn("ada")
		v.passes(t, "seen")
		v.open()
		wait(tokenLife)
		next := v.at(w.reload(t, f))
		wait(tokenLife)
		next.passes(t, "with the first cookie")
		if got, want := w.provider.tokens(), "r-ada-0 r-ada-1"; got[:len(want)] != want || next.sent == 0 {
			t.Errorf("sent %s, and %d cookies", got, next.sent)
		}
	})
	inFile(t, "keeps every kind of revocation", Settings{}, func(t *testing.T, w *world, f *StateFile) {
		a, b, c, d := w.signIn("ada"), w.signIn("bob"), w.signIn("carol"), w.signIn("dan")
		wait(time.Second)
		w.End(a.session, SignedOut)
		w.RevokeSID(issuer, "sid-bob")
		w.RevokeSubject(issuer, "carol", time.Now())
		next := w.reload(t, f)
		a.at(next).refused(t, "ada", SignedOut)
		b.at(next).refused(t, "bob", Revoked)
		c.at(next).refused(t, "carol", Revoked)
		d.at(next).passes(t, "dan")
		next = next.reload(t, f) // and hands them on
		a.at(next).refused(t, "ada, a restart later", SignedOut)
	})
	inFile(t, "keeps activity that no cookie has", Settings{IdleTimeout: idle}, func(t *testing.T, w *world, f *StateFile) {
		v := w.signIn("ada")
		v.passes(t, "seen")
		v.open()
		for range 4 {
			wait(idle / 2)
			w.Touch(v.session, time.Now())
		}
		next := v.at(w.reload(t, f))
		wait(idle - time.Second)
		next.passes(t, "after the restart")
	})
	inFile(t, "does not bring back what is over", Settings{MaxAge: time.Hour}, func(t *testing.T, w *world, f *StateFile) {
		v := w.signIn("ada")
		v.open()
		wait(time.Hour - time.Second)
		w.End(w.signIn("bob").session, SignedOut)
		if err := w.Store(f); err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Hour)
		next := w.restart()
		if err := next.Load(f); err != nil || len(next.live) != 0 || len(next.revoked) != 0 {
			t.Errorf("%v, %d sessions, %d revocations", err, len(next.live), len(next.revoked))
		}
	})
	inFile(t, "is written once a minute at most, and only when something changed", Settings{}, func(t *testing.T, w *world, f *StateFile) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Keep(ctx, f, time.Minute)
		v := w.signIn("ada")
		wait(59 * time.Second)
		if _, err := os.Stat(f.path); err == nil {
			t.Error("written before its minute")
		}
		wait(2 * time.Second)
		first, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Minute)
		if again, _ := os.ReadFile(f.path); !bytes.Equal(first, again) {
			t.Error("written although nothing changed")
		}
		w.End(v.session, SignedOut)
		wait(time.Minute)
		if again, _ := os.ReadFile(f.path); bytes.Equal(first, again) {
			t.Error("not written although somebody signed out")
		}
		cancel()
		synctest.Wait()
	})
	inFile(t, "that does not open lets nobody in unconfirmed", Settings{}, func(t *testing.T, w *world, f *StateFile) {
		stays, leaves := w.signIn("ada"), w.signIn("bob")
		rec := recordOf("carol")
		rec.Refresh = ""
		bare := w.begin(rec, nil)
		wait(time.Second)
		w.End(leaves.session, SignedOut)
		w.provider.will(func(rec *Record, n int) (*Record, error) {
			if rec.Identity.Subject == "bob" {
				return nil, ErrEnded // its token was revoked with the sign-out
			}
			return w.provider.good(rec, n), nil
		})
		for what, bytes := range map[string]string{"torn": "torn", "empty": "", "another purpose's": stays.cookie} {
			if err := os.WriteFile(f.path, []byte(bytes), 0o600); err != nil {
				t.Fatal(err)
			}
			next := w.restart()
			if err := next.Load(f); err != nil {
				t.Fatal(err)
			}
			stays.at(next).passes(t, what+": ada, confirmed")
			leaves.at(next).refused(t, what+": bob, signed out", Revoked)
			if _, err := bare.at(next).request(); !errors.Is(err, ErrSignInAgain) {
				t.Errorf("%s: carol, whom nobody can confirm: %v", what, err)
			}
			next.signIn("dan").passes(t, what+": signed in afterwards")
			if aside, err := os.ReadFile(f.path + ".unreadable"); err != nil || string(aside) != bytes {
				t.Errorf("%s: put aside: %q, %v", what, aside, err)
			}
		}
	})
	inFile(t, "that cannot be read keeps the instance from starting", Settings{}, func(t *testing.T, w *world, f *StateFile) {
		for _, path := range []string{filepath.Dir(f.path), filepath.Join(f.path, "in", "no", "folder")} {
			if err := w.Load(NewStateFile(path, f.sealer)); err == nil {
				t.Errorf("%s: no error", path)
			}
		}
	})
}
