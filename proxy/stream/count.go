package stream

import "context"

// Count is a number of open streams.
type Count struct {
	Route string
	Kind  Kind
	Open  int
}

// Counts returns the open streams by route and kind, in no order; what has none
// is left out.
func (r *Registry) Counts() []Count {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Count, 0, len(r.counts))
	for l, n := range r.counts {
		all = append(all, Count{Route: l.route, Kind: l.kind, Open: n})
	}
	return all
}

// Open returns the number of open streams.
func (r *Registry) Open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := 0
	for _, n := range r.counts {
		open += n
	}
	return open
}

// recount moves a stream from one kind to another and returns the cause that
// closes all streams, if there is one. Request stands for none.
func (r *Registry) recount(route string, was, is Kind) Cause {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was != Request {
		l := label{route, was}
		if r.counts[l]--; r.counts[l] == 0 {
			delete(r.counts, l)
		}
	}
	if is != Request {
		r.counts[label{route, is}]++
	}
	return r.draining
}

// Wait returns nil when nothing is in flight, neither streams nor requests, or
// the context's error.
func (r *Registry) Wait(ctx context.Context) error {
	gone := make(chan struct{})
	r.mu.Lock()
	r.waiting = append(r.waiting, gone)
	r.mu.Unlock()
	if r.flying.Load() == 0 {
		r.landed()
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Registry) landed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, gone := range r.waiting {
		close(gone)
	}
	r.waiting = nil
}

// land counts a request out, last of all.
func (r *Registry) land() {
	if r.flying.Add(-1) == 0 {
		r.landed()
	}
}
