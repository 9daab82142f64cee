package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastHeap is how large the heap may grow before it is collected, in bytes,
// however little of it is in use.
const leastHeap = 8 << 20

// keepHeap sees to leastHeap from now on. Go collects when the heap has doubled,
// and of a process that holds little that is after few requests: a sixth of their
// CPU time went there (docs/performance.md). An operator's GOGC stands.
func keepHeap() {
	if os.Getenv("GOGC") == "" {
		afterCollection(100)
	}
}

// afterCollection adapts the growth that is allowed to what each collection has
// left in use.
func afterCollection(percent int) {
	runtime.AddCleanup(new([16]byte), func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		want := growth(live[0].Value.Uint64())
		if want > percent*5/4 || want < percent*4/5 { // to set it stops the world for a moment
			debug.SetGCPercent(want)
			percent = want
		}
		afterCollection(percent)
	}, percent)
}

// growth is the growth to allow, in percent of what is in use: 100, as is Go's
// default, or more for less than half of leastHeap.
func growth(live uint64) int {
	if live >= leastHeap/2 {
		return 100
	}
	return int(min((leastHeap-live)*100/max(live, 1), 1000))
}
