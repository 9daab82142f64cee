package route

import (
	"errors"
	"strings"
	"testing"
)

// Attack 3: host case, port and trailing dot.
func TestCanonicalHost(t *testing.T) {
	label, name := strings.Repeat("a", 63), strings.Repeat("a.", 126)+"a"
	cases := []struct{ name, host, want string }{
		{"a plain name", "app.example.com", "app.example.com"},
		{"a single label", "localhost", "localhost"},
		{"case is ignored", "APP.Example.COM", "app.example.com"},
		{"the port is ignored", "app.example.com:8443", "app.example.com"},
		{"one trailing dot is ignored", "app.example.com.", "app.example.com"},
		{"all three are", "App.Example.com.:443", "app.example.com"},
		{"underscores and hyphens are in use", "my_app-1.example.com", "my_app-1.example.com"},
		{"an IPv4 address", "127.0.0.1:8000", "127.0.0.1"},
		{"an IPv6 address keeps its brackets", "[::1]:8000", "[::1]"},
		{"an IPv6 address is shortened", "[0:0:0:0:0:0:0:1]", "[::1]"},
		{"an IPv6 address has no case", "[2001:DB8::A]", "[2001:db8::a]"},
		{"the longest label", label + ".com", label + ".com"},
		{"the longest name", name, name},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := CanonicalHost(tc.host); err != nil || got != tc.want {
				t.Errorf("CanonicalHost(%q) = %q, %v; want %q", tc.host, got, err, tc.want)
			}
		})
	}
}

func TestCanonicalHostRefuses(t *testing.T) {
	for name, host := range map[string]string{
		"nothing": "", "a dot": ".", "a port alone": ":80", "two trailing dots": "a.com..", "an empty label": "a..com",
		"a leading dot": ".a.com", "an empty port": "a.com:", "port zero": "a.com:0", "a port too high": "a.com:65536",
		"a port of letters": "a.com:http", "a signed port": "a.com:+80", "two ports": "a.com:80:80", "a port too long": "a.com:000080",
		"userinfo": "good.com@evil.com", "a path": "a.com/b", "a space": "a.com ", "a tab": "a\t.com", "a NUL": "a.com\x00",
		"two hosts": "a.com,b.com", "a percent sign": "a%2ecom", "a backslash": `a\com`, "an umlaut": "\u00fc.com",
		"a fullwidth dot": "a\uff0ecom", "the Kelvin sign": "\u212a.com", "a tilde": "~a.com", "an asterisk": "*.com",
		"IPv6 without brackets": "::1", "a bracket without end": "[::1", "a zone": "[fe80::1%25eth0]", "a bare zone": "[fe80::1%eth0]",
		"IPv4 in brackets": "[127.0.0.1]", "a name in brackets": "[a.com]", "letters behind the bracket": "[::1]a",
		"a dot behind the bracket": "[::1].", "an empty port behind the bracket": "[::1]:", "empty brackets": "[]",
		"a label too long": strings.Repeat("a", 64) + ".com", "a name too long": strings.Repeat("a.", 127) + "a",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := CanonicalHost(host)
			var hostErr *HostError
			if !errors.As(err, &hostErr) {
				t.Errorf("CanonicalHost(%q) = %q, %v; want a *HostError", host, got, err)
			}
		})
	}
}

func TestCanonicalHostInLowerCaseDoesNotAllocate(t *testing.T) {
	for _, host := range []string{"app.example.com", "app.example.com:8443", "app.example.com.", "127.0.0.1:8000"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = CanonicalHost(host) }); n != 0 {
			t.Errorf("%s: %v allocations", host, n)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{"app.example.com", "A.B.:80", "[::1]:8000", "[fe80::1%eth0]", "::1", "a..b", "a@b", "\u212a.com", "127.0.0.1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hostport string) {
		host, err := CanonicalHost(hostport)
		if err != nil {
			return
		}
		if again, err := CanonicalHost(host); err != nil || again != host {
			t.Fatalf("%q: canonical %q becomes %q, %v", hostport, host, again, err)
		}
		if again, err := CanonicalHost(host + ":8000"); err != nil || again != host {
			t.Fatalf("%q: with a port %q becomes %q, %v", hostport, host, again, err)
		}
		if host != strings.ToLower(host) || strings.ContainsAny(host, "/\\@%, \t\r\n*?#") {
			t.Fatalf("%q: canonical %q", hostport, host)
		}
	})
}
