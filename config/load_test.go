package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheSmallestFileIsWhole(t *testing.T) {
	c, err := parse("gatehouse.yaml", []byte(`public_url: http://localhost:8000
descope:
  project_id: P2abcdefghijklmnopqrstuvwxyz
  client_secret: ${DESCOPE_CLIENT_SECRET}
session:
  secret: ${GATEHOUSE_SESSION_SECRET}
routes:
  - path: /gradio/admin
    upstream: http://127.0.0.1:7861
    allow:
      - roles: [Tenant Admin]
  - path: /gradio/user
    upstream: http://127.0.0.1:7862
    allow: authenticated
`), []string{"DESCOPE_CLIENT_SECRET=abc", "GATEHOUSE_SESSION_SECRET=" + longSecret}, fakeFiles{}.read)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ name, got, want string }{
		{"listen", c.Listen, "127.0.0.1:8000"},
		{"public_url", c.PublicURL.String(), "http://localhost:8000"},
		{"auth_path", c.AuthPath, "/auth"},
		{"sign_in", c.SignIn, "page"},
		{"landing", c.Landing, "first"},
		{"drain_timeout", c.DrainTimeout.String(), "30s"},
		{"admin.listen", c.Admin.Listen, "127.0.0.1:9090"},
		{"client_id", c.Descope.ClientID, "P2abcdefghijklmnopqrstuvwxyz"},
		{"client_secret", c.Descope.ClientSecret.Reveal(), "abc"},
		{"issuer", c.Descope.Issuer, "https://api.descope.com/P2abcdefghijklmnopqrstuvwxyz"},
		{"scopes", strings.Join(c.Descope.Scopes, " "), "openid profile email descope.claims descope.custom_claims"},
		{"cookie_name", c.Session.CookieName, "gatehouse"},
		{"max_age", c.Session.MaxAge.String(), "24h0m0s"},
		{"store", c.Session.Store, "cookie"},
		{"redis_url", c.Session.RedisURL.Reveal(), "redis://127.0.0.1:6379/0"},
		{"log", c.Log.Level + " " + c.Log.Format, "info json"},
		{"name", c.Routes[0].Name + " " + c.Routes[0].Title, "gradio/admin gradio/admin"},
		{"preset", c.Routes[0].Preset, "gradio"},
		{"upstream", c.Routes[1].Upstreams[0].String(), "http://127.0.0.1:7862"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %q, want %q", check.name, check.got, check.want)
		}
	}
	if !c.Session.Refresh || !c.Routes[0].StripPath || !c.Routes[1].Allow.Authenticated {
		t.Errorf("refresh %v, strip_path %v, allow %+v", c.Session.Refresh, c.Routes[0].StripPath, c.Routes[1].Allow)
	}
	if diff := cmp.Diff(Allow{Rules: []Rule{{Roles: []string{"Tenant Admin"}}}}, c.Routes[0].Allow); diff != "" {
		t.Error(diff)
	}
	if len(c.Session.Secrets) != 1 || c.Session.Secrets[0].Reveal() != longSecret {
		t.Error("want the one secret")
	}
}

