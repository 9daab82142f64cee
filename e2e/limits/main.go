// Command limits sends Gatehouse what one hostile client can send, in numbers: slow
// clients, huge headers, bodies without end, cookies and key IDs that nobody
// issued, sign-ins that nobody ends, names made to collide. Meanwhile somebody else
// goes on using an app. It says for each
//
//   - how many of the other person's requests were answered, all of them rightly,
//     and how late the slowest hundredth was,
//   - what memory the process took before, at most, and afterwards,
//   - how many calls reached the provider,
//
// and exits 1 where the other person was refused or kept waiting, where memory
// grew beyond bounds, the provider was stormed, connections or goroutines were
// left, or an error was logged.
//
//	make limits                              all of them, in under 5 minutes
//	make limits LIMITS="-only kids,cookies"
//
// It drives the binary as it is built, over loopback. Both ends share the
// machine's processors, so that the other person's times are worse than they would
// be across a network.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"gatehouse/e2e/rig"
)

// settings are what a run is bounded by.
type settings struct {
	gatehouse string
	only      string
	million   int
	most      time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.gatehouse, "gatehouse", "dist/gatehouse", "the binary")
	flag.StringVar(&s.only, "only", "", "names of attacks, with commas: "+strings.Join(names(), ","))
	flag.IntVar(&s.million, "million", 1_000_000, "how many cookies and key IDs")
	flag.DurationVar(&s.most, "most", 110*time.Second, "length of an attack, after which it ends with what it has sent")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the stand-in's library tells of every refusal
	good, err := run(ctx, s)
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nlimits: %v\n", err)
		os.Exit(1)
	}
	if !good {
		os.Exit(1)
	}
}

// run sends one attack after the other. It reports whether everything held.
func run(ctx context.Context, s settings) (bool, error) {
	h, err := newHouse(s)
	if err != nil {
		return false, err
	}
	defer h.close()
	var results []result
	for _, a := range attacks {
		if s.only != "" && !contains(strings.Split(s.only, ","), a.name) {
			continue
		}
		r, err := h.suffer(ctx, a)
		if err != nil {
			return false, fmt.Errorf("%s: %w", a.name, err)
		}
		results = append(results, r)
	}
	return report(results), nil
}

func contains(list []string, name string) bool {
	for _, one := range list {
		if strings.TrimSpace(one) == name {
			return true
		}
	}
	return false
}

// report prints the table and what was wrong.
func report(results []result) bool {
	fmt.Fprint(os.Stderr, "\r\033[K")
	fmt.Printf("\n%s, %s, %d processors, load %s\n\n", time.Now().Format(time.DateOnly), runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), rig.Load())
	fmt.Println("| | sent | in | another person's requests: answered, p99, slowest | memory before, most, after | calls to the provider |")
	fmt.Println("|---|---|--:|---|---|--:|")
	good := true
	for _, r := range results {
		fmt.Printf("| %s | %s | %s | %d, %s, %s | %s, %s, %s | %d |\n", r.name, r.sent, r.took.Round(time.Second),
			r.others.answered, r.others.p99.Round(time.Millisecond), r.others.slowest.Round(time.Millisecond),
			rig.Megabytes(r.before.resident), rig.Megabytes(r.most), rig.Megabytes(r.after.resident), r.calls)
	}
	for _, r := range results {
		fmt.Printf("\n%s: answers %s; %d connections ended by the server, the last after %s; the log took %s; goroutines %.0f, %.0f, %.0f; a newcomer signed in within %s\n",
			r.name, r.answers, r.ended, r.lastEnd.Round(100*time.Millisecond), rig.Megabytes(r.logged), r.before.goroutines, r.mostGoroutines, r.after.goroutines, r.newcomer.Round(time.Millisecond))
		for _, wrong := range r.wrong {
			good = false
			fmt.Printf("! %s: %s\n", r.name, wrong)
		}
	}
	return good
}
