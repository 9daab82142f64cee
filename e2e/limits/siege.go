package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"gatehouse/e2e/rig"
)

// A siege is one attack under way.
type siege struct {
	h       *house
	sent    atomic.Int64 // requests, or connections
	bytes   atomic.Int64 // of bodies
	answers answers
	ends    ends
	wrong   []string
}

// expect notes what the attack found to be other than it must be.
func (s *siege) expect(held bool, format string, args ...any) {
	if !held {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

// A result is what became of an attack.
type result struct {
	name           string
	sent           string
	took           time.Duration
	answers        string
	ended          int64
	lastEnd        time.Duration
	others         others
	newcomer       time.Duration // how long somebody's sign-in took meanwhile
	before, after  sample
	most           float64 // memory
	mostGoroutines float64
	calls          int
	logged         float64
	wrong          []string
}

const (
	// mostMemory is what an attack may have the process take more.
	mostMemory = 256 << 20
	// waits is for how long the other person may wait for an answer, on a machine
	// whose processors the attacker uses too.
	waits = 5 * time.Second
	// leftOver are goroutines that may stay for an idle connection or two.
	leftOver = 20
)

// suffer lets one attack happen while somebody else uses the app.
func (h *house) suffer(ctx context.Context, a attack) (result, error) {
	s := &siege{h: h}
	h.log.take()
	r := result{name: a.name, before: h.sample()}
	r.most, r.mostGoroutines = r.before.resident, r.before.goroutines
	calls, newcomers := h.calls(), 0
	watching, stop := context.WithCancel(ctx)
	defer stop()
	fared := make(chan others, 1)
	go func() { fared <- h.useTheApp(watching) }()
	watched := make(chan struct{})
	go func() { defer close(watched); h.watch(watching, s, &r) }()
	newcomer := make(chan error, 1)
	go func() {
		rig.Pause(watching, time.Second)
		began := time.Now()
		err := newBrowser(h).signIn("ada")
		r.newcomer = time.Since(began)
		newcomer <- err
	}()

	bounded, end := context.WithTimeout(ctx, h.most)
	defer end()
	began := time.Now()
	r.sent = a.happen(bounded, s)
	r.took = time.Since(began)
	err := <-newcomer
	s.expect(err == nil, "a newcomer could not sign in: %v", err)
	if err == nil {
		newcomers++
	}
	stop()
	<-watched
	r.others = <-fared
	r.after = h.settle(ctx, r.before)
	r.most = max(r.most, r.after.resident)
	r.calls = h.calls() - calls - newcomers // one code each
	written, errors := h.log.take()
	r.answers, r.ended, r.lastEnd, r.logged = s.answers.String(), s.ends.n.Load(), time.Duration(s.ends.last.Load()), float64(written)

	s.wrong = append(s.wrong, r.others.wrong...)
	s.expect(r.others.slowest < waits, "another person waited %s for an answer", r.others.slowest)
	s.expect(r.most < r.before.resident+mostMemory, "memory grew from %s to %s", rig.Megabytes(r.before.resident), rig.Megabytes(r.most))
	s.expect(r.after.goroutines <= r.before.goroutines+leftOver, "%.0f goroutines are left, of %.0f before", r.after.goroutines, r.before.goroutines)
	s.expect(len(errors) == 0, "errors were logged: %q", errors)
	if a.calls != nil {
		s.expect(r.calls <= a.calls(r.took), "%d calls reached the provider", r.calls)
	} else {
		s.expect(r.calls == 0, "%d calls reached the provider", r.calls)
	}
	if a.judge != nil {
		a.judge(s)
	}
	r.wrong = s.wrong
	return r, ctx.Err()
}

// watch notes the most that the process takes, and shows how things stand.
func (h *house) watch(ctx context.Context, s *siege, r *result) {
	began := time.Now()
	for rig.Pause(ctx, 500*time.Millisecond) {
		now := h.sample()
		r.most, r.mostGoroutines = max(r.most, now.resident), max(r.mostGoroutines, now.goroutines)
		progress("[%s %s] %d sent, answers %s, %s, %.0f goroutines", r.name, time.Since(began).Round(time.Second), s.sent.Load(), &s.answers, rig.Megabytes(now.resident), now.goroutines)
	}
}

// progress shows what is being done, on one line of the terminal.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
}
