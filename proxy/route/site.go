package route

import (
	"errors"
	"fmt"
	"strings"
)

// site is what the table knows of one host.
type site struct {
	entries []siteEntry
	plain   view // paths as they are
	loose   view // paths loosened, to be asked with loosened paths
	mixed   bool // some path changes when loosened
}

type siteEntry struct {
	path  string
	index int
	leaf  bool // nothing lies below it, so no reading leads out of it
}

// spot is where a path falls. Spots are compared to tell readings apart.
type spot struct {
	kind  Kind
	entry int // position in site.entries, -1 if not Matched
}

// view finds spots by path.
type view struct {
	auth     string
	entries  map[string]int // by path; position in site.entries
	landings map[string]bool
	depth    int // segments of the deepest path, at least one
	longest  int // bytes of the longest path of an entry
}

func newSite(auth string) *site {
	s := &site{plain: newView(auth), loose: newView(loosen(auth))}
	s.mixed = s.loose.auth != auth
	return s
}

func newView(auth string) view {
	return view{
		auth: auth, entries: map[string]int{}, landings: map[string]bool{},
		depth: strings.Count(auth, "/"),
	}
}

// addEntry adds a path that entryPath has returned.
func (s *site) addEntry(path string, index int) error {
	loose := loosen(path)
	if Within(loose, s.loose.auth) {
		return fmt.Errorf("lies at or below %s, where the sign-in pages are", s.plain.auth)
	}
	if at, ok := s.loose.entries[loose]; ok {
		if other := s.entries[at].path; other != path {
			return fmt.Errorf("differs from %s only in case or encoding; every request for either would be ambiguous", other)
		}
		return errors.New("is there twice on this host")
	}
	s.plain.add(path, len(s.entries))
	s.loose.add(loose, len(s.entries))
	s.mixed = s.mixed || loose != path
	s.entries = append(s.entries, siteEntry{path: path, index: index, leaf: true})
	return nil
}

func (v *view) add(path string, position int) {
	v.entries[path] = position
	v.longest = max(v.longest, len(path))
	if path != "/" {
		v.depth = max(v.depth, strings.Count(path, "/"))
	}
}

// settle finds the landings and the leaves, once all entries are there.
func (s *site) settle() {
	s.markBranches(s.loose.auth)
	for _, e := range s.entries {
		s.markBranches(loosen(e.path))
		for path := range ancestors(e.path) {
			s.addLanding(path)
		}
	}
}

// markBranches tells the entries above a loosened path that they are no leaves.
func (s *site) markBranches(loose string) {
	for path := range ancestors(loose) {
		if at, ok := s.loose.entries[path]; ok {
			s.entries[at].leaf = false
		}
	}
}

// addLanding makes the path a landing unless it lies in an entry or in auth_path.
func (s *site) addLanding(path string) {
	if s.plain.find(path).kind == None {
		s.plain.landings[path] = true
	}
	if loose := loosen(path); s.loose.find(loose).kind == None {
		s.loose.landings[loose] = true
	}
}

// ancestors yields the paths strictly above a path, the nearest first.
func ancestors(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for path != "/" {
			path = path[:max(1, strings.LastIndexByte(path, '/'))]
			if !yield(path) {
				return
			}
		}
	}
}

// find returns the spot of a path, by one look for each of the first segments.
func (v *view) find(path string) spot {
	if Within(path, v.auth) {
		return spot{Own, -1}
	}
	for end := v.head(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if end > v.longest {
			continue
		}
		if at, ok := v.entries[path[:end]]; ok {
			return spot{Matched, at}
		}
	}
	if at, ok := v.entries["/"]; ok {
		return spot{Matched, at}
	}
	if v.landings[landing(path)] {
		return spot{Landing, -1}
	}
	return spot{None, -1}
}

// landing takes off the one trailing slash that a landing may have. The slash of the
// root is none, so "//" is not the root with one.
func landing(path string) string {
	if len(path) > len("//") && path[len(path)-1] == '/' {
		return path[:len(path)-1]
	}
	return path
}

// head returns where the first segments of the path end, as many as the deepest
// path of the view has. What comes behind them cannot lead to another spot.
func (v *view) head(path string) int {
	segments := 0
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			if segments++; segments == v.depth {
				return i
			}
		}
	}
	return len(path)
}

// match dresses a spot up.
func (s *site) match(at spot, path, authPath string) Match {
	m := Match{Kind: at.kind, Index: -1}
	switch at.kind {
	case Matched:
		m.Index, m.Prefix = s.entries[at.entry].index, s.entries[at.entry].path
	case Own:
		m.Prefix = authPath
	case Landing:
		m.Prefix = landing(path)
	}
	return m
}

// ambiguous reports whether another reading of the path leads to another spot.
//
// It is enough to compare with loosened readings: a reading that keeps to case and
// encoding finds no entry that the loosened one does not find as well, and none
// that is nearer. Nothing needs to be read again in a leaf, nor where the first
// segments leave nothing to read otherwise.
func (s *site) ambiguous(path string, at spot) bool {
	if at.kind == Own || at.kind == Matched && s.entries[at.entry].leaf {
		return false
	}
	elsewhere := func(read string) bool { return s.loose.find(loosen(read)) != at }
	head := path[:min(s.loose.head(path)+1, len(path))] // with the slash behind it
	if (s.mixed || loosen(head) != head) && elsewhere(path) {
		return true
	}
	return structured(head) && anyReading(path, elsewhere)
}
