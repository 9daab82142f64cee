package config

import "strings"

// allow takes a word or a list of rules.
func allow(p *Allow) take {
	return func(d *decoder, key string, n *node) {
		const words = "authenticated, public or a list of rules"
		switch {
		case n.isWord("!!str") && n.text == "public":
			p.Public = true
		case n.isWord("!!str") && n.text == "authenticated":
			p.Authenticated = true
		case n.kind == list && len(n.items) == 0:
			d.problem(key, "is an empty list, which nobody passes; want %s", words)
		case n.kind == list:
			for _, item := range d.items(key, n) {
				p.Rules = append(p.Rules, d.rule(item.key, item.node))
			}
		case n.kind == mapping:
			d.problem(key, "want %s, got a mapping; write a - before the rule", words)
		default:
			guess := nearest(n.text, []string{"authenticated", "public"})
			if guess != "" && !n.place.hidden {
				guess = "; did you mean " + guess + "?"
			} else {
				guess = ""
			}
			d.problem(key, "want %s%s%s", words, n.got(), guess)
		}
	}
}

// rule takes one rule. Nothing in it may be empty: in a rule an empty field could
// be read as "anybody" as well as "nobody".
func (d *decoder) rule(key string, n *node) Rule {
	var r Rule
	if n.kind == mapping && len(n.entries) == 0 || n.kind == null {
		d.problem(key, "is an empty rule; want a condition such as roles: [Tenant Admin], or allow: authenticated for everybody who signs in")
		return r
	}
	filled := *n
	filled.entries = nil
	for _, e := range n.entries {
		if isEmpty(e.value) {
			at := joinKey(key, e.name)
			d.places[at] = e.value.place
			d.problem(at, "is empty; write a value, or take the field out")
			continue
		}
		filled.entries = append(filled.entries, e)
	}
	d.mapping(key, "a rule", &filled, ruleFields(&r))
	return r
}

func isEmpty(n *node) bool {
	switch n.kind {
	case scalar:
		return n.text == ""
	case list:
		return len(n.items) == 0
	case mapping:
		return len(n.entries) == 0
	}
	return !n.place.hidden // a ${NAME} that failed was told already
}

// ruleTenants takes IDs and {tenant}. Without quotes YAML reads {tenant} as a
// mapping of one key without a value; nobody can mean that by it.
func ruleTenants(r *Rule) take {
	return func(d *decoder, key string, n *node) {
		if isTenantWord(n) {
			r.TenantFromHost = true
			return
		}
		for _, item := range d.oneOrItems(key, n) {
			if isTenantWord(item.node) {
				r.TenantFromHost = true
				continue
			}
			s, ok := d.text(item.key, item.node)
			switch {
			case !ok:
			case s == "":
				d.problem(item.key, "is empty; write a tenant's ID")
			case strings.ContainsAny(s, "{}"):
				d.problem(item.key, "want a tenant's ID or {tenant}%s", item.got())
			default:
				r.Tenant = append(r.Tenant, s)
			}
		}
	}
}

func isTenantWord(n *node) bool {
	if n.kind == mapping {
		return len(n.entries) == 1 && n.entries[0].name == "tenant" && n.entries[0].value.kind == null
	}
	return n.isWord("!!str") && n.text == tenantWord
}

// ruleClaims takes name: value or name: [values]. Names are kept as written.
func ruleClaims(p *map[string][]string) take {
	return func(d *decoder, key string, n *node) {
		if n.kind != mapping {
			d.problem(key, "want a mapping of claims and their values%s", n.got())
			return
		}
		out := make(map[string][]string, len(n.entries))
		for _, e := range n.entries {
			at := joinKey(key, e.name)
			d.places[at] = e.value.place
			switch {
			case e.name == "":
				d.problem(at, "want the name of a claim")
			case isEmpty(e.value):
				d.problem(at, "is empty; write a value, or take the claim out")
			case e.value.kind == mapping:
				d.problem(at, "want a value or a list of values, got a mapping")
			default:
				out[e.name] = d.claimValues(at, e.value)
			}
		}
		*p = out
	}
}

func (d *decoder) claimValues(key string, n *node) []string {
	var out []string
	for _, item := range d.oneOrItems(key, n) {
		switch {
		case item.kind != scalar:
			d.problem(item.key, "want a value, got %s", item.describe())
		case item.text == "":
			d.problem(item.key, "is empty; write a value, or take it out")
		case item.tag == "!!bool":
			out = append(out, strings.ToLower(item.text))
		default:
			out = append(out, item.text)
		}
	}
	return out
}
