package proxy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var anyBearer = regexp.MustCompile(`(?i)^[ \t,]*bearer($|[^a-z0-9])`)

// FuzzAuthorization holds that a header is read as a bearer token only where it
// is one line of the scheme, spaces and one token, so that nobody after
// Gatehouse can read another credential in it.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer abc", "bearer  abc", "BEARER a.b.c==", "Bearer a b", "Bearer a,b", "Bearer\tabc",
		" Bearer abc", "Bearer abc ", "Bearer =", "Basic dXNlcjpw", "Bearer \"abc\"", "Bearer ab\x00c", "Bearer é", "Beareŕ abc",
		"Bearer abc, Basic dXNlcjpw", "Negotiate", "(bearer) abc", "Bearer a\r\n b",
	} {
		f.Add(seed, "")
		f.Add(seed, "Bearer abc")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{first}
		if second != "" {
			lines = append(lines, second)
		}
		token, kind := parseAuthorization(lines)
		if (kind == bearerToken) != (token != "") {
			t.Fatalf("%q: token %q of kind %d", lines, token, kind)
		}
		fields := strings.Fields(first)
		bearer := len(fields) > 0 && strings.EqualFold(fields[0], "bearer")
		switch kind {
		case bearerToken:
			if len(lines) != 1 || len(fields) != 2 || !bearer || fields[1] != token || strings.ContainsAny(token, " \t,;\"\\\r\n\x00") {
				t.Fatalf("%q read as %q", lines, token)
			}
		case otherScheme:
			if slices.ContainsFunc(lines, anyBearer.MatchString) {
				t.Fatalf("%q left to others", lines)
			}
		}
	})
}
