package config

import (
	"strings"
	"testing"
)

func TestKeysThatNeedARestart(t *testing.T) {
	base := sessionOf(`secret: "${S}"`)
	for _, test := range []struct{ name, document, want string }{
		{"nothing changed", base, ""},
		{"what can be taken up while running", sessionOf(`secret: "${S}0", previous_secrets: ["${S}"], max_age: 1h`) +
			"sign_in: direct\nlanding: portal\ntrusted_proxies: [10.0.0.0/8]\ndrain_timeout: 1s\nlog: {level: debug}\nroutes: [{upstream: http://a, allow: public}]\n", ""},
		{"the listeners", base + "listen: :1\nadmin: {listen: ''}\ntls: {redirect_listen: ':80'}\n", "listen tls.redirect_listen admin.listen"},
		{"public_url, which takes the cookie's name along", strings.Replace(base, "https://apps", "http://apps", 1), "public_url"},
		{"auth_path", base + "auth_path: /a\n", "auth_path"},
		{"acme", base + "tls: {acme: {email: a@example.com, directory: 'https://ca', storage: s}}\n", "tls.acme.email tls.acme.directory tls.acme.storage"},
		{"the session's place", sessionOf(`secret: "${S}", store: redis, redis_url: "redis://b", state_file: f`), "session.store session.redis_url session.state_file"},
		{"the cookie", sessionOf(`secret: "${S}", cookie_name: a, cookie_domain: example.com`), "session.cookie_name session.cookie_domain"},
		{"the cookie's name where it has no effect", strings.Replace(sessionOf(`secret: "${S}", cookie_name: a`), "https://apps", "http://apps", 1), "public_url session.cookie_name"},
		{"the cookie's domain alone", sessionOf(`secret: "${S}", cookie_domain: example.com`), "session.cookie_domain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, next := load(t, base), load(t, test.document)
			if got := strings.Join(RestartKeys(old, next), " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := strings.Join(RestartKeys(next, old), " "); got != test.want {
				t.Errorf("the way back: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestHash(t *testing.T) {
	document := top + "routes: [{upstream: http://a, allow: [{emails: [a@example.com]}], headers: {Authorization: \"${H}\"}}]\n"
	hash := load(t, document, "H=one").Hash()
	if len(hash) != 12 || hash != load(t, document, "H=one").Hash() {
		t.Errorf("the hash %q should be twelve digits and the same each time", hash)
	}
	if hash != load(t, document, "H=two", "S="+longSecret+"more").Hash() {
		t.Error("secrets and header values should take no part")
	}
	if hash == load(t, strings.Replace(document, "a@", "b@", 1), "H=one").Hash() {
		t.Error("another rule should have another hash")
	}
}
