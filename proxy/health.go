package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// checkEvery is how often an upstream is connected to. With checkTimeout
	// below it, one that came back serves within 10 s.
	checkEvery   = 5 * time.Second
	checkTimeout = 4 * time.Second
)

// health is whether connections to a replica come about: what the last check or
// request found. A replica of which nothing is known yet is up.
type health struct {
	failing atomic.Bool
	log     *slog.Logger
}

func (h *health) isDown() bool { return h.failing.Load() }

func (h *health) up() {
	if h.failing.Load() && h.failing.CompareAndSwap(true, false) {
		h.log.Info("an upstream answers again")
	}
}

// down takes a failure to connect, unless it is this machine's own: that says
// nothing about the replica, and would move everybody at once.
func (h *health) down(err error) {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, own) {
			return
		}
	}
	if h.failing.CompareAndSwap(false, true) {
		h.log.Warn("an upstream does not answer", "error", err)
	}
}

// check connects as a request would, and says no more: what an app does with a
// request is nobody's to guess, and one that computes for minutes is alive. The
// kernel repeats a lost SYN within the time given, so one failure is enough.
func (r *Replica) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := r.connect(ctx); err == nil {
		r.health.up()
	} else if !errors.Is(ctx.Err(), context.Canceled) {
		r.health.down(err)
	}
}

// connect opens a connection, TLS included, and closes it again.
func (r *Replica) connect(ctx context.Context) error {
	conn, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if r.tls == nil {
		return nil
	}
	return tls.Client(conn, r.tls).HandshakeContext(ctx)
}

// watch checks until ctx ends.
func (r *Replica) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		r.check(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Upstreams are the replicas of all policies. They outlive each of them: a
// reload leaves connections and health of what it does not change alone.
type Upstreams struct {
	log *slog.Logger

	mu       sync.Mutex
	known    map[string]*Replica           // by options
	watching map[string]context.CancelFunc // those that the present policy uses
	closed   bool
}

// NewUpstreams returns an empty set.
func NewUpstreams(log *slog.Logger) *Upstreams {
	return &Upstreams{log: log, known: make(map[string]*Replica), watching: make(map[string]context.CancelFunc)}
}

// Upstream returns the app at these addresses, of which one that stands twice
// counts once. Nothing is connected to before [Upstreams.Use]. The error is a
// bad certificate file's.
func (u *Upstreams) Upstream(addresses ...UpstreamOptions) (*Upstream, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := &Upstream{}
	seen := make(map[*Replica]bool, len(addresses))
	for _, o := range addresses {
		key := o.key()
		r := u.known[key]
		if r == nil {
			var err error
			if r, err = newReplica(o, u.log); err != nil {
				return nil, err
			}
			u.known[key] = r
		}
		if !seen[r] {
			seen[r] = true
			up.replicas = append(up.replicas, r)
		}
	}
	return up, nil
}

// Use checks the replicas of the policy from now on and forgets all others:
// their open requests end by themselves, their idle connections are closed.
func (u *Upstreams) Use(p *Policy) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	used := make(map[string]*Replica)
	for _, rt := range p.Routes {
		for _, r := range rt.Upstream.replicas {
			used[r.key] = r
		}
	}
	for key, r := range used {
		u.known[key] = r // also where another policy was compiled and dropped meanwhile
		if u.watching[key] == nil {
			ctx, stop := context.WithCancel(context.Background())
			u.watching[key] = stop
			go r.watch(ctx)
		}
	}
	for key, r := range u.known {
		if used[key] != nil {
			continue
		}
		delete(u.known, key)
		if stop := u.watching[key]; stop != nil {
			stop()
			delete(u.watching, key)
		}
		r.transport.CloseIdleConnections()
	}
}

// Close ends all checks.
func (u *Upstreams) Close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for _, stop := range u.watching {
		stop()
	}
	for _, r := range u.known {
		r.transport.CloseIdleConnections()
	}
}

// upstreamCollector shows the health of the present policy's upstreams.
type upstreamCollector struct {
	handler *Handler
	desc    *prometheus.Desc
}

// WatchUpstreams registers gatehouse_upstream_up with reg.
func WatchUpstreams(reg prometheus.Registerer, h *Handler) {
	reg.MustRegister(&upstreamCollector{h, prometheus.NewDesc("gatehouse_upstream_up",
		"Whether an upstream takes connections, 1 or 0, by route and address.", []string{"route", "upstream"}, nil)})
}

func (c *upstreamCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *upstreamCollector) Collect(ch chan<- prometheus.Metric) {
	for _, rt := range c.handler.policy.Load().Routes {
		for _, r := range rt.Upstream.replicas {
			up := 1.0
			if r.health.isDown() {
				up = 0
			}
			ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, up, rt.Name, r.address)
		}
	}
}
