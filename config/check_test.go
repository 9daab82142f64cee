package config

import "testing"

// descopeOf is a document whose descope section is the given one.
func descopeOf(section string) string {
	return "public_url: https://apps.example.com\ndescope: {" + section + "}\nsession: {secret: \"${S}\"}\n"
}

// sessionOf is a document whose session section is the given one.
func sessionOf(section string) string {
	return "public_url: https://apps.example.com\ndescope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: \"${C}\"}\nsession: {" + section + "}\n"
}

func TestWhatIsMissingAndWhatIsUnknown(t *testing.T) {
	sentences{
		{name: "everything missing is told at once", document: "listen: :1\n", want: []string{
			"1:1: descope.client_secret: is required: write ${DESCOPE_CLIENT_SECRET} and set that variable, or set client_secret_file",
			"1:1: descope.project_id: is required: the project's ID from the Descope console, or issuer and client_id for another provider",
			"1:1: public_url: is required: the address that browsers see, such as https://apps.example.com",
			"1:1: session.secret: is required: write ${GATEHOUSE_SESSION_SECRET} and set that variable to what gatehouse keygen prints, or set secret_file"}},
		{name: "a key with a slip", document: top + "auth_pth: /a\nListen: x\nlog: {lvl: info}\nroutes: [{upstream: http://a, allow: public, max-body: 1, strip_prefix: true}]\n", want: []string{
			"4:1: auth_pth: is no key of the configuration; did you mean auth_path?",
			"5:1: Listen: is no key of the configuration; did you mean listen?",
			"6:7: log.lvl: is no key of log; there are level, format",
			"7:46: routes[0].max-body: is no key of a route; did you mean max_body?",
			"7:59: routes[0].strip_prefix: is no key of a route; there are name, title, description, host, path, upstream, ca_file, preset, strip_path, allow, bearer, origins, account_menu, unverified_email, max_body, timeout, headers"}},
		{name: "keys with dots, as viper has them", document: top + "log.level: info\n", want: []string{
			"4:1: [\"log.level\"]: is no key; write log: and, indented below it, level:"}},
		{name: "sections that are none", document: top + "log: info\ntls: [a]\nroutes: {}\ntests: x\ntenants: [a]\n", want: []string{
			"4:1: log: want a mapping with keys such as level, got text",
			"5:1: tls: want a mapping with keys such as cert_file, got a list",
			"6:1: routes: want a list of routes, each beginning with a -, got a mapping",
			"7:1: tests: want a list of tests, each beginning with a -, got \"x\"",
			"8:1: tenants: want a mapping such as acme: T2acme, got a list"}},
		{name: "a section that is none says nothing of what it lacks", document: "public_url: https://a.example.com\ndescope: x\nsession: y\n", want: []string{
			"2:1: descope: want a mapping with keys such as project_id, got text",
			"3:1: session: want a mapping with keys such as secret, got text"}},
	}.run(t)
}

