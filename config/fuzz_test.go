package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzLoad holds three promises for any file whatsoever: no panic, a place for
// every problem, and a configuration that its methods can work with.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(example), top, "", "\n", "---\n---\n", "a: &a [*a]", "<<: {listen: :1}", "? {a: b}\n: c\n", "routes: [{allow: [{claims: {a: [1, {}]}}]}]",
		top + "routes:\n  - &r {path: /a, upstream: [http://a, 'unix:/s'], allow: [{tenant: {tenant}}], host: '{tenant}.example.com'}\n  - {<<: *r, path: /b}\n",
		top + "tests: [{as: {a: [1, 1.5, ~, .nan, 0x1f, 2024-01-02]}, url: /, want: deny}]\n",
		"session: {secret: [a], previous_secrets: {a: b}}\ndescope: ~\n", "public_url: http://[::1%25eth0]:80/\n", "host: {tenant}.x\n", "a: *b\n", "a: !b c\n", "\xff\xfe\n",
		"routes: [{path: '/%', upstream: 'http://%zz', origins: ['a://b:'], headers: {'': ''}}]\n", "\"a\\\"]\": [1]\n", "tenants: {\"x\\\"]\": {a: b}}\n",
		"session: {redis_url: 'redis://%'}\npages: {title: '${C}$${C}${'}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		env := secretEnv("GATEHOUSE_SESSION_SECRET="+longSecret, "DESCOPE_CLIENT_SECRET=s")
		c, err := parse("gatehouse.yaml", document, env, fakeFiles{}.read)
		if err == nil {
			c.Warnings()
			c.Files()
			if c.Hash() == "" || len(RestartKeys(c, c)) > 0 || len(c.Session.Secrets) == 0 || c.Descope.Issuer == "" || c.Session.CookieName == "" {
				t.Errorf("the configuration is not whole: %+v", c)
			}
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("want Errors, got %T", err)
		}
		for _, p := range all {
			placed := p.File == "gatehouse.yaml" && p.Line > 0 && p.Column > 0 || strings.HasPrefix(p.File, environmentPrefix) && p.Line == 0
			if !placed || p.Message == "" {
				t.Errorf("a problem without a place or a message: %+v", p)
			}
			if strings.Contains(p.String(), longSecret) {
				t.Errorf("a secret is told: %s", p)
			}
		}
	})
}
