package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const publicHost = "app.example.com"

// standing is a table with most of what can stand in one.
func standing(t testing.TB) *Table {
	t.Helper()
	return table(t,
		Entry{"", "/gradio/admin", 0},
		Entry{"", "/gradio/user/", 1},
		Entry{"", "/gradio/user/lab", 2},
		Entry{"", "/Reports/Q1", 3},
		Entry{"", "/caf%C3%A9", 4},
		Entry{"", "/@ops", 5},
		Entry{"whole.example.com", "/", 6},
		Entry{"whole.example.com", "/secret", 7},
		Entry{"*.apps.example.com", "/a", 8},
		Entry{"{tenant}.apps.example.com", "/a/b", 9},
		Entry{"exact.apps.example.com", "/x/y", 10},
		Entry{"{tenant}.example.com", "/", 11},
		Entry{"[2001:DB8::1]", "/v6", 12},
	)
}

func table(t testing.TB, entries ...Entry) *Table {
	t.Helper()
	made, err := NewTable(publicHost, "/auth", entries)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func matched(index int, prefix string) Match {
	return Match{Kind: Matched, Index: index, Prefix: prefix}
}

func under(label string, m Match) Match {
	m.Label = label
	return m
}

var (
	none    = Match{Kind: None, Index: -1}
	own     = Match{Kind: Own, Index: -1, Prefix: "/auth"}
	unknown = Match{Kind: UnknownHost, Index: -1}
)

func landingAt(path string) Match { return Match{Kind: Landing, Index: -1, Prefix: path} }

func TestLookup(t *testing.T) {
	made := standing(t)
	cases := []struct {
		name, host, path string
		want             Match
	}{
		{"a bare prefix is in its route", publicHost, "/gradio/admin", matched(0, "/gradio/admin")},
		{"a prefix with a slash is", publicHost, "/gradio/admin/", matched(0, "/gradio/admin")},
		{"what lies below is", publicHost, "/gradio/admin/gradio_api/queue/data", matched(0, "/gradio/admin")},
		{"the longest prefix wins", publicHost, "/gradio/user/lab/x", matched(2, "/gradio/user/lab")},
		{"beside the longest the shorter has it", publicHost, "/gradio/user/labs", matched(1, "/gradio/user")},
		{"a letter behind the prefix is another path", publicHost, "/gradio/adminx", none},
		{"a dot behind the prefix is another path", publicHost, "/gradio/admin.", none},
		{"a hyphen behind the prefix is another path", publicHost, "/gradio/admin-old/x", none},
		{"an encoded space behind the prefix is another path", publicHost, "/gradio/admin%20", none},
		{"an encoded question mark behind the prefix is another path", publicHost, "/gradio/admin%3Fx", none},
		{"half a segment is another path", publicHost, "/gradio/adm", none},
		{"an ancestor is a landing", publicHost, "/gradio", landingAt("/gradio")},
		{"an ancestor with a slash is a landing", publicHost, "/gradio/", landingAt("/gradio")},
		{"an ancestor keeps its case", publicHost, "/Reports", landingAt("/Reports")},
		{"the root is a landing", publicHost, "/", landingAt("/")},
		{"a path beside the routes is none", publicHost, "/gradio/other", none},
		{"auth_path is Gatehouse's own", publicHost, "/auth", own},
		{"what lies below auth_path is", publicHost, "/auth/login", own},
		{"what begins like auth_path is not", publicHost, "/authx", none},
		{"auth_path is on every exact host", "whole.example.com", "/auth/me", own},
		{"auth_path is on every wildcard host", "acme.apps.example.com", "/auth/", under("acme", own)},
		{"an escape in a route matches as it is written", publicHost, "/caf%C3%A9/x", matched(4, "/caf%C3%A9")},

		{"a route at the root has all that is nobody else's", "whole.example.com", "/x/y", matched(6, "/")},
		{"a route at the root has the root", "whole.example.com", "/", matched(6, "/")},
		{"below it a longer one wins", "whole.example.com", "/secret/x", matched(7, "/secret")},

		{"a wildcard stands for one label", "acme.apps.example.com", "/a/x", under("acme", matched(8, "/a"))},
		{"{tenant} and * on one suffix are one host", "acme.apps.example.com", "/a/b/c", under("acme", matched(9, "/a/b"))},
		{"a wildcard host has landings", "acme.apps.example.com", "/", under("acme", landingAt("/"))},
		{"a wildcard does not stand for two labels", "x.acme.apps.example.com", "/a", unknown},
		{"a wildcard does not stand for none", "example.com", "/", unknown},
		{"the shorter wildcard takes the other's suffix for a label", "apps.example.com", "/a", under("apps", matched(11, "/"))},
		{"an exact host comes before a wildcard", "exact.apps.example.com", "/x/y", matched(10, "/x/y")},
		{"an exact host does not fall back to the wildcard", "exact.apps.example.com", "/a", none},
		{"the public host does not fall back to the wildcard", publicHost, "/x", none},
		{"an IPv6 host", "[2001:db8::1]", "/v6/x", matched(12, "/v6")},

		{"an unknown host", "evil.com", "/gradio/admin", unknown},
		{"an unknown host does not have auth_path", "evil.com", "/auth/login", unknown},
		{"a host that ends like a known one", "evilapp.example.org", "/", unknown},
		{"a single label", "localhost", "/", unknown},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := made.Lookup(tc.host, tc.path)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("Lookup(%q, %q): %v (-want +got):\n%s", tc.host, tc.path, err, diff)
			}
		})
	}
}

