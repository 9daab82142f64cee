package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	app := "routes: [{upstream: http://a, allow: authenticated}]\n"
	for _, test := range []struct {
		name, document string
		want           []string
	}{
		{"nothing to say", top + app, nil},
		{"no routes", top, []string{
			"1:1: routes: is empty: every path is answered 404"}},
		{"http beyond this machine", "public_url: http://apps.example.com\n" + descopeOf(`client_id: c, client_secret: "${C}", scopes: [openid], issuer: http://idp.example.com`)[len("public_url: https://apps.example.com\n"):] + app, []string{
			"1:1: public_url: is http on another machine than this: sessions and what the apps show travel in the clear; use https",
			"2:66: descope.issuer: is http on another machine than this: whoever is between can sign in as anybody; use https"}},
		{"Descope's scopes at another provider", descopeOf(`client_id: c, client_secret: "${C}", issuer: "https://idp.example.com/realms/acme"`) + app, []string{
			"2:1: descope.scopes: holds scopes of Descope's, for which another provider may refuse the sign-in; write [openid, profile, email]"}},
		{"another provider's own scopes", descopeOf(`client_id: c, client_secret: "${C}", issuer: "https://idp.example.com/realms/acme", scopes: [openid, groups]`) + app, nil},
		{"a Descope project on its own domain", descopeOf(`client_id: c, client_secret: "${C}", issuer: "https://auth.example.com/P2abcdefghijklmnopqrstuvwxyz/app"`) + app, nil},
		{"http on this machine", "public_url: http://localhost:8000\n" + descopeOf(`client_id: c, client_secret: "${C}", scopes: [openid], issuer: "http://127.0.0.1:9000"`)[len("public_url: https://apps.example.com\n"):] + app, nil},
		{"everybody as a proxy", top + app + "trusted_proxies: [0.0.0.0/0]\n", []string{
			"5:1: trusted_proxies: believes everybody: any client can claim any address"}},
		{"secrets in the file", `public_url: https://apps.example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: abc}
session: {secret: ` + longSecret + `, previous_secrets: ["${S}", ` + longSecret + `], redis_url: "redis://user:password@redis"}
` + app, []string{
			"2:53: descope.client_secret: stands in the file; write ${NAME} and set that variable, or set GATEHOUSE_DESCOPE_CLIENT_SECRET, or use client_secret_file",
			"3:11: session.secret: stands in the file; write ${NAME} and set that variable, or set GATEHOUSE_SESSION_SECRET, or use secret_file",
			"3:80: session.previous_secrets[1]: stands in the file; write ${NAME} and set that variable, or set GATEHOUSE_SESSION_PREVIOUS_SECRETS",
			"3:115: session.redis_url: stands in the file; write ${NAME} and set that variable, or set GATEHOUSE_SESSION_REDIS_URL, or use redis_url_file"}},
		{"a Redis without a password in the file", sessionOf(`secret: "${S}", redis_url: "redis://redis"`) + app, nil},
		{"a cookie for a whole domain, and keys without effect", sessionOf(`secret: "${S}", cookie_domain: example.com, store: redis, state_file: s`) +
			"routes: [{upstream: http://a, ca_file: '', allow: public, origins: ['https://b']}]\n", []string{
			"3:27: session.cookie_domain: hands the session cookie to every host under it: give Gatehouse and its apps a domain of their own",
			"3:69: session.state_file: has no effect with store: redis",
			"4:59: routes[0].origins: has no effect on a public route, whose upstream answers cross-origin requests itself"}},
		{"roles without a tenant", top + `routes:
  - upstream: http://a
    allow:
      - {tenant: T1, roles: [a]}
      - roles: [b]
      - permissions: [c]
      - emails: [a@example.com]
`, []string{
			"8:9: routes[0].allow[1].roles: go without tenant: the role in any tenant will do, whoever gave it there; add tenant where one is meant",
			"9:9: routes[0].allow[2].permissions: go without tenant: the permission in any tenant will do, whoever gave it there; add tenant where one is meant"}},
		{"different rules on one host are told once a host", top + `routes:
  - {path: /a, upstream: http://a, allow: authenticated}
  - {path: /b, upstream: http://b, allow: [{emails: [a@example.com]}]}
  - {path: /c, upstream: http://c, allow: [{emails: [b@example.com]}]}
  - {path: /d, host: d.example.com, upstream: http://d, allow: public}
`, []string{
			"6:36: routes[1].allow: differs from that of another route on the same host: their pages share an origin, so that a script in one app can use the other; a host for each app is safer"}},
		{"a public route above another", top + `routes:
  - {path: /a/b, upstream: http://a, allow: authenticated}
  - {path: /a, upstream: http://b, allow: public}
  - {path: /a/b/c, upstream: http://c, allow: public}
`, []string{
			"6:36: routes[1].allow: differs from that of another route on the same host: their pages share an origin, so that a script in one app can use the other; a host for each app is safer",
			"6:36: routes[1].allow: is public above routes[0], which is not: whatever the lower path does not match is open to everybody"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got, want []string
			for _, w := range load(t, test.document).Warnings() {
				got = append(got, w.String())
			}
			for _, line := range test.want {
				want = append(want, "gatehouse.yaml:"+line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
