package session

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/authz"
)

// A stream at one instance rests on what another one has refreshed. Under load the
// news came and the record could not be read: the role was gone, and the stream
// stayed until the next attempt to refresh, up to ten seconds later.
func TestAStreamLearnsOfARefreshElsewhereWithoutARequest(t *testing.T) {
	for _, c := range []struct {
		name string
		// meanwhile keeps b from taking the news up, until the end is called. a are
		// the subscriptions of the other instance.
		meanwhile func(r *redisServer, a map[string]bool, b *world) (end func())
	}{
		{"when Redis gave no answer just then", func(_ *redisServer, _ map[string]bool, b *world) func() {
			return again(b.shared.failed)
		}},
		{"when the news were lost with their connection", func(r *redisServer, a map[string]bool, _ *world) func() {
			return again(func() {
				for id := range r.subscribers() {
					if !a[id] {
						_ = r.admin.Do(context.Background(), "CLIENT", "KILL", "ID", id).Err() // it may be gone already
					}
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRedis(t)
			p := newProvider()
			a := r.instance(p)
			await(t, "the subscription of a", func() bool { return len(r.subscribers()) > 0 })
			others := r.subscribers()
			b := r.instance(p)
			v := a.signIn("erin")
			there := v.at(b)
			there.passes(t, "at b")
			there.session = b.live[idMark(v.session.ID)]
			there.open()
			defer there.close()
			p.will(func(rec *Record, n int) (*Record, error) {
				next := p.good(rec, n)
				id := *rec.Identity
				id.Tenants = map[string]authz.Grants{"T2acme": {}}
				next.Identity = &id
				return next, nil
			})
			end := c.meanwhile(r, others, b)
			defer end()
			forceDue(v.session)
			call, _ := a.startRefresh(v.session, time.Now(), true)
			<-call.done
			if n := len(v.session.Record().Identity.Tenants["T2acme"].Roles); call.err != nil || n != 0 {
				t.Fatalf("a did not refresh: %d roles, %v", n, call.err)
			}
			time.Sleep(100 * time.Millisecond) // the news have come, or not
			end()
			await(t, "the loss of the role at b", func() bool {
				return len(there.session.Record().Identity.Tenants["T2acme"].Roles) == 0
			})
			await(t, "the decision on its streams", func() bool { return strings.Contains(b.seen.all(), "changed erin") })
		})
	}
}

// again does something over and over until the end is called.
func again(do func()) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			do()
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}

// subscribers returns the IDs of the connections that listen for news.
func (r *redisServer) subscribers() map[string]bool {
	ids := map[string]bool{}
	list, _ := r.admin.Do(context.Background(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	for line := range strings.Lines(list) {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		ids[id] = true
	}
	return ids
}