// Attack 1: a path that an upstream may read as one of another route.
func TestLookupRefusesAmbiguousPaths(t *testing.T) {
	made := standing(t)
	cases := []struct{ name, host, path string }{
		{"an encoded slash that would enter a route", publicHost, "/gradio%2Fadmin"},
		{"an encoded slash in lower case", publicHost, "/gradio%2fadmin/x"},
		{"an encoded slash behind a prefix", publicHost, "/gradio/admin%2Fx"},
		{"an encoded slash that would enter a longer route", publicHost, "/gradio/user%2Flab"},
		{"an encoded slash that would enter auth_path", publicHost, "/auth%2Flogin"},
		{"an encoded slash that would be a landing", publicHost, "/gradio%2F"},
		{"two slashes in front", publicHost, "//gradio/admin"},
		{"two slashes within", publicHost, "/gradio//admin"},
		{"two slashes into a longer route", publicHost, "/gradio/user//lab"},
		{"two slashes into auth_path", publicHost, "//auth/login"},
		{"two slashes as a landing", publicHost, "/gradio//"},
		{"two slashes as the root", publicHost, "//"},
		{"a parameter on a prefix", publicHost, "/gradio/admin;x/y"},
		{"a parameter on an ancestor", publicHost, "/gradio;x=1/admin"},
		{"a parameter as a segment of its own", publicHost, "/gradio/;x/admin"},
		{"an encoded semicolon", publicHost, "/gradio/admin%3bx"},
		{"a parameter on auth_path", publicHost, "/auth;x/login"},
		{"a parameter on a landing", publicHost, "/gradio;x"},
		{"other case", publicHost, "/Gradio/Admin"},
		{"other case of a route in upper case", publicHost, "/reports/q1"},
		{"other case of auth_path", publicHost, "/AUTH/login"},
		{"other case of a landing", publicHost, "/GRADIO"},
		{"other case into a longer route", publicHost, "/gradio/user/LAB"},
		{"other case of an escape", publicHost, "/caf%c3%a9"},
		{"an encoded character that may stand raw", publicHost, "/%40ops"},
		{"an encoded slash and two slashes", publicHost, "/gradio%2F/admin"},
		{"an encoded slash, a parameter and other case", publicHost, "/Gradio;x%2F/Admin"},
		{"a parameter cut before the slash in it is decoded", publicHost, "/gradio;x%2fy/admin"},
		{"a parameter cut after the slash behind it is decoded", publicHost, "/gradio;x%2Fadmin"},
		{"out of a route at the root", "whole.example.com", "/%2Fsecret"},
		{"out of a route at the root by case", "whole.example.com", "/Secret"},
		{"out of a route at the root by a parameter", "whole.example.com", "/secret;x"},
		{"out of a route at the root into auth_path", "whole.example.com", "/Auth/login"},
		{"on a wildcard host", "acme.apps.example.com", "/a//b"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := made.Lookup(tc.host, tc.path)
			var ambiguous *AmbiguousError
			if !errors.As(err, &ambiguous) {
				t.Fatalf("Lookup(%q, %q) = %+v, %v; want an *AmbiguousError", tc.host, tc.path, got, err)
			}
			if diff := cmp.Diff(ambiguous.Canonical, got); diff != "" {
				t.Errorf("the error and the match differ:\n%s", diff)
			}
		})
	}
}

