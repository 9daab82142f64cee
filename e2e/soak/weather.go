package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/e2e/rig"
)

// A weather is what happens to all: outages, and what administrators do.
type weather struct {
	k *soak

	mu       sync.Mutex
	outages  []span // of the provider
	now      string // what is under way, for the progress line
	nowRedis string
}

// recovery bounds how long after an outage sessions may not have been refreshed:
// a call that hangs, the wait after it, a Retry-After, and the queue.
const recovery = 40 * time.Second

// begin starts what happens until ctx ends.
func (w *weather) begin(ctx context.Context, k *soak, all *sync.WaitGroup) {
	share := func(d time.Duration) time.Duration { // of events that befall a person
		return d * 500 / time.Duration(k.sessions)
	}
	for i, one := range []struct {
		every time.Duration
		do    func(context.Context, *rand.Rand)
	}{
		{share(time.Second), w.roles}, {share(8 * time.Second), w.backchannel}, {share(12 * time.Second), w.revoke},
		{20 * time.Second, w.reload}, {45 * time.Second, w.provider}, {50 * time.Second, w.redis},
	} {
		random := rand.New(rand.NewPCG(k.seed, 1<<40+uint64(i)))
		if i >= 4 && k.calm || i == 5 && k.redis == nil {
			continue
		}
		all.Go(func() {
			for rig.Pause(ctx, one.every/2+time.Duration(random.Int64N(int64(one.every)))) {
				one.do(ctx, random)
			}
		})
	}
}

// roles gives somebody other roles.
func (w *weather) roles(_ context.Context, random *rand.Rand) {
	p := w.k.people[random.IntN(len(w.k.people))]
	next := roles(random.IntN(4))
	if err := w.k.provider.SetRoles(p.id, descopetest.Acme, next.names()...); err != nil {
		w.k.violate("the stand-in: %v", err)
	}
	w.k.figures.roleChanges.Add(1)
}

// sessionsOf are the browsers of a person in which a session has been alive for a
// while. Nobody signs in meanwhile: the caller holds the person's lock.
func (w *weather) sessionsOf(p *person) []*visitor {
	w.k.oracle.mu.RLock()
	defer w.k.oracle.mu.RUnlock()
	var all []*visitor
	for _, v := range w.k.visitors {
		if v.person == p && v.history[len(v.history)-1].alive {
			if time.Since(v.begun) < 3*time.Second {
				return nil // a logout token's time has no fractions
			}
			all = append(all, v)
		}
	}
	return all
}

// backchannel is a logout at the provider, by subject or by its session ID.
func (w *weather) backchannel(ctx context.Context, random *rand.Rand) {
	p := w.k.people[random.IntN(len(w.k.people))]
	if !p.lock.TryLock() {
		return
	}
	defer p.lock.Unlock()
	all := w.sessionsOf(p)
	if len(all) == 0 {
		return
	}
	logout := descopetest.Logout{Subject: "U2" + p.id}
	if random.IntN(2) == 0 {
		all = all[:1]
		w.k.oracle.mu.RLock()
		logout = descopetest.Logout{SID: all[0].grant.sid}
		w.k.oracle.mu.RUnlock()
	}
	instance := random.IntN(len(w.k.gates))
	why := fmt.Sprintf("a back-channel logout at instance %d, by subject: %v", instance, logout.Subject != "")
	var told []func(time.Time) standing
	for _, v := range all {
		told = append(told, w.k.leaving(v, standing{from: time.Now(), at: instance, why: why}))
	}
	client := http.Client{Timeout: patience, Transport: w.k.wire}
	status, err := w.k.provider.BackchannelLogout(context.WithoutCancel(ctx), &client, "http://"+w.k.gates[instance].address+"/auth/backchannel-logout", logout)
	now := time.Now()
	for _, t := range told {
		t(now)
	}
	w.k.figures.backchannels.Add(1)
	if err != nil || status != http.StatusOK {
		w.k.violate("%s for %s: %d, %v", why, p.id, status, err)
	}
}

// revoke ends a person's sessions at the provider, which tells nobody: the next
// refresh finds out.
func (w *weather) revoke(_ context.Context, random *rand.Rand) {
	p := w.k.people[random.IntN(len(w.k.people))]
	if !p.lock.TryLock() {
		return
	}
	defer p.lock.Unlock()
	w.k.oracle.mu.RLock()
	var all []*grant
	for _, v := range w.k.visitors {
		if v.person == p && v.grant != nil {
			all = append(all, v.grant)
		}
	}
	w.k.oracle.mu.RUnlock()
	for _, g := range all {
		w.k.provider.revoke(g)
	}
	w.k.provider.RevokeSessions(p.id)
	w.k.figures.revocations.Add(1)
}

