package route

import "strings"

// reading is one way in which an upstream may rewrite a path before it looks at it.
type reading func(path string) string

// anyReading reports whether falls is true of some other reading of the path: of
// every combination of the three readings, in every order, since a container that
// cuts parameters before it decodes sees another path than one that does so after.
// Readings that change nothing are not followed.
func anyReading(path string, falls func(path string) bool) bool {
	return follow(path, []reading{decodeSlashes, cutParameters, collapseSlashes}, falls)
}

func follow(path string, left []reading, falls func(path string) bool) bool {
	for i, read := range left {
		next := read(path)
		if next == path {
			continue
		}
		rest := make([]reading, 0, len(left)-1)
		rest = append(append(rest, left[:i]...), left[i+1:]...)
		if falls(next) || follow(next, rest, falls) {
			return true
		}
	}
	return false
}

// decodeSlashes reads %2F as a slash.
func decodeSlashes(path string) string {
	return strings.NewReplacer("%2F", "/", "%2f", "/").Replace(path)
}

// cutParameters reads "x;y" as "x", with the semicolon encoded or not.
func cutParameters(path string) string {
	var b strings.Builder
	cut := false
	for i := 0; i < len(path); {
		width := 1
		if path[i] == '/' {
			cut = false
		} else if c, w := charAt(path, i); c == ';' {
			cut, width = true, w
		}
		if !cut {
			b.WriteByte(path[i])
		}
		i += width
	}
	return b.String()
}

// collapseSlashes reads a run of slashes as one.
func collapseSlashes(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// structured reports whether a reading could move a segment boundary of the path or
// shorten a segment.
func structured(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case ';':
			return true
		case '/':
			if i > 0 && path[i-1] == '/' {
				return true
			}
		case '%':
			if c, _ := charAt(path, i); c == '/' || c == ';' {
				return true
			}
		}
	}
	return false
}

// loosen is the reading of an upstream that ignores the case of letters and takes
// an encoded character for the character, where the character could stand there
// raw: %40 for @. Table entries are loosened too, so a path keeps its route under
// this reading unless another entry is just as near. It allocates only where it
// changes something.
func loosen(path string) string {
	for i := range len(path) {
		if c, width := looseAt(path, i); width > 1 || c != path[i] {
			b := append(make([]byte, 0, len(path)), path[:i]...)
			for i < len(path) {
				c, width := looseAt(path, i)
				b = append(b, c)
				i += width
			}
			return string(b)
		}
	}
	return path
}

// looseAt leaves %2F and %3B alone, which are for the other readings.
func looseAt(path string, i int) (c byte, width int) {
	c, width = charAt(path, i)
	if width > 1 && (!allowedRaw(c) || c == '/' || c == ';') {
		c, width = path[i], 1
	}
	return lowerByte(c), width
}
