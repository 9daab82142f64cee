package route

import "fmt"

// Entry is a route as the table knows it.
type Entry struct {
	// Host is an exact host, "*.suffix" or "{tenant}.suffix", which stand for exactly
	// one label before the suffix, or "" for the public host.
	Host string
	// Path is a canonical raw path. One trailing slash means nothing.
	Path string
	// Index is what a Match gives back.
	Index int
}

// Kind says what a path is.
type Kind uint8

const (
	// None is a path on a known host that belongs to nobody.
	None Kind = iota
	// Own is auth_path and what lies below it, on every known host.
	Own
	// Landing is an ancestor of entries that lies in no entry itself.
	Landing
	// Matched is a path in an entry.
	Matched
	// UnknownHost is any path on a host of which the table knows nothing.
	UnknownHost
)

// Match is what Lookup found.
type Match struct {
	Kind  Kind
	Index int // Entry.Index if Matched, else -1
	// Label is what stands for * or {tenant} in the host, "" on an exact host.
	Label string
	// Prefix is the entry's path without trailing slash, the landing's path, or
	// auth_path.
	Prefix string
}

// AmbiguousError refuses a path that an upstream may read as one of another route.
// The answer to it is 400. Canonical is where the path falls as it was sent.
type AmbiguousError struct{ Canonical Match }

func (e *AmbiguousError) Error() string {
	return "ambiguous path: with %2F, //, ;parameters or the case of letters read otherwise it belongs elsewhere"
}

// Table finds routes. It is immutable and safe for concurrent use.
type Table struct {
	authPath string
	exact    map[string]*site // by host
	wildcard map[string]*site // by what follows the first label
}

// Lookup finds the canonical path on the canonical host.
//
// The host is chosen first. An exact host comes before a wildcard, and a wildcard
// that would fit is not asked for the paths that the exact host lacks. On a host
// the longest entry wins, on segment boundaries. The cost does not grow with the
// number of entries, only with the depth of the deepest one on that host.
//
// The error is an *AmbiguousError where the path, read in any combination of %2F as
// slash, // as one slash, ;x as nothing, encoded characters as raw ones and letters
// without their case, falls in something else: another entry, a landing, auth_path
// or none of them. Ordinary paths are looked up without allocating.
func (t *Table) Lookup(host, path string) (Match, error) {
	s, label := t.site(host)
	if s == nil {
		return Match{Kind: UnknownHost, Index: -1}, nil
	}
	at := s.plain.find(path)
	m := s.match(at, path, t.authPath)
	m.Label = label
	if s.ambiguous(path, at) {
		return m, &AmbiguousError{Canonical: m}
	}
	return m, nil
}

// site returns the site of a host, and the label that a wildcard stands for.
func (t *Table) site(host string) (*site, string) {
	if s, ok := t.exact[host]; ok {
		return s, ""
	}
	for i := range len(host) {
		if host[i] == '.' {
			if s, ok := t.wildcard[host[i+1:]]; ok && i > 0 {
				return s, host[:i]
			}
			break
		}
	}
	return nil, ""
}

// NewTable builds a table. publicHost is public_url's host, always known, and "/"
// on it is a landing unless it lies in an entry. authPath is Gatehouse's own. Errors
// name the entry by its host and path: a malformed host or path, an entry at or
// below authPath, two entries for the same, and entries that no request could
// reach, because they hold %2F, //, or ; or differ from another only in case.
func NewTable(publicHost, authPath string, entries []Entry) (*Table, error) {
	public, err := CanonicalHost(publicHost)
	if err != nil {
		return nil, fmt.Errorf("public host %q: %w", publicHost, err)
	}
	auth, err := entryPath(authPath)
	if err != nil {
		return nil, fmt.Errorf("auth path %q: %w", authPath, err)
	}
	if auth == "/" {
		return nil, fmt.Errorf("auth path %q leaves no path to the routes; use one like /auth", authPath)
	}
	t := &Table{authPath: auth, exact: map[string]*site{}, wildcard: map[string]*site{}}
	t.exact[public] = newSite(auth)
	for _, e := range entries {
		if err := t.add(e, public); err != nil {
			return nil, fmt.Errorf("route %s%s: %w", e.Host, e.Path, err)
		}
	}
	for _, s := range t.exact {
		s.settle()
	}
	for _, s := range t.wildcard {
		s.settle()
	}
	t.exact[public].addLanding("/")
	return t, nil
}

// add puts an entry on the site of its host.
func (t *Table) add(e Entry, public string) error {
	host, wildcard, err := entryHost(e.Host)
	if err != nil {
		return err
	}
	if host == "" {
		host = public
	}
	path, err := entryPath(e.Path)
	if err != nil {
		return err
	}
	sites := t.exact
	if wildcard {
		sites = t.wildcard
	}
	s, ok := sites[host]
	if !ok {
		s = newSite(t.authPath)
		sites[host] = s
	}
	return s.addEntry(path, e.Index)
}
