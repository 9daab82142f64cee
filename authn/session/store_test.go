package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/authz"
)

// What every store has to do, whatever is behind it: the same sentences for
// cookies and for Redis.
func TestStoresConform(t *testing.T) {
	t.Run("cookie", func(t *testing.T) {
		conform(t, func(t *testing.T) *world { return newWorld(t, Settings{}) })
	})
	t.Run("redis", func(t *testing.T) {
		r := startRedis(t)
		conform(t, func(t *testing.T) *world {
			w := instanceAt(t, r.url(), newProvider(), Settings{})
			w.connected()
			return w
		})
	})
}

func conform(t *testing.T, open func(*testing.T) *world) {
	keep := func(t *testing.T, w *world, rec *Record) string {
		t.Helper()
		value, err := w.store.Save(t.Context(), rec, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	fresh := func() *Record {
		rec := fullRecord()
		rec.SignedInAt, rec.key = time.UnixMilli(time.Now().UnixMilli()), newTicketKey()
		return rec
	}
	sentences := []struct {
		name string
		test func(t *testing.T, w *world)
	}{
		{"what was saved comes back whole", func(t *testing.T, w *world) {
			want := fresh()
			got, err := w.store.Open(t.Context(), keep(t, w, want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, byContent); diff != "" {
				t.Error(diff)
			}
		}},
		{"a later version comes back from the value that it was saved under", func(t *testing.T, w *world) {
			rec := fresh()
			keep(t, w, rec)
			next := *rec
			next.Version++
			next.Refresh = "second"
			got, err := w.store.Open(t.Context(), keep(t, w, &next))
			if err != nil || got.Refresh != "second" || got.Version != next.Version {
				t.Errorf("got %+v, %v", got, err)
			}
		}},
		{"what it did not make is no session", func(t *testing.T, w *world) {
			value := keep(t, w, fresh())
			for _, bad := range []string{"", "x", value[1:], value[:len(value)/2], value + value, strings.Repeat("A", 2*chunkLen)} {
				if _, err := w.store.Open(t.Context(), bad); !errors.Is(err, ErrNoSession) {
					t.Errorf("%.20q…: %v", bad, err)
				}
			}
		}},
		{"a value is good for a cookie, and shows nothing of the person", func(t *testing.T, w *world) {
			value := keep(t, w, fresh())
			if strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=") != "" || len(value) > 2*chunkLen {
				t.Errorf("%d bytes: %q", len(value), value)
			}
		}},
		{"two sessions of one person are two", func(t *testing.T, w *world) {
			a, b := fresh(), fresh()
			va, vb := keep(t, w, a), keep(t, w, b)
			ra, err1 := w.store.Open(t.Context(), va)
			rb, err2 := w.store.Open(t.Context(), vb)
			if err := errors.Join(err1, err2); err != nil || ra.ID != a.ID || rb.ID != b.ID {
				t.Errorf("got %v and %v, %v", ra, rb, err)
			}
		}},
		{"many at once do not mix", func(t *testing.T, w *world) {
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for j := range 25 {
						rec := fresh()
						rec.Identity = &authz.Identity{Issuer: "i", Subject: fmt.Sprint(i, "-", j)}
						value, err := w.store.Save(context.Background(), rec, time.Now().Add(time.Hour))
						if err != nil {
							t.Error(err)
							return
						}
						got, err := w.store.Open(context.Background(), value)
						if err != nil || got.Identity.Subject != rec.Identity.Subject {
							t.Errorf("got %v, %v", got, err)
						}
					}
				})
			}
			all.Wait()
		}},
		{"a sign-in, requests, a refresh and a sign-out", func(t *testing.T, w *world) {
			rec := recordOf("ada")
			rec.FreshUntil = time.Now().Add(300 * time.Millisecond)
			w.provider.rotating = true
			v := w.begin(rec, nil)
			v.passes(t, "signed in")
			time.Sleep(320 * time.Millisecond)
			v.passes(t, "after the tokens' end")
			v.passes(t, "and again")
			if got := v.session.Record().Refresh; got != "r-ada-1" || len(w.provider.asked()) != 1 {
				t.Errorf("holds %q after %d refreshes", string(got), len(w.provider.asked()))
			}
			w.EndCarried(t.Context(), v.header(), SignedOut)
			v.refused(t, "signed out", SignedOut)
		}},
		{"a second sign-in takes the first one's place", func(t *testing.T, w *world) {
			v := w.signIn("ada")
			v.open()
			next := w.begin(recordOf("ada"), v.session)
			v.refused(t, "the first", Replaced)
			next.passes(t, "the second")
			if !w.seen.Streaming(next.session.ID) {
				t.Error("the stream stayed behind")
			}
		}},
		{"a logout by sub, and one by sid", func(t *testing.T, w *world) {
			a, b := w.signIn("grace"), w.signIn("heidi")
			time.Sleep(2 * time.Millisecond)
			w.RevokeSubject(issuer, "grace", time.Now())
			w.RevokeSID(issuer, "sid-heidi")
			a.refused(t, "by sub", Revoked)
			b.refused(t, "by sid", Revoked)
			w.signIn("grace").passes(t, "signed in again")
		}},
	}
	for _, s := range sentences {
		t.Run(s.name, func(t *testing.T) { s.test(t, open(t)) })
	}
}
