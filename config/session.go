package config

import "time"

// Session is how long people stay signed in, and where that is kept.
type Session struct {
	// Secret that the cookies' keys are derived from, at least 32 bytes (gatehouse
	// keygen makes one). Whoever has it can make sessions: hand it in as
	// ${GATEHOUSE_SESSION_SECRET}, from the environment or by secret_file rather
	// than in the file. Required, or secret_file.
	Secret Secret `yaml:"secret"`

	// File with one secret a line: the first writes, all are read. It is read
	// again when it changes. Secret and file in one place are an error; of one in
	// the configuration file and one in the environment this counts. Default: "".
	SecretFile string `yaml:"secret_file"`

	// Secrets that are still read and never written, so that rotation signs
	// nobody out. Drop them after max_age. Default: [].
	PreviousSecrets []Secret `yaml:"previous_secrets"`

	// Secrets holds all of them, at least one: the first writes, all are read.
	// secret or the lines of secret_file come first, then previous_secrets.
	Secrets []Secret

	// Name of the session cookie. On http it is always gatehouse: browsers keep
	// the prefixes to https. __Host- goes without cookie_domain only. A change
	// needs a restart and signs everybody out. Default: __Host-gatehouse on https,
	// __Secure-gatehouse with cookie_domain, gatehouse on http.
	CookieName string `yaml:"cookie_name"`

	// Domain whose hosts share the session, for routes on several hosts. It must
	// cover public_url's host and be no public suffix. Every host under it
	// receives the session cookie: give Gatehouse a domain of its own. A change
	// needs a restart. Default: "", public_url's host alone.
	CookieDomain string `yaml:"cookie_domain"`

	// Life of a session from sign-in; refresh never extends it. Default: 24h.
	MaxAge time.Duration `yaml:"max_age"`

	// Time without activity after which a session ends; 0s is never. Open
	// streams are no activity. Default: 0s.
	IdleTimeout time.Duration `yaml:"idle_timeout"`

	// Whether sign-in asks for offline_access and sessions follow the roles at
	// the provider, within a token's life (ten minutes at Descope). Without it a
	// role that was taken away stays until max_age. Default: true.
	Refresh bool `yaml:"refresh"`

	// Where sessions live. cookie: in the encrypted cookie, no server needed.
	// redis: on a Redis shared by several instances. A change needs a restart.
	// Default: cookie.
	Store string `yaml:"store"`

	// Address of Redis, redis:// or rediss://, password included. With
	// ?master_name=NAME&addr=HOST:PORT it is a Sentinel's, ?ca_file= names who is
	// trusted over TLS (docs/sessions.md). A change needs a restart. Default:
	// redis://127.0.0.1:6379/0.
	RedisURL Secret `yaml:"redis_url"`

	// File that holds redis_url, alone. Default: "".
	RedisURLFile string `yaml:"redis_url_file"`

	// File for what must outlive a restart with the cookie store: the newest
	// state of sessions whose cookie lags, and revocations. Sealed with the
	// session's secrets. A change needs a restart. Default: "", in memory only:
	// after a restart some people sign in again, and a revoked session lives until
	// its next refresh.
	StateFile string `yaml:"state_file"`
}
