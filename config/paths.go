package config

import (
	"strings"
)

// authPath takes the path of Gatehouse's own pages.
func authPath(p *string) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		want, instead := pathProblem(s)
		switch {
		case s == "/" || s == "":
			d.problem(key, "want a path of its own such as /auth: no route can lie below it")
		case want != "":
			d.pathProblem(key, n, want, instead)
		case strings.HasSuffix(s, "/"):
			d.pathProblem(key, n, "a path without a slash at its end", strings.TrimRight(s, "/"))
		default:
			*p = s
		}
	}
}

// routePath takes a route's path. A slash at its end says nothing, since prefixes
// end at segments, and is dropped.
func routePath(p *string) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		if want, instead := pathProblem(s); want != "" {
			d.pathProblem(key, n, want, instead)
			return
		}
		if s != "/" {
			s = strings.TrimSuffix(s, "/")
		}
		*p = s
	}
}

func (d *decoder) pathProblem(key string, n *node, want, instead string) {
	if instead != "" {
		d.problem(key, "want %s%s", want, d.writeInstead(n, instead))
		return
	}
	d.problem(key, "want %s%s", want, n.got())
}

// pathProblem tells why a path is not the one spelling that requests are reduced
// to, and that spelling where there is one. A path in another spelling would
// never be matched, and one with ;, // or %2F is read differently by different
// servers, so that requests for it are refused.
func pathProblem(s string) (want, instead string) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "a path that begins with /", ""
	case strings.ContainsAny(s, "?#"):
		return "a path without ? and #", ""
	case strings.Contains(s, "\\"):
		return "a path without backslashes", ""
	case strings.Contains(s, "//"):
		return "a path without empty segments", ""
	case strings.Contains(s, ";"):
		return "a path without ; (servers disagree on what it means)", ""
	case strings.ContainsAny(s, "*{}"):
		return "a plain prefix: a path takes everything below it without *", ""
	}
	canonical, want := canonicalPath(s)
	if want != "" {
		return want, ""
	}
	for segment := range strings.SplitSeq(canonical, "/") {
		if segment == "." || segment == ".." {
			return "a path without . and .. segments", ""
		}
	}
	if canonical != s {
		return "the path as requests spell it", canonical
	}
	return "", ""
}

// canonicalPath encodes the bytes that RFC 3986 does not allow raw and decodes the
// encoded unreserved ones.
func canonicalPath(s string) (canonical, want string) {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", "two hexadecimal digits after each %"
			}
			decoded := byte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			switch {
			case decoded == '/' || decoded == '\\' || decoded == ';' || decoded < 0x20 || decoded == 0x7f:
				return "", "a path without encoded slashes, backslashes, semicolons and control characters"
			case isUnreserved(decoded):
				b.WriteByte(decoded)
			default:
				b.Write([]byte{'%', hex[decoded>>4], hex[decoded&15]})
			}
			i += 2
		case isUnreserved(c) || strings.IndexByte("/!$&'()+,=:@", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String(), ""
}

func isUnreserved(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._~", b) >= 0
}

func unhex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}
