package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/descope"
	"gatehouse/config"
	"gatehouse/proxy"
	"gatehouse/proxy/pages"
)

// A fitting is what a policy was made with and the next one may go on with, so
// that a reload drops no connections, keys and verified tokens that it does not
// concern.
type fitting struct {
	policy  *proxy.Policy
	caller  *http.Client // to the provider
	roots   []byte       // what it trusts, nil for the system's
	keys    *authn.Keys
	bearers authn.BearerConfig
}

// fit compiles the policy of a configuration and gives it everything that its
// requests need, going on with what old had where nothing changed. Nothing that
// serves is touched.
func (in *instance) fit(c *config.Config, old *fitting) (*proxy.Policy, *fitting, error) {
	p, err := compile(c, in.upstreams)
	if err != nil {
		return nil, nil, err
	}
	f := &fitting{policy: p}
	if err := f.call(c, old); err != nil {
		return nil, nil, err
	}
	in.fitProvider(p, c, f, old)
	f.fitBearers(p, c, old)
	if p.Assertions, err = assertions(p, c); err != nil {
		return nil, nil, err
	}
	if p.Pages, err = newPages(c); err != nil {
		return nil, nil, err
	}
	return p, f, nil
}

// call keeps or makes the client for calls to the provider.
func (f *fitting) call(c *config.Config, old *fitting) error {
	var err error
	if f.roots, err = readIf(c.Descope.CAFile); err != nil {
		return fmt.Errorf("descope.ca_file: %w", err)
	}
	if old != nil && bytes.Equal(old.roots, f.roots) {
		f.caller = old.caller
		return nil
	}
	pool, err := pool(f.roots)
	if err != nil {
		return fmt.Errorf("descope.ca_file: %w", err)
	}
	f.caller = authn.NewHTTPClient(pool)
	return nil
}

// fitProvider gives the policy its provider and what is done there.
func (in *instance) fitProvider(p *proxy.Policy, c *config.Config, f, old *fitting) {
	cfg := providerConfig(c, f.caller, in.log)
	identify := in.identify
	identify.Refreshing, identify.Elsewhere = c.Session.Refresh, c.Descope.Elsewhere()
	firstUse := func(ctx context.Context, name string, life time.Duration) (bool, error) {
		return in.sessions.FirstUse(ctx, name, life)
	}
	options := authn.FlowOptions{
		AuthPath: c.AuthPath, Secure: c.PublicURL.Scheme == "https", Sealer: in.sealers.state, Identify: identify,
		DescopeFlow: c.Descope.Flow, Tenant: c.Descope.Tenant, Prompt: c.Descope.Prompt, Now: time.Now,
		FirstUse: firstUse,
	}
	if old == nil {
		p.Provider = authn.NewProvider(cfg)
		f.keys = authn.NewKeys(p.Provider)
		p.Flow = authn.NewFlow(p.Provider, options)
		p.Logouts = authn.NewLogoutTokens(f.keys, firstUse)
	} else {
		p.Provider = old.policy.Provider.With(cfg)
		f.keys = old.keys
		if !p.Provider.Ready() || !old.keys.Of(cfg) {
			f.keys = authn.NewKeys(p.Provider)
		}
		p.Flow = old.policy.Flow.With(p.Provider, options)
		p.Logouts = old.policy.Logouts.With(p.Provider, f.keys)
	}
	p.Refresh = &authn.Refresher{Provider: p.Provider, Identify: identify}
}

// fitBearers says whose bearer tokens the policy's routes take.
func (f *fitting) fitBearers(p *proxy.Policy, c *config.Config, old *fitting) {
	d := c.Descope
	f.bearers = authn.BearerConfig{
		Issuers:       descope.BearerIssuers(d.Issuer, d.ProjectID, d.Issuers, d.SessionTokens),
		Audiences:     append([]string{d.ClientID, d.ProjectID}, d.Audiences...),
		SessionTokens: d.SessionTokens,
	}
	if old != nil && old.keys == f.keys && reflect.DeepEqual(old.bearers, f.bearers) {
		p.Bearers = old.policy.Bearers
	} else {
		p.Bearers = authn.NewBearers(f.keys, f.bearers)
	}
	p.AuthorizationServer = d.Issuer
	if len(d.Issuers) > 0 {
		p.AuthorizationServer = d.Issuers[0]
	}
}

// assertions reads the keys of the assertion.
func assertions(p *proxy.Policy, c *config.Config) (*authn.Assertions, error) {
	keys := make([][]byte, len(c.Assertion.KeyFile))
	for i, file := range c.Assertion.KeyFile {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("assertion.key_file: %w", err)
		}
		keys[i] = content
	}
	return authn.NewAssertions(p.PublicURL(), keys, time.Now)
}

func newPages(c *config.Config) (*pages.Pages, error) {
	o := pages.Options{
		Title: c.Pages.Title, Support: c.Pages.Support, AuthPath: c.AuthPath,
		PlainHTTP: c.PublicURL.Scheme == "http",
	}
	var err error
	if o.Logo, err = readIf(c.Pages.LogoFile); err != nil {
		return nil, fmt.Errorf("pages.logo_file: %w", err)
	}
	return pages.New(o)
}

// readIf reads a file; "" is nil.
func readIf(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	return os.ReadFile(file)
}
