package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gatehouse/e2e/rig"
)

// A soak is a run with one store.
type soak struct {
	settings
	ctx      context.Context
	dir      string
	began    time.Time
	app      *app
	provider *provider
	redis    *redisServer
	gates    []*gate
	wire     *http.Transport
	people   []*person
	visitors []*visitor
	oracle   oracle
	streams  streams
	weather  weather
	stalls   stalls
	growth   growth
	figures  figures
}

// A person may be signed in in several browsers.
type person struct {
	id   string
	has  roles // at the provider
	lock sync.RWMutex
}

func newSoak(ctx context.Context, s settings) (*soak, error) {
	k := &soak{settings: s, ctx: ctx, began: time.Now()}
	k.weather.k = k
	k.oracle.grace, k.oracle.settle = graceFast, 5*time.Second
	if s.asBuilt {
		k.oracle.grace = graceReal
		if most := int(s.life.Seconds() * 0.8 * mostReal / 60 * 0.9); s.sessions > most {
			return nil, fmt.Errorf("%d sessions with tokens of %s want more refreshes than an instance makes: -sessions %d", s.sessions, s.life, most)
		}
	}
	var err error
	if k.dir, err = os.MkdirTemp("", "gatehouse-soak-"); err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(s.seed, 0))
	for i := range max(1, s.sessions/2) {
		k.people = append(k.people, &person{id: fmt.Sprintf("p%d", i), has: roles(rnd.IntN(4))})
	}
	if k.provider, err = newProvider(k); err != nil {
		return k, err
	}
	if k.app, err = newApp(); err != nil {
		return k, err
	}
	instances := 1
	if s.store == "redis" {
		instances = 2
		if k.redis, err = startRedis(ctx, k.dir); err != nil {
			return k, err
		}
	}
	binary, err := filepath.Abs(s.gatehouse)
	if err != nil {
		return k, err
	}
	if !s.asBuilt {
		k.progress("building Gatehouse with a faster pace")
		if binary, err = k.build(ctx); err != nil {
			return k, err
		}
	}
	k.oracle.rules = []rule{{told: make([]time.Time, instances), needs: roleA}}
	if err := k.startGates(binary, instances); err != nil {
		return k, err
	}
	k.wire = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, IdleConnTimeout: 20 * time.Second}
	for i := range s.sessions {
		k.visitors = append(k.visitors, newVisitor(k, i, k.people[i%len(k.people)]))
	}
	return k, k.ready()
}

// ready waits until every instance knows its provider.
func (k *soak) ready() error {
	for _, g := range k.gates {
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			status, _ := k.admin(g, "/readyz")
			if status == http.StatusOK {
				break
			}
			if time.Since(began) > 30*time.Second {
				return fmt.Errorf("%s is not ready", g.address)
			}
		}
	}
	return nil
}

func (k *soak) admin(g *gate, path string) (int, string) {
	return rig.Get(http.Client{Timeout: 10 * time.Second, Transport: k.wire}, "http://"+g.admin+path)
}

// close ends all that was started, and removes what was written unless something
// was found.
func (k *soak) close() {
	for _, g := range k.gates {
		g.stop()
	}
	if k.redis != nil && k.redis.command != nil {
		k.redis.kill()
	}
	if k.app != nil {
		k.app.close()
	}
	if k.provider != nil {
		k.provider.close()
	}
	if k.figures.violations() > 0 || k.keep {
		fmt.Fprintf(os.Stderr, "configuration and logs: %s\n", k.dir)
		return
	}
	_ = os.RemoveAll(k.dir)
}

// live lets everybody come, go about for the length of the soak, and leave.
func (k *soak) live() error {
	k.growth.baseline = k.sample()
	ctx, stop := context.WithCancel(k.ctx)
	defer stop()
	var watchers, people sync.WaitGroup
	watchers.Go(func() { k.stalls.watch(ctx) })
	watchers.Go(func() { k.probe(ctx) })
	watchers.Go(func() { k.judge(ctx) })
	watchers.Go(func() { k.tell(ctx) })
	come := make(chan struct{}, 4) // who signs in at a time, at first
	busy, leave := context.WithCancel(ctx)
	defer leave()
	for _, v := range k.visitors {
		people.Go(func() { v.stay(busy, come) })
	}
	if err := k.full(ctx); err != nil {
		leave()
		people.Wait()
		return err
	}
	k.growth.full = time.Now()
	var acts sync.WaitGroup
	calm, clear := context.WithTimeout(busy, k.length)
	defer clear()
	k.weather.begin(calm, k, &acts)
	acts.Go(func() { k.growth.watch(calm, k) })
	select {
	case <-calm.Done():
	case err := <-k.dead():
		leave()
		people.Wait()
		return err
	}
	acts.Wait()
	leave()
	people.Wait()
	k.growth.last = time.Now()
	k.figures.close()
	k.progress("everybody leaves")
	k.emptied(ctx)
	stop()
	watchers.Wait()
	return k.ctx.Err()
}

// full waits until most people are there with most of their streams.
func (k *soak) full(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < 5*time.Minute; {
		if k.streams.open() >= k.settings.streams*9/10 {
			return nil
		}
		if !rig.Pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("after 5 minutes only %d of %d streams are open", k.streams.open(), k.settings.streams)
}

// dead tells of an instance whose process has ended.
func (k *soak) dead() <-chan error {
	gone := make(chan error, len(k.gates))
	for _, g := range k.gates {
		go func() {
			<-g.ended
			text, _ := os.ReadFile(g.log)
			gone <- fmt.Errorf("an instance is gone; its log ends with\n%s", text[max(0, len(text)-4000):])
		}()
	}
	return gone
}

// emptied signs everybody out and waits until nothing of them is left.
func (k *soak) emptied(ctx context.Context) {
	var all sync.WaitGroup
	turn := make(chan struct{}, 8)
	for _, v := range k.visitors {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if v.here {
				v.signOut(ctx)
			}
		})
	}
	all.Wait()
	for began := time.Now(); k.streams.open() > 0 && time.Since(began) < 10*time.Second; {
		if !rig.Pause(ctx, 100*time.Millisecond) {
			return
		}
	}
	if !rig.Pause(ctx, 4*time.Second) { // until the last ends are judged
		return
	}
	k.wire.CloseIdleConnections()
	k.app.server.SetKeepAlivesEnabled(false)
	k.provider.server.SetKeepAlivesEnabled(false)
	k.growth.waitEmpty(ctx, k)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
