package config

import "testing"

func TestRouteChecks(t *testing.T) {
	sentences{
		{name: "a route without upstream and allow", document: top + "routes:\n  - path: /a\n", want: []string{
			"5:5: routes[0].allow: is required: want authenticated, public or a list of rules",
			"5:5: routes[0].upstream: is required: the address of the app, such as http://127.0.0.1:7860"}},
		{name: "an allow without a value", document: top + "routes:\n  - upstream: http://a\n    allow:\n", want: []string{
			"5:5: routes[0].allow: is required: want authenticated, public or a list of rules"}},
		{name: "an allow with a slip", document: top + "routes:\n  - upstream: http://a\n    allow: authentcated\n", want: []string{
			"6:5: routes[0].allow: want authenticated, public or a list of rules, got \"authentcated\"; did you mean authenticated?"}},
		{name: "an allow that is a flag", document: top + "routes: [{upstream: http://a, allow: true}]\n", want: []string{
			"4:31: routes[0].allow: want authenticated, public or a list of rules, got true or false"}},
		{name: "an allow without rules", document: top + "routes: [{upstream: http://a, allow: []}]\n", want: []string{
			"4:31: routes[0].allow: is an empty list, which nobody passes; want authenticated, public or a list of rules"}},
		{name: "a rule without its dash", document: top + "routes:\n  - upstream: http://a\n    allow:\n      roles: [a]\n", want: []string{
			"6:5: routes[0].allow: want authenticated, public or a list of rules, got a mapping; write a - before the rule"}},
		{name: "paths below auth_path, in any case", document: top + "routes:\n  - {path: /auth, upstream: http://a, allow: public}\n  - {path: /Auth/x, upstream: http://a, allow: public}\n  - {path: /authors, upstream: http://a, allow: public}\n", want: []string{
			"5:6: routes[0].path: lies at or below auth_path (/auth), where Gatehouse's own pages are; want another path",
			"6:6: routes[1].path: lies at or below auth_path (/auth), where Gatehouse's own pages are; want another path"}},
		{name: "two routes for the same requests", document: top + "routes:\n  - {path: /a, upstream: http://a, allow: public}\n  - {path: /a/, host: apps.example.com, name: b, upstream: http://b, allow: public}\n  - {path: /A, name: c, upstream: http://c, allow: public}\n", want: []string{
			"6:6: routes[1].path: has host and path of routes[0]; want another path, or one route",
			"7:6: routes[2].path: differs from the path of routes[0] in case alone, so that neither would be matched; want another path"}},
		{name: "a wildcard and a tenant host for the same requests", document: top + "routes:\n  - {host: '*.example.com', upstream: http://a, allow: public}\n  - {host: '{tenant}.example.com', upstream: http://b, allow: public}\n", want: []string{
			"6:5: routes[1]: has host and path of routes[0]; want another path, or one route"}},
		{name: "a name twice", document: top + "routes:\n  - {path: /a, name: b, upstream: http://a, allow: public}\n  - {path: /b, upstream: http://b, allow: public}\n  - {path: /c, name: b, upstream: http://c, allow: public}\n", want: []string{
			"6:5: routes[1].name: is required: the name made of path and host is that of routes[0] too",
			"7:16: routes[2].name: is the name of routes[0] too; want one of its own"}},
		{name: "Open WebUI under a path", document: top + "routes: [{path: /w, preset: openwebui, upstream: http://a, allow: public}]\n", want: []string{
			"4:11: routes[0].path: want / for the preset openwebui, which cannot live under a path; give it a host of its own"}},
		{name: "a preset with a slip", document: top + "routes: [{preset: steamlit, upstream: http://a, allow: public}]\n", want: []string{
			"4:11: routes[0].preset: want gradio, streamlit, jupyter, comfyui, openwebui or plain, got \"steamlit\"; did you mean streamlit?"}},
		{name: "a host out of the cookie's reach", document: top + "routes:\n  - {host: b.example.com, upstream: http://a, allow: authenticated}\n  - {host: c.example.com, upstream: http://a, allow: public}\n  - {host: d.example.com, upstream: http://a, allow: authenticated, bearer: true}\n", want: []string{
			"5:6: routes[0].host: is not reached by the session cookie, which belongs to public_url's host; set session.cookie_domain to a domain that holds both"}},
		{name: "hosts beside the cookie's domain", document: sessionOf(`secret: "${S}", cookie_domain: example.com`) + "routes:\n  - {host: '*.example.com', upstream: http://a, allow: authenticated}\n  - {host: '{tenant}.x.example.com', upstream: http://a, allow: authenticated}\n  - {host: badexample.com, upstream: http://a, allow: authenticated}\n  - {host: '*.com', upstream: http://a, allow: authenticated}\n", want: []string{
			"7:6: routes[2].host: is not reached by the session cookie; want a host under session.cookie_domain (example.com)",
			"8:6: routes[3].host: is not reached by the session cookie; want a host under session.cookie_domain (example.com)"}},
		{name: "hosts that are none", document: top + "routes:\n  - {host: 'https://a.example.com', upstream: http://a, allow: public}\n  - {host: 'a.example.com:80', upstream: http://a, allow: public}\n  - {host: 'a.*.example.com', upstream: http://a, allow: public}\n  - {host: '{Team}.example.com', upstream: http://a, allow: public}\n  - {host: '*.192.0.2.1', upstream: http://a, allow: public}\n", want: []string{
			"5:6: routes[0].host: want a host without scheme, port and path, got \"https://a.example.com\"",
			"6:6: routes[1].host: want a host without scheme, port and path, got \"a.example.com:80\"",
			"7:6: routes[2].host: want an exact host, *.example.com or {tenant}.example.com, got \"a.*.example.com\"",
			"8:6: routes[3].host: want an exact host, *.example.com or {tenant}.example.com, got \"{Team}.example.com\"",
			"9:6: routes[4].host: want a domain after the wildcard, got \"*.192.0.2.1\""}},
		{name: "aliases", document: top + "tenants: {Acme: T1, a.b: T2, c: '', d: 5, e: }\n", want: []string{
			"4:11: tenants.Acme: want an alias that can be a host's first label: lower-case letters, digits and -",
			"4:21: tenants[\"a.b\"]: want an alias that can be a host's first label: lower-case letters, digits and -",
			"4:30: tenants.c: is empty; want the tenant's ID",
			"4:37: tenants.d: want text, got a number; put it in quotes",
			"4:43: tenants.e: is empty; want the tenant's ID"}},
	}.run(t)
}

