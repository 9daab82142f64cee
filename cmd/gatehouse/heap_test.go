package main

import "testing"

func TestASmallHeapMayGrowAndALargeOneDoubles(t *testing.T) {
	for _, tc := range []struct {
		name string
		live uint64
		want int
	}{
		{"nothing is known yet", 0, 1000},
		{"hardly anything is in use", 100 << 10, 1000},
		{"a quarter of the least", leastHeap / 4, 300},
		{"half of it, from where Go's own rule holds", leastHeap / 2, 100},
		{"ten thousand streams", 200 << 20, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := growth(tc.live); got != tc.want {
				t.Errorf("%d bytes in use may grow by %d %%, want %d", tc.live, got, tc.want)
			}
		})
	}
}
