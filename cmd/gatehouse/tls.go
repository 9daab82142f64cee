package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"gatehouse/config"
	"gatehouse/proxy/stream"
)

// A certifier is where the listener's certificates come from.
type certifier interface {
	// prepare does what can fail of taking up a configuration, and returns what
	// is left to do.
	prepare(c *config.Config) (commit func(), err error)
	// run follows what changes by itself until ctx ends.
	run(ctx context.Context)
	// answers wraps the handler of the plain listener, for authorities that ask
	// there (RFC 8555, section 8.3).
	answers(h http.Handler) http.Handler
	// config is for the listener. It speaks HTTP/2 and HTTP/1.1, TLS 1.2 or later.
	config() *tls.Config
}

// newCertifier returns the certifier of a configuration; nil where something else
// ends TLS.
func (in *instance) newCertifier(c *config.Config) (certifier, error) {
	switch {
	case c.TLS.CertFile != "":
		f := &certificateFiles{}
		commit, err := f.prepare(c)
		if err != nil {
			return nil, err
		}
		commit()
		return f, nil
	case c.TLS.ACME.Enabled():
		return newACME(c, in.log)
	}
	return nil, nil
}

// httpProtocols are what the listener speaks.
func httpProtocols() []string { return []string{"h2", "http/1.1"} }

// certificateFiles are one certificate for every host, from files that are read
// again when they change.
type certificateFiles struct {
	present atomic.Pointer[tls.Certificate]
}

func (f *certificateFiles) prepare(c *config.Config) (func(), error) {
	cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file: %w", err)
	}
	return func() { f.present.Store(&cert) }, nil
}

func (f *certificateFiles) run(context.Context) {} // the follower of the configuration sees them change

func (f *certificateFiles) answers(h http.Handler) http.Handler { return h }

func (f *certificateFiles) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: httpProtocols(),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return f.present.Load(), nil
		},
	}
}

// startRedirect serves the plain listener that leads to https, if there is one.
func (in *instance) startRedirect() (*http.Server, error) {
	server := in.newServer(in.handler.Redirect())
	if in.certs != nil {
		server.Handler = in.certs.answers(server.Handler)
	}
	address := in.config().TLS.RedirectListen
	if address == "" {
		return server, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("tls.redirect_listen: %w", err)
	}
	in.log.Info("redirecting to https", "address", listener.Addr().String())
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server, nil
}

// serveHTTP serves the public listener until the server is shut down.
func (in *instance) serveHTTP(server *http.Server, listener net.Listener) error {
	if in.certs == nil {
		return server.Serve(listener)
	}
	server.TLSConfig = in.certs.config()
	return server.ServeTLS(stream.FirmDeadlines(listener), "", "")
}
