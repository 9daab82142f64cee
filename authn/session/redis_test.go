package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/authz"
)

func TestATicketSaysNothing(t *testing.T) {
	r := startRedis(t)
	w := r.instance(newProvider())
	small, large := recordOf("lovelace"), recordOf("babbage")
	for i := range 400 {
		large.Identity.Tenants[fmt.Sprint("T2", i)] = authz.Grants{Roles: []string{"Member", NewID()}}
	}
	a, b := w.begin(small, nil), w.begin(large, nil)
	if len(a.cookie) != len(b.cookie) || len(a.cookie) > 400 {
		t.Errorf("tickets of %d and %d bytes", len(a.cookie), len(b.cookie))
	}
	b.passes(t, "a person of 400 tenants")
	w.End(a.session, SignedOut)
	held := r.contents()
	for _, secret := range []string{"lovelace", "babbage", "T2acme", "Member", small.ID, large.ID, b.cookie, "idp.example"} {
		if strings.Contains(held, secret) {
			t.Errorf("Redis holds %q", secret)
		}
	}
}

func TestRecordsCannotBeSwapped(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	w := r.instance(p)
	a, b := w.signIn("ada"), w.signIn("eve")
	r.do("COPY", w.shared.sessionKey(a.session.ID), w.shared.sessionKey(b.session.ID), "REPLACE")
	next := r.instance(p)
	if rec, err := b.at(next).request(); !errors.Is(err, ErrNoSession) {
		t.Errorf("eve became %+v, %v", rec, err)
	}
	a.at(next).passes(t, "ada")
}

func TestARecordGoesAtMaxAge(t *testing.T) {
	r := startRedis(t)
	w := r.instance(newProvider())
	v := w.signIn("ada")
	left := time.Duration(r.do("PTTL", w.shared.sessionKey(v.session.ID)).(int64)) * time.Millisecond
	if d := 24*time.Hour - left; d < 0 || d > 10*time.Second {
		t.Errorf("it has %s left", left)
	}
}

func TestInstancesShareTheirSessions(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	a, b := r.instance(p), r.instance(p)

	t.Run("a sign-in at one is good at the other", func(t *testing.T) {
		a.signIn("ada").at(b).passes(t, "at b")
	})
	t.Run("a sign-out at one is felt at the other at once, streams included", func(t *testing.T) {
		v := a.signIn("bob")
		there := v.at(b)
		there.passes(t, "at b")
		there.session = b.live[idMark(v.session.ID)]
		there.open()
		a.End(v.session, SignedOut)
		await(t, "the end of bob's streams at b", func() bool { return strings.Contains(b.seen.all(), "ended bob: sign_out") })
		there.refused(t, "at b", SignedOut)
	})
	t.Run("so are a back-channel logout's by sub and by sid, also of sessions that it has not seen", func(t *testing.T) {
		seen, unseen, bySID := a.signIn("carol"), a.signIn("carol"), a.signIn("dan")
		seen.at(b).passes(t, "at b")
		time.Sleep(2 * time.Millisecond)
		a.RevokeSID(issuer, "sid-dan")
		a.RevokeSubject(issuer, "carol", time.Now())
		await(t, "carol's end at b", func() bool { return strings.Contains(b.seen.all(), "ended carol") })
		seen.at(b).refused(t, "seen", Revoked)
		unseen.at(b).refused(t, "unseen", Revoked)
		bySID.at(b).refused(t, "by sid", Revoked)
		late := r.instance(p)
		unseen.at(late).refused(t, "at an instance that started afterwards", Revoked)
		bySID.at(late).refused(t, "by sid there", Revoked)
	})
	t.Run("a refresh at one is the other's too, and its streams are decided again", func(t *testing.T) {
		rec := recordOf("erin")
		v := a.begin(rec, nil)
		there := v.at(b)
		there.passes(t, "at b")
		there.session = b.live[idMark(rec.ID)]
		there.open()
		defer there.close()
		p.will(func(rec *Record, n int) (*Record, error) {
			next := p.good(rec, n)
			id := *rec.Identity
			id.Tenants = map[string]authz.Grants{"T2acme": {Roles: []string{"Tenant Admin"}}}
			next.Identity = &id
			return next, nil
		})
		defer p.will(nil)
		call, _ := a.startRefresh(v.session, time.Now(), true)
		forceDue(v.session)
		<-call.done
		await(t, "the news at b", func() bool { return strings.Contains(b.seen.all(), "changed erin") })
		if got := there.session.Record().Identity.Tenants["T2acme"].Roles[0]; got != "Tenant Admin" {
			t.Errorf("b holds %s", got)
		}
	})
	t.Run("a second sign-in at one takes over the streams at the other", func(t *testing.T) {
		v := a.signIn("frank")
		there := v.at(b)
		there.passes(t, "at b")
		there.session = b.live[idMark(v.session.ID)]
		there.open()
		next := a.begin(recordOf("frank"), v.session)
		await(t, "the move at b", func() bool { return b.seen.Streaming(next.session.ID) })
		there.refused(t, "the old cookie at b", Replaced)
		next.at(b).passes(t, "the new one at b")
	})
}

