package route

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// The reference matches as the contract reads: over all entries, one after another,
// and over every reading that there is, each of them with and without loosening.

type reference struct {
	auth    string
	entries []Entry // of one host, without trailing slashes
}

// where returns a kind and, for an entry, its index.
func (r reference) where(path string, fold func(string) string) (Kind, int) {
	path = fold(path)
	in := func(prefix string) bool {
		return strings.HasPrefix(path+"/", strings.TrimSuffix(fold(prefix), "/")+"/")
	}
	if in(r.auth) {
		return Own, -1
	}
	best, length := -1, -1
	for _, e := range r.entries {
		if in(e.Path) && len(fold(e.Path)) > length {
			best, length = e.Index, len(fold(e.Path))
		}
	}
	if best >= 0 {
		return Matched, best
	}
	if path == "/" {
		return Landing, -1
	}
	for _, e := range r.entries {
		for _, written := range []string{path, strings.TrimSuffix(path, "/")} {
			if written != "" && strings.HasPrefix(fold(e.Path), written+"/") && fold(e.Path) != written+"/" && !strings.HasSuffix(written, "/") {
				return Landing, -1
			}
		}
	}
	return None, -1
}

var (
	encodedSlash = regexp.MustCompile(`(?i)%2f`)
	parameters   = regexp.MustCompile(`(?i)(;|%3b)[^/]*`)
	slashRun     = regexp.MustCompile(`/+`)
)

// referenceReadings lists the path under all orders of all sets of readings.
func referenceReadings(path string, depth int) []string {
	all := []string{path}
	if depth == 0 {
		return all
	}
	for _, next := range []string{
		encodedSlash.ReplaceAllString(path, "/"),
		parameters.ReplaceAllString(path, ""),
		slashRun.ReplaceAllString(path, "/"),
	} {
		all = append(all, referenceReadings(next, depth-1)...)
	}
	return all
}

// lookup returns also whether any reading falls elsewhere.
func (r reference) lookup(path string) (kind Kind, index int, ambiguous bool) {
	same := func(s string) string { return s }
	kind, index = r.where(path, same)
	for _, read := range referenceReadings(path, 3) {
		for _, fold := range []func(string) string{same, strings.ToLower, loosen} {
			if k, i := r.where(read, fold); k != kind || i != index {
				return kind, index, true
			}
		}
	}
	return kind, index, false
}

// pathsFrom turns bytes into paths of few segments, so that they meet each other.
func pathsFrom(data string, pieces []string) []string {
	var paths []string
	var b strings.Builder
	for i := range len(data) {
		piece := pieces[int(data[i])%len(pieces)]
		if piece == "" {
			paths = append(paths, "/"+b.String())
			b.Reset()
			continue
		}
		b.WriteString(piece)
	}
	return append(paths, "/"+b.String())
}

func FuzzLookup(f *testing.F) {
	for _, seed := range [][3]string{
		{"\x01\x00\x02\x04\x01", "\x01\x04\x02", "\x01"},
		{"\x00\x01\x00\x01\x04\x02", "\x01\x05\x02", "\x03\x04\x01"},
		{"\x01\x04\x02\x00\x01\x04\x02\x04\x03", "\x01\x06\x05\x02\x04\x04\x03", "\x02"},
		{"\x01\x04\x01\x04\x01", "\x04\x01\x06\x01\x05\x01", "\x03"},
		{"\x06\x04\x01\x00\x07", "\x01\x08\x02\x09\x01", "\x03"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, entries, path, auth string) {
		if len(entries) > 40 || len(path) > 24 || len(auth) > 6 {
			return
		}
		authPath := pathsFrom(auth, []string{"a", "b", "auth", "A", "/"})[0]
		ref := reference{auth: strings.TrimSuffix(authPath, "/")}
		var kept []Entry
		for i, p := range pathsFrom(entries, []string{"", "a", "b", "A", "/", "c", "%40", "@"}) {
			e := Entry{Path: p, Index: i}
			if _, err := NewTable(publicHost, authPath, append(kept, e)); err != nil {
				continue // refused by what TestNewTableRefuses names
			}
			kept = append(kept, e)
			if p != "/" {
				e.Path = strings.TrimSuffix(p, "/")
			}
			ref.entries = append(ref.entries, e)
		}
		made, err := NewTable(publicHost, authPath, kept)
		if err != nil {
			return // auth_path itself is refused
		}
		asked := pathsFrom(path, []string{"a", "a", "b", "A", "/", "%2F", ";", "%3b", "%2f", "c", "auth", "%40", "@", "//"})[0]
		canonical, _, _, err := CanonicalPath(asked)
		if err != nil {
			return
		}
		kind, index, ambiguous := ref.lookup(canonical)
		got, err := made.Lookup(publicHost, canonical)
		var asAmbiguous *AmbiguousError
		if got.Kind != kind || got.Index != index || errors.As(err, &asAmbiguous) != ambiguous {
			t.Fatalf("auth %q, entries %+v, path %q: %+v, %v; want kind %d, index %d, ambiguous %v",
				authPath, kept, canonical, got, err, kind, index, ambiguous)
		}
		if kind == Matched || kind == Own {
			rest := StripPrefix(canonical, got.Prefix)
			if !strings.HasPrefix(rest, "/") || !Within(canonical, got.Prefix) ||
				got.Prefix != "/" && rest != "/" && got.Prefix+rest != canonical {
				t.Fatalf("%q without %q is %q", canonical, got.Prefix, rest)
			}
		}
	})
}