func TestLookupTakesOddPathsThatStayInTheirRoute(t *testing.T) {
	made := standing(t)
	cases := []struct {
		name, host, path string
		want             Match
	}{
		{"a file name in upper case", publicHost, "/gradio/admin/File.TXT", matched(0, "/gradio/admin")},
		{"an encoded slash in a file name", publicHost, "/gradio/admin/file=%2Ftmp%2Fa.png", matched(0, "/gradio/admin")},
		{"two slashes in a URL within the path", publicHost, "/gradio/admin/proxy=https://x.hf.space//a", matched(0, "/gradio/admin")},
		{"two slashes behind the prefix", publicHost, "/gradio/admin//", matched(0, "/gradio/admin")},
		{"a parameter behind the prefix", publicHost, "/gradio/admin/;x", matched(0, "/gradio/admin")},
		{"all of it beside a longer route", publicHost, "/gradio/user/Tmp%2Flab//lab;x", matched(1, "/gradio/user")},
		{"all of it below a route at the root", "whole.example.com", "/Files%2Fsecret//secret;x/%3B", matched(6, "/")},
		{"all of it below auth_path", publicHost, "/auth//Login;x%2F", own},
		{"two slashes where nobody is", publicHost, "/nobody//here;x%2FY", none},
		{"two slashes behind a landing, to nobody", publicHost, "/gradio//nobody", none},
		{"upper case where nobody is", publicHost, "/Nobody", none},
		{"all of it on an unknown host", "evil.com", "/gradio%2Fadmin", unknown},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := made.Lookup(tc.host, tc.path)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("Lookup(%q, %q): %v (-want +got):\n%s", tc.host, tc.path, err, diff)
			}
		})
	}
}

func TestRoutesThatDifferByWhatIsAboveThem(t *testing.T) {
	// Lower-case requests are ambiguous too where the table is not in lower case.
	made := table(t, Entry{"", "/gradio", 0}, Entry{"", "/Gradio/Secret", 1})
	for path, want := range map[string]bool{"/gradio/secret": true, "/Gradio/Secret": false, "/gradio/x": false, "/Gradio/secret": true, "/Gradio": true} {
		if _, err := made.Lookup(publicHost, path); (err != nil) != want {
			t.Errorf("%s: error %v, want one: %v", path, err, want)
		}
	}
}

func TestOrderNeverMatters(t *testing.T) {
	entries := []Entry{{"", "/a", 0}, {"", "/a/b", 1}, {"", "/", 2}, {"*.example.com", "/", 3}, {"x.example.com", "/", 4}}
	back := make([]Entry, len(entries))
	for i, e := range entries {
		back[len(entries)-1-i] = e
	}
	one, other := table(t, entries...), table(t, back...)
	for _, host := range []string{publicHost, "x.example.com", "y.example.com"} {
		for _, path := range []string{"/", "/a", "/a/b/c", "/ab", "/A", "/c"} {
			a, errA := one.Lookup(host, path)
			b, errB := other.Lookup(host, path)
			if a != b || (errA == nil) != (errB == nil) {
				t.Errorf("%s%s: %+v, %v and %+v, %v", host, path, a, errA, b, errB)
			}
		}
	}
}

func TestNewTableRefuses(t *testing.T) {
	cases := []struct {
		name    string
		auth    string
		entries []Entry
		hint    string
	}{
		{"the same path twice", "/auth", []Entry{{"", "/a", 0}, {"", "/a/", 1}}, "twice"},
		{"the same path on the public host by name", "/auth", []Entry{{"", "/a", 0}, {"App.Example.com.", "/a", 1}}, "twice"},
		{"the same path under * and {tenant}", "/auth", []Entry{{"*.example.com", "/a", 0}, {"{tenant}.example.com", "/a", 1}}, "twice"},
		{"paths that differ in case only", "/auth", []Entry{{"", "/a", 0}, {"", "/A", 1}}, "only in case"},
		{"auth_path itself", "/auth", []Entry{{"", "/auth", 0}}, "sign-in"},
		{"a path below auth_path", "/auth", []Entry{{"other.example.com", "/auth/x", 0}}, "sign-in"},
		{"a path below auth_path in other case", "/auth", []Entry{{"", "/Auth/x", 0}}, "sign-in"},
		{"a path without slash", "/auth", []Entry{{"", "a", 0}}, "neither a path"},
		{"no path", "/auth", []Entry{{"", "", 0}}, "neither a path"},
		{"a path with a query", "/auth", []Entry{{"", "/a?b", 0}}, "no query"},
		{"a path with a space", "/auth", []Entry{{"", "/a b", 0}}, "write /a%20b"},
		{"a path with an encoded letter", "/auth", []Entry{{"", "/%61", 0}}, "write /a"},
		{"a URL", "/auth", []Entry{{"", "http://h/a", 0}}, "write /a"},
		{"a dot segment", "/auth", []Entry{{"", "/a/../b", 0}}, "dot segment"},
		{"two slashes", "/auth", []Entry{{"", "/a//b", 0}}, "ambiguous"},
		{"two slashes at the end", "/auth", []Entry{{"", "/a//", 0}}, "ambiguous"},
		{"an encoded slash", "/auth", []Entry{{"", "/a%2Fb", 0}}, "ambiguous"},
		{"a parameter", "/auth", []Entry{{"", "/a;b", 0}}, "ambiguous"},
		{"a host with a port", "/auth", []Entry{{"a.com:80", "/", 0}}, "no port"},
		{"an address with a port", "/auth", []Entry{{"[::1]:80", "/", 0}}, "no port"},
		{"a star alone", "/auth", []Entry{{"*", "/", 0}}, "host"},
		{"a star within", "/auth", []Entry{{"a.*.com", "/", 0}}, "host"},
		{"a tenant within", "/auth", []Entry{{"a.{tenant}.com", "/", 0}}, "host"},
		{"a star before an address", "/auth", []Entry{{"*.[::1]", "/", 0}}, "address"},
		{"a star before nothing", "/auth", []Entry{{"*.", "/", 0}}, "host"},
		{"auth_path at the root", "/", nil, "leaves no path"},
		{"auth_path without slash", "auth", nil, "auth path"},
		{"auth_path with a parameter", "/auth;x", nil, "auth path"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewTable(publicHost, tc.auth, tc.entries)
			if err == nil || !strings.Contains(err.Error(), tc.hint) {
				t.Errorf("error %v, want one that holds %q", err, tc.hint)
			}
		})
	}
	if _, err := NewTable("app example", "/auth", nil); err == nil {
		t.Error("a malformed public host is taken")
	}
}