func TestPaths(t *testing.T) {
	for _, test := range []struct{ name, path, want string }{
		{"letters, digits and all else that may stand raw", "/aZ0-._~!$&'()+,=:@/b", ""},
		{"a character that is encoded", "/mod%C3%A8le", ""},
		{"no slash at the beginning", "a", "a path that begins with /"},
		{"a query", "/a?b", "a path without ? and #"},
		{"a backslash", `/a\b`, "a path without backslashes"},
		{"an empty segment", "/a//b", "a path without empty segments"},
		{"a parameter", "/a;b", "a path without ; (servers disagree on what it means)"},
		{"a glob", "/a/*", "a plain prefix: a path takes everything below it without *"},
		{"dots", "/a/../b", "a path without . and .. segments"},
		{"encoded dots", "/a/%2e%2E/b", "a path without . and .. segments"},
		{"an encoded slash", "/a%2Fb", "a path without encoded slashes, backslashes, semicolons and control characters"},
		{"an encoded NUL", "/a%00", "a path without encoded slashes, backslashes, semicolons and control characters"},
		{"a broken percent", "/a%2", "two hexadecimal digits after each %"},
		{"a letter of another script", "/modèle", "the path as requests spell it: write /mod%C3%A8le"},
		{"a space", "/a b", "the path as requests spell it: write /a%20b"},
		{"an encoded letter", "/%61dmin", "the path as requests spell it: write /admin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, instead := pathProblem(test.path)
			if instead != "" {
				want += ": write " + instead
			}
			if want != test.want {
				t.Errorf("got %q, want %q", want, test.want)
			}
			if again, _ := pathProblem(instead); instead != "" && again != "" {
				t.Errorf("%s is proposed and yet: want %s", instead, again)
			}
		})
	}
}

