package main

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"gatehouse/authn"
	"gatehouse/config"
)

// providerConfig names the provider, and this relying party at it.
func providerConfig(c *config.Config, caller *http.Client, log *slog.Logger) authn.ProviderConfig {
	return authn.ProviderConfig{
		Issuer: c.Descope.Issuer, ClientID: c.Descope.ClientID, ProjectID: c.Descope.ProjectID,
		ClientSecret: c.Descope.ClientSecret.Reveal(), TokenAuth: c.Descope.TokenAuth, Scopes: scopes(c),
		RedirectURL: c.PublicURL.String() + c.AuthPath + "/callback",
		HTTP:        caller, Log: log, Now: time.Now,
	}
}

// scopes are those configured, and offline_access where sessions are refreshed
// and the provider wants to be asked for it.
func scopes(c *config.Config) []string {
	s := slices.Clone(c.Descope.Scopes)
	if c.Session.Refresh && c.Descope.OfflineAccess && !slices.Contains(s, "offline_access") {
		s = append(s, "offline_access")
	}
	return s
}

// pool holds the certificate authorities of a PEM file; nil is nil, the system's.
func pool(pem []byte) (*x509.CertPool, error) {
	if pem == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in it: want PEM, -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}
