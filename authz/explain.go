package authz

import "slices"

// RuleResult is how one rule fared.
type RuleResult struct {
	Index  int
	Holds  bool
	Failed []string // fields as the configuration spells them; never nil
}

// Missing names what would have helped, for the person who was denied. Any one of
// the Roles, and any one of the Permissions, is meant.
//
// It is shown to strangers, so it tells of no rule of a tenant that the person is
// not in, and never the tenants, addresses, subjects and claims that a rule asks for:
// they say who else uses the app. A rule that wants such things too is told by its
// roles alone.
type Missing struct {
	Roles       []string
	Permissions []string
}

// Explanation is a Decision and how it came about.
type Explanation struct {
	Decision
	Rules   []RuleResult // all of them, also those behind the one that decided
	Missing Missing      // where the person was denied
}

// Explain decides as Decide does and says why. Its Decision is always the one that
// Decide gives. Nobody's rules are held against an identity that has nothing.
func (a *Access) Explain(id *Identity, hostTenant string) Explanation {
	decision, settled := a.settle(id)
	if settled && (a == nil || a.Mode != ModeRules) {
		return Explanation{Decision: decision}
	}
	person := id
	if person == nil {
		person = &Identity{}
	}
	e := Explanation{Rules: make([]RuleResult, 0, len(a.Rules))}
	var missing Missing
	e.Decision = a.walk(person, hostTenant, func(index int, o outcome) {
		e.Rules = append(e.Rules, RuleResult{Index: index, Holds: o.holds, Failed: o.failed.names()})
		missing.note(&a.Rules[index], o.failed)
	})
	switch {
	case settled: // nobody is asked to sign in, not to get a role
		e.Decision = decision
	case !e.Allow:
		e.Missing = missing
	}
	return e
}

// note takes up the roles and permissions that a rule failed for.
func (m *Missing) note(r *Rule, failed fields) {
	if failed&fieldTenant != 0 {
		return
	}
	if failed&fieldRoles != 0 {
		m.Roles = appendNew(m.Roles, r.Roles)
	}
	if failed&fieldPermissions != 0 {
		m.Permissions = appendNew(m.Permissions, r.Permissions)
	}
}

// appendNew appends what list does not hold yet, in the order of the rules.
func appendNew(list, more []string) []string {
	for _, s := range more {
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
