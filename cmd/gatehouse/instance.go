package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/authz"
	"gatehouse/config"
	"gatehouse/proxy"
)

// An instance is Gatehouse assembled from a configuration.
type instance struct {
	log, audit *slog.Logger
	voice      *voice
	metrics    *proxy.Metrics
	registry   *prometheus.Registry
	upstreams  *proxy.Upstreams
	sessions   *session.Table
	redis      *session.RedisStore // nil with the cookie store
	state      *session.StateFile  // nil without session.state_file
	handler    *proxy.Handler
	sealers    sealers
	needs      needsHistory
	refresh    refreshing
	identify   authn.Identifier
	certs      certifier // nil: something else ends TLS
	follow     *follower // nil: the configuration never changes

	background context.Context    // ends with serving
	undiscover context.CancelFunc // ends the discovery under way; only serve and reload touch it

	present atomic.Pointer[config.Config]
	fitting *fitting // what belongs to present beside the policy; only assemble and reload touch it
}

// config is the present configuration.
func (in *instance) config() *config.Config { return in.present.Load() }

// provider is where people sign in at present.
func (in *instance) provider() *authn.Provider { return in.handler.Policy().Provider }

// assemble wires the parts together. Nothing runs yet.
func assemble(c *config.Config, stderr io.Writer) (*instance, error) {
	in := &instance{voice: newVoice(stderr), registry: prometheus.NewRegistry()}
	in.voice.set(c.Log)
	in.log, in.audit = in.voice.loggers()
	in.upstreams = proxy.NewUpstreams(in.log)
	in.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	in.metrics = proxy.NewMetrics(in.registry)
	for _, result := range []string{"ok", "rejected"} {
		in.metrics.Reloads.WithLabelValues(result) // so that an alert has a zero to start from
	}
	if err := in.sealers.set(c.Session.Secrets); err != nil {
		return nil, err
	}
	in.identify = authn.NewIdentifier(in.needs.trim, in.log)
	policy, fitted, err := in.fit(c, nil)
	if err != nil {
		return nil, err
	}
	in.needs.add(policy)
	in.refresh.set(policy.Refresh, c.Session.Refresh)
	if err := in.keepSessions(c); err != nil {
		return nil, err
	}
	in.handler = proxy.NewHandler(proxy.Options{
		Policy: policy, Sessions: in.sessions, Upstreams: in.upstreams,
		Metrics: in.metrics, Log: in.log, Audit: in.audit, Now: time.Now,
	})
	if in.certs, err = in.newCertifier(c); err != nil {
		return nil, err
	}
	proxy.WatchStreams(in.registry, in.handler.Streams())
	proxy.WatchUpstreams(in.registry, in.handler)
	in.fitting = fitted
	in.present.Store(c)
	return in, nil
}

// needsHistory knows what the present policy looks at, and what earlier ones
// did, so that a session trimmed for an earlier policy can be judged.
type needsHistory struct {
	present atomic.Pointer[proxy.Policy]

	mu   sync.Mutex
	past *lru.Cache[string, *authz.Needs] // by digest
}

// pastNeeds bounds what is remembered of earlier policies. A session trimmed for
// one that is forgotten is refreshed, as if it lacked something.
const pastNeeds = 64

func (n *needsHistory) add(p *proxy.Policy) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.past == nil {
		n.past, _ = lru.New[string, *authz.Needs](pastNeeds) // fails only for a size of 0
	}
	n.past.Add(p.Needs.Digest(), p.Needs)
	n.present.Store(p)
}

// Marks behind the digest of the needs that an identity was trimmed to.
const (
	claimsAlone = "~" // nothing but custom claims was left out
	tight       = "!" // trimmed to what decisions need as things stand: it suits no other policy
)

// trim leaves out of an identity what the present policy does not look at. The
// digest is "" where nothing was left out: such a session suits every policy.
func (n *needsHistory) trim(id *authz.Identity) (*authz.Identity, string) {
	needs := n.present.Load().Needs
	trimmed := needs.Trim(id)
	switch {
	case trimmed == id:
		return id, ""
	case len(trimmed.Tenants) == len(id.Tenants):
		return trimmed, needs.Digest() + claimsAlone
	}
	return trimmed, needs.Digest()
}

func (n *needsHistory) tighten(id *authz.Identity) (*authz.Identity, string) {
	p := n.present.Load()
	return p.Least.TrimTight(id), p.Needs.Digest() + tight
}

// cover reports whether a session trimmed for the needs of that digest holds
// all that the present policy looks at.
func (n *needsHistory) cover(digest string) bool {
	needs := n.present.Load().Needs
	bare := strings.TrimRight(digest, claimsAlone+tight)
	if bare == needs.Digest() {
		return true
	}
	n.mu.Lock()
	past, ok := n.past.Get(bare)
	n.mu.Unlock()
	switch digest[len(bare):] {
	case claimsAlone:
		return past.CoversClaims(needs)
	case "":
		return ok && past.Covers(needs)
	}
	return false
}
