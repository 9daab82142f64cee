package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// field is one key of a mapping: its name, its default as YAML has it, and how
// its value is taken.
type field struct {
	name     string
	fallback string // "" where the empty value means "not set"
	take     take
	fileOnly bool // has no variable of the environment
}

// take reads the value that stands at a key into wherever it belongs, or notes
// what is wrong with it.
type take func(d *decoder, key string, n *node)

// decoder turns nodes into a Config and gathers what is wrong on the way.
type decoder struct {
	file     string
	read     readFile
	problems []Problem
	places   places
	literal  []string // keys of secrets that are written out in the file
	defaults map[string]*node
}

// readFile reads a file that the configuration names.
type readFile func(path string) ([]byte, error)

// problem notes what is wrong with a key.
func (d *decoder) problem(key, format string, args ...any) {
	d.problems = append(d.problems, d.places.problem(d.file, key, fmt.Sprintf(format, args...)))
}

// written reports whether somebody wrote the key, be its value good or bad.
func (d *decoder) written(key string) bool {
	_, ok := d.places[key]
	return ok
}

// broken reports whether something is already wrong with the key or with a mapping
// that holds it, so that one mistake is not told twice.
func (d *decoder) broken(key string) bool {
	for _, p := range d.problems {
		if p.Key != "" && (p.Key == key || strings.HasPrefix(key, p.Key+".")) {
			return true
		}
	}
	return false
}

// required notes a key that is not written.
func (d *decoder) required(key, want string) {
	if !d.written(key) && !d.broken(key) {
		d.problem(key, "is required: %s", want)
	}
}

// show is a value for a message about another key, or the key's name where the
// value came from the environment.
func (d *decoder) show(key, value string) string {
	if at, ok := d.places[key]; ok && at.hidden {
		return "that of " + key
	}
	return value
}

// path is a file's name as the operating system needs it: relative names are
// relative to the folder of the configuration.
func (d *decoder) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.file), name)
}

// mapping reads a mapping's fields: the written ones from the node, the others
// from their defaults. what names the kind of mapping.
func (d *decoder) mapping(key, what string, n *node, fields []field) {
	if n.kind != mapping {
		d.problem(key, "want %s, a mapping of keys and values%s", what, n.got())
		return
	}
	d.unknownKeys(key, what, n, fields)
	for _, f := range fields {
		if child := n.entry(f.name); child != nil && child.kind != null {
			at := joinKey(key, f.name)
			d.places[at] = child.place
			f.take(d, at, child)
		} else if f.fallback != "" {
			f.take(d, joinKey(key, f.name), d.fallback(f.fallback))
		}
	}
}

// unknownKeys notes the keys that the mapping should not have.
func (d *decoder) unknownKeys(key, what string, n *node, fields []field) {
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		name, _, _ := strings.Cut(f.name, ".")
		if len(known) == 0 || known[len(known)-1] != name {
			known = append(known, name)
		}
	}
	for _, e := range n.entries {
		if !slices.Contains(known, e.name) {
			d.unknownKey(joinKey(key, e.name), e, what, known)
		}
	}
}

func (d *decoder) unknownKey(key string, e entry, what string, known []string) {
	d.places[key] = e.value.place.shown()
	if guess := nearest(e.name, known); guess != "" {
		d.problem(key, "is no key of %s; did you mean %s?", what, guess)
		return
	}
	d.problem(key, "is no key of %s; there are %s", what, strings.Join(known, ", "))
}

// shown is the place of a name, which is never hidden.
func (p place) shown() place { return place{line: p.line, column: p.column} }

// fallback is fallbackNode, which is most of reading thousands of routes if each
// of them parses its own. Nobody writes to a node.
func (d *decoder) fallback(text string) *node {
	if n, ok := d.defaults[text]; ok {
		return n
	}
	if d.defaults == nil {
		d.defaults = make(map[string]*node)
	}
	n := fallbackNode(text)
	d.defaults[text] = n
	return n
}

// fallbackNode is a default of the tables, which are ours: they always parse.
func fallbackNode(text string) *node {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) != 1 {
		return &node{}
	}
	g := &grower{open: map[*yaml.Node]bool{}}
	return g.grow(document.Content[0], "", 0)
}
