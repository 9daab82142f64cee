package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/e2e/rig"
)

// figures are what the soak counts.
type figures struct {
	opened, refreshes, refused, signIns, signInsFailed, takeovers, signOuts atomic.Int64
	ghosts, backchannels, revocations, reloads, roleChanges                 atomic.Int64
	outages, redisOutages                                                   atomic.Int64
	answers                                                                 [4]atomic.Int64

	mu     sync.Mutex
	cuts   map[string][]time.Duration // by what ended the right
	closed bool                       // everybody leaves: cuts count no more
	broken map[string]int             // violations, by what is said of them
	first  []string
}

// told is how many violations of a kind are told in full.
const told = 5

// violate notes what must not be.
func (k *soak) violate(format string, args ...any) {
	text := clock(time.Now()) + " " + fmt.Sprintf(format, args...)
	f := &k.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = make(map[string]int)
	}
	f.broken[format]++
	if f.broken[format] <= told {
		f.first = append(f.first, text)
		fmt.Fprintf(os.Stderr, "\r\033[K! %s\n", text)
	}
}

func (f *figures) violations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, of := range f.broken {
		n += of
	}
	return n
}

func (f *figures) cut(cause string, after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if f.cuts == nil {
		f.cuts = make(map[string][]time.Duration)
	}
	f.cuts[cause] = append(f.cuts[cause], after)
}

// close ends the counting of cuts.
func (f *figures) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *figures) answer(got outcome) {
	for i := range f.answers {
		if got == 1<<i {
			f.answers[i].Add(1)
		}
	}
}

// A delay is how long after their right's end streams were cut, 0 where the cut
// came before the answer that told of it.
type delay struct {
	cause          string
	n              int
	p50, p99, most time.Duration
}

// delays are those of all causes together, and of each.
func (f *figures) delays() (all delay, each []delay) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var together []time.Duration
	for _, cause := range slices.Sorted(maps.Keys(f.cuts)) {
		together = append(together, f.cuts[cause]...)
		each = append(each, delayOf(cause, f.cuts[cause]))
	}
	return delayOf("all together", together), each
}

func delayOf(cause string, some []time.Duration) delay {
	sorted := slices.Sorted(slices.Values(some))
	n := len(sorted)
	if n == 0 {
		return delay{cause: cause}
	}
	return delay{cause, n, sorted[n/2], sorted[n*99/100], sorted[n-1]}
}

// progress shows what is being done, on one line of the terminal.
func (k *soak) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "\r\033[K[%s %s] %s", k.store, time.Since(k.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// tell shows how things stand, every few seconds.
func (k *soak) tell(ctx context.Context) {
	var before int64
	for rig.Pause(ctx, 3*time.Second) {
		cuts, _ := k.figures.delays()
		refreshes := k.figures.refreshes.Load()
		s := k.sample()
		k.progress("%d streams, %.0f refreshes/s, %d cut (p99 %s, max %s), %d requests, %d violations, %.0f goroutines, %s, load %s; %s",
			s.streams, float64(refreshes-before)/3, cuts.n, round(cuts.p99), round(cuts.most), k.requests(), k.figures.violations(),
			s.goroutines, rig.Megabytes(s.resident), rig.Load(), &k.weather)
		before = refreshes
	}
}

func (k *soak) requests() int64 {
	var n int64
	for i := range k.figures.answers {
		n += k.figures.answers[i].Load()
	}
	return n
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// report prints the figures. It reports whether everything held.
func (k *soak) report(w io.Writer) bool {
	if n := k.provider.overlap(); n > 1 {
		k.violate("up to %d refreshes were under way with one token", n)
	}
	most, pace := k.provider.busiest(), paceMost*len(k.gates)
	if k.asBuilt {
		pace = mostReal * len(k.gates)
	}
	if most > pace {
		k.violate("%d refreshes in a minute, want at most %d", most, pace)
	}
	k.growth.judge(k)
	f := &k.figures
	cuts, causes := f.delays()
	was, is := k.growth.fifth(1, k.settings.streams), k.growth.fifth(4, k.settings.streams)
	fmt.Fprint(os.Stderr, "\r\033[K")
	fmt.Fprintf(w, "\n| store %s, seed %d | |\n|---|---|\n", k.store, k.seed)
	for _, row := range [][2]string{
		{"length, instances", fmt.Sprintf("%s, %d", k.growth.last.Sub(k.growth.full).Round(time.Second), len(k.gates))},
		{"sessions, streams wanted, life of tokens", fmt.Sprintf("%d, %d, %s", k.sessions, k.settings.streams, k.life)},
		{"load at the end; worst stall of this machine, hiccups taken for outages of Redis", fmt.Sprintf("%s; %s, %d", rig.Load(), round(k.stalls.worst), k.stalls.hiccups)},
		{"sign-ins, of them over a live session, failed in outages", fmt.Sprintf("%d, %d, %d", f.signIns.Load(), f.takeovers.Load(), f.signInsFailed.Load())},
		{"sign-outs, back-channel logouts, revocations at the provider", fmt.Sprintf("%d, %d, %d", f.signOuts.Load(), f.backchannels.Load(), f.revocations.Load())},
		{"role changes, reloads", fmt.Sprintf("%d, %d", f.roleChanges.Load(), f.reloads.Load())},
		{"outages of the provider, of Redis", fmt.Sprintf("%d, %d", f.outages.Load(), f.redisOutages.Load())},
		{"refreshes, most in a minute, refused", fmt.Sprintf("%d, %d, %d", f.refreshes.Load(), most, f.refused.Load())},
		{"answers 200, 403, 401, 503; with dead cookies", fmt.Sprintf("%d, %d, %d, %d; %d", f.answers[0].Load(), f.answers[1].Load(), f.answers[2].Load(), f.answers[3].Load(), f.ghosts.Load())},
		{"streams opened", fmt.Sprint(f.opened.Load())},
		{"streams open, second fifth → last", fmt.Sprintf("%d → %d", was.streams, is.streams)},
		{"goroutines, second fifth → last; before, after", fmt.Sprintf("%.0f → %.0f; %.0f, %.0f", was.goroutines, is.goroutines, k.growth.baseline.goroutines, k.growth.empty.goroutines)},
		{"resident memory, second fifth → last", fmt.Sprintf("%s → %s", rig.Megabytes(was.resident), rig.Megabytes(is.resident))},
		{"heap in use, second fifth → last", fmt.Sprintf("%s → %s", rig.Megabytes(was.heap), rig.Megabytes(is.heap))},
		{"violations", fmt.Sprint(f.violations())},
	} {
		fmt.Fprintf(w, "| %s | %s |\n", row[0], row[1])
	}
	fmt.Fprintf(w, "\n| streams cut by | | p50 | p99 | max after the right's end |\n|---|--:|--:|--:|--:|\n")
	for _, d := range append(causes, cuts) {
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", d.cause, d.n, round(d.p50), round(d.p99), round(d.most))
	}
	if f.violations() > 0 {
		fmt.Fprintf(w, "\nThe first violations:\n")
		for _, text := range f.first {
			fmt.Fprintln(w, "-", text)
		}
	}
	return f.violations() == 0
}