func TestWrongTypes(t *testing.T) {
	sentences{
		{name: "in the file", document: top + `listen: [a]
sign_in: direkt
landing: 1
trusted_proxies: 10.0.0.0/8
drain_delay: 5
drain_timeout: -1s
pages: {title: 12, support: ops}
log: {level: warning}
routes:
  - {path: 1, upstream: {a: b}, allow: public, bearer: "true", max_body: 1.5, timeout: soon}
  - {path: /b, upstream: http://a, allow: public, max_body: -1, account_menu: yes}
  - 5
`, want: []string{
			"4:1: listen: want text, got a list",
			"5:1: sign_in: want page or direct, got \"direkt\"; did you mean direct?",
			"6:1: landing: want first or portal, got a number",
			"7:1: trusted_proxies: want a list, got \"10.0.0.0/8\"; write [10.0.0.0/8]",
			"8:1: drain_delay: want a duration with its unit such as 30s, 15m or 24h, got a number",
			"9:1: drain_timeout: want a duration that is not negative, got \"-1s\"",
			"10:9: pages.title: want text, got a number; put it in quotes",
			"10:20: pages.support: want an email address or a link that begins with https://, got \"ops\"",
			"11:7: log.level: want debug, info, warn or error, got \"warning\"; did you mean warn?",
			"13:6: routes[0].path: want text, got a number; put it in quotes",
			"13:15: routes[0].upstream: want one value or a list, got a mapping",
			"13:48: routes[0].bearer: want true or false, got \"true\"",
			"13:64: routes[0].max_body: want a whole number of bytes that is not negative, such as 10485760, got a number",
			"13:79: routes[0].timeout: want a duration with its unit such as 30s, 15m or 24h, got \"soon\"",
			"14:51: routes[1].max_body: want a whole number of bytes that is not negative, such as 10485760, got a number",
			"14:65: routes[1].account_menu: want true or false, got \"yes\"",
			"15:5: routes[2]: want a route, a mapping of keys and values, got a number"}},
		{name: "in the environment, which is named and not shown", document: top,
			env: []string{"GATEHOUSE_LISTEN=here", "GATEHOUSE_SESSION_MAX_AGE=1 day", "GATEHOUSE_SESSION_REFRESH=yes", "GATEHOUSE_LOG_LEVEL=warning", "GATEHOUSE_TRUSTED_PROXIES=10.0.0.0/8,x"},
			want: []string{
				"GATEHOUSE_LISTEN: listen: want host:port such as 127.0.0.1:8000 or :8000",
				"GATEHOUSE_LOG_LEVEL: log.level: want debug, info, warn or error",
				"GATEHOUSE_SESSION_MAX_AGE: session.max_age: want a duration with its unit such as 30s, 15m or 24h",
				"GATEHOUSE_SESSION_REFRESH: session.refresh: want true or false",
				"GATEHOUSE_TRUSTED_PROXIES: trusted_proxies: want a network such as 10.0.0.0/8 or an address"}},
		{name: "networks", document: top + "trusted_proxies: [10.0.0.1/8, 300.0.0.1, \"fe80::1%eth0\", \"\"]\n", want: []string{
			"4:19: trusted_proxies[0]: want the network's own address before the slash: write 10.0.0.0/8",
			"4:31: trusted_proxies[1]: want a network such as 10.0.0.0/8 or an address, got \"300.0.0.1\"",
			"4:42: trusted_proxies[2]: want a network such as 10.0.0.0/8 or an address, got \"fe80::1%eth0\"",
			"4:58: trusted_proxies[3]: want a network such as 10.0.0.0/8 or an address, got \"\""}},
	}.run(t)
}

