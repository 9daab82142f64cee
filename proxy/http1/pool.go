package http1

import (
	"sync"
	"time"
)

// A pool holds idle connections. The one that idled least is taken first, so
// that the rest can run out when there is less to do.
type pool struct {
	max     int
	timeout time.Duration

	mu    sync.Mutex
	idle  []*conn // the longest idle first
	timer *time.Timer
	armed bool
}

// take returns a connection that is open and silent, or nil.
func (p *pool) take() *conn {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return nil
		}
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if time.Since(c.parked) < p.timeout && c.quiet() {
			return c
		}
		_ = c.Close()
	}
}

// put takes a connection back. A full pool closes the one that idled longest.
func (p *pool) put(c *conn) {
	if c.control == nil {
		_ = c.Close()
		return
	}
	c.reused, c.parked = true, time.Now()
	var oldest *conn
	p.mu.Lock()
	if len(p.idle) >= p.max {
		oldest = p.idle[0]
		p.drop(1)
	}
	p.idle = append(p.idle, c)
	if !p.armed {
		p.arm(p.timeout)
	}
	p.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
}

// drop forgets the n connections that idled longest. p.mu is held.
func (p *pool) drop(n int) {
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
}

// arm sets the timer, which runs only while something idles. p.mu is held.
func (p *pool) arm(after time.Duration) {
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(after, p.expire)
	} else {
		p.timer.Reset(after)
	}
}

// expire closes what idled too long.
func (p *pool) expire() {
	now := time.Now()
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].parked) >= p.timeout {
		n++
	}
	gone := append([]*conn(nil), p.idle[:n]...)
	p.drop(n)
	p.armed = false
	if len(p.idle) > 0 {
		p.arm(p.timeout - now.Sub(p.idle[0].parked))
	}
	p.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}

func (p *pool) closeAll() {
	p.mu.Lock()
	gone := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}
