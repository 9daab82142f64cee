package main

import (
	"fmt"
	"math"
	"time"
)

const many = 10_000 // routes

// A runner is a contestant that runs.
type runner struct {
	contestant
	*process
	client client
}

// launch starts a contestant and signs the member in.
func (b *bench) launch(c contestant) (*runner, error) {
	p, err := c.start()
	if err != nil {
		return nil, err
	}
	r := &runner{c, p, client{address: p.address, path: "/app"}}
	if c.name == "nginx, no sign-in" || c.name == "Caddy, no sign-in" || c.name == "oauth2-proxy" {
		r.client.path = ""
	}
	if c.signIn != nil {
		if r.client.credential, err = c.signIn(p); err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return r, nil
}

// measureRequests is the CPU time of the proxy's process for a request.
func (b *bench) measureRequests() error {
	var all []*runner
	defer func() {
		for _, r := range all {
			r.stop()
		}
	}()
	ways, err := b.ways()
	if err != nil {
		return err
	}
	contestants := append([]contestant{b.bare(), b.gate(1), b.gate(many)}, ways...)
	for _, c := range append(contestants, b.others()...) {
		b.progress("requests: starting %s", c.name)
		r, err := b.launch(c)
		if err != nil {
			return err
		}
		all = append(all, r)
		if err := r.client.load(b.ctx, b.conns, 2000); err != nil { // warm
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for round := range b.rounds {
		bare := math.NaN()
		for _, r := range all {
			b.progress("requests: round %d of %d, %s", round+1, b.rounds, r.contestant.name)
			before, err := r.cpu()
			if err != nil {
				return err
			}
			if err := r.client.load(b.ctx, b.conns, b.requests); err != nil {
				return fmt.Errorf("%s: %w", r.contestant.name, err)
			}
			after, err := r.cpu()
			if err != nil {
				return err
			}
			each := float64((after - before).Microseconds()) / float64(b.requests/b.conns*b.conns)
			if r == all[0] {
				bare = each
			}
			b.table.add("CPU of a request", r.contestant.name, "µs", each, bare)
		}
	}
	return nil
}

// withFresh runs a measurement on a fresh process of each contestant a round.
func (b *bench) withFresh(what string, contestants []contestant, measure func(r *runner) (float64, error), record func(r *runner, value, bare float64)) error {
	for round := range b.rounds {
		bare := math.NaN()
		for i, c := range contestants {
			b.progress("%s: round %d of %d, %s", what, round+1, b.rounds, c.name)
			r, err := b.launch(c)
			if err != nil {
				return err
			}
			value, err := measure(r)
			r.stop()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i == 0 {
				bare = value
			}
			record(r, value, bare)
		}
	}
	return nil
}

func (b *bench) field() []contestant { return append([]contestant{b.bare(), b.gate(1)}, b.others()...) }

// measureMemory is what an open stream adds to the memory of a fresh process.
func (b *bench) measureMemory() error {
	for _, kind := range []struct {
		what, status string
		head         func(c client) string
	}{
		{"memory of an SSE stream", "200", func(c client) string { return c.head("GET", "/events", "Accept: text/event-stream") }},
		{"memory of a WebSocket", "101", func(c client) string {
			return c.head("GET", "/socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		}},
	} {
		err := b.withFresh(kind.what, b.field(), func(r *runner) (float64, error) {
			if err := r.client.load(b.ctx, 1, 10); err != nil {
				return 0, err
			}
			before, err := r.resident()
			if err != nil {
				return 0, err
			}
			all, err := r.client.streams(b.ctx, b.streams, kind.head(r.client), kind.status)
			if err != nil {
				return 0, err
			}
			defer closeAll(all)
			select { // until what opened them has been swept up
			case <-time.After(3 * time.Second):
			case <-b.ctx.Done():
			}
			after, err := r.resident()
			return float64(after-before) / 1024 / float64(b.streams), err
		}, func(r *runner, value, bare float64) { b.table.add(kind.what, r.contestant.name, "KB", value, bare) })
		if err != nil {
			return err
		}
	}
	return nil
}

// measureDelay is how long an event is under way with many streams open.
func (b *bench) measureDelay() error {
	what := fmt.Sprintf("delay of an event, %d streams, p99", b.streams)
	return b.withFresh(what, b.field(), func(r *runner) (float64, error) {
		all, err := r.client.streams(b.ctx, b.streams, r.client.head("GET", "/events", "Accept: text/event-stream"), "200")
		if err != nil {
			return 0, err
		}
		defer closeAll(all)
		if _, err := delays(all, 2); err != nil { // what had gathered while the rest was opened
			return 0, err
		}
		took, err := delays(all, 6)
		if err != nil || len(took) == 0 {
			return 0, fmt.Errorf("%d events: %w", len(took), err)
		}
		return float64(took[len(took)*99/100].Microseconds()) / 1000, nil
	}, func(r *runner, value, bare float64) { b.table.add(what, r.contestant.name, "ms", value, bare) })
}

// measureBulk is the throughput of one large transfer.
func (b *bench) measureBulk() error {
	for _, up := range []bool{false, true} {
		what := map[bool]string{false: "download", true: "upload"}[up]
		err := b.withFresh(what, b.field(), func(r *runner) (float64, error) {
			took, err := r.client.transfer(b.ctx, up, b.bytes)
			return float64(b.bytes) / (1 << 20) / took.Seconds(), err
		}, func(r *runner, value, bare float64) { b.table.add(what, r.contestant.name, "MB/s", value, bare) })
		if err != nil {
			return err
		}
	}
	return nil
}

// measureStart is the time from the start of the process until it listens.
func (b *bench) measureStart() error {
	for round := range b.rounds {
		bare := math.NaN()
		for i, c := range []contestant{b.bare(), b.gate(1), b.gate(many)} {
			b.progress("start: round %d of %d, %s", round+1, b.rounds, c.name)
			p, err := c.start()
			if err != nil {
				return err
			}
			took := float64(p.took.Microseconds()) / 1000
			p.stop()
			if i == 0 {
				bare = took
			}
			b.table.add("start to listening", c.name, "ms", took, bare)
		}
	}
	return nil
}