// reload changes the rule of one route at all instances.
func (w *weather) reload(ctx context.Context, _ *rand.Rand) {
	k := w.k
	k.oracle.mu.Lock()
	next := rule{from: time.Now(), told: make([]time.Time, len(k.gates)), needs: (roleA | roleB) &^ k.oracle.rules[len(k.oracle.rules)-1].needs}
	k.oracle.rules = append(k.oracle.rules, next)
	k.oracle.mu.Unlock()
	before := make([]int, len(k.gates))
	for i, g := range k.gates {
		before[i] = k.reloads(g)
		if err := k.configure(g, next.needs); err != nil {
			k.violate("writing the configuration: %v", err)
		}
	}
	for i, g := range k.gates {
		limit := closing + k.stalls.recent()
		for k.reloads(g) <= before[i] {
			if time.Since(next.from) > 30*time.Second {
				k.violate("instance %d has not taken up the policy of %s", i, clock(next.from))
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		now := time.Now()
		if took := now.Sub(next.from); took > limit+k.stalls.recent()+reaction {
			k.violate("instance %d took %s to take up a changed policy", i, took.Round(10*time.Millisecond))
		}
		k.oracle.mu.Lock()
		next.told[i] = now
		k.oracle.mu.Unlock()
	}
	k.figures.reloads.Add(1)
	_ = ctx
}

func (k *soak) reloads(g *gate) int {
	_, text := k.admin(g, "/metrics")
	return int(rig.Metric(text, `gatehouse_config_reloads_total{result="ok"}`))
}

// provider makes the provider fail for a while.
func (w *weather) provider(ctx context.Context, random *rand.Rand) {
	retry := time.Duration(3+random.IntN(6)) * time.Second
	kinds := []struct {
		name    string
		failure descopetest.Failure
		long    bool // it may last until after the grace
	}{
		{"answers 500", descopetest.Status(http.StatusInternalServerError), true},
		{"hangs", descopetest.Hang(), true},
		{"answers 429, Retry-After " + retry.String(), descopetest.RateLimit(retry), false},
		{"resets connections", descopetest.ResetConnection(), true},
		{"loses its answers", descopetest.Status(http.StatusBadGateway).AnswerLost(), false},
		{"answers nonsense", descopetest.Malformed(), false},
	}
	one := kinds[random.IntN(len(kinds))]
	length := time.Duration(4+random.IntN(12)) * time.Second
	if one.long && !w.k.asBuilt && random.IntN(3) == 0 {
		length = w.k.life + w.k.oracle.grace + time.Duration(random.IntN(10))*time.Second
	}
	w.mu.Lock()
	i := len(w.outages)
	w.outages = append(w.outages, span{from: time.Now()})
	w.now = "the provider " + one.name
	w.mu.Unlock()
	w.k.figures.outages.Add(1)
	w.k.provider.Fail(descopetest.Token, one.failure)
	rig.Pause(ctx, length)
	w.k.provider.Recover(descopetest.Token)
	w.mu.Lock()
	w.outages[i].to = time.Now()
	w.now = ""
	w.mu.Unlock()
}

// outage notes a time in which the provider was away although nobody meant it.
func (w *weather) outage(s span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outages = append(w.outages, s)
}

// redis makes Redis fail for a while.
func (w *weather) redis(ctx context.Context, random *rand.Rand) {
	r := w.k.redis
	length := time.Duration(1+random.IntN(11)) * time.Second
	if random.IntN(4) == 0 {
		length = time.Duration(25+random.IntN(15)) * time.Second
	}
	kill := random.IntN(2) == 0
	w.mu.Lock()
	w.nowRedis = map[bool]string{true: "Redis is gone", false: "Redis hangs"}[kill]
	w.mu.Unlock()
	w.k.figures.redisOutages.Add(1)
	end := w.k.oracle.begin(time.Now())
	if kill {
		r.kill()
	} else {
		r.hang()
	}
	rig.Pause(ctx, length)
	if !kill {
		r.resume()
	} else if err := r.start(ctx); err != nil {
		w.k.violate("redis-server did not start again: %v", err)
	}
	end(time.Now())
	w.mu.Lock()
	w.nowRedis = ""
	w.mu.Unlock()
}

// fine reports whether nothing was away between.
func (w *weather) fine(t0, t1 time.Time) bool { return w.clear(t0, t1, 0) }

// settled reports whether nothing was away between, nor for long before.
func (w *weather) settled(t0, t1 time.Time) bool { return w.clear(t0, t1, recovery) }

// clear does not take the oracle's lock where it is asked about long before.
func (w *weather) clear(t0, t1 time.Time, after time.Duration) bool {
	w.mu.Lock()
	for _, s := range w.outages {
		if s.from.Before(t1) && (s.to.IsZero() || t0.Before(s.to.Add(after))) {
			w.mu.Unlock()
			return false
		}
	}
	w.mu.Unlock()
	if after == 0 {
		w.k.oracle.mu.RLock()
		defer w.k.oracle.mu.RUnlock()
	}
	return !w.k.oracle.troubled(t0.Add(-after), t1)
}

func (w *weather) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, s := range []string{w.now, w.nowRedis} {
		if s != "" {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return "all is well"
	}
	return strings.Join(all, ", ")
}