func TestLayers(t *testing.T) {
	for _, test := range []struct {
		name, document string
		env            []string
		get            func(c *Config) string
		want           string
	}{
		{"a variable goes before the file", top + "listen: :1", []string{"GATEHOUSE_LISTEN=:2"},
			func(c *Config) string { return c.Listen }, ":2"},
		{"the file goes before the default", top + "listen: :1", nil,
			func(c *Config) string { return c.Listen }, ":1"},
		{"a variable reaches a key that the file does not name", top, []string{"GATEHOUSE_TLS_ACME_EMAIL=ops@example.com"},
			func(c *Config) string { return c.TLS.ACME.Email }, "ops@example.com"},
		{"an empty variable counts as not set", top + "listen: :1", []string{"GATEHOUSE_LISTEN="},
			func(c *Config) string { return c.Listen }, ":1"},
		{"a variable's list has commas", top, []string{"GATEHOUSE_DESCOPE_AUDIENCES=a, b,,c"},
			func(c *Config) string { return strings.Join(c.Descope.Audiences, "|") }, "a|b|c"},
		{"a variable's number, flag and duration are read as such", top, []string{"GATEHOUSE_SESSION_REFRESH=false", "GATEHOUSE_SESSION_MAX_AGE=90m"},
			func(c *Config) string {
				return c.Session.MaxAge.String() + map[bool]string{false: " off"}[c.Session.Refresh]
			}, "1h30m0s off"},
		{"a variable of no key is ignored", top, []string{"GATEHOUSE_NO_SUCH_KEY=x", "GATEHOUSE_ROUTES=x", "GATEHOUSE_TESTS=x", "GATEHOUSE_TENANTS=x"},
			func(c *Config) string { return c.Listen }, "127.0.0.1:8000"},
		{"of a variable given twice the last counts", top, []string{"GATEHOUSE_LISTEN=:1", "GATEHOUSE_LISTEN=:2"},
			func(c *Config) string { return c.Listen }, ":2"},
		{"what a variable of the layers holds is not expanded", top, []string{"GATEHOUSE_PAGES_TITLE=${C} $$"},
			func(c *Config) string { return c.Pages.Title }, "${C} $$"},
		{"a key without a value counts as not written", top + "listen:\ntls:\n  acme:\n", nil,
			func(c *Config) string { return c.Listen }, "127.0.0.1:8000"},
		{"an empty address turns the admin listener off", top + `admin: {listen: ""}`, nil,
			func(c *Config) string { return "off" + c.Admin.Listen }, "off"},
		{"a variable reaches into a section that is on one line", top + `admin: {listen: ":1"}`, []string{"GATEHOUSE_ADMIN_LISTEN=:3"},
			func(c *Config) string { return c.Admin.Listen }, ":3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.get(load(t, test.document, test.env...)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNamesKeepTheirCaseAndTheirDots(t *testing.T) {
	c := load(t, top+`
tenants: {acme: T2.Acme}
routes:
  - path: /a
    upstream: http://a
    headers: {X-Api.Key: Abc, x-other: d}
    allow:
      - tenant: T2.Beta
        claims: {Dept.Name: [A.b, 3, true], UPPER: x}
tests:
  - as: {tenants: {T2.Beta: {roles: [Ro.Le]}}, Level: 3, big: 12345678901, ok: true, none: null, f: 1.5, when: 2024-01-02}
    url: /a/
    want: deny
`)
	if diff := cmp.Diff(map[string]string{"acme": "T2.Acme"}, c.Tenants); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"X-Api.Key": "Abc", "x-other": "d"}, c.Routes[0].Headers); diff != "" {
		t.Error(diff)
	}
	want := Rule{Tenant: []string{"T2.Beta"}, Claims: map[string][]string{"Dept.Name": {"A.b", "3", "true"}, "UPPER": {"x"}}}
	if diff := cmp.Diff(want, c.Routes[0].Allow.Rules[0]); diff != "" {
		t.Error(diff)
	}
	claims := map[string]any{
		"tenants": map[string]any{"T2.Beta": map[string]any{"roles": []any{"Ro.Le"}}},
		"Level":   int64(3), "big": int64(12345678901), "ok": true, "none": nil, "f": 1.5, "when": "2024-01-02",
	}
	if diff := cmp.Diff(claims, c.Tests[0].As); diff != "" {
		t.Error(diff)
	}
	p := c.Problem("tests[0]", "GET /a/: want deny, got allow")
	if got, want := p.String(), "gatehouse.yaml:14:5: tests[0]: GET /a/: want deny, got allow"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTakenValues(t *testing.T) {
	c := load(t, `
public_url: HTTPS://Apps.Example.COM:443
trusted_proxies: [10.0.0.0/8, 192.0.2.1, "2001:db8::1", "::ffff:192.0.2.7"]
drain_delay: 0
descope: {project_id: PEUC12abcdefghijklmnopqrstuvwxyz, client_secret: "${C}"}
session: {secret: "${S}", cookie_domain: .Example.com, previous_secrets: ["${S}1", "${S}2"]}
assertion: {key_file: []}
routes:
  - &first
    host: "*.Apps.Example.com."
    path: /a/
    upstream: [http://App_1:80, unix:/run/app.sock, "https://[::1]:7000"]
    allow: public
    max_body: 1_000_000
    description: |
      two
      lines
    origins: [HTTPS://Other.example:443]
  - <<: *first
    host: "{tenant}.example.com"
    preset: streamlit
    allow: [{tenant: {tenant}, roles: [r]}, {tenant: [T1, "{tenant}"]}]
  - {host: apps.example.com, upstream: http://a, preset: openwebui, strip_path: true, allow: authenticated}
`)
	if got := c.PublicURL.String(); got != "https://apps.example.com" {
		t.Errorf("public_url %s", got)
	}
	proxies := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"),
		netip.MustParsePrefix("2001:db8::1/128"), netip.MustParsePrefix("192.0.2.7/32"),
	}
	if !slices.Equal(c.TrustedProxies, proxies) {
		t.Errorf("trusted_proxies %v", c.TrustedProxies)
	}
	if got := c.Descope.Issuer; got != "https://api.euc1.descope.com/PEUC12abcdefghijklmnopqrstuvwxyz" {
		t.Errorf("issuer %s", got)
	}
	if s := c.Session; s.CookieName != "__Secure-gatehouse" || s.CookieDomain != "example.com" || len(s.Secrets) != 3 || s.Secrets[1].Reveal() != longSecret+"1" {
		t.Errorf("session %+v", s)
	}
	want := []Upstream{{Scheme: "http", Host: "app_1"}, {Scheme: "unix", Socket: "/run/app.sock"}, {Scheme: "https", Host: "[::1]:7000"}}
	first, second, third := c.Routes[0], c.Routes[1], c.Routes[2]
	if diff := cmp.Diff(want, first.Upstreams); diff != "" {
		t.Error(diff)
	}
	if first.Host != "*.apps.example.com" || first.Path != "/a" || first.MaxBody != 1_000_000 || first.Description != "two\nlines" || first.Origins[0] != "https://other.example" {
		t.Errorf("first route %+v", first)
	}
	if second.StripPath || second.Path != "/a" || second.MaxBody != 1_000_000 || second.Allow.Public {
		t.Errorf("second route %+v", second)
	}
	rules := []Rule{{TenantFromHost: true, Roles: []string{"r"}}, {Tenant: []string{"T1"}, TenantFromHost: true}}
	if diff := cmp.Diff(rules, second.Allow.Rules); diff != "" {
		t.Error(diff)
	}
	if third.Host != "" || !third.StripPath || third.Name != "/" {
		t.Errorf("public_url's own host should count as none: %+v", third)
	}
	names := []string{"*.apps.example.com/a", "{tenant}.example.com/a"}
	if first.Name != names[0] || second.Name != names[1] {
		t.Errorf("names %q and %q", first.Name, second.Name)
	}
}