// An answer that does not come may still be on its way: whoever asks at once with the
// same token looks like a thief to a provider that rotates them.
func TestAfterARefreshWithoutAnAnswerNobodyAsksAtOnce(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	a, b := r.instance(p), r.instance(p)
	v := a.begin(recordOf("ada"), nil)
	there := v.at(b)
	there.passes(t, "at b")
	there.session = b.live[idMark(v.session.ID)]
	var asked []time.Time
	var mu sync.Mutex
	p.will(func(rec *Record, n int) (*Record, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, time.Now())
		if len(asked) == 1 {
			return nil, &UnreachableError{Err: context.DeadlineExceeded}
		}
		return p.good(rec, n), nil
	})
	forceDue(v.session)
	forceDue(there.session)
	call, _ := a.startRefresh(v.session, time.Now(), true)
	<-call.done
	call, _ = b.startRefresh(there.session, time.Now(), true)
	<-call.done
	if len(asked) != 2 || asked[1].Sub(asked[0]) < lockRest {
		t.Errorf("asked at %v", asked)
	}
	if call.err != nil {
		t.Error(call.err)
	}
}

// A stream that asks while the heir is on its way is not taken for one of nobody.
func TestStreamsWaitForTheHeirOfTheirSession(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	a, b := r.instance(p), r.instance(p)
	cases := []struct {
		name string
		heir func(v *visitor) *Session
		come string
	}{
		{"and go on under it", func(v *visitor) *Session { return a.signIn("ada").session }, "moved ada"},
		{"or end where there is none", func(v *visitor) *Session {
			nobody := &Session{ID: "unstored"}
			rec := *v.session.Record()
			nobody.record.Store(&rec)
			return nobody
		}, "ended ada: revoked"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := a.signIn("ada")
			there := v.at(b)
			there.passes(t, "at b")
			there.session = b.live[idMark(v.session.ID)]
			there.open()
			heir := c.heir(v)
			r.hang()
			b.heed(map[mark]revocation{idMark(v.session.ID): {At: time.Now().UnixMilli(), Cause: Replaced, heir: a.sealHeir(v.session, heir)}})
			if there.session.Ended() != Replaced || !there.session.Moving() || there.session.Heir() != nil {
				t.Errorf("ended %q, moving %t", there.session.Ended(), there.session.Moving())
			}
			r.resume()
			await(t, "the word of what comes", func() bool { return strings.Contains(b.seen.all(), c.come) })
			if there.session.Moving() {
				t.Error("it waits still")
			}
		})
	}
}

// forceDue makes the session's tokens end now.
func forceDue(s *Session) {
	rec := *s.Record()
	rec.FreshUntil = time.Now()
	s.record.Store(&rec)
}

