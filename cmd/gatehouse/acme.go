package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"gatehouse/config"
)

// acme are certificates fetched from an ACME authority (RFC 8555), one a host,
// renewed before they end. Who sets tls.acme agrees to the authority's terms.
type acme struct {
	log    *slog.Logger
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer

	mu    sync.Mutex
	ctx   context.Context // of run; nil before it
	hosts []string
}

// renewEvery is how often certificates are looked at, whether they should be
// renewed: in the last third of their life, or when the authority says so (RFC 9773).
const renewEvery = 10 * time.Minute

func newACME(c *config.Config, log *slog.Logger) (*acme, error) {
	a := &acme{log: log.With("part", "acme"), hosts: certifiedHosts(c)}
	logger := zapTo(a.log)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil },
		RenewCheckInterval: renewEvery,
		Logger:             logger,
	})
	template := certmagic.Config{Logger: logger}
	if c.TLS.ACME.Storage != "" {
		template.Storage = &certmagic.FileStorage{Path: c.TLS.ACME.Storage}
	}
	a.magic = certmagic.New(a.cache, template)
	// Where the authority asks is a listener of ours already; certmagic opens one
	// of its own only on ports that it finds free, so it is told which are taken.
	host, port, err := splitListen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	issuer := certmagic.ACMEIssuer{
		CA: c.TLS.ACME.Directory, Email: c.TLS.ACME.Email, Agreed: true, Logger: logger,
		ListenHost: host, AltTLSALPNPort: port, DisableHTTPChallenge: c.TLS.RedirectListen == "",
	}
	if !issuer.DisableHTTPChallenge {
		if _, issuer.AltHTTPPort, err = splitListen(c.TLS.RedirectListen); err != nil {
			return nil, fmt.Errorf("tls.redirect_listen: %w", err)
		}
	}
	a.issuer = certmagic.NewACMEIssuer(a.magic, issuer)
	a.magic.Issuers = []certmagic.Issuer{a.issuer}
	return a, nil
}

func splitListen(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	return host, port, err
}

// certifiedHosts are public_url's host and the exact hosts of the routes.
func certifiedHosts(c *config.Config) []string {
	hosts := []string{c.PublicURL.Hostname()}
	for i := range c.Routes {
		if _, wildcard := c.Routes[i].IsWildcard(); !wildcard && c.Routes[i].Host != "" {
			hosts = append(hosts, c.Routes[i].Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func (a *acme) prepare(c *config.Config) (func(), error) {
	hosts := certifiedHosts(c)
	return func() { a.manage(hosts) }, nil
}

// run fetches certificates, and renews them until ctx ends.
func (a *acme) run(ctx context.Context) {
	a.mu.Lock()
	a.ctx = ctx
	hosts := a.hosts
	a.mu.Unlock()
	a.manage(hosts)
	context.AfterFunc(ctx, a.cache.Stop)
}

// manage begins with hosts that are new, in the background: what goes wrong is
// logged and tried again. Hosts that are gone are let go.
func (a *acme) manage(hosts []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil {
		a.hosts = hosts
		return
	}
	var gone []certmagic.SubjectIssuer
	for _, host := range a.hosts {
		if !slices.Contains(hosts, host) {
			gone = append(gone, certmagic.SubjectIssuer{Subject: host})
		}
	}
	a.cache.RemoveManaged(gone)
	a.hosts = hosts
	if err := a.magic.ManageAsync(a.ctx, hosts); err != nil {
		a.log.Error("certificates cannot be managed", "hosts", hosts, "error", err.Error())
	}
}

func (a *acme) answers(h http.Handler) http.Handler { return a.issuer.HTTPChallengeHandler(h) }

func (a *acme) config() *tls.Config {
	c := a.magic.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	c.NextProtos = append(httpProtocols(), c.NextProtos...)
	return c
}