func TestATableWithoutRoutesKnowsItsHost(t *testing.T) {
	made, err := NewTable("App.example.com:8000", "/a/auth/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Match{
		"/": landingAt("/"), "/x": none, "/a": none, "/a/auth/me": {Kind: Own, Index: -1, Prefix: "/a/auth"},
	} {
		if got, err := made.Lookup(publicHost, path); got != want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
		}
	}
}

func TestStripPrefix(t *testing.T) {
	cases := []struct{ name, path, prefix, want string }{
		{"what lies below is left", "/gradio/admin/x/y", "/gradio/admin", "/x/y"},
		{"the bare prefix leaves the root", "/gradio/admin", "/gradio/admin", "/"},
		{"the prefix with a slash leaves the root", "/gradio/admin/", "/gradio/admin", "/"},
		{"the root strips nothing", "/x", "/", "/x"},
		{"two slashes stay two", "/p//evil.com/x", "/p", "//evil.com/x"},
		{"escapes stay as they are", "/p/%2f%C3%a9;x", "/p", "/%2f%C3%a9;x"},
		{"the prefix is taken off once", "/p/p/x", "/p", "/p/x"},
		{"another path stays", "/px", "/p", "/px"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := StripPrefix(tc.path, tc.prefix); got != tc.want {
				t.Errorf("StripPrefix(%q, %q) = %q, want %q", tc.path, tc.prefix, got, tc.want)
			}
		})
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	made := standing(t)
	lower := table(t, Entry{"", "/", 0}, Entry{"", "/gradio/admin", 1})
	for name, look := range map[string]func(){
		"a route":                              func() { _, _ = made.Lookup(publicHost, "/gradio/admin/x/y/z") },
		"a wildcard host":                      func() { _, _ = made.Lookup("acme.apps.example.com", "/a/x") },
		"a landing":                            func() { _, _ = made.Lookup(publicHost, "/gradio/") },
		"nothing":                              func() { _, _ = made.Lookup(publicHost, "/nothing/here") },
		"odd characters in a route":            func() { _, _ = made.Lookup(publicHost, "/gradio/admin/File=%2FA//b;c") },
		"upper case beyond the deepest route":  func() { _, _ = lower.Lookup(publicHost, "/assets/js/Main.JS") },
		"odd characters beyond, in no segment": func() { _, _ = lower.Lookup(publicHost, "/assets/js/a%2Fb//c;d") },
	} {
		if n := testing.AllocsPerRun(100, look); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		entries := make([]Entry, n)
		for i := range entries {
			entries[i] = Entry{"", fmt.Sprintf("/team%05d/app", i), i}
		}
		made := table(b, entries...)
		b.Run(fmt.Sprintf("%d entries", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = made.Lookup(publicHost, "/team00000/app/gradio_api/queue/data")
			}
		})
		b.Run(fmt.Sprintf("%d entries, none fits", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = made.Lookup(publicHost, "/nobody/here/gradio_api/queue/data")
			}
		})
	}
}
