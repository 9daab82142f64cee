package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"

	"gatehouse/authz"
	"gatehouse/config"
	"gatehouse/proxy"
	"gatehouse/proxy/route"
)

// compile turns a configuration into the policy that requests are decided by.
// upstreams are where it finds the apps, and outlive it.
func compile(c *config.Config, upstreams *proxy.Upstreams) (*proxy.Policy, error) {
	host, err := route.CanonicalHost(c.PublicURL.Host)
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	p := &proxy.Policy{
		Scheme: c.PublicURL.Scheme, Host: host, AuthPath: c.AuthPath,
		Direct: c.SignIn == "direct", Portal: c.Landing == "portal",
		HSTS:    c.TLS.Enabled(),
		Trusted: c.TrustedProxies, Tenants: c.Tenants, ConfigHash: c.Hash(),
	}
	if port := c.PublicURL.Port(); port != "" {
		p.Port = ":" + port
	}
	entries := make([]route.Entry, len(c.Routes))
	accesses := make([]*authz.Access, len(c.Routes))
	for i := range c.Routes {
		rt, err := compileRoute(&c.Routes[i], upstreams)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		p.Routes = append(p.Routes, rt)
		accesses[i] = &rt.Access
		entries[i] = route.Entry{Host: rt.Host, Path: c.Routes[i].Path, Index: i}
	}
	if p.Table, err = route.NewTable(p.Host, p.AuthPath, entries); err != nil {
		return nil, err
	}
	p.Least = authz.NewNeeds(accesses...)
	p.Needs = authz.NewNeeds(append(accesses, listed(p)...)...)
	return p, nil
}

// listed are accesses that nobody is decided by. They stand for what the portal
// asks where no rule does: everybody's own tenants, each of which has a place at
// a {tenant} route that is open to all who are signed in.
func listed(p *proxy.Policy) []*authz.Access {
	for _, rt := range p.Routes {
		if rt.TenantHost && rt.Access.Mode == authz.ModeAuthenticated {
			return []*authz.Access{{Rules: []authz.Rule{{TenantFromHost: true}}}}
		}
	}
	return nil
}

func compileRoute(r *config.Route, upstreams *proxy.Upstreams) (*proxy.Route, error) {
	preset, ok := proxy.PresetNamed(r.Preset)
	if !ok {
		return nil, fmt.Errorf("preset %q is unknown", r.Preset)
	}
	rt := &proxy.Route{
		Name: r.Name, Title: r.Title, Description: r.Description,
		Host: r.Host, Prefix: r.Path, Strip: r.StripPath, Preset: preset,
		Access: access(r), Bearer: r.Bearer && !r.Allow.Public, Origins: r.Origins, MaxBody: r.MaxBody,
		AccountMenu: r.AccountMenu,
		Headers:     make(http.Header, len(r.Headers)), TenantHost: r.HasTenantHost(),
	}
	if len(rt.Prefix) > 1 && rt.Prefix[len(rt.Prefix)-1] == '/' {
		rt.Prefix = rt.Prefix[:len(rt.Prefix)-1]
	}
	_, wildcard := r.IsWildcard()
	rt.Wildcard = wildcard && !rt.TenantHost
	for name, value := range r.Headers {
		rt.Headers[name] = []string{value} // spelled as the operator does
	}
	var err error
	rt.Upstream, err = upstream(r, upstreams)
	return rt, err
}

func access(r *config.Route) authz.Access {
	a := authz.Access{UnverifiedEmail: r.UnverifiedEmail}
	switch {
	case r.Allow.Public:
		a.Mode = authz.ModePublic
	case r.Allow.Authenticated:
		a.Mode = authz.ModeAuthenticated
	}
	for _, rule := range r.Allow.Rules {
		a.Rules = append(a.Rules, authz.Rule{
			Tenants: rule.Tenant, TenantFromHost: rule.TenantFromHost,
			Roles: rule.Roles, Permissions: rule.Permissions,
			Emails: rule.Emails, EmailDomains: rule.EmailDomains,
			Subjects: rule.Subjects, AMR: rule.AMR, Claims: rule.Claims,
		})
	}
	return a
}

// upstream is the app behind the route, at one address or several.
func upstream(r *config.Route, upstreams *proxy.Upstreams) (*proxy.Upstream, error) {
	var certificates []byte
	if r.CAFile != "" {
		var err error
		if certificates, err = os.ReadFile(r.CAFile); err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
	}
	addresses := make([]proxy.UpstreamOptions, len(r.Upstreams))
	for i, u := range r.Upstreams {
		addresses[i] = proxy.UpstreamOptions{
			URL: &url.URL{Scheme: u.Scheme, Host: u.Host}, Socket: u.Socket,
			Roots: certificates, Timeout: r.Timeout,
		}
		if u.Scheme == "unix" {
			addresses[i].URL = &url.URL{Scheme: "http", Host: "unix"}
		}
	}
	return upstreams.Upstream(addresses...)
}
