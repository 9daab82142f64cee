package main

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"gatehouse/e2e/rig"
)

// stalls measures how late this machine lets a goroutine run, here, in each
// instance and in Redis: what happens on time in Gatehouse is seen later by as
// much, and what takes its time there is no fault of its own.
type stalls struct {
	mu      sync.Mutex
	seen    []stall
	worst   time.Duration
	hiccups int
}

type stall struct {
	at   time.Time
	late time.Duration
}

const (
	beat = 25 * time.Millisecond
	// probeEvery is how often the instances and Redis are asked for a sign of life.
	probeEvery = 200 * time.Millisecond
	// hiccup is how long Redis or an instance may take for that before the time
	// counts as one in which Redis was away.
	hiccup = 200 * time.Millisecond
	// memory is for how long a stall excuses.
	memory = 5 * time.Second
)

func (s *stalls) note(now time.Time, late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worst = max(s.worst, late)
	for len(s.seen) > 0 && now.Sub(s.seen[0].at) > memory {
		s.seen = s.seen[1:]
	}
	if late > beat {
		s.seen = append(s.seen, stall{now, late})
	}
}

// recent is the worst of the last seconds.
func (s *stalls) recent() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var worst time.Duration
	for _, one := range s.seen {
		if time.Since(one.at) <= memory {
			worst = max(worst, one.late)
		}
	}
	return worst
}

func (s *stalls) watch(ctx context.Context) {
	for last := time.Now(); rig.Pause(ctx, beat); {
		now := time.Now()
		s.note(now, max(0, now.Sub(last)-beat))
		last = now
	}
}

// probe asks the instances and Redis for signs of life until ctx ends.
func (k *soak) probe(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, g := range k.gates {
		all.Go(func() {
			for rig.Pause(ctx, probeEvery) {
				k.timed(func() { k.admin(g, "/healthz") }, false)
			}
		})
	}
	if k.redis == nil {
		return
	}
	all.Go(func() {
		for rig.Pause(ctx, probeEvery) {
			conn, err := net.DialTimeout("tcp", k.redis.address, time.Second)
			if err != nil {
				continue // an outage: the weather knows
			}
			in := bufio.NewReader(conn)
			for err == nil && rig.Pause(ctx, probeEvery) {
				k.timed(func() {
					_ = conn.SetDeadline(time.Now().Add(time.Minute))
					if _, err = conn.Write([]byte("PING\r\n")); err == nil {
						_, err = in.ReadSlice('\n')
					}
				}, true)
			}
			_ = conn.Close()
		}
	})
}

// timed notes how long a sign of life took. An outage of Redis is no stall.
func (k *soak) timed(ask func(), redis bool) {
	from := time.Now()
	ask()
	to := time.Now()
	took := to.Sub(from)
	if redis {
		k.oracle.mu.RLock()
		away := k.oracle.away(from, to)
		k.oracle.mu.RUnlock()
		if away {
			return
		}
	}
	k.stalls.note(to, took)
	if took > hiccup && k.redis != nil {
		k.oracle.hiccup(span{from, to})
		k.stalls.mu.Lock()
		k.stalls.hiccups++
		k.stalls.mu.Unlock()
	}
}