func TestInstancesRefreshOneAtATime(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	p.rotating, p.life = true, 500*time.Millisecond
	rec := recordOf("ada")
	rec.FreshUntil = time.Now()
	all := []*world{r.instance(p), r.instance(p), r.instance(p)}
	v := all[0].begin(rec, nil)
	stop := time.Now().Add(4 * time.Second)
	var requests sync.WaitGroup
	for _, w := range all {
		for range 7 {
			requests.Go(func() {
				me := v.at(w)
				for time.Now().Before(stop) {
					if _, err := me.request(); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
	}
	requests.Wait()
	sent := map[Token]int{}
	for _, c := range p.asked() {
		if sent[c.token]++; sent[c.token] > 1 {
			t.Errorf("%s was sent %d times", string(c.token), sent[c.token])
		}
	}
	if p.overlap > 1 || len(sent) < 3 {
		t.Errorf("%d refreshes, %d at a time with one token", len(sent), p.overlap)
	}
}

func TestAnInstanceThatDiedWhileRefreshingHoldsNobodyUp(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	w := r.instance(p)
	v := w.signIn("ada")
	v.passes(t, "signed in")
	r.do("SET", w.shared.prefix+"lock:"+string(idMark(v.session.ID)[1:]), "the dead one's", "PX", 1500) // lockLife, but sooner
	forceDue(v.session)
	v.passes(t, "waits for the lock, and refreshes then")
	if got := p.tokens(); got != "r-ada-0" || !v.session.Record().FreshUntil.After(time.Now()) {
		t.Errorf("sent %q, fresh until %v", got, v.session.Record().FreshUntil)
	}
}

func TestIdleTimeoutOverInstances(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	set := Settings{IdleTimeout: 3 * time.Second}
	a, b := instanceAt(t, r.url(), p, set), instanceAt(t, r.url(), p, set)
	a.connected()
	b.connected()
	v := a.signIn("ada")
	there := v.at(b)
	there.passes(t, "at b")
	for range 10 { // active at a alone, for longer than idle_timeout
		time.Sleep(500 * time.Millisecond)
		v.passes(t, "at a")
	}
	there.passes(t, "at b, which has not seen the person for 5 s")
	time.Sleep(4500 * time.Millisecond)
	there.refused(t, "idle everywhere", Expired)
}

func TestNewsFromAnotherVersionDoNoHarm(t *testing.T) {
	r := startRedis(t)
	w := r.instance(newProvider())
	v := w.signIn("ada")
	for _, line := range []string{"", "r", "r x", "c i 1", "r i" + strings.Repeat("A", 22), "x iAAAA 1 2", "c " + string(idMark(v.session.ID)) + " soon",
		"r " + string(idMark("other")) + " 1 replaced %%%", "r " + string(idMark("other")) + " 99999999999999999999 x", "c iunknown 5", "r uAAAA 1 revoked"} {
		r.do("PUBLISH", w.shared.channel, line)
	}
	r.do("PUBLISH", w.shared.channel, revokedNews(idMark(v.session.ID), revocation{At: 1, Cause: Replaced, heir: []byte("forged")}))
	await(t, "the last line", func() bool { _, err := v.request(); return err != nil })
	v.refused(t, "replaced by nobody", Replaced)
	if err := w.shared.client.Ping(context.Background()).Err(); err != nil {
		t.Error(err)
	}
}

func TestASessionSeenIsServedWithoutAskingRedis(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	v := r.instance(p).signIn("ada")
	w := r.instance(p)
	v = v.at(w)
	v.passes(t, "the first request, which asks")
	asked := func() string {
		_, line, _ := strings.Cut(fmt.Sprint(r.do("INFO", "commandstats")), "cmdstat_hmget:calls=")
		n, _, _ := strings.Cut(line, ",")
		return n
	}
	before := asked()
	header, ctx := v.header(), t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		found, err := w.Find(ctx, header)
		if err != nil || found.Session == nil {
			t.Fatal(err)
		}
		if _, err := w.Current(ctx, found.Session, time.Now()); err != nil {
			t.Fatal(err)
		}
		if value, _ := w.Renewal(found); value != "" {
			t.Fatal("a ticket was sent again")
		}
	})
	if after := asked(); allocs > 0 || after != before || before != "1" {
		t.Errorf("%v allocations; Redis was asked %s times before and %s after", allocs, before, after)
	}
	t.Logf("a ticket is %d bytes", len(v.cookie))
}
