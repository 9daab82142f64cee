package authz

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplainNamesTheFieldsThatFailed(t *testing.T) {
	cases := []struct {
		name string
		rule Rule
		id   *Identity
		host string
		want []string
	}{
		{"outside of the tenant its roles are not blamed", Rule{Tenants: list("T2evil"), Roles: list("Owner")}, ann(), "", list("tenant")},
		{"in the tenant the role is", Rule{Tenants: list("T2beta"), Roles: list("Owner")}, ann(), "", list("roles")},
		{"in the tenant role and permission both are", Rule{Tenants: list("T2beta"), Roles: list("Owner"), Permissions: list("drop")}, ann(), "", list("roles", "permissions")},
		{"where one tenant has the role only the permission is", Rule{Roles: list("Member"), Permissions: list("drop")}, ann(), "", list("permissions")},
		{"role and permission apart are both", Rule{Roles: list("Member"), Permissions: list("deploy")}, ann(), "", list("roles", "permissions")},
		{"a host without tenant is blamed", Rule{TenantFromHost: true, Roles: list("Member")}, ann(), "", list("tenant")},
		{"what holds is not listed", Rule{Subjects: list("U2ann"), AMR: list("mfa"), Emails: list("bob@acme.com")}, ann(), "", list("emails", "amr")},
		{"a rule that holds has an empty list", Rule{Subjects: list("U2ann")}, ann(), "", list()},
		{"a rule without fields has nothing to name", Rule{}, ann(), "", list()},
		{"nobody fails every field", Rule{Roles: list("Member"), EmailDomains: list("acme.com")}, nil, "", list("roles", "email_domains")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			access := rules(tc.rule)
			want := tc.want
			if want == nil {
				want = []string{}
			}
			if diff := cmp.Diff(want, access.Explain(tc.id, tc.host).Rules[0].Failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainListsRulesBehindTheOneThatDecided(t *testing.T) {
	access := rules(Rule{Subjects: list("U2bob")}, Rule{Subjects: list("U2ann")}, Rule{AMR: list("fed")})
	want := Explanation{
		Decision: allowed(1, ""),
		Rules: []RuleResult{
			{Index: 0, Failed: list("subjects")},
			{Index: 1, Holds: true, Failed: []string{}},
			{Index: 2, Holds: true, Failed: []string{}},
		},
	}
	if diff := cmp.Diff(want, access.Explain(ann(), "")); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestMissingNamesOnlyWhatThePersonMayKnow(t *testing.T) {
	loner := with(func(id *Identity) { id.Tenants = nil; id.CurrentTenant = "" })
	cases := []struct {
		name   string
		access Access
		id     *Identity
		host   string
		want   Missing
	}{
		{"the role that a tenant of the person lacks",
			rules(Rule{Tenants: list("T2beta"), Roles: list("Tenant Admin")}), ann(), "",
			Missing{Roles: list("Tenant Admin")}},
		{"no role of a tenant that the person is not in",
			rules(Rule{Tenants: list("T2evil"), Roles: list("Merger Team")}), ann(), "", Missing{}},
		{"of a rule that wants an address too the role alone",
			rules(Rule{Emails: list("bob@acme.com"), Roles: list("Owner")}), ann(), "", Missing{Roles: list("Owner")}},
		{"of a rule that wants a claim too the role alone",
			rules(Rule{Claims: map[string][]string{"team": {"hr"}}, Roles: list("Owner")}), ann(), "", Missing{Roles: list("Owner")}},
		{"of rules for a subject or a method the roles alone, once each",
			rules(Rule{Subjects: list("U2bob"), Roles: list("Owner")}, Rule{AMR: list("mfa"), Roles: list("Owner")}), ann(), "", Missing{Roles: list("Owner")}},
		{"nothing of a rule that wants no role", rules(Rule{Emails: list("bob@acme.com")}), ann(), "", Missing{}},
		{"the role of a rule without tenant", rules(Rule{Roles: list("Owner")}), ann(), "", Missing{Roles: list("Owner")}},
		{"the project role of a person without tenants", rules(Rule{Roles: list("Owner")}), loner, "", Missing{Roles: list("Owner")}},
		{"only the permission where the role is held",
			rules(Rule{Roles: list("Member"), Permissions: list("drop")}), ann(), "", Missing{Permissions: list("drop")}},
		{"the role on the host of the person's tenant",
			rules(Rule{TenantFromHost: true, Roles: list("Owner")}), ann(), "T2acme", Missing{Roles: list("Owner")}},
		{"nothing on the host of another tenant",
			rules(Rule{TenantFromHost: true, Roles: list("Owner")}), ann(), "T2evil", Missing{}},
		{"several rules together, each name once and in their order",
			rules(Rule{Roles: list("Owner", "Editor")}, Rule{Tenants: list("T2evil"), Roles: list("Spy")},
				Rule{Roles: list("Editor", "Author"), Permissions: list("drop")}), ann(), "",
			Missing{Roles: list("Owner", "Editor", "Author"), Permissions: list("drop")}},
		{"nothing to who is allowed", rules(Rule{Roles: list("Owner")}, Rule{AMR: list("fed")}), ann(), "", Missing{}},
		{"nothing to nobody", rules(Rule{Roles: list("Owner")}), nil, "", Missing{}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.access.Explain(tc.id, tc.host).Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}
