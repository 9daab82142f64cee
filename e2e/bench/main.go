// Command bench measures what Gatehouse costs beside a bare
// httputil.ReverseProxy, and beside nginx, Caddy and oauth2-proxy where they are
// installed: the CPU time of the proxy's process for a request, the memory of an
// open stream, the delay of an event, throughput, and the time to start.
//
// All contestants take turns in each round, so that what else the machine does
// falls on all of them; the table has the median of the rounds and their spread.
// Everything runs on the loopback interface, bounded in number and time.
//
//	make bench                       everything, some ten minutes
//	make bench BENCH="-rounds 3 -only requests"
//
// docs/performance.md says how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// settings are what a run is bounded by.
type settings struct {
	gatehouse string
	only      string
	rounds    int
	requests  int
	conns     int
	streams   int
	largest   int
	plot      string
	bytes     int64
	limit     time.Duration
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] { // the bench's own child processes
		case "app":
			serveApp()
			return
		case "bare":
			serveBare(os.Args[2])
			return
		}
	}
	var s settings
	flag.StringVar(&s.gatehouse, "gatehouse", "dist/gatehouse", "the binary to measure")
	flag.StringVar(&s.only, "only", "requests,memory,delay,bulk,start,size", "what to measure")
	flag.StringVar(&s.plot, "plot", "", "an SVG file to draw cost against streams and routes in, of what size measures")
	flag.IntVar(&s.largest, "largest", 20000, "streams of the largest size")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds of each measurement")
	flag.IntVar(&s.requests, "requests", 20000, "requests of a contestant in a round")
	flag.IntVar(&s.conns, "conns", 32, "kept-alive connections")
	flag.IntVar(&s.streams, "streams", 1000, "open streams")
	flag.Int64Var(&s.bytes, "bytes", 1<<30, "bytes of a transfer")
	flag.DurationVar(&s.limit, "limit", 30*time.Minute, "after which the run is given up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "\nbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer b.close()
	for _, m := range []struct {
		name    string
		measure func() error
	}{
		{"requests", b.measureRequests}, {"memory", b.measureMemory}, {"delay", b.measureDelay},
		{"bulk", b.measureBulk}, {"start", b.measureStart}, {"size", b.measureSize},
	} {
		if !strings.Contains(","+s.only+",", ","+m.name+",") {
			continue
		}
		if err := m.measure(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.progress("")
	b.table.print(os.Stdout)
	return nil
}
