package inject

import "testing"

func TestPolicies(t *testing.T) {
	site := Site{Scheme: "https", Host: "app.example.com:8443", Script: "/auth/menu.js"}
	plain := Site{Scheme: "http", Host: "localhost", Script: "/auth/menu.js"}
	for _, c := range []struct {
		name, policy string
		site         Site
		want         bool
	}{
		{"none", "", site, true},
		{"one that says nothing of scripts", "frame-ancestors 'self'; img-src *", site, true},
		{"self", "script-src 'self'", site, true},
		{"self, in other case and with other space", " SCRIPT-SRC\t'SELF' ;", site, true},
		{"self for everything", "default-src 'self'", site, true},
		{"self beside a nonce", "script-src 'self' 'nonce-abc'", site, true},
		{"a nonce alone", "script-src 'nonce-abc'", site, false},
		{"a hash alone", "script-src 'sha256-abc='", site, false},
		{"none at all", "script-src 'none'", site, false},
		{"an empty list", "script-src", site, false},
		{"strict-dynamic takes self away", "script-src 'self' 'strict-dynamic' 'nonce-a'", site, false},
		{"unsafe-inline is not for files", "script-src 'unsafe-inline' 'unsafe-eval'", site, false},
		{"the more precise directive decides: no", "script-src 'self'; script-src-elem 'none'", site, false},
		{"the more precise directive decides: yes", "default-src 'none'; script-src-elem 'self'; connect-src 'self'", site, true},
		{"the first of two alike counts", "script-src 'none'; script-src 'self'", site, false},
		{"two policies: both must allow", "script-src 'self', script-src 'none'", site, false},
		{"a script that may ask nobody is of no use", "script-src 'self'; connect-src 'none'", site, false},
		{"nor one whose questions fall to the default", "default-src 'none'; script-src 'self'", site, false},
		{"trusted types", "require-trusted-types-for 'script'", site, false},
		{"a sandbox", "sandbox", site, false},
		{"a sandbox with scripts and no origin", "sandbox allow-scripts", site, false},
		{"a sandbox with both", "sandbox allow-scripts allow-same-origin", site, true},
		{"anything", "script-src *", site, true},
		{"the scheme", "script-src https:", site, true},
		{"http takes https", "script-src http:", site, true},
		{"https does not take http", "script-src https:", plain, false},
		{"another scheme", "script-src data: blob:", site, false},
		{"the origin", "script-src https://app.example.com:8443", site, true},
		{"the origin without scheme", "script-src app.example.com:8443", site, true},
		{"any port", "script-src app.example.com:*", site, true},
		{"no port is the scheme's", "script-src app.example.com", site, false},
		{"no port for no port", "script-src http://localhost", plain, true},
		{"the scheme's port for no port", "script-src localhost:80", plain, true},
		{"another port", "script-src localhost:8080", plain, false},
		{"a wildcard", "script-src *.example.com:8443", site, true},
		{"a wildcard is not the name itself", "script-src *.app.example.com:8443", site, false},
		{"a host that ends alike", "script-src pp.example.com:8443", site, false},
		{"a folder", "script-src https://app.example.com:8443/auth/", site, true},
		{"the file", "script-src https://app.example.com:8443/auth/menu.js", site, true},
		{"another folder", "script-src https://app.example.com:8443/static/", site, false},
		{"another site", "script-src https://cdn.example", site, false},
		{"a browser extension's", "script-src moz-extension://app.example.com:8443", site, false},
		{"IPv6", "script-src http://[::1]:8000", Site{"http", "[::1]:8000", "/auth/menu.js"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.site.Allows(c.policy); got != c.want {
				t.Errorf("%q: got %t", c.policy, got)
			}
		})
	}
}

func TestReadableTypes(t *testing.T) {
	for kind, want := range map[string]bool{
		"text/html": true, "text/html; charset=utf-8": true, "TEXT/HTML;Charset=\"UTF-8\"": true, "text/html; charset=Shift_JIS": true,
		"text/html; charset=windows-1252": true, "text/html; charset=utf-16": false, "text/html;charset=UTF-16LE": false,
		"text/html; charset=iso-2022-jp": false, "text/html; charset=unheard-of": false, "application/xhtml+xml": false,
		"text/plain": false, "": false, "text/html; =": false, "text/htmlx": false,
	} {
		if got := Readable(kind); got != want {
			t.Errorf("%q: got %t", kind, got)
		}
	}
}
