package stream

import "time"

// The young are swept by a timer that runs only while there are some. It is set
// for the moment when the oldest comes of age, but not more often than pause.
const pause = 250 * time.Millisecond

func (r *Registry) arm() {
	if !r.armed.Load() && r.armed.CompareAndSwap(false, true) {
		time.AfterFunc(After, r.sweep)
	}
}

// sweep turns requests that came of age into streams. The young are in order of
// age, so it looks at no more than those and one more in each shard.
func (r *Registry) sweep() {
	now := time.Now()
	var grown []*Stream
	next := time.Duration(-1)
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for n := sh.young.next; n != &sh.young; n = n.next {
			left := After - now.Sub(n.stream.began)
			if left <= 0 {
				grown = append(grown, n.stream)
				continue
			}
			if next < 0 || left < next {
				next = left
			}
			break
		}
		sh.mu.Unlock()
	}
	if next >= 0 {
		time.AfterFunc(max(next, pause), r.sweep)
	} else {
		r.disarm()
	}
	for _, s := range grown {
		r.promote(s, Long)
	}
}

// disarm lets the timer rest, unless a request began after the sweep had passed
// its shard and saw the timer still set.
func (r *Registry) disarm() {
	r.armed.Store(false)
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		idle := sh.young.empty()
		sh.mu.Unlock()
		if !idle {
			r.arm()
			return
		}
	}
}

// promote makes a request a stream, or a long request an event stream or an
// upgrade once its header tells.
func (r *Registry) promote(s *Stream, kind Kind) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	sh := r.lock(s)
	was := s.Kind()
	if kind == Long && was != Request {
		sh.mu.Unlock() // its header came while the sweep was under way
		s.mu.Unlock()
		return
	}
	if was == Request {
		s.age.unlink()
	}
	s.kind.Store(uint32(kind))
	cause := s.condemned
	draining := r.recount(s.route, was, kind)
	sh.mu.Unlock()

	if was != Request {
		s.mu.Unlock()
		return
	}
	if !s.expires.IsZero() {
		s.expiry = time.AfterFunc(time.Until(s.expires), func() { s.Close(BearerExpired) })
	}
	if r.config.Opened != nil {
		r.config.Opened(s) // under s.mu, so that Closed cannot come first
	}
	s.mu.Unlock()

	if cause == "" {
		cause = draining
	}
	if cause == "" && r.config.Recheck != nil {
		cause = r.config.Recheck(s)
	}
	s.Close(cause)
}
