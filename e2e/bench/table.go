package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A table holds what was measured, by line and contestant.
type table struct {
	lines []line
}

// A line is one thing measured of one contestant: a value a round, and the same
// round's of the bare proxy, so that the ratio is of what ran side by side.
type line struct {
	what, who, unit string
	values, bare    []float64
}

func (t *table) add(what, who, unit string, value, bare float64) {
	for i := range t.lines {
		if l := &t.lines[i]; l.what == what && l.who == who {
			l.values, l.bare = append(l.values, value), append(l.bare, bare)
			return
		}
	}
	t.lines = append(t.lines, line{what, who, unit, []float64{value}, []float64{bare}})
}

func (t *table) print(w io.Writer) {
	fmt.Fprintln(w, "| | | median | from – to | × bare | from – to |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|")
	last := ""
	for _, l := range t.lines {
		what := l.what
		if what == last {
			what = ""
		}
		last = l.what
		mid, low, high := spread(l.values)
		ratios := make([]float64, 0, len(l.values))
		for i := range l.values {
			if l.bare[i] > 0 {
				ratios = append(ratios, l.values[i]/l.bare[i])
			}
		}
		beside, range_ := "", ""
		if len(ratios) > 0 {
			m, lo, hi := spread(ratios)
			beside, range_ = number(m), number(lo)+" – "+number(hi)
		}
		fmt.Fprintf(w, "| %s | %s | %s %s | %s – %s | %s | %s |\n", what, l.who, number(mid), l.unit, number(low), number(high), beside, range_)
	}
}

func spread(values []float64) (mid, low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	mid = sorted[n/2]
	if n%2 == 0 {
		mid = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return mid, sorted[0], sorted[n-1]
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f", v))
}
