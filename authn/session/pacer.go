package session

import (
	"slices"
	"sync"
	"time"
)

const (
	// At most refreshMost refreshes start in any minute: Descope allows about
	// 100 calls a minute from one address, and sign-ins need room in it. They
	// are spread: refreshBurst at once, and then one each refreshEvery.
	refreshMost  = 60
	refreshBurst = 10
	refreshEvery = time.Second
	// justOver keeps the 61st out of a minute whose both ends count.
	justOver = time.Minute + time.Millisecond
)

// A pacer spreads the refreshes of all sessions. Those that a request waits
// for go first.
type pacer struct {
	mu     sync.Mutex
	tokens float64
	filled time.Time // when tokens was last brought up to date
	paused time.Time // no refresh before this
	starts [refreshMost]time.Time
	next   int // the oldest of starts, and the place of the next one
	urgent []*turn
	calm   []*turn
	timer  *time.Timer
}

// A turn is a refresh's place in the queue.
type turn struct {
	ready   chan struct{}
	over    func() bool // the session has ended: its turn is nobody's
	urgent  bool
	started bool
}

func newTurn(urgent bool, over func() bool) *turn {
	return &turn{ready: make(chan struct{}), urgent: urgent, over: over}
}

func newPacer() *pacer { return &pacer{tokens: refreshBurst, filled: time.Now()} }

// wait returns when it is the turn's time.
func (p *pacer) wait(t *turn) {
	p.mu.Lock()
	if t.urgent {
		p.urgent = append(p.urgent, t)
	} else {
		p.calm = append(p.calm, t)
	}
	p.dispatch()
	p.mu.Unlock()
	<-t.ready
}

// hurry lets a queued turn pass those that nobody waits for.
func (p *pacer) hurry(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.urgent || t.started {
		return
	}
	t.urgent = true
	for i, q := range p.calm {
		if q == t {
			p.calm = append(p.calm[:i], p.calm[i+1:]...)
			p.urgent = append(p.urgent, t)
			return
		}
	}
}

// soon reports whether the turn has come, or will within d as things stand.
// Whoever could only wait in vain need not wait at all, nor whoever would ask a
// provider that has said not to be asked: that is as if it could not be reached.
func (p *pacer) soon(t *turn, d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.started {
		return true
	}
	now := time.Now()
	if p.paused.After(now) {
		return false
	}
	ahead := slices.Index(p.urgent, t)
	if ahead < 0 { // not queued yet: behind those that are
		ahead = len(p.urgent)
	}
	return p.delay(now, ahead) <= d
}

// delay returns how long it takes until a turn with so many ahead of it may
// start. The caller holds p.mu.
func (p *pacer) delay(now time.Time, ahead int) time.Duration {
	tokens := min(refreshBurst, p.tokens+float64(now.Sub(p.filled))/float64(refreshEvery))
	spread := time.Duration((float64(ahead+1) - tokens) * float64(refreshEvery))
	minute := time.Duration(ahead/refreshMost) * time.Minute
	if oldest := p.starts[(p.next+ahead)%refreshMost]; !oldest.IsZero() {
		minute += oldest.Add(justOver).Sub(now)
	}
	return max(spread, minute, p.paused.Sub(now))
}

// pause lets no refresh start for d (the provider's Retry-After).
func (p *pacer) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.paused) {
		p.paused = until
	}
}

// dispatch starts what may start now and arms the timer for the rest. The
// caller holds p.mu.
func (p *pacer) dispatch() {
	now := time.Now()
	for p.delay(now, 0) <= 0 {
		t := p.pop()
		if t == nil {
			return
		}
		if !t.over() {
			p.tokens = min(refreshBurst, p.tokens+float64(now.Sub(p.filled))/float64(refreshEvery)) - 1
			p.filled = now
			p.starts[p.next] = now
			p.next = (p.next + 1) % refreshMost
		}
		t.started = true
		close(t.ready)
	}
	if len(p.urgent)+len(p.calm) == 0 {
		return
	}
	wait := max(p.delay(now, 0), time.Millisecond)
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.dispatch()
	})
}

func (p *pacer) pop() *turn {
	for _, q := range []*[]*turn{&p.urgent, &p.calm} {
		if len(*q) > 0 {
			t := (*q)[0]
			(*q)[0] = nil
			*q = (*q)[1:]
			return t
		}
	}
	return nil
}
