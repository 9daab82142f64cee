package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"syscall"
	"time"
)

// measureSize is what many streams and many routes cost: memory against open
// streams, the time from a sign-out until the last of the person's streams has
// ended, and the CPU time of a request against routes.
func (b *bench) measureSize() error {
	streams, err := b.streamSizes()
	if err != nil {
		return err
	}
	routes, err := b.routeSizes()
	if err != nil || b.plot == "" {
		return err
	}
	return os.WriteFile(b.plot, drawing(streams, routes), 0o644)
}

// A series is what a plot shows of one contestant.
type series struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// openable is how many streams the descriptors of one process allow: a proxy
// needs two each.
func (b *bench) openable() int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		return min(b.largest, 1000)
	}
	return min(b.largest, int(files.Max)/2-300)
}

func (b *bench) streamSizes() ([]series, error) {
	most := b.openable()
	var all []series
	for _, c := range []contestant{b.bare(), b.gate(1)} {
		for _, kind := range []string{"SSE", "WebSocket"} {
			s, err := b.growth(c, kind, most)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, kind, err)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// growth is the memory of a process while streams are opened in four steps, and,
// where somebody is signed in, the time until a sign-out has ended all of them.
func (b *bench) growth(c contestant, kind string, most int) (series, error) {
	s := series{name: c.name + ", " + kind}
	r, err := b.launch(c)
	if err != nil {
		return s, err
	}
	defer r.stop()
	if err := r.client.load(b.ctx, 1, 10); err != nil {
		return s, err
	}
	before, err := r.resident()
	if err != nil {
		return s, err
	}
	head, status := r.client.head("GET", "/events?quiet=1", "Accept: text/event-stream"), "200"
	if kind == "WebSocket" {
		head, status = r.client.head("GET", "/socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "101"
	}
	var open []*stream
	defer func() { closeAll(open) }()
	for step := 1; step <= 4; step++ {
		b.progress("size: %s, %d streams", s.name, most*step/4)
		more, err := r.client.streams(b.ctx, most*step/4-len(open), head, status)
		open = append(open, more...)
		if err != nil {
			return s, err
		}
		select {
		case <-time.After(3 * time.Second):
		case <-b.ctx.Done():
		}
		after, err := r.resident()
		if err != nil {
			return s, err
		}
		s.points = append(s.points, point{float64(len(open)), float64(after-before) / (1 << 20)})
	}
	b.table.add(fmt.Sprintf("memory of %d %s streams", most, kind), c.name, "MB", s.points[3].y, math.NaN())
	if c.signIn == nil {
		return s, nil
	}
	took, err := signOut(b.ctx, r.client, open)
	b.table.add(fmt.Sprintf("sign-out of %d %s streams, until the last has ended", most, kind), c.name, "ms", float64(took.Microseconds())/1000, math.NaN())
	return s, err
}

// signOut ends the session and returns how long its streams took to end.
func signOut(ctx context.Context, c client, open []*stream) (time.Duration, error) {
	var ended sync.WaitGroup
	for _, s := range open {
		ended.Go(func() { _, _ = io.Copy(io.Discard, s.in) })
	}
	time.Sleep(2 * time.Second) // until all of them wait
	at := client{address: c.address, credential: c.credential}
	conn, err := at.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	if _, err := io.WriteString(conn, at.head("POST", "/auth/logout", "Content-Length: 0")); err != nil {
		return 0, err
	}
	gone := make(chan struct{})
	go func() {
		ended.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return time.Since(began), nil
	case <-time.After(30 * time.Second):
		return 0, fmt.Errorf("streams are open 30 s after the sign-out")
	}
}

func (b *bench) routeSizes() (series, error) {
	s := series{name: "Gatehouse"}
	var all []*runner
	defer func() {
		for _, r := range all {
			r.stop()
		}
	}()
	sizes := []int{1, 100, 1000, many}
	for _, n := range sizes {
		r, err := b.launch(b.gate(n))
		if err != nil {
			return s, err
		}
		all = append(all, r)
		if err := r.client.load(b.ctx, b.conns, 2000); err != nil {
			return s, err
		}
	}
	costs := make([][]float64, len(sizes))
	for round := range b.rounds {
		for i, r := range all {
			b.progress("size: round %d of %d, %d routes", round+1, b.rounds, sizes[i])
			before, err := r.cpu()
			if err != nil {
				return s, err
			}
			if err := r.client.load(b.ctx, b.conns, b.requests); err != nil {
				return s, err
			}
			after, err := r.cpu()
			if err != nil {
				return s, err
			}
			costs[i] = append(costs[i], float64((after-before).Microseconds())/float64(b.requests/b.conns*b.conns))
		}
	}
	for i, n := range sizes {
		mid, _, _ := spread(costs[i])
		s.points = append(s.points, point{float64(n), mid})
	}
	return s, nil
}