func TestServerChecks(t *testing.T) {
	rest := "\ndescope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: \"${C}\"}\nsession: {secret: \"${S}\"}\n"
	sentences{
		{name: "a public_url with a path", document: "public_url: https://Apps.example.com/x" + rest, want: []string{
			"1:1: public_url: want scheme://host[:port] alone: write https://apps.example.com"}},
		{name: "a public_url with a slash", document: "public_url: https://apps.example.com:8443/" + rest, want: []string{
			"1:1: public_url: want scheme://host[:port] alone: write https://apps.example.com:8443"}},
		{name: "a public_url without a scheme", document: "public_url: apps.example.com" + rest, want: []string{
			"1:1: public_url: want scheme://host[:port] such as https://apps.example.com, got \"apps.example.com\""}},
		{name: "a public_url of another scheme", document: "public_url: ftp://apps.example.com" + rest, want: []string{
			"1:1: public_url: want scheme://host[:port] such as https://apps.example.com, got \"ftp://apps.example.com\""}},
		{name: "a public_url with a bad port", document: "public_url: https://apps.example.com:99999" + rest, want: []string{
			"1:1: public_url: want scheme://host[:port] such as https://apps.example.com, got \"https://apps.example.com:99999\""}},
		{name: "a public_url in letters of another script", document: "public_url: https://äpps.example.com" + rest, want: []string{
			"1:1: public_url: want a host name in its xn-- form, got \"https://äpps.example.com\""}},
		{name: "an auth_path that is the root", document: top + "auth_path: /\n", want: []string{
			"4:1: auth_path: want a path of its own such as /auth: no route can lie below it"}},
		{name: "an auth_path that is empty", document: top + "auth_path: ''\n", want: []string{
			"4:1: auth_path: want a path of its own such as /auth: no route can lie below it"}},
		{name: "an auth_path with a slash at its end", document: top + "auth_path: /auth/\n", want: []string{
			"4:1: auth_path: want a path without a slash at its end: write /auth"}},
		{name: "an auth_path with dots", document: top + "auth_path: /a/../b\n", want: []string{
			"4:1: auth_path: want a path without . and .. segments, got \"/a/../b\""}},
		{name: "no listener", document: top + "listen: ''\n", want: []string{
			"4:1: listen: is required: host:port such as 127.0.0.1:8000"}},
		{name: "listeners on one port", document: top + "listen: :9090\n", want: []string{
			"4:1: listen: takes the same port as admin.listen; want one of its own"}},
		{name: "a certificate without its key", document: top + "tls: {cert_file: a.pem}\n", want: []string{
			"4:1: tls.key_file: is required with cert_file: the PEM file of its private key"}},
		{name: "a key without its certificate", document: top + "tls: {key_file: a.pem}\n", want: []string{
			"4:1: tls.cert_file: is required with key_file: the PEM file of its certificate"}},
		{name: "acme and a certificate", document: top + "tls: {cert_file: a.pem, key_file: b.pem, acme: {email: a@example.com}}\n", want: []string{
			"4:7: tls.cert_file: cannot be read: file does not exist; want the path of a file",
			"4:25: tls.key_file: cannot be read: file does not exist; want the path of a file",
			"4:42: tls.acme: goes without cert_file; keep one of the two"}},
		{name: "acme on http", document: "public_url: http://localhost\n" + rest[1:] + "tls: {redirect_listen: ':80', acme: {email: a@example.com}}\n", want: []string{
			"4:7: tls.redirect_listen: redirects to https and needs a public_url that begins with https://",
			"4:31: tls.acme: needs a public_url that begins with https://"}},
		{name: "acme and a wildcard", document: top + "tls: {acme: {email: a@example.com}}\nroutes: [{host: '*.example.com', upstream: http://a, allow: public}]\n", want: []string{
			"5:11: routes[0].host: want exact hosts with tls.acme, or tls.cert_file with a wildcard certificate"}},
	}.run(t)
}

func TestProviderChecks(t *testing.T) {
	sentences{
		{name: "a project that is none", document: descopeOf(`project_id: P2abc, client_secret: "${C}"`), want: []string{
			"2:11: descope.project_id: want P and 27 letters or digits, with the region's 4 after the P outside the US, got \"P2abc\"; or set issuer"}},
		{name: "any project with an issuer", document: descopeOf(`project_id: mine, client_secret: "${C}", issuer: "https://login.example.com/"`)},
		{name: "an issuer without a client", document: descopeOf(`client_secret: "${C}", issuer: "https://login.example.com/"`), want: []string{
			"2:1: descope.client_id: is required where project_id is not given"}},
		{name: "an issuer that is the discovery document", document: descopeOf(`client_id: c, client_secret: "${C}", issuer: "https://a/.well-known/openid-configuration"`), want: []string{
			"2:48: descope.issuer: want the issuer without /.well-known/openid-configuration, got \"https://a/.well-known/openid-configuration\""}},
		{name: "two client secrets", document: descopeOf(`project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}", client_secret_file: f`), want: []string{
			"2:76: descope.client_secret_file: goes without client_secret; keep one of the two"}},
		{name: "scopes without openid", document: descopeOf(`project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}", scopes: [email]`), want: []string{
			"2:76: descope.scopes: want openid among the scopes: without it there is no ID token"}},
		{name: "a token_auth with a slip", document: descopeOf(`project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}", token_auth: client_secret_basic`), want: []string{
			"2:76: descope.token_auth: want basic or post, got \"client_secret_basic\""}},
		{name: "session tokens without a project", document: descopeOf(`client_id: c, client_secret: "${C}", issuer: "https://a", session_tokens: true`), want: []string{
			"2:69: descope.session_tokens: needs project_id, which is the issuer of session tokens"}},
	}.run(t)
}

