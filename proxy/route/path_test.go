package route

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	cases := []struct{ name, target, want string }{
		{"a plain path stays", "/gradio/admin", "/gradio/admin"},
		{"the root stays", "/", "/"},
		{"a trailing slash stays", "/gradio/admin/", "/gradio/admin/"},
		{"encoded letters are decoded", "/%61dmin/%41", "/admin/A"},
		{"encoded unreserved characters are decoded in either case of hex", "/%7euser/%7Euser/a%2db%2Dc%5fd", "/~user/~user/a-b-c_d"},
		{"an encoded dot inside of a name is decoded", "/a%2eb", "/a.b"},
		{"other escapes keep the case they were sent in", "/%2f%2F%c3%A9%3b%25", "/%2f%2F%c3%A9%3b%25"},
		{"a percent sign is decoded once only", "/%2561", "/%2561"},
		{"decoding makes no new escape", "/%25%36%31", "/%2561"},
		{"spaces are encoded", "/a b", "/a%20b"},
		{"UTF-8 is encoded byte by byte in upper case", "/caf\u00e9", "/caf%C3%A9"},
		{"broken UTF-8 is encoded too", "/\xff", "/%FF"},
		{"and Latin-1 stays", "/%C0%20propos/d%E9j%e0", "/%C0%20propos/d%E9j%e0"},
		{"as do the shortest characters of two, three and four bytes", "/%c2%80%e0%a0%80%f0%90%80%80", "/%c2%80%e0%a0%80%f0%90%80%80"},
		{"brackets, braces, quotes and carets are encoded", `/[]{}"<>^|` + "`", "/%5B%5D%7B%7D%22%3C%3E%5E%7C%60"},
		{"a number sign belongs to the path", "/a#b", "/a%23b"},
		{"what RFC 3986 allows raw stays", "/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"},
		{"slashes are not collapsed", "//a///b//", "//a///b//"},
		{"three dots are a name", "/.../..a/a../.a", "/.../..a/a../.a"},
		{"parameters are kept", "/a;b=c/d;..;", "/a;b=c/d;..;"},
		{"the absolute form gives its path", "http://app.example.com/a/b", "/a/b"},
		{"its scheme has no case", "HTTPS://app.example.com:8443/a", "/a"},
		{"its empty path is the root", "http://app.example.com", "/"},
		{"its empty path before a query is the root", "http://app.example.com?q", "/"},
		{"a path that looks like an authority is a path", "//evil.com/a", "//evil.com/a"},
		{"a URL in a path is part of it", "/proxy=http://localhost/x", "/proxy=http://localhost/x"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, _, _, err := CanonicalPath(tc.target)
			if err != nil || got != tc.want {
				t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tc.target, got, err, tc.want)
			}
		})
	}
}

// Attack 1: what a path may not hold, raw, encoded, and hidden in another reading.
func TestCanonicalPathRefuses(t *testing.T) {
	cases := []struct{ name, target, why string }{
		{"a dot segment", "/a/./b", "dot segment"},
		{"a double dot segment", "/gradio/user/../admin", "dot segment"},
		{"a double dot segment at the end", "/a/..", "dot segment"},
		{"a dot at the end", "/a/.", "dot segment"},
		{"encoded dots", "/a/%2e%2e/b", "dot segment"},
		{"half encoded dots", "/a/.%2E/b", "dot segment"},
		{"an encoded dot", "/%2e/a", "dot segment"},
		{"dots before an encoded slash", "/a/..%2fb", "dot segment"},
		{"dots behind an encoded slash", "/a%2F../b", "dot segment"},
		{"dots between encoded slashes", "/a%2f%2e%2e%2fb", "dot segment"},
		{"dots with parameters", "/a/..;x=1/b", "dot segment"},
		{"a dot with an empty parameter", "/a/.;/b", "dot segment"},
		{"dots with an encoded semicolon", "/a/..%3Bx/b", "dot segment"},
		{"dots behind an encoded slash with parameters", "/a%2f..;x%2fb", "dot segment"},
		{"dots behind parameters and an encoded slash", "/a;x%2f../b", "dot segment"},
		{"dots behind two slashes", "//../a", "dot segment"},
		{"a backslash", `/a\..\b`, "backslash"},
		{"an encoded backslash", "/a%5c..%5Cb", "backslash"},
		{"a NUL", "/a\x00", "control character"},
		{"an encoded NUL", "/admin%00.js", "control character"},
		{"a tab", "/\tevil", "control character"},
		{"an encoded line feed", "/a%0ab", "control character"},
		{"an encoded carriage return", "/a%0Db", "control character"},
		{"an encoded DEL", "/a%7f", "control character"},
		{"a raw DEL", "/a\x7f", "control character"},
		{"an escape without digits", "/a%", "broken percent-encoding"},
		{"an escape with one digit", "/a%4", "broken percent-encoding"},
		{"an escape of no digits", "/a%zz", "broken percent-encoding"},
		{"an escape of one good digit", "/a%4g", "broken percent-encoding"},
		{"an escape of an escape's end", "/%2%35", "broken percent-encoding"},
		{"dots that are longer than they need be", "/a/%c0%ae%C0%AE/b", "overlong UTF-8"},
		{"the same raw", "/a/\xc0\xae\xc0\xae/b", "overlong UTF-8"},
		{"a slash in three bytes", "/a%e0%80%afb", "overlong UTF-8"},
		{"a slash in four bytes, half of it raw", "/a%f0\x80%80%afb", "overlong UTF-8"},
		{"a backslash that is longer than it need be", "/a%c1%9cb", "overlong UTF-8"},
		{"an IIS escape", "/%u002e", "broken percent-encoding"},
		{"nothing", "", "neither a path nor an http URL"},
		{"the asterisk form", "*", "neither a path nor an http URL"},
		{"the authority form", "app.example.com:443", "neither a path nor an http URL"},
		{"a relative path", "gradio/admin", "neither a path nor an http URL"},
		{"a query alone", "?a=b", "neither a path nor an http URL"},
		{"another scheme", "file:///etc/passwd", "neither a path nor an http URL"},
		{"a scheme without authority", "http:/a", "neither a path nor an http URL"},
		{"an empty authority", "http:///a", "malformed authority"},
		{"userinfo", "http://good@evil.com/a", "malformed authority"},
		{"a backslash in the authority", `http://a\b/c`, "malformed authority"},
		{"a fragment behind the authority", "http://app.example.com#/a", "malformed authority"},
		{"a space in the query", "/a?b c", "space or control character in the query"},
		{"a request line in the query", "/a?b HTTP/1.1\r\nHost: evil", "space or control character in the query"},
		{"a NUL in the query", "/a?\x00", "space or control character in the query"},
		{"a DEL in the query", "/a?\x7f", "space or control character in the query"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, _, _, err := CanonicalPath(tc.target)
			var pathErr *PathError
			if !errors.As(err, &pathErr) || pathErr.Why != tc.why {
				t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tc.target, got, err, tc.why)
			}
		})
	}
}

