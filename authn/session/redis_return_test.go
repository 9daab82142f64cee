package session

import (
	"errors"
	"testing"
	"time"
)

// Redis came back empty, and an instance that had seen nothing of another one's
// refresh wrote back what it knew, and refreshed with the token that had been
// replaced. A provider that rotates then ends the session.
func TestAfterAnOutageNoTokenIsSentThatAnotherInstanceReplaced(t *testing.T) {
	r := startRedis(t)
	for attempt := range 5 {
		p := newProvider()
		p.rotating = true
		a, b := r.instance(p), r.instance(p)
		v := a.signIn("ada")
		there := v.at(b)
		there.passes(t, "at b")
		there.session = b.live[idMark(v.session.ID)]
		forceDue(v.session)
		call, _ := a.startRefresh(v.session, time.Now(), true)
		if <-call.done; call.err != nil {
			t.Fatal(call.err)
		}
		_ = a.shared.Close() // it hangs: b has to wait for what it knows
		r.kill()
		b.disconnected()
		r.start()
		b.connected()
		forceDue(there.session)
		call, _ = b.startRefresh(there.session, time.Now(), true)
		<-call.done
		if time.Since(time.Unix(0, b.shared.since.Load())) > settleTime {
			t.Logf("attempt %d took so long that a could have written back", attempt)
			continue
		}
		if n := len(p.asked()); n != 1 || !errors.As(call.err, new(*UnreachableError)) {
			t.Errorf("%d refreshes with %s: %v", n, p.tokens(), call.err)
		}
		there.passes(t, "in the grace")
		return
	}
}

// Redis lost the lock of a refresh that the provider took its time for, and
// another instance sent the same token a second time.
func TestALockIsTakenOnceMoreWhenRedisHasLostIt(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	a := r.instance(p)
	v := a.signIn("ada")
	asked, answer := make(chan struct{}), make(chan struct{})
	p.will(func(rec *Record, n int) (*Record, error) {
		close(asked)
		<-answer
		return p.good(rec, n), nil
	})
	forceDue(v.session)
	call, _ := a.startRefresh(v.session, time.Now(), true)
	<-asked
	r.kill()
	a.disconnected()
	r.start()
	key := a.shared.prefix + "lock:" + string(idMark(v.session.ID)[1:])
	await(t, "the lock", func() bool { return r.do("EXISTS", key).(int64) == 1 })
	close(answer)
	if <-call.done; call.err != nil {
		t.Error(call.err)
	}
	await(t, "its release", func() bool { return r.do("EXISTS", key).(int64) == 0 })
}