func TestUpstreamOriginAndHeaderChecks(t *testing.T) {
	sentences{
		{name: "upstreams", document: top + `routes:
  - {path: /a, allow: public, upstream: http://127.0.0.1:7861/}
  - {path: /b, allow: public, upstream: "https://user:pw@b/x?y"}
  - {path: /c, allow: public, upstream: 127.0.0.1:7861}
  - {path: /d, allow: public, upstream: []}
  - {path: /e, allow: public, upstream: [http://a, HTTP://A:80, "unix:a.sock", ws://a]}
  - {path: /f, allow: public, upstream: ""}
`, want: []string{
			"5:31: routes[0].upstream: want scheme://host[:port] alone, without path, query and password: write http://127.0.0.1:7861",
			"6:31: routes[1].upstream: want scheme://host[:port] alone, without path, query and password: write https://b",
			"7:31: routes[2].upstream: want an address such as http://127.0.0.1:7860, https://host:port or unix:/path/to.sock, got \"127.0.0.1:7861\"",
			"8:31: routes[3].upstream: is empty; want an address such as http://127.0.0.1:7860",
			"9:52: routes[4].upstream[1]: is in the list twice; keep one",
			"9:65: routes[4].upstream[2]: want an absolute path after unix:, got \"unix:a.sock\"",
			"9:80: routes[4].upstream[3]: want an address such as http://127.0.0.1:7860, https://host:port or unix:/path/to.sock, got \"ws://a\"",
			"10:31: routes[5].upstream: is empty; want an address such as http://127.0.0.1:7860"}},
		{name: "origins", document: top + "routes: [{upstream: http://a, allow: authenticated, origins: ['*', 'null', 'https://*.example.com', 'https://a/', 'a.example.com']}]\n", want: []string{
			"4:63: routes[0].origins[0]: want each origin written out, without * and null: those would let any page act for the person",
			"4:68: routes[0].origins[1]: want each origin written out, without * and null: those would let any page act for the person",
			"4:76: routes[0].origins[2]: want each origin written out, without * and null: those would let any page act for the person",
			"4:101: routes[0].origins[3]: want scheme://host[:port] alone: write https://a",
			"4:115: routes[0].origins[4]: want scheme://host[:port], got \"a.example.com\""}},
		{name: "headers", document: top + `routes:
  - upstream: http://a
    allow: public
    headers:
      Host: a
      Connection: close
      transfer_encoding: chunked
      X-Forwarded-User: ann
      x_forwarded.groups: a
      X-Gatehouse-Assertion: a
      Cookie: a
      "a b": c
      X-Number: 5
      X-Lines: "a\r\nb"
      X-Good: "Basic abc"
      x_good: d
`, want: []string{
			"8:7: routes[0].headers.Host: cannot be set: the upstream sees the route's host",
			"9:7: routes[0].headers.Connection: cannot be set: it belongs to the connection",
			"10:7: routes[0].headers.transfer_encoding: cannot be set: it belongs to the connection",
			"11:7: routes[0].headers.X-Forwarded-User: cannot be set: Gatehouse sets it itself, and upstreams rely on it",
			"12:7: routes[0].headers[\"x_forwarded.groups\"]: cannot be set: Gatehouse sets it itself, and upstreams rely on it",
			"13:7: routes[0].headers.X-Gatehouse-Assertion: cannot be set: Gatehouse sets it itself, and upstreams rely on it",
			"14:7: routes[0].headers.Cookie: cannot be set: the person's cookies stand there",
			"15:7: routes[0].headers[\"a b\"]: want a header's name: letters, digits and - _ . alone",
			"16:7: routes[0].headers.X-Number: want text, got a number; put it in quotes",
			"17:7: routes[0].headers.X-Lines: want text on one line, without control characters",
			"19:7: routes[0].headers.x_good: names a header that is there already, in another spelling; keep one"}},
	}.run(t)
}

