package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/authz"
	"gatehouse/proxy"
)

// A wanted is one field of a rule, in words.
type wanted struct{ name, want string }

// fieldsOf are the fields that a rule has, in the order of the reference page.
func fieldsOf(r *authz.Rule, hostTenant string) []wanted {
	var out []wanted
	add := func(name string, there bool, values []string) {
		if there {
			out = append(out, wanted{name, strings.Join(values, " or ")})
		}
	}
	add("tenant", r.Tenants != nil || r.TenantFromHost, tenantsOf(r, hostTenant))
	add("roles", r.Roles != nil, r.Roles)
	add("permissions", r.Permissions != nil, r.Permissions)
	add("emails", r.Emails != nil, r.Emails)
	add("email_domains", r.EmailDomains != nil, r.EmailDomains)
	add("subjects", r.Subjects != nil, r.Subjects)
	add("amr", r.AMR != nil, r.AMR)
	add("claims", r.Claims != nil, claimsOf(r))
	return out
}

func tenantsOf(r *authz.Rule, hostTenant string) []string {
	tenants := slices.Clone(r.Tenants)
	if r.TenantFromHost {
		tenants = append(tenants, "that of the host, "+hostTenant)
	}
	return tenants
}

func claimsOf(r *authz.Rule) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		all = append(all, name+": "+strings.Join(r.Claims[name], " or "))
	}
	return []string{strings.Join(all, ", and ")}
}

// remedy says what would make a rule hold for somebody for whom it failed.
func remedy(r *authz.Rule, failed []string, id *authz.Identity, a *proxy.Answer) string {
	var parts []string
	did := func(name string) bool { return slices.Contains(failed, name) }
	if did("tenant") || did("roles") || did("permissions") {
		parts = append(parts, grantRemedy(r, failed, a))
	}
	if did("emails") || did("email_domains") {
		parts = append(parts, emailRemedy(r, failed, id, a.Route.Access.UnverifiedEmail))
	}
	if did("subjects") {
		parts = append(parts, "be "+strings.Join(r.Subjects, " or ")+", not "+orNone(id.Subject))
	}
	if did("amr") {
		parts = append(parts, "sign in by "+strings.Join(r.AMR, " or ")+", not by "+orNone(strings.Join(id.AMR, " and ")))
	}
	if did("claims") {
		parts = append(parts, claimRemedy(r, id))
	}
	if len(parts) == 0 {
		return "nothing: the rule has no field that can hold"
	}
	return strings.Join(parts, "; and ")
}

// grantRemedy is about what must be held together at one place.
func grantRemedy(r *authz.Rule, failed []string, a *proxy.Answer) string {
	var what []string
	outside := slices.Contains(failed, "tenant")
	if r.Roles != nil && (outside || slices.Contains(failed, "roles")) {
		what = append(what, "the role "+strings.Join(r.Roles, " or "))
	}
	if r.Permissions != nil && (outside || slices.Contains(failed, "permissions")) {
		what = append(what, "the permission "+strings.Join(r.Permissions, " or "))
	}
	where := "in one tenant, or at project level"
	if tenants := tenantsOf(r, a.HostTenant); len(tenants) > 0 {
		where = "in tenant " + strings.Join(tenants, " or ")
	}
	switch {
	case len(what) == 0:
		return "be a member " + where
	case outside:
		return "be a member " + where + ", with " + strings.Join(what, " and ")
	case len(what) == 2:
		return "hold " + strings.Join(what, " and ") + ", both " + where
	}
	return "hold " + what[0] + ", " + where
}

func emailRemedy(r *authz.Rule, failed []string, id *authz.Identity, unverified bool) string {
	if id.Email != "" && !id.EmailVerified && !unverified {
		return "have " + id.Email + " verified at Descope (email_verified is not true; unverified_email would take it as it is)" + emailWish(r, failed)
	}
	return "have another email address than " + orNone(id.Email) + emailWish(r, failed)
}

func emailWish(r *authz.Rule, failed []string) string {
	var wish []string
	if slices.Contains(failed, "emails") {
		wish = append(wish, strings.Join(r.Emails, " or "))
	}
	if slices.Contains(failed, "email_domains") {
		wish = append(wish, "one at "+strings.Join(r.EmailDomains, " or "))
	}
	return ": the rule wants " + strings.Join(wish, " and ")
}

func claimRemedy(r *authz.Rule, id *authz.Identity) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		values := r.Claims[name]
		if slices.ContainsFunc(id.Claims[name], func(v string) bool { return slices.Contains(values, v) }) {
			continue
		}
		parts = append(parts, fmt.Sprintf("have the claim %s: %s, not %s", name, strings.Join(values, " or "), orNone(strings.Join(id.Claims[name], ", "))))
	}
	return strings.Join(parts, " and ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