// Attack 4: the query takes no part, and not a byte of it changes.
func TestTheQueryIsLeftAlone(t *testing.T) {
	cases := []struct {
		name, target, path, query string
		has                       bool
	}{
		{"no query", "/a", "/a", "", false},
		{"an empty query is still one", "/a?", "/a", "", true},
		{"only the first question mark parts", "/a?b?c", "/a", "b?c", true},
		{"a path in it is no path", "/a?/../gradio/admin", "/a", "/../gradio/admin", true},
		{"escapes in it stay, broken ones too", "/%61?%61=%zz&%2e", "/a", "%61=%zz&%2e", true},
		{"a backslash and a number sign in it stay", `/a?\#b`, "/a", `\#b`, true},
		{"UTF-8 in it stays", "/a?\u00e9", "/a", "\u00e9", true},
		{"an encoded question mark is of the path", "/a%3Fb?c", "/a%3Fb", "c", true},
		{"a question mark behind a number sign parts too", "/a#b?c", "/a%23b", "c", true},
		{"the absolute form has one", "http://h/a?b", "/a", "b", true},
		{"a scheme in it is none", "/a?http://h/b", "/a", "http://h/b", true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			path, query, has, err := CanonicalPath(tc.target)
			if err != nil || path != tc.path || query != tc.query || has != tc.has {
				t.Errorf("CanonicalPath(%q) = %q, %q, %v, %v", tc.target, path, query, has, err)
			}
		})
	}
}

func TestCanonicalPathOfACanonicalTargetDoesNotAllocate(t *testing.T) {
	for _, target := range []string{"/gradio/admin/gradio_api/queue/data?session_hash=abc", "/a/%2F/%C3%A9/x;y=z", "http://app.example.com/a"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _, _ = CanonicalPath(target) }); n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/b?c", "/%61", "/a/%2e%2e/b", "/..%2f", "/..;x", "/.%2f;%2e", "//a//", `/\`, "/%5c", "/%00", "/%", "/%4",
		"/a#b?c", "/[x]", "/\u00e9\xff", "http://h/p?q", "http://h", "http://[::1]:80?x", "*", "h:443", "/a? b", "/%25%36%31", "/%252e", "/%c0%ae", "/\xe0%80%af",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, query, has, err := CanonicalPath(target)
		if err != nil {
			return
		}
		again, _, _, err := CanonicalPath(path)
		if err != nil || again != path {
			t.Fatalf("%q: canonical %q becomes %q, %v", target, path, again, err)
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q: net/url cannot unescape %q: %v", target, path, err)
		}
		if u := (&url.URL{Path: decoded, RawPath: path}); u.EscapedPath() != path {
			t.Fatalf("%q: net/url sends %q in place of %q", target, u.EscapedPath(), path)
		}
		if has && !strings.HasSuffix(target, "?"+query) {
			t.Fatalf("%q: query %q is not the target's end", target, query)
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\?# \x00\r\n\t") {
			t.Fatalf("%q: canonical %q", target, path)
		}
		finest := strings.NewReplacer("%2f", "/", "%2F", "/", "%3b", ";", "%3B", ";").Replace(path)
		for segment := range strings.SplitSeq(finest, "/") {
			if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
				t.Fatalf("%q: dot segment %q in %q", target, segment, path)
			}
		}
	})
}
