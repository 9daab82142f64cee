package config

import (
	"strings"
	"testing"
)

func TestWarningsOfWhatCanNeverBe(t *testing.T) {
	rule := func(fields string) string {
		return top + "tenants: {acme: T2acme}\nroutes: [{upstream: http://a, allow: [" + fields + "]}]\n"
	}
	for _, test := range []struct{ name, document, want string }{
		{"a claim that is a field of its own", rule("{claims: {email: ann@example.com}}"), "routes[0].allow[0].claims.email: can never hold: email is not among the claims that a rule can ask by name; use emails or email_domains"},
		{"a claim about the token", rule("{claims: {aud: x}}"), "routes[0].allow[0].claims.aud: can never hold: aud is not among the claims that a rule can ask by name; it is about the token and not about the person"},
		{"any other claim", rule("{claims: {department: x, Email: y}}"), ""},
		{"addresses beside their domains", rule("{emails: [ann@example.com], email_domains: [example.org]}"), "routes[0].allow[0].emails: can never hold: none of the addresses is in one of email_domains, and both have to hold; make them two rules if either will do"},
		{"addresses in their domains, case ignored", rule("{emails: [ann@Example.com, x@example.net], email_domains: [example.COM]}"), ""},
		{"an alias where an ID belongs", rule("{tenant: acme, roles: [a]}"), "routes[0].allow[0].tenant: names acme, which is an alias for hosts; a rule wants the tenant's ID, T2acme"},
		{"the ID", rule("{tenant: T2acme, roles: [a]}"), ""},
		{"a wildcard beside an exact host", sessionOf(`secret: "${S}", cookie_domain: example.com`) +
			"routes: [{host: '*.example.com', upstream: http://a, allow: authenticated}, {host: one.example.com, path: /x, upstream: http://b, allow: authenticated}]\n",
			"routes[0].host: does not count on apps.example.com, which has routes of its own: what they do not take is answered 404 there"},
		{"a wildcard beside exact hosts that take all of it", sessionOf(`secret: "${S}", cookie_domain: example.com`) +
			"routes: [{host: '*.example.com', path: /a, upstream: http://a, allow: authenticated}, {upstream: http://b, allow: authenticated}]\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, w := range load(t, test.document).Warnings() {
				text := w.String()
				if i := strings.Index(text, "routes["); i >= 0 && !strings.Contains(text, "share an origin") {
					got = append(got, text[i:])
				}
			}
			if s := strings.Join(got, "\n"); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
		})
	}
}
