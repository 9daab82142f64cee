package main

import (
	"context"
	"slices"
	"time"

	"gatehouse/e2e/rig"
)

// A sample is what the instances take together.
type sample struct {
	at         time.Time
	goroutines float64
	resident   float64 // bytes
	heap       float64 // bytes in use
	streams    int
}

// growth holds samples from when everybody has come until they leave.
type growth struct {
	baseline sample // before anybody came
	empty    sample // after everybody left
	full     time.Time
	last     time.Time
	samples  []sample
}

func (k *soak) sample() sample {
	s := sample{at: time.Now(), streams: k.streams.open()}
	for _, g := range k.gates {
		_, text := k.admin(g, "/metrics")
		s.goroutines += rig.Metric(text, "go_goroutines")
		s.resident += rig.Metric(text, "process_resident_memory_bytes")
		s.heap += rig.Metric(text, "go_memstats_heap_inuse_bytes")
	}
	return s
}

func (g *growth) watch(ctx context.Context, k *soak) {
	every := min(5*time.Second, k.length/50)
	for rig.Pause(ctx, every) {
		g.samples = append(g.samples, k.sample())
	}
}

// fifth returns the medians of the nth fifth of the samples, from 0; of those
// while most streams were open, where there are some.
func (g *growth) fifth(n, wanted int) sample {
	part := g.samples[len(g.samples)*n/5 : len(g.samples)*(n+1)/5]
	var crowded []sample
	for _, s := range part {
		if s.streams >= wanted*8/10 {
			crowded = append(crowded, s)
		}
	}
	if len(crowded) >= 3 {
		part = crowded
	}
	if len(part) == 0 {
		return sample{}
	}
	median := func(of func(sample) float64) float64 {
		values := make([]float64, 0, len(part))
		for _, s := range part {
			values = append(values, of(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return sample{
		goroutines: median(func(s sample) float64 { return s.goroutines }),
		resident:   median(func(s sample) float64 { return s.resident }),
		heap:       median(func(s sample) float64 { return s.heap }),
		streams:    int(median(func(s sample) float64 { return float64(s.streams) })),
	}
}

const (
	// fair is from what length on growth can be told from what a process takes at
	// first.
	fair = 4 * time.Minute
	// What medians of two fifths may differ by that is no growth.
	someGoroutines = 100
	someMemory     = 8 << 20
	someShare      = 0.15
	// leftOver are goroutines that may stay for an idle connection or two.
	leftOver = 20
)

// judge reports what grew. Goroutines are compared by open stream, since outages
// leave fewer of them.
func (g *growth) judge(k *soak) {
	if g.empty.goroutines > g.baseline.goroutines+leftOver {
		k.violate("%.0f goroutines are left when everybody has gone, %.0f were there before", g.empty.goroutines, g.baseline.goroutines)
	}
	if k.length < fair {
		return
	}
	was, is := g.fifth(1, k.settings.streams), g.fifth(4, k.settings.streams)
	share := max(1, float64(is.streams)/float64(max(1, was.streams)))
	if is.goroutines > was.goroutines*share*(1+someShare)+someGoroutines {
		k.violate("goroutines grew from %.0f to %.0f", was.goroutines, is.goroutines)
	}
	if is.resident > was.resident*share*(1+someShare)+someMemory {
		k.violate("memory grew from %s to %s", rig.Megabytes(was.resident), rig.Megabytes(is.resident))
	}
}

// waitEmpty waits until the goroutines are gone, which idle connections keep for
// up to two minutes.
func (g *growth) waitEmpty(ctx context.Context, k *soak) {
	for began := time.Now(); ; {
		g.empty = k.sample()
		if g.empty.goroutines <= g.baseline.goroutines+leftOver/2 || time.Since(began) > 150*time.Second || !rig.Pause(ctx, time.Second) {
			return
		}
	}
}
