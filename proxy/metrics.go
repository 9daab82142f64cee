package proxy

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/proxy/stream"
)

// Metrics are the counters that operators see. No label holds what a client can
// choose: routes are the configuration's, codes and reasons are fixed words.
type Metrics struct {
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	decisions     *prometheus.CounterVec
	signIns       *prometheus.CounterVec
	refreshes     *prometheus.CounterVec
	streamsClosed *prometheus.CounterVec
	Reloads       *prometheus.CounterVec // by result: ok or rejected

	byRoute sync.Map // requestLabel → prometheus.Counter, without the lookup's allocations
	timers  sync.Map // route → prometheus.Observer
}

type requestLabel struct {
	route string
	code  int
}

// NewMetrics returns the metrics, registered with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		requests:      counter("gatehouse_requests_total", "Requests answered, by route and status code; route is empty where none matched.", "route", "code"),
		decisions:     counter("gatehouse_decisions_total", "Decisions, by route, allow or deny, and reason.", "route", "decision", "reason"),
		signIns:       counter("gatehouse_sign_ins_total", "Sign-ins that ended, by result: ok, or why not.", "result"),
		refreshes:     counter("gatehouse_refreshes_total", "Refreshes of sessions at the provider, by result: ok, ended or unreachable.", "result"),
		streamsClosed: counter("gatehouse_streams_closed_total", "Streams that ended, by reason.", "reason"),
		Reloads:       counter("gatehouse_config_reloads_total", "Configurations taken up or rejected while running.", "result"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatehouse_request_seconds", Help: "Time from a request's first byte read to its answer's last byte written, streams included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"route"}),
	}
	reg.MustRegister(m.seconds)
	m.zero()
	return m
}

// zero shows results that have not come yet as 0: the first of them is a rise then,
// which an alert sees, and not a series that begins at 1.
func (m *Metrics) zero() {
	for _, outcome := range []session.Outcome{session.Confirmed, session.Unreachable, session.Refused} {
		m.refreshes.WithLabelValues(string(outcome))
	}
	m.signIns.WithLabelValues("ok")
	for _, reason := range []authn.Reason{authn.ReasonDenied, authn.ReasonState, authn.ReasonProvider,
		authn.ReasonProviderUnavailable, authn.ReasonSessionTooLarge, authn.ReasonNoSessionStore} {
		m.signIns.WithLabelValues(string(reason))
	}
}

func (m *Metrics) request(route string, code int, took time.Duration) {
	key := requestLabel{route, code}
	c, ok := m.byRoute.Load(key)
	if !ok {
		c, _ = m.byRoute.LoadOrStore(key, m.requests.WithLabelValues(route, strconv.Itoa(code)))
	}
	c.(prometheus.Counter).Inc()
	o, ok := m.timers.Load(route)
	if !ok {
		o, _ = m.timers.LoadOrStore(route, m.seconds.WithLabelValues(route))
	}
	o.(prometheus.Observer).Observe(took.Seconds())
}

// streamCollector shows the registry's own counts.
type streamCollector struct {
	registry *stream.Registry
	desc     *prometheus.Desc
}

// WatchStreams registers gatehouse_streams with reg.
func WatchStreams(reg prometheus.Registerer, registry *stream.Registry) {
	reg.MustRegister(&streamCollector{registry, prometheus.NewDesc("gatehouse_streams", "Streams open now, by route and kind.", []string{"route", "kind"}, nil)})
}

func (c *streamCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *streamCollector) Collect(ch chan<- prometheus.Metric) {
	for _, n := range c.registry.Counts() {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n.Open), n.Route, n.Kind.String())
	}
}
