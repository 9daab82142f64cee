package proxy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/proxy/http1"
)

// An Upstream is the app behind a route: one address, or several replicas of
// the app.
type Upstream struct {
	replicas []*Replica // at least one, each once
}

// UpstreamOptions say how one address of an app is reached.
type UpstreamOptions struct {
	URL     *url.URL      // scheme http or https, host and port alone
	Socket  string        // path of a unix socket, in place of the host
	Roots   []byte        // PEM certificates that an https upstream's must come from; nil: the system's
	Timeout time.Duration // until response headers; 0: no limit
}

const (
	// idleUpstream is shorter than the 5 s after which uvicorn and Node close
	// idle connections, so that a request seldom meets one that is closing.
	idleUpstream = 4 * time.Second
	dialTimeout  = 5 * time.Second
)

// keepAlive notices within half a minute that a machine went without a word, so
// that the requests that wait for it fail.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// A Replica is one address of an app, its connections and its health. Routes
// and policies that reach it in the same way share it.
type Replica struct {
	key       string // of the options it was made with
	url       *url.URL
	address   string // for the operator, never for answers
	seed      uint64 // of address, for the rendezvous hash
	transport transport
	tls       *tls.Config // nil: plain
	dial      func(context.Context) (net.Conn, error)
	health    health
}

// newReplica returns the replica; nothing is dialled yet. Its connections never
// go through a proxy of the environment: HTTPS_PROXY is for the provider.
func newReplica(o UpstreamOptions, log *slog.Logger) (*Replica, error) {
	r := &Replica{key: o.key(), url: o.URL, address: o.URL.Scheme + "://" + o.URL.Host}
	network, address := "tcp", hostPort(o.URL)
	if o.Socket != "" {
		network, address, r.address = "unix", o.Socket, "unix:"+o.Socket
	}
	r.seed = hash(r.address)
	r.health.log = log.With("upstream", r.address)
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}
	r.dial = func(ctx context.Context) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, &connectError{err}
		}
		return conn, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.Roots != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(o.Roots) {
			return nil, errors.New("ca_file: no certificate in it: want PEM, -----BEGIN CERTIFICATE-----")
		}
	}
	if o.URL.Scheme == "https" && o.Socket == "" {
		r.tls = config.Clone()
		r.tls.ServerName = o.URL.Hostname()
	}
	if o.URL.Scheme == "http" {
		r.transport = http1.New(http1.Options{Dial: r.dial, HeaderTimeout: o.Timeout, IdleTimeout: idleUpstream})
		return r, nil
	}
	r.transport = &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx) },
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        idleUpstream,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 1 << 20,
	}
	return r, nil
}

// A transport carries requests to one address: http1's where that speaks plain
// HTTP/1.1, net/http's where it speaks TLS.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// hostPort is where a URL is dialled.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(map[string]string{"https": "443"}[u.Scheme], "80"))
}

// connectError is a connection that did not come about: nothing was sent. It is
// the upstream's failure, never its being slow (http.StatusGatewayTimeout).
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// URL is where requests are addressed, as far as that has to be known before a
// replica is chosen.
func (u *Upstream) URL() *url.URL { return u.replicas[0].url }

// owns reports whether an authority is the address of a replica: what an app says of
// itself when it does not know its public name. Without a scheme it is that of the
// replica.
func (u *Upstream) owns(scheme, authority string) bool {
	for _, r := range u.replicas {
		port := defaultPorts[cmp.Or(scheme, r.url.Scheme)]
		if strings.EqualFold(strings.TrimSuffix(authority, port), strings.TrimSuffix(r.url.Host, port)) {
			return true
		}
	}
	return false
}

// key tells apart replicas that cannot share connections.
func (o UpstreamOptions) key() string {
	return fmt.Sprintf("%s|%s|%x|%s", o.URL, o.Socket, sha256.Sum256(o.Roots), o.Timeout)
}
