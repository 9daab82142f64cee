package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// RestartKeys are the keys whose change from one configuration to another needs a
// restart, in the order of the reference page. Empty: the new one can be taken
// up while running.
func RestartKeys(old, next *Config) []string {
	redisKey := "session.redis_url"
	if next.Session.RedisURLFile != "" {
		redisKey = "session.redis_url_file"
	}
	checks := []struct {
		key     string
		changed bool
	}{
		{"listen", old.Listen != next.Listen},
		{"public_url", old.PublicURL.String() != next.PublicURL.String()},
		{"auth_path", old.AuthPath != next.AuthPath},
		// The files themselves are read again; whether there are any decides what
		// the listener speaks.
		{"tls.cert_file", (old.TLS.CertFile == "") != (next.TLS.CertFile == "")},
		{"tls.acme.email", old.TLS.ACME.Email != next.TLS.ACME.Email},
		{"tls.acme.directory", old.TLS.ACME.Directory != next.TLS.ACME.Directory},
		{"tls.acme.storage", old.TLS.ACME.Storage != next.TLS.ACME.Storage},
		{"tls.redirect_listen", old.TLS.RedirectListen != next.TLS.RedirectListen},
		{"admin.listen", old.Admin.Listen != next.Admin.Listen},
		{"session.cookie_name", cookieNameChanged(old, next)},
		{"session.cookie_domain", old.Session.CookieDomain != next.Session.CookieDomain},
		{"session.store", old.Session.Store != next.Session.Store},
		{redisKey, !old.Session.RedisURL.Equal(next.Session.RedisURL)},
		{"session.state_file", old.Session.StateFile != next.Session.StateFile},
	}
	var keys []string
	for _, check := range checks {
		if check.changed {
			keys = append(keys, check.key)
		}
	}
	return keys
}

// cookieNameChanged leaves out a name that only follows public_url or
// cookie_domain: those are told themselves.
func cookieNameChanged(old, next *Config) bool {
	const key = "session.cookie_name"
	_, was := old.places[key]
	_, is := next.places[key]
	return (was || is) && (old.Session.CookieName != next.Session.CookieName || old.unused != next.unused)
}

// Hash names a configuration in logs: two that differ in anything but secrets have
// different ones. Secrets and header values take no part, so that nobody can try
// out guesses against it.
func (c *Config) Hash() string {
	shown := *c
	shown.Routes = make([]Route, len(c.Routes))
	for i, r := range c.Routes {
		masked := make(map[string]string, len(r.Headers))
		for name := range r.Headers {
			masked[name] = redacted
		}
		r.Headers = masked
		shown.Routes[i] = r
	}
	content, err := json.Marshal(shown)
	if err != nil {
		return "" // of types that always marshal
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}