func TestUpstreamsKnowWhereToDial(t *testing.T) {
	for upstream, want := range map[Upstream]string{
		{Scheme: "http", Host: "app"}:                "tcp app:80",
		{Scheme: "https", Host: "app"}:               "tcp app:443",
		{Scheme: "http", Host: "app:7860"}:           "tcp app:7860",
		{Scheme: "https", Host: "[::1]"}:             "tcp [::1]:443",
		{Scheme: "http", Host: "[::1]:7860"}:         "tcp [::1]:7860",
		{Scheme: "unix", Socket: "/run/app/it.sock"}: "unix /run/app/it.sock",
	} {
		network, address := upstream.Dial()
		if got := network + " " + address; got != want {
			t.Errorf("%s: got %s, want %s", upstream, got, want)
		}
	}
}

func TestCookieNames(t *testing.T) {
	for _, test := range []struct{ name, url, session, want string }{
		{"https", "https://a.example.com", "", "__Host-gatehouse"},
		{"https with a domain", "https://a.example.com", "cookie_domain: example.com", "__Secure-gatehouse"},
		{"http", "http://a.example.com", "", "gatehouse"},
		{"http with a domain", "http://a.example.com", "cookie_domain: example.com", "gatehouse"},
		{"http with a name", "http://a.example.com", "cookie_name: mine", "gatehouse"},
		{"https with a name", "https://a.example.com", "cookie_name: mine", "mine"},
		{"https with a domain and a secure name", "https://a.example.com", "cookie_domain: example.com, cookie_name: __Secure-mine", "__Secure-mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, "public_url: "+test.url+"\ndescope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: \"${C}\"}\nsession: {secret: \"${S}\", "+test.session+"}\n")
			if got := c.Session.CookieName; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	document := `public_url: https://a.example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret_file: secrets/client}
session: {secret_file: secrets/session, redis_url_file: /run/redis, previous_secrets: ["${S}"]}
`
	files := fakeFiles{
		"secrets/client":  "client secret\r\n",
		"secrets/session": longSecret + "A\n\n  " + longSecret + "B\n",
		"/run/redis":      "rediss://user:pass@redis:6380/1\n",
	}
	c, err := parse("gatehouse.yaml", []byte(document), secretEnv(), files.read)
	if err != nil {
		t.Fatal(err)
	}
	var secrets []string
	for _, s := range c.Session.Secrets {
		secrets = append(secrets, s.Reveal())
	}
	if diff := cmp.Diff([]string{longSecret + "A", longSecret + "B", longSecret}, secrets); diff != "" {
		t.Error(diff)
	}
	if got := c.Descope.ClientSecret.Reveal(); got != "client secret" {
		t.Errorf("client secret %q", got)
	}
	if got := c.Session.RedisURL.Reveal(); got != "rediss://user:pass@redis:6380/1" {
		t.Errorf("redis_url %q", got)
	}
	if diff := cmp.Diff([]string{"/run/redis", "gatehouse.yaml", "secrets/client", "secrets/session"}, c.Files()); diff != "" {
		t.Error(diff)
	}
}

func TestFilesLieRelativeToTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret", longSecret)
	path := write("gatehouse.yaml", `public_url: https://a.example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}"}
session: {secret_file: secret, state_file: state}
`)
	c, err := Load(path, secretEnv())
	if err != nil {
		t.Fatal(err)
	}
	if c.Session.SecretFile != secret || c.Session.StateFile != filepath.Join(dir, "state") {
		t.Errorf("got %s and %s", c.Session.SecretFile, c.Session.StateFile)
	}
	if diff := cmp.Diff([]string{path, secret}, c.Files()); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): ": cannot be read: no such file or directory; want a configuration file",
		dir:                             ": cannot be read: not a regular file; want a configuration file",
	} {
		_, err := Load(path, nil)
		if err == nil || err.Error() != path+want {
			t.Errorf("got %v, want %s", err, path+want)
		}
	}
}

func TestDurationsAreNotRounded(t *testing.T) {
	c := load(t, top+"drain_timeout: 1m30s")
	if c.DrainTimeout != 90*time.Second {
		t.Errorf("got %s", c.DrainTimeout)
	}
}