func TestSessionChecks(t *testing.T) {
	sentences{
		{name: "a short secret", document: sessionOf("secret: short"), want: []string{
			"3:11: session.secret: want a secret of at least 32 bytes; gatehouse keygen makes one"}},
		{name: "a short secret in the environment", document: sessionOf(`secret: "${S}"`), env: []string{"GATEHOUSE_SESSION_SECRET=short"}, want: []string{
			"GATEHOUSE_SESSION_SECRET: session.secret: want a secret of at least 32 bytes; gatehouse keygen makes one"}},
		{name: "a short previous secret", document: sessionOf(`secret: "${S}", previous_secrets: ["${S}", x]`), want: []string{
			"3:54: session.previous_secrets[1]: want a secret of at least 32 bytes; gatehouse keygen makes one"}},
		{name: "a secret and its file", document: sessionOf(`secret: "${S}", secret_file: f`), want: []string{
			"3:27: session.secret_file: goes without secret; keep one of the two"}},
		{name: "both in the environment", document: sessionOf("max_age: 1h"), env: []string{"GATEHOUSE_SESSION_SECRET=" + longSecret, "GATEHOUSE_SESSION_SECRET_FILE=f"}, want: []string{
			"GATEHOUSE_SESSION_SECRET_FILE: session.secret_file: goes without secret; keep one of the two"}},
		{name: "a session without end", document: sessionOf(`secret: "${S}", max_age: 0s`), want: []string{
			"3:27: session.max_age: want more than 0s, such as 24h: a session needs an end"}},
		{name: "an unknown store", document: sessionOf(`secret: "${S}", store: memory`), want: []string{
			"3:27: session.store: want cookie or redis, got \"memory\""}},
		{name: "a Redis that is none", document: sessionOf(`secret: "${S}", redis_url: "http://user:password@redis"`), want: []string{
			"3:27: session.redis_url: want redis://[user:password@]host[:port][/database], or rediss:// for TLS"}},
		{name: "a Redis twice", document: sessionOf(`secret: "${S}", redis_url: "redis://a", redis_url_file: f`), want: []string{
			"3:51: session.redis_url_file: goes without redis_url; keep one of the two"}},
		{name: "a prefixed name on http", document: "public_url: http://a.example.com\n" + sessionOf(`secret: "${S}", cookie_name: __Secure-x`)[len("public_url: https://apps.example.com\n"):], want: []string{
			"3:27: session.cookie_name: want a name without __Host- and __Secure- on http: browsers refuse such a cookie there"}},
		{name: "a __Host- name with a domain", document: sessionOf(`secret: "${S}", cookie_domain: example.com, cookie_name: __host-x`), want: []string{
			"3:55: session.cookie_name: want a name without __Host- beside cookie_domain; __Secure-gatehouse will do"}},
		{name: "a name that is no token", document: sessionOf(`secret: "${S}", cookie_name: "a b"`), want: []string{
			"3:27: session.cookie_name: want letters, digits and - _ . alone, got \"a b\""}},
		{name: "a domain elsewhere", document: sessionOf(`secret: "${S}", cookie_domain: example.org`), want: []string{
			"3:27: session.cookie_domain: must cover public_url's host (apps.example.com): want that host or a parent of it"}},
		{name: "a domain that only looks like a parent", document: sessionOf(`secret: "${S}", cookie_domain: ple.com`), want: []string{
			"3:27: session.cookie_domain: must cover public_url's host (apps.example.com): want that host or a parent of it"}},
		{name: "a top level domain", document: sessionOf(`secret: "${S}", cookie_domain: com`), want: []string{
			"3:27: session.cookie_domain: want a domain with a dot in it: browsers take no cookie for a single label"}},
		{name: "a public suffix", document: "public_url: https://a.github.io\n" + sessionOf(`secret: "${S}", cookie_domain: .github.io`)[len("public_url: https://apps.example.com\n"):], want: []string{
			"3:27: session.cookie_domain: is a public suffix, under which anybody can register; want a domain of your own"}},
		{name: "a domain for an address", document: "public_url: https://192.0.2.1\n" + sessionOf(`secret: "${S}", cookie_domain: example.com`)[len("public_url: https://apps.example.com\n"):], want: []string{
			"3:27: session.cookie_domain: cannot cover public_url, whose host is an IP address; leave it out"}},
	}.run(t)
}
