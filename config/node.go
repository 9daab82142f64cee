package config

import (
	"fmt"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

type kind uint8

const (
	null kind = iota
	scalar
	list
	mapping
)

// node is a value as somebody wrote it: YAML with aliases followed, merge keys
// merged and ${NAME} expanded, in which every value knows its place. viper carries
// nodes from layer to layer without looking into them, so that it neither folds
// the case of what stands inside nor splits it at dots.
type node struct {
	kind    kind
	tag     string // of a scalar: !!str, !!int, !!float, !!bool or !!timestamp
	text    string // of a scalar, as written
	place   place
	entries []entry
	items   []*node
}

type entry struct {
	name  string
	value *node // its place is that of the key
}

// entry finds a key of a mapping, nil where it is not written.
func (n *node) entry(name string) *node {
	for _, e := range n.entries {
		if e.name == name {
			return e.value
		}
	}
	return nil
}

// isWord reports whether the node may stand for a scalar with the tag: it has the
// tag, or it came from the environment, where everything is text.
func (n *node) isWord(tag string) bool {
	return n.kind == scalar && (n.tag == tag || n.place.hidden)
}

// got completes "want …" with what stands there instead. It shows the value only
// if it is written in the file for all to see.
func (n *node) got() string {
	if n.kind == scalar && n.tag == "!!str" {
		if n.place.hidden {
			return ""
		}
		if strings.Contains(n.text, "://") && strings.Contains(n.text, "@") {
			return ", got an address with a name or password in it"
		}
		return ", got " + quote(n.text)
	}
	return ", got " + n.describe()
}

// describe names the type without the value.
func (n *node) describe() string {
	switch n.kind {
	case null:
		return "nothing"
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	}
	switch n.tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// quote shows text in a message, cut where it would flood the line.
func quote(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}

const (
	// mostNodes bounds what aliases of aliases can grow to.
	mostNodes = 200_000
	// mostDepth bounds the nesting; the deepest key there is has seven levels.
	mostDepth = 64
)

// grower makes nodes of YAML's own.
type grower struct {
	file     string
	env      map[string]string
	nodes    int
	open     map[*yaml.Node]bool // aliases being followed
	problems []Problem
}

func (g *grower) problem(n *yaml.Node, key, format string, args ...any) {
	g.problems = append(g.problems, Problem{
		File: g.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Key: key, Message: fmt.Sprintf(format, args...),
	})
}

// grow makes the node that stands at key. A broken part becomes null, with its
// problem noted, so that the rest is still checked.
func (g *grower) grow(n *yaml.Node, key string, depth int) *node {
	out := &node{place: place{line: n.Line, column: n.Column}}
	g.nodes++
	if g.nodes > mostNodes {
		if g.nodes == mostNodes+1 {
			g.problem(n, key, "the file holds more than %d values once its aliases (*name) are followed; write them out", mostNodes)
		}
		return out
	}
	if depth > mostDepth {
		g.problem(n, key, "is nested too deep")
		return out
	}
	switch n.Kind {
	case yaml.ScalarNode:
		g.growScalar(out, n, key)
	case yaml.SequenceNode:
		out.kind = list
		for i, item := range n.Content {
			out.items = append(out.items, g.grow(item, childIndex(key, i), depth+1))
		}
	case yaml.MappingNode:
		out.kind = mapping
		g.growMapping(out, n, key, depth)
	case yaml.AliasNode:
		if n.Alias == nil || g.open[n.Alias] {
			g.problem(n, key, "the alias contains itself; write the value out")
			return out
		}
		g.open[n.Alias] = true
		out = g.grow(n.Alias, key, depth+1)
		delete(g.open, n.Alias)
	}
	return out
}

func (g *grower) growScalar(out *node, n *yaml.Node, key string) {
	switch tag := n.ShortTag(); tag {
	case "!!null":
	case "!!str", "!!merge":
		out.kind, out.tag, out.text = scalar, "!!str", n.Value
		expanded, used, err := expand(n.Value, g.env)
		if err != nil {
			g.problem(n, key, "%v", err)
			out.kind = null
			out.place.hidden = true
			return
		}
		out.text, out.place.hidden = expanded, used
	case "!!int", "!!float", "!!bool", "!!timestamp":
		out.kind, out.tag, out.text = scalar, tag, n.Value
	default:
		// The tag itself may be a secret that begins with an exclamation mark.
		g.problem(n, key, "YAML tags have no meaning here; put a value that begins with ! in quotes")
	}
}

func (g *grower) growMapping(out *node, n *yaml.Node, key string, depth int) {
	first := map[string]int{} // line of each name
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind == yaml.ScalarNode && name.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if name.Kind != yaml.ScalarNode || name.ShortTag() == "!!null" {
			g.problem(name, key, "want a name before the colon")
			continue
		}
		childKey := childName(key, name.Value)
		if line, twice := first[name.Value]; twice {
			g.problem(name, childKey, "is written twice, first in line %d; keep one", line)
			continue
		}
		first[name.Value] = name.Line
		child := g.grow(value, childKey, depth+1)
		child.place.line, child.place.column = name.Line, name.Column
		out.entries = append(out.entries, entry{name.Value, child})
	}
	for _, m := range merges {
		g.merge(out, m, key, depth)
	}
}

// merge adds the keys of a <<: that are not written beside it.
func (g *grower) merge(out *node, n *yaml.Node, key string, depth int) {
	from := g.grow(n, key, depth+1)
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, source := range sources {
		if source.kind != mapping {
			g.problem(n, key, "<< wants the alias of a mapping")
			return
		}
		for _, e := range source.entries {
			if out.entry(e.name) == nil {
				out.entries = append(out.entries, e)
			}
		}
	}
}

// childName is joinKey, but for what stands below a secret: there a name may be a
// part of the secret that YAML took apart, as in "secret: {abc}".
func childName(key, name string) string {
	if isSecretKey(key) {
		return key
	}
	return joinKey(key, name)
}

func childIndex(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

func isSecretKey(key string) bool {
	key, _, _ = strings.Cut(key, "[")
	switch key {
	case "descope.client_secret", "session.secret", "session.previous_secrets", "session.redis_url":
		return true
	}
	return false
}
