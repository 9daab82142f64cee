package config

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// checkSession reads the session's secrets and checks its times and its store.
func (d *decoder) checkSession(c *Config) {
	s := &c.Session
	d.sessionSecrets(s)
	d.redisURL(s)
	if s.MaxAge == 0 && !d.broken("session.max_age") {
		d.problem("session.max_age", "want more than 0s, such as 24h: a session needs an end")
	}
}

// sessionSecrets puts all secrets into one list, the writer first.
func (d *decoder) sessionSecrets(s *Session) {
	const key, fileKey = "session.secret", "session.secret_file"
	for i, previous := range s.PreviousSecrets {
		at := childIndex("session.previous_secrets", i)
		if !d.written(at) {
			at = "session.previous_secrets"
		}
		d.longEnough(at, previous)
	}
	switch {
	case d.broken(key) || d.broken(fileKey):
		return
	case s.SecretFile != "" && !s.Secret.IsZero() && d.twice(key, fileKey):
		return
	case s.SecretFile != "":
		s.Secrets = d.secretFile(fileKey, s.SecretFile)
		for _, line := range s.Secrets {
			d.longEnough(fileKey, line)
		}
		if len(s.Secrets) > 0 {
			s.Secret = s.Secrets[0]
		}
	case s.Secret.IsZero():
		d.problem(key, "is required: write ${GATEHOUSE_SESSION_SECRET} and set that variable to what gatehouse keygen prints, or set secret_file")
	default:
		d.longEnough(key, s.Secret)
		s.Secrets = []Secret{s.Secret}
	}
	s.Secrets = append(s.Secrets, s.PreviousSecrets...)
}

func (d *decoder) longEnough(key string, s Secret) {
	if len(s.Reveal()) < minSecretBytes && !d.broken(key) {
		d.problem(key, "want a secret of at least %d bytes; gatehouse keygen makes one", minSecretBytes)
	}
}

// redisURL reads Redis's address and checks its form. What url.Parse says of a bad
// one quotes it, password and all, and so is not passed on.
func (d *decoder) redisURL(s *Session) {
	key := "session.redis_url"
	if s.RedisURLFile != "" {
		if d.twice(key, "session.redis_url_file") {
			return
		}
		key = "session.redis_url_file"
		s.RedisURL = d.oneSecretFile(key, s.RedisURLFile)
	}
	if d.broken(key) || d.broken("session.redis_url_file") {
		return
	}
	u, err := url.Parse(s.RedisURL.Reveal())
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || u.Hostname() == "" || strings.Trim(u.Path, "/0123456789") != "" {
		d.problem(key, "want redis://[user:password@]host[:port][/database], or rediss:// for TLS")
	}
}

// checkCookie derives the cookie's name and checks its domain.
func (d *decoder) checkCookie(c *Config) {
	if c.PublicURL == nil {
		return
	}
	s := &c.Session
	d.checkCookieDomain(s.CookieDomain, c.PublicURL.Hostname())
	secure, shared := c.PublicURL.Scheme == "https", s.CookieDomain != ""
	const key = "session.cookie_name"
	prefixed := hasFoldedPrefix(s.CookieName, "__Host-") || hasFoldedPrefix(s.CookieName, "__Secure-")
	switch {
	case !secure && prefixed:
		d.problem(key, "want a name without __Host- and __Secure- on http: browsers refuse such a cookie there")
	case shared && hasFoldedPrefix(s.CookieName, "__Host-"):
		d.problem(key, "want a name without __Host- beside cookie_domain; __Secure-gatehouse will do")
	case !secure:
		if s.CookieName != "gatehouse" {
			c.unused = s.CookieName
		}
		s.CookieName = "gatehouse"
	case s.CookieName != "":
	case shared:
		s.CookieName = "__Secure-gatehouse"
	default:
		s.CookieName = "__Host-gatehouse"
	}
}

// hasFoldedPrefix ignores case, as browsers do with the prefixes of cookies.
func hasFoldedPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkCookieDomain refuses what browsers refuse, and what would hand the session
// to strangers: a public suffix is shared by everybody who registers under it.
func (d *decoder) checkCookieDomain(domain, publicHost string) {
	const key = "session.cookie_domain"
	switch {
	case domain == "":
	case !strings.Contains(domain, "."):
		d.problem(key, "want a domain with a dot in it: browsers take no cookie for a single label")
	case isPublicSuffix(domain):
		d.problem(key, "is a public suffix, under which anybody can register; want a domain of your own")
	case isIP(publicHost):
		d.problem(key, "cannot cover public_url, whose host is an IP address; leave it out")
	case !covers(domain, publicHost):
		d.problem(key, "must cover public_url's host (%s): want that host or a parent of it", d.show("public_url", publicHost))
	}
}

func isPublicSuffix(domain string) bool {
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

// covers reports whether a cookie for domain reaches host (RFC 6265 section 5.1.3).
func covers(domain, host string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