func TestRuleChecks(t *testing.T) {
	sentences{
		{name: "empty rules and fields", document: top + `routes:
  - upstream: http://a
    allow:
      - {}
      -
      - tenant:
        roles: []
        permissions: ""
        claims: {}
      - tenant: ""
      - roles: [""]
      - claims: {a: [], b: "", c: , d: [""], e: {f: g}}
      - a
`, want: []string{
			"7:9: routes[0].allow[0]: is an empty rule; want a condition such as roles: [Tenant Admin], or allow: authenticated for everybody who signs in",
			"8:8: routes[0].allow[1]: is an empty rule; want a condition such as roles: [Tenant Admin], or allow: authenticated for everybody who signs in",
			"9:9: routes[0].allow[2].tenant: is empty; write a value, or take the field out",
			"10:9: routes[0].allow[2].roles: is empty; write a value, or take the field out",
			"11:9: routes[0].allow[2].permissions: is empty; write a value, or take the field out",
			"12:9: routes[0].allow[2].claims: is empty; write a value, or take the field out",
			"13:9: routes[0].allow[3].tenant: is empty; write a value, or take the field out",
			"14:17: routes[0].allow[4].roles[0]: is empty; take it out or write a value",
			"15:18: routes[0].allow[5].claims.a: is empty; write a value, or take the claim out",
			"15:25: routes[0].allow[5].claims.b: is empty; write a value, or take the claim out",
			"15:32: routes[0].allow[5].claims.c: is empty; write a value, or take the claim out",
			"15:41: routes[0].allow[5].claims.d[0]: is empty; write a value, or take it out",
			"15:46: routes[0].allow[5].claims.e: want a value or a list of values, got a mapping",
			"16:9: routes[0].allow[6]: want a rule, a mapping of keys and values, got \"a\""}},
		{name: "fields of a wrong form", document: top + `routes:
  - upstream: http://a
    allow:
      - roles: Tenant Admin
        permissions: [1, [a]]
        emails: [ann, a@b@c]
        email_domains: ["@example.com", "*.example.com"]
        role: [a]
      - tenant: "{tenant}"
      - tenant: {acme}
`, want: []string{
			"7:9: routes[0].allow[0].roles: want a list, got \"Tenant Admin\"; write [Tenant Admin]",
			"8:23: routes[0].allow[0].permissions[0]: want text, got a number; put it in quotes",
			"8:26: routes[0].allow[0].permissions[1]: want text, got a list",
			"9:18: routes[0].allow[0].emails[0]: want an email address such as ann@example.com, got \"ann\"",
			"9:23: routes[0].allow[0].emails[1]: want an email address such as ann@example.com, got \"a@b@c\"",
			"10:25: routes[0].allow[0].email_domains[0]: want the domain without the @, got \"@example.com\"",
			"10:41: routes[0].allow[0].email_domains[1]: want each domain written out, without * and leading dot; subdomains are not covered, got \"*.example.com\"",
			"11:9: routes[0].allow[0].role: is no key of a rule; did you mean roles?",
			"12:9: routes[0].allow[1].tenant: {tenant} needs a host such as {tenant}.example.com; write the tenant's ID",
			"13:9: routes[0].allow[2].tenant: want one value or a list, got a mapping"}},
	}.run(t)
}

func TestPolicyTestChecks(t *testing.T) {
	sentences{
		{name: "what a test lacks and what is wrong with it", document: top + `tests:
  - {}
  - {as: anonymos, method: get, url: gradio, want: allowed}
  - {as: {exp: .inf}, url: /, want: allow}
  - x
`, want: []string{
			"5:5: tests[0].as: is required: want anonymous, or the claims of an ID token",
			"5:5: tests[0].url: is required: want a path or an absolute URL",
			"5:5: tests[0].want: is required: want allow, deny, sign_in or not_found",
			"6:6: tests[1].as: want anonymous, or the claims of an ID token, got \"anonymos\"",
			"6:20: tests[1].method: want a method such as GET or POST, in capitals, got \"get\"",
			"6:33: tests[1].url: want a path that begins with / or an absolute URL, got \"gradio\"",
			"6:46: tests[1].want: want allow, deny, sign_in or not_found, got \"allowed\"; did you mean allow?",
			"7:11: tests[2].as.exp: want a number that JSON can hold",
			"8:5: tests[3]: want a test, a mapping of keys and values, got \"x\""}},
	}.run(t)
}
