package route

import "strings"

// PathError says why a request target is refused. The answer to it is 400. Why is a
// fixed phrase and never quotes the request, so it may be shown.
type PathError struct{ Why string }

func (e *PathError) Error() string { return "bad request target: " + e.Why }

// CanonicalPath splits a request target as it stands in the request line (or in
// HTTP/2's :path) into the canonical raw path and the query.
//
// The target is in origin-form, or in absolute-form with http or https (RFC 9112,
// section 3.2). In the path, bytes that RFC 3986 does not allow raw are
// percent-encoded with upper-case digits and encoded unreserved characters are
// decoded; everything else stays as it was sent, the case of other escapes
// included. The result is its own canonical form, and net/url accepts it as the
// RawPath of its own unescaped form. Refused with a *PathError are dot segments,
// backslashes, NUL and control characters, overlong UTF-8, each raw or encoded, and
// broken escapes. A dot segment is refused also where an upstream would find one
// once it decodes %2F or cuts off ";params".
//
// rawQuery is byte for byte what stands behind the first question mark, and
// hasQuery tells "/p?" from "/p". A raw space or control character in it is
// refused: over HTTP/2 it could arrive here, and over HTTP/1 it would end the
// request line of the upstream's request early.
//
// A target that is canonical already is returned without allocating.
func CanonicalPath(requestTarget string) (path, rawQuery string, hasQuery bool, err error) {
	target, err := originForm(requestTarget)
	if err != nil {
		return "", "", false, err
	}
	path, rawQuery, hasQuery = strings.Cut(target, "?")
	for i := range len(rawQuery) {
		if rawQuery[i] <= ' ' || rawQuery[i] == 0x7f {
			return "", "", false, &PathError{"space or control character in the query"}
		}
	}
	if path == "" { // only absolute-form can have none
		path = "/"
	}
	if path[0] != '/' {
		return "", "", false, &PathError{"no path that begins with /"}
	}
	clean, err := inspect(path)
	if err != nil {
		return "", "", false, err
	}
	if !clean {
		path = rewrite(path)
	}
	if hasDotSegment(path) {
		return "", "", false, &PathError{"dot segment"}
	}
	return path, rawQuery, hasQuery, nil
}

// originForm takes scheme and authority off an absolute-form target. The host comes
// from elsewhere, but an authority that is none would leave open where the path
// begins.
func originForm(target string) (string, error) {
	if strings.HasPrefix(target, "/") {
		return target, nil
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", &PathError{"neither a path nor an http URL"}
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if _, err := CanonicalHost(rest[:end]); err != nil {
		return "", &PathError{"malformed authority"}
	}
	if rest[end:] == "" {
		return "/", nil
	}
	return rest[end:], nil
}

// inspect reports whether the path has nothing to encode or to decode, and refuses
// what no path may hold.
func inspect(path string) (clean bool, err error) {
	clean = true
	var before byte
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			value, ok := escapeAt(path, i)
			if !ok {
				return false, &PathError{"broken percent-encoding"}
			}
			if isUnreserved(value) {
				clean = false
			}
			c = value
			i += 2
		} else if !allowedRaw(c) {
			clean = false
		}
		switch {
		case c < ' ' || c == 0x7f:
			return false, &PathError{"control character"}
		case c == '\\':
			return false, &PathError{"backslash"}
		case overlong(before, c):
			return false, &PathError{"overlong UTF-8"}
		}
		before = c
	}
	return clean, nil
}

// overlong reports whether two bytes begin a UTF-8 sequence that is longer than its
// character needs (RFC 3629, section 3): some servers decode it all the same, and
// %C0%AE%C0%AE is ".." to them.
func overlong(a, b byte) bool {
	switch a {
	case 0xc0, 0xc1:
		return b >= 0x80 && b <= 0xbf
	case 0xe0:
		return b >= 0x80 && b <= 0x9f
	case 0xf0:
		return b >= 0x80 && b <= 0x8f
	}
	return false
}

// rewrite brings a path that was inspected into its canonical form.
func rewrite(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(path) + 16)
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			if value, _ := escapeAt(path, i); isUnreserved(value) {
				b.WriteByte(value)
			} else {
				b.WriteString(path[i : i+3])
			}
			i += 2
		case allowedRaw(c):
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// hasDotSegment looks for "." and ".." between slashes, encoded slashes counting as
// slashes and everything from a semicolon on, encoded or not, as no part of the
// segment: "..;x" is ".." to a servlet container, "..%2f" to many a file server.
// This is the finest of all readings; a dot segment of any other is one here too.
func hasDotSegment(path string) bool {
	start, end := 0, -1 // end: where the segment's parameters begin, once seen
	for i := 0; i <= len(path); {
		c, width := byte('/'), 1 // the end of the path ends its last segment too
		if i < len(path) {
			c, width = charAt(path, i)
		}
		if end < 0 && (c == '/' || c == ';') {
			end = i
		}
		if c == '/' {
			if segment := path[start:end]; segment == "." || segment == ".." {
				return true
			}
			start, end = i+width, -1
		}
		i += width
	}
	return false
}

// charAt returns the byte that stands at i, decoded, and how long it is written.
func charAt(path string, i int) (c byte, width int) {
	if path[i] == '%' {
		if value, ok := escapeAt(path, i); ok {
			return value, 3
		}
	}
	return path[i], 1
}

// escapeAt returns the byte that the escape at i stands for.
func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, low := unhex(s[i+1]), unhex(s[i+2])
	return high<<4 | low&15, high < 16 && low < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// isUnreserved is RFC 3986, section 2.3: encoding these never changes a meaning.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// allowedRaw is what RFC 3986, section 3.3, allows in a path without encoding,
// pchar and the slash.
func allowedRaw(c byte) bool {
	return isUnreserved(c) || c == '/' || c == ':' || c == '@' || isSubDelim(c)
}

func isSubDelim(c byte) bool {
	switch c {
	case '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=':
		return true
	}
	return false
}
