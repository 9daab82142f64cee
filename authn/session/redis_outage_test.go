package session

import (
	"errors"
	"testing"
	"time"
)

func TestRedisAway(t *testing.T) {
	for _, c := range []struct {
		name     string
		away     func(r *redisServer)
		back     func(r *redisServer)
		forgets  bool
		patience time.Duration // a first call may have to time out
	}{
		{"it crashed, and comes back empty", (*redisServer).kill, (*redisServer).start, true, 500 * time.Millisecond},
		{"it hangs", (*redisServer).hang, (*redisServer).resume, false, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRedis(t)
			p := newProvider()
			a, b := r.instance(p), r.instance(p)
			seen, leaving, long, unseen := a.signIn("ada"), a.signIn("bob"), a.signIn("carol"), b.signIn("dan")
			for _, v := range []*visitor{seen, leaving, long} {
				v.passes(t, "before")
			}
			leaving.at(b).passes(t, "bob at b")
			c.away(r)
			defer func() { // so that a hanging one can be killed
				if r.cmd != nil {
					r.resume()
				}
			}()

			quick(t, "the first request of somebody who was just here", c.patience, func() { seen.passes(t, "seen") })
			a.disconnected()
			quick(t, "the next ones", 50*time.Millisecond, func() { seen.passes(t, "seen") })
			long.session.seen.Store(time.Now().Add(-goOn - time.Second).UnixMilli())
			for who, v := range map[string]*visitor{"not seen for a minute": long, "never seen here": unseen.at(a)} {
				quick(t, who, c.patience, func() {
					if _, err := v.request(); !errors.Is(err, ErrUnavailable) {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
			quick(t, "a sign-in", c.patience, func() {
				if _, _, err := a.Begin(t.Context(), recordOf("erin"), nil); !errors.Is(err, ErrUnavailable) {
					t.Errorf("a sign-in: %v", err)
				}
			})
			forceDue(seen.session)
			seen.passes(t, "in the grace of a refresh that has to wait")
			if n := len(p.asked()); n != 0 {
				t.Errorf("%d refreshes without a lock", n)
			}
			quick(t, "a sign-out", c.patience, func() { a.EndCarried(t.Context(), leaving.header(), SignedOut) })
			leaving.refused(t, "signed out while Redis is away", SignedOut)
			a.EndCarried(t.Context(), unseen.header(), SignedOut)

			c.back(r)
			a.connected()
			b.connected()
			await(t, "bob's end at b", func() bool { _, err := leaving.at(b).request(); return errors.As(err, new(*EndedError)) })
			await(t, "dan's end at b, whose session a has never read", func() bool { _, err := unseen.request(); return errors.As(err, new(*EndedError)) })
			long.passes(t, "after the outage")
			seen.passes(t, "after the outage")
			fresh := r.instance(p)
			await(t, "ada's record in Redis", func() bool { _, err := seen.at(fresh).request(); return err == nil })
			if _, err := leaving.at(fresh).request(); err == nil {
				t.Error("bob is signed in again")
			}
			a.signIn("erin").at(b).passes(t, "signed in after the outage")
		})
	}
}

func quick(t *testing.T, what string, most time.Duration, do func()) {
	t.Helper()
	before := time.Now()
	do()
	if took := time.Since(before); took > most {
		t.Errorf("%s took %s", what, took)
	}
}

func TestASubscriptionThatBroke(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	a, b := r.instance(p), r.instance(p)
	v := a.signIn("ada")
	v.at(b).passes(t, "at b")
	// The news are lost on the way to b, as when its connection breaks in just
	// that moment: only the list tells.
	b.shared.proof.Store(0)
	epoch := b.shared.epoch.Load()
	r.do("CLIENT", "KILL", "TYPE", "pubsub")
	r.do("ZADD", a.shared.revokedKey(), time.Now().UnixMilli(), string(idMark(v.session.ID)))
	v.at(b).refused(t, "while nothing is proven, Redis is asked", Revoked)
	await(t, "a new subscription", func() bool { return b.shared.epoch.Load() > epoch })

	w := a.signIn("bob")
	w.at(b).passes(t, "at b")
	epoch = b.shared.epoch.Load()
	r.do("ZADD", a.shared.revokedKey(), time.Now().UnixMilli(), string(idMark(w.session.ID)))
	r.do("CLIENT", "KILL", "TYPE", "pubsub")
	await(t, "a new subscription", func() bool { return b.shared.epoch.Load() > epoch })
	w.at(b).refused(t, "the list was read before the cache counted again", Revoked)
}

func TestFullRedis(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	p.rotating = true
	a, b := r.instance(p), r.instance(p)
	v, leaving := a.signIn("ada"), a.signIn("bob")
	v.passes(t, "before")
	leaving.at(b).passes(t, "bob at b")
	full := func() { r.do("CONFIG", "SET", "maxmemory", "1") }

	t.Run("takes no sign-in, and lets everybody go on", func(t *testing.T) {
		full()
		if _, _, err := a.Begin(t.Context(), recordOf("erin"), nil); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a sign-in: %v", err)
		}
		v.passes(t, "ada at a")
		v.at(b).passes(t, "ada at b, from Redis")
	})
	t.Run("passes a sign-out on, and keeps it when it can", func(t *testing.T) {
		a.End(leaving.session, SignedOut)
		await(t, "bob's end at b", func() bool { _, err := leaving.at(b).request(); return errors.As(err, new(*EndedError)) })
		r.do("CONFIG", "SET", "maxmemory", "0")
		await(t, "the entry in the list", func() bool { return r.do("ZSCORE", a.shared.revokedKey(), string(idMark(leaving.session.ID))) != nil })
	})
	t.Run("filling up during a refresh loses no token: the others wait for the record", func(t *testing.T) {
		p.will(func(rec *Record, n int) (*Record, error) {
			full()
			return p.good(rec, n), nil
		})
		forceDue(v.session)
		v.passes(t, "at a")
		await(t, "the refresh", func() bool { return v.session.Record().Refresh != "r-ada-0" })
		there := v.at(b)
		there.session = b.live[idMark(v.session.ID)]
		forceDue(there.session)
		done := make(chan error)
		go func() { _, err := there.request(); done <- err }()
		time.Sleep(time.Second)
		r.do("CONFIG", "SET", "maxmemory", "0")
		if err := <-done; err != nil {
			t.Errorf("at b: %v", err)
		}
		await(t, "the record at b", func() bool {
			there.passes(t, "at b")
			return there.session.Record().Refresh == v.session.Record().Refresh
		})
		if got := p.tokens(); got != "r-ada-0" {
			t.Errorf("sent %s", got)
		}
	})
}
