package config

import "strings"

// place is where a value was written: in the file, or in a variable of the
// environment.
type place struct {
	line, column int
	variable     string
	hidden       bool // the value, or a part of it, came from the environment
}

// places finds where a key was written, by its path.
type places map[string]place

// nearest is the place of the key or, where it was not written, of the mapping
// that should have held it.
func (p places) nearest(key string) place {
	for {
		if at, ok := p[key]; ok {
			return at
		}
		if key == "" {
			return place{line: 1, column: 1}
		}
		key = parentKey(key)
	}
}

// problem is a Problem at the nearest place of a key.
func (p places) problem(file, key, message string) Problem {
	at := p.nearest(key)
	if at.variable != "" {
		return Problem{File: at.variable, Key: key, Message: message}
	}
	return Problem{File: file, Line: at.line, Column: at.column, Key: key, Message: message}
}

// joinKey is the path of a key in a mapping. Names that would not read back, such
// as claims with dots, are quoted: routes[0].allow[0].claims["a.b"].
func joinKey(parent, name string) string {
	if !isPlainName(name) {
		return parent + "[" + quote(name) + "]"
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// parentKey is the path without its last part, "" at the top.
func parentKey(key string) string {
	if strings.HasSuffix(key, `"]`) {
		if i := strings.Index(key, `["`); i >= 0 {
			return key[:i]
		}
	}
	return key[:max(0, strings.LastIndexAny(key, ".["))]
}

func isPlainName(name string) bool {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return false
		}
	}
	return name != ""
}
