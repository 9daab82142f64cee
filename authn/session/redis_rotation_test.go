package session

import (
	"errors"
	"testing"
	"time"
)

var (
	lastYears = []byte("the secret of last year, long enough")
	thisYears = []byte("the secret of this year, long enough")
)

// again is the visitor's next request at an instance that has forgotten what it
// had opened, and the session as it knows it since.
func (v *visitor) again(t *testing.T, when string) *Session {
	t.Helper()
	v.soon(t, when)
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	s := v.w.live[idMark(v.session.ID)]
	if s == nil {
		t.Fatalf("%s: no session", when)
	}
	return s
}

// soon waits until the visitor passes: a Redis that had to wait for its turn on a
// busy machine counts as away for a moment.
func (v *visitor) soon(t *testing.T, when string) {
	t.Helper()
	await(t, when, func() bool { _, err := v.request(); return err == nil })
}

func TestSecretsRotateOverInstances(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	p.rotating = true
	a, b := r.instance(p), r.instance(p)
	have := func(w *world, all ...[]byte) {
		w.secrets(all...)
		w.Rekeyed()
	}
	have(a, lastYears)
	have(b, lastYears)
	v, quiet := a.signIn("ada"), a.signIn("bob")
	v.at(b).soon(t, "at b")

	// The new secret is read everywhere before it is written anywhere.
	have(a, lastYears, thisYears)
	have(b, lastYears, thisYears)
	v.soon(t, "with one secret more")
	have(a, thisYears, lastYears)
	v.session = v.again(t, "and first")
	forceDue(v.session)
	v.soon(t, "refreshed at a, sealed with the new secret")
	await(t, "the refresh", func() bool { v.soon(t, "meanwhile"); return v.session.Record().Refresh == "r-ada-1" })
	late := a.signIn("carol")
	for who, one := range map[string]*visitor{"ada": v, "bob": quiet, "carol": late} {
		one.at(b).soon(t, who+" at b, which still writes with the old one")
	}
	have(b, thisYears, lastYears)
	fresh := r.instance(p)
	have(fresh, thisYears, lastYears)
	quiet.at(fresh).soon(t, "bob, of before, at an instance that started afterwards")

	have(fresh, thisYears)
	late.at(fresh).soon(t, "carol with the old secret gone")
	if _, err := quiet.at(fresh).request(); !errors.Is(err, ErrNoSession) {
		t.Errorf("bob, whose ticket only the old secret opens: %v", err)
	}
}

// Who gives one instance the new secret first and the other none has one that
// cannot read what the first one writes. It must not take its own record, whose
// refresh token was used, for the newest.
func TestAnInstanceWithoutTheNewSecretSendsNoUsedToken(t *testing.T) {
	r := startRedis(t)
	p := newProvider()
	p.rotating = true
	a, b := r.instance(p), r.instance(p)
	v := a.signIn("ada")
	there := v.at(b)
	there.soon(t, "at b")
	there.session = b.live[idMark(v.session.ID)]

	a.secrets(thisYears, secret)
	a.Rekeyed()
	v.session = v.again(t, "with the new secret")
	forceDue(v.session)
	v.soon(t, "refreshed at a")
	await(t, "the refresh", func() bool { v.soon(t, "meanwhile"); return v.session.Record().Refresh == "r-ada-1" })
	await(t, "the news at b", func() bool { return there.session.known.Load() >= v.session.Record().Version })
	forceDue(there.session)
	there.soon(t, "at b, which cannot read it")
	await(t, "b's attempt", func() bool {
		there.session.mu.Lock()
		defer there.session.mu.Unlock()
		return there.session.call == nil && there.session.retryAt.After(time.Now())
	})
	if got := p.tokens(); got != "r-ada-0" {
		t.Errorf("sent %s", got)
	}

	b.secrets(thisYears, secret)
	b.Rekeyed()
	if got := there.again(t, "at b, with the new secret").Record().Refresh; got != "r-ada-1" {
		t.Errorf("b holds %s", string(got))
	}
	v.soon(t, "at a")
}

// Redis answers, and says no to every write: too few replicas, a disk that
// failed, a user who lost a right.
func TestARedisThatRefusesWritesSignsNobodyOut(t *testing.T) {
	for name, refuse := range map[string][2][]any{
		"for want of replicas": {{"CONFIG", "SET", "min-replicas-to-write", "1"}, {"CONFIG", "SET", "min-replicas-to-write", "0"}},
		"for want of a right":  {{"ACL", "SETUSER", "default", "-hset"}, {"ACL", "SETUSER", "default", "+@all"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRedis(t)
			p := newProvider()
			p.rotating = true
			a, b := r.instance(p), r.instance(p)
			v, leaving := a.signIn("ada"), a.signIn("bob")
			leaving.at(b).passes(t, "bob at b")

			r.do(refuse[0]...)
			v.passes(t, "where she was seen")
			v.at(b).passes(t, "where she was not")
			if _, _, err := a.Begin(t.Context(), recordOf("erin"), nil); !errors.Is(err, ErrUnavailable) {
				t.Errorf("a sign-in: %v", err)
			}
			a.End(leaving.session, SignedOut)
			leaving.refused(t, "signed out here", SignedOut)

			r.do(refuse[1]...)
			await(t, "bob's end at b", func() bool { _, err := leaving.at(b).request(); return errors.As(err, new(*EndedError)) })
			forceDue(v.session)
			await(t, "the refresh", func() bool {
				v.passes(t, "afterwards")
				return v.session.Record().Refresh == "r-ada-1"
			})
			a.signIn("erin").at(b).passes(t, "signed in afterwards")
		})
	}
}
