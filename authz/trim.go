package authz

import "slices"

// Trim returns the identity without what neither the rules nor an upstream's
// headers can look at. Of the tenants it keeps the only one, CurrentTenant, those
// that a rule names, all where a rule asks for the host's, and where a rule asks
// for roles or permissions in any tenant those in which the person holds one of
// them; of the custom claims, the values that rules ask for. What it keeps of a
// tenant is whole. TenantsTruncated is set when a tenant was dropped.
//
// Decide, Explain and EffectiveRoles give for the result what they give for the
// identity, under each of the accesses, as long as these hold no empty values.
// Where nothing is left out the result is the identity itself, the same pointer.
func (n *Needs) Trim(id *Identity) *Identity {
	return n.trim(id, n.concerns, func(g Grants) Grants { return g })
}

// TrimTight is for a session that is still too large. It drops also the tenants in
// which no rule holds as things stand, and the permissions that no rule mentions.
// Decide and EffectiveRoles do not notice; Explain may blame the tenant for want
// of a role, and then Missing does not name it.
func (n *Needs) TrimTight(id *Identity) *Identity {
	return n.trim(id, n.holds, func(g Grants) Grants {
		g.Permissions = keepOf(g.Permissions, func(p string) bool {
			_, ok := slices.BinarySearch(n.permissions, p)
			return ok
		})
		return g
	})
}

// trim keeps the tenants that the person is at home in or that pass, with what of
// their grants is left. All roles stay, since the tenant that decides is named to
// the upstream with all of them.
func (n *Needs) trim(id *Identity, passes func(string, Grants) bool, left func(Grants) Grants) *Identity {
	if id == nil {
		return nil
	}
	trimmed := *id
	home, _ := id.homeTenant()
	trimmed.Tenants = make(map[string]Grants, len(id.Tenants))
	for tenant, grants := range id.Tenants {
		if tenant != "" && (tenant == home || passes(tenant, grants)) {
			trimmed.Tenants[tenant] = left(grants)
		}
	}
	trimmed.Project = left(id.Project)
	trimmed.Claims = n.trimClaims(id.Claims)
	if len(trimmed.Tenants) < len(id.Tenants) {
		trimmed.TenantsTruncated = true
	}
	if trimmed.size() == id.size() {
		return id
	}
	return &trimmed
}

// concerns reports whether what the person holds in the tenant can matter to a
// decision or to its explanation.
func (n *Needs) concerns(tenant string, grants Grants) bool {
	if _, ok := n.named[tenant]; ok || n.fromHost {
		return true
	}
	return slices.ContainsFunc(n.anywhere, func(g grant) bool {
		return g.role != "" && slices.Contains(grants.Roles, g.role) ||
			g.permission != "" && slices.Contains(grants.Permissions, g.permission)
	})
}

// holds reports whether some rule could hold in the tenant.
func (n *Needs) holds(tenant string, grants Grants) bool {
	satisfied := func(g grant) bool {
		return (g.role == "" || slices.Contains(grants.Roles, g.role)) &&
			(g.permission == "" || slices.Contains(grants.Permissions, g.permission))
	}
	return slices.ContainsFunc(n.anywhere, satisfied) || slices.ContainsFunc(n.named[tenant], satisfied)
}

// trimClaims keeps the values that some rule takes.
func (n *Needs) trimClaims(claims map[string][]string) map[string][]string {
	kept := make(map[string][]string, len(claims))
	for name, values := range claims {
		values = keepOf(values, func(value string) bool {
			_, ok := slices.BinarySearchFunc(n.claims, claim{name, value}, compareClaims)
			return ok
		})
		if len(values) > 0 {
			kept[name] = values
		}
	}
	return kept
}

// keepOf returns what passes, without touching the list: identities are shared.
func keepOf(list []string, passes func(string) bool) []string {
	if !slices.ContainsFunc(list, func(s string) bool { return !passes(s) }) {
		return list
	}
	var kept []string
	for _, s := range list {
		if passes(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// size counts what trimming can take away.
func (id *Identity) size() int {
	n := len(id.Tenants) + len(id.Project.Permissions)
	for _, grants := range id.Tenants {
		n += len(grants.Permissions)
	}
	for _, values := range id.Claims {
		n += 1 + len(values)
	}
	return n
}
