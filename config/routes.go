package config

// routes takes the list of routes.
func routes(p *[]Route) take {
	return func(d *decoder, key string, n *node) {
		if n.kind != list {
			d.problem(key, "want a list of routes, each beginning with a -%s", n.got())
			return
		}
		for _, item := range d.items(key, n) {
			var r Route
			var strip *bool
			d.mapping(item.key, "a route", item.node, routeFields(&r, &strip))
			r.StripPath = stripsPath(r.Preset)
			if strip != nil {
				r.StripPath = *strip
			}
			*p = append(*p, r)
		}
	}
}

// aliases takes alias: tenant ID. An alias is compared with a host's label, which
// arrives in lower case.
func aliases(p *map[string]string) take {
	return func(d *decoder, key string, n *node) {
		if n.kind != mapping {
			d.problem(key, "want a mapping such as acme: T2acme%s", n.got())
			return
		}
		out := make(map[string]string, len(n.entries))
		for _, e := range n.entries {
			at := joinKey(key, e.name)
			d.places[at] = e.value.place
			if e.value.kind == null {
				d.problem(at, "is empty; want the tenant's ID")
				continue
			}
			id, ok := d.text(at, e.value)
			switch {
			case !ok:
			case id == "":
				d.problem(at, "is empty; want the tenant's ID")
			case labelProblem(e.name, false) != "":
				d.problem(at, "want an alias that can be a host's first label: lower-case letters, digits and -")
			default:
				out[e.name] = id
			}
		}
		*p = out
	}
}
