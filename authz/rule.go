package authz

import "slices"

// Rule is one way to be allowed. All fields that it has must hold, and within a
// field any one value will do. A nil field is one that the rule does not have. A
// field that is there but holds no value cannot be satisfied, and a rule without
// any field never holds. The empty string equals nothing.
type Rule struct {
	// Tenants and TenantFromHost ask that the person is in one of these tenants,
	// or in the one that the host stands for, and holds Roles and Permissions
	// there. IDs are compared exactly. Where the host stands for no tenant,
	// TenantFromHost is satisfied by nothing.
	Tenants        []string
	TenantFromHost bool

	// Roles and Permissions must be held together at one place: in one of the
	// tenants above or, where the rule names none, in any one tenant or at the
	// project level. A role in one tenant and a permission in another do not add up.
	Roles       []string
	Permissions []string

	// Emails and EmailDomains ask for a verified address (unless the Access says
	// otherwise) with exactly one @. The case of ASCII letters is ignored, nothing
	// else is folded. A domain is the whole part behind the @, not an ending of it.
	Emails       []string
	EmailDomains []string

	Subjects []string
	AMR      []string

	// Claims asks for a value of every claim named. Names are whole, dots included.
	Claims map[string][]string
}

// fields is a set of a rule's fields.
type fields uint16

const (
	fieldTenant fields = 1 << iota
	fieldRoles
	fieldPermissions
	fieldEmails
	fieldEmailDomains
	fieldSubjects
	fieldAMR
	fieldClaims
)

// names returns the fields as the configuration spells them, in its order.
func (f fields) names() []string {
	names := []string{}
	for _, field := range [...]struct {
		bit  fields
		name string
	}{
		{fieldTenant, "tenant"},
		{fieldRoles, "roles"},
		{fieldPermissions, "permissions"},
		{fieldEmails, "emails"},
		{fieldEmailDomains, "email_domains"},
		{fieldSubjects, "subjects"},
		{fieldAMR, "amr"},
		{fieldClaims, "claims"},
	} {
		if f&field.bit != 0 {
			names = append(names, field.name)
		}
	}
	return names
}

// wantsTenant reports whether the rule says in which tenants it can hold.
func (r *Rule) wantsTenant() bool { return r.Tenants != nil || r.TenantFromHost }

// wantsGrants reports whether the rule asks for roles or permissions.
func (r *Rule) wantsGrants() bool { return r.Roles != nil || r.Permissions != nil }

// empty reports whether the rule has no field at all.
func (r *Rule) empty() bool {
	return !r.wantsTenant() && !r.wantsGrants() && r.Emails == nil &&
		r.EmailDomains == nil && r.Subjects == nil && r.AMR == nil && r.Claims == nil
}

// outcome is what came of holding a rule against a person.
type outcome struct {
	holds  bool
	failed fields
	tenant string // in which the rule holds; "" where none is to be named
}

// evaluate is the only place where a rule meets a person: Decide and Explain both
// come here. It looks at every field even when one has failed already, since an
// explanation lists them all.
func (r *Rule) evaluate(id *Identity, hostTenant string, unverifiedEmail bool) outcome {
	if r.empty() {
		return outcome{}
	}
	failed, tenant := r.weigh(id, hostTenant)
	failed |= r.checkEmail(id, unverifiedEmail)
	if r.Subjects != nil && (id.Subject == "" || !slices.Contains(r.Subjects, id.Subject)) {
		failed |= fieldSubjects
	}
	if r.AMR != nil && !intersects(r.AMR, id.AMR) {
		failed |= fieldAMR
	}
	if r.Claims != nil && !claimsHold(r.Claims, id.Claims) {
		failed |= fieldClaims
	}
	if failed != 0 {
		return outcome{failed: failed}
	}
	return outcome{holds: true, tenant: tenant}
}

// claimsHold asks for one of the wanted values of every wanted claim.
func claimsHold(want, have map[string][]string) bool {
	for name, values := range want {
		if !intersects(values, have[name]) {
			return false
		}
	}
	return len(want) > 0
}

// intersects reports whether the lists share a value that is not empty.
func intersects(want, have []string) bool {
	for _, value := range want {
		if value != "" && slices.Contains(have, value) {
			return true
		}
	}
	return false
}
