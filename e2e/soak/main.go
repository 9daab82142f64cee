// Command soak runs Gatehouse for minutes with many sessions and open streams,
// while people sign in and out, lose and get roles, and the provider and Redis
// fail now and then. An oracle knows at each moment who has a right to what and
// checks that
//
//   - no stream outlives its right by more than 2 s,
//   - nobody with a right loses a stream or is refused, and nobody without is let in,
//   - a cut stream ends as its kind must: a WebSocket with 1008, an event stream
//     cleanly, a download broken off,
//   - tokens are refreshed in time, once, and never twice at a time,
//   - a reloaded policy is taken up within 2 s,
//   - memory and goroutines do not grow, and go when everybody has left.
//
// It exits 1 on any violation and tells the first of them: who, which stream,
// when, why.
//
//	make soak                                    ten minutes for each store
//	make soak SOAK="-for 2m -store redis -seed 7"
//	make soak SOAK="-as-built -sessions 20 -streams 80"
//
// 500 sessions with tokens of half a minute want more than the 60 refreshes a
// minute that an instance makes, so it builds a Gatehouse of its own that differs
// in three constants: the refreshes' pace, their burst, and the grace after the
// tokens' end, which is minutes. With -as-built it takes the binary as it is, and
// no more sessions than that can keep fresh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"
)

// settings are what a run is bounded by.
type settings struct {
	gatehouse string
	asBuilt   bool
	race      bool
	store     string
	length    time.Duration
	sessions  int
	streams   int
	life      time.Duration
	seed      uint64
	calm      bool
	keep      bool
}

func main() {
	var s settings
	flag.StringVar(&s.gatehouse, "gatehouse", "dist/gatehouse", "the binary that -as-built takes")
	flag.BoolVar(&s.asBuilt, "as-built", false, "take the binary as it is, not one with a faster pace")
	flag.BoolVar(&s.race, "race", false, "build with the race detector")
	flag.StringVar(&s.store, "store", "cookie,redis", "the session stores to run with, one after the other; redis has two instances")
	flag.DurationVar(&s.length, "for", 10*time.Minute, "length for each store, after everybody has come")
	flag.IntVar(&s.sessions, "sessions", 500, "sessions")
	flag.IntVar(&s.streams, "streams", 2000, "open streams")
	flag.DurationVar(&s.life, "life", 30*time.Second, "life of the provider's tokens, in whole seconds")
	flag.Uint64Var(&s.seed, "seed", 1, "of everything that happens at random")
	flag.BoolVar(&s.calm, "calm", false, "neither the provider nor Redis fails")
	flag.BoolVar(&s.keep, "keep", false, "keep configuration and logs, also when all went well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the stand-in's library tells of every refusal
	good := true
	for _, store := range strings.Split(s.store, ",") {
		one := s
		one.store = store
		held, err := run(ctx, one)
		if err != nil {
			fmt.Fprintf(os.Stderr, "\nsoak: %s: %v\n", store, err)
			os.Exit(1)
		}
		good = good && held
	}
	if !good {
		os.Exit(1)
	}
}

// run is a soak with one store. It reports whether everything held.
func run(ctx context.Context, s settings) (bool, error) {
	if s.store != "cookie" && s.store != "redis" {
		return false, fmt.Errorf("-store: %q is neither cookie nor redis", s.store)
	}
	k, err := newSoak(ctx, s)
	if k != nil {
		defer k.close()
	}
	if err != nil {
		return false, err
	}
	if err := k.live(); err != nil && !errors.Is(err, context.Canceled) {
		return false, err
	}
	return k.report(os.Stdout), nil
}
