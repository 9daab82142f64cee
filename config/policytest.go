package config

import (
	"math"
	"strconv"
	"strings"
)

// policyTests takes the list of policy tests.
func policyTests(p *[]Test) take {
	return func(d *decoder, key string, n *node) {
		if n.kind != list {
			d.problem(key, "want a list of tests, each beginning with a -%s", n.got())
			return
		}
		for _, item := range d.items(key, n) {
			var t Test
			d.mapping(item.key, "a test", item.node, testFields(&t))
			if item.kind == mapping {
				d.required(item.key+".as", "want anonymous, or the claims of an ID token")
				d.required(item.key+".url", "want a path or an absolute URL")
				d.required(item.key+".want", "want allow, deny, sign_in or not_found")
			}
			*p = append(*p, t)
		}
	}
}

// testIdentity takes the word anonymous or claims.
func testIdentity(t *Test) take {
	return func(d *decoder, key string, n *node) {
		switch {
		case n.isWord("!!str") && n.text == "anonymous":
			t.Anonymous = true
		case n.kind == mapping:
			t.As, _ = d.json(key, n).(map[string]any)
		default:
			d.problem(key, "want anonymous, or the claims of an ID token%s", n.got())
		}
	}
}

// json is a node as encoding/json would have it: claims in a test are to be what
// claims in a token are.
func (d *decoder) json(key string, n *node) any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.name] = d.json(joinKey(key, e.name), e.value)
		}
		return out
	case list:
		out := make([]any, 0, len(n.items))
		for i, child := range n.items {
			out = append(out, d.json(childIndex(key, i), child))
		}
		return out
	case null:
		return nil
	}
	return d.jsonScalar(key, n)
}

func (d *decoder) jsonScalar(key string, n *node) any {
	switch n.tag {
	case "!!bool":
		return strings.EqualFold(n.text, "true")
	case "!!int":
		if i, err := strconv.ParseInt(n.text, 0, 64); err == nil {
			return i
		}
		fallthrough
	case "!!float":
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			d.places[key] = n.place
			d.problem(key, "want a number that JSON can hold")
		}
		return f
	}
	return n.text
}
