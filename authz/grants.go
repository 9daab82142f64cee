package authz

// weigh evaluates tenant, roles and permissions, which belong together: the same
// tenant, or the project level, must satisfy all three. It returns the fields that
// failed, or the tenant to name.
func (r *Rule) weigh(id *Identity, hostTenant string) (fields, string) {
	if !r.wantsTenant() && !r.wantsGrants() {
		return 0, ""
	}
	s := scale{rule: r}
	if r.wantsTenant() {
		s.weighNamed(id, hostTenant)
	} else {
		s.weighAll(id)
	}
	if !s.holds {
		return s.failed(), ""
	}
	return 0, s.named(id.CurrentTenant)
}

// scale gathers what the places that a rule may hold in have to offer.
type scale struct {
	rule *Rule

	placed      bool // there was a place to look at
	roles       bool // some place has a role
	permissions bool // some place has a permission
	holds       bool // some place has both

	tenant  string // the first tenant that has both
	several bool   // and there is another
	current bool   // CurrentTenant is among them
}

// weighNamed looks at the tenants that the rule names, as far as the person is in them.
func (s *scale) weighNamed(id *Identity, hostTenant string) {
	for _, tenant := range s.rule.Tenants {
		s.addTenant(id, tenant)
	}
	if s.rule.TenantFromHost {
		s.addTenant(id, hostTenant)
	}
}

// weighAll looks at every tenant of the person and at the project level.
// CurrentTenant comes first, for where it will do it decides and nobody need look
// at four hundred others.
func (s *scale) weighAll(id *Identity) {
	s.add("", id.Project)
	if s.addTenant(id, id.CurrentTenant) {
		s.current = true
		return
	}
	for tenant, grants := range id.Tenants {
		if tenant != "" {
			s.add(tenant, grants)
		}
	}
}

func (s *scale) addTenant(id *Identity, tenant string) bool {
	grants, ok := id.Tenants[tenant]
	if !ok || tenant == "" {
		return false
	}
	holds := s.add(tenant, grants)
	if holds && tenant == id.CurrentTenant {
		s.current = true
	}
	return holds
}

// add puts one place on the scale, "" being the project level.
func (s *scale) add(tenant string, grants Grants) bool {
	roles := s.rule.Roles == nil || intersects(s.rule.Roles, grants.Roles)
	permissions := s.rule.Permissions == nil || intersects(s.rule.Permissions, grants.Permissions)
	s.placed = true
	s.roles = s.roles || roles
	s.permissions = s.permissions || permissions
	if !roles || !permissions {
		return false
	}
	s.holds = true
	switch {
	case tenant == "" || tenant == s.tenant: // a list may hold a tenant twice
	case s.tenant == "":
		s.tenant = tenant
	default:
		s.several = true
	}
	return true
}

// named picks the tenant that an upstream is told of. To choose among several by
// chance would hand the person's roles in one customer to a request meant for
// another, so only the tenant they signed in to may break the tie.
func (s *scale) named(current string) string {
	switch {
	case s.current:
		return current
	case s.several:
		return ""
	default:
		return s.tenant
	}
}

// failed names the fields to blame where no place had everything. Outside of the
// tenant its roles were never looked at, so they did not fail.
func (s *scale) failed() fields {
	if !s.placed {
		return fieldTenant
	}
	var failed fields
	if !s.roles {
		failed |= fieldRoles
	}
	if !s.permissions {
		failed |= fieldPermissions
	}
	if failed == 0 { // each is held, but nowhere together
		failed = fieldRoles | fieldPermissions
	}
	return failed
}
