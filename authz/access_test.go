package authz

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ann is Tenant Admin of Acme and Member of Beta, signed in to Acme.
func ann() *Identity {
	return &Identity{
		Issuer: "https://api.descope.com/P2", Subject: "U2ann",
		Email: "Ann@Acme.com", EmailVerified: true, Name: "Ann",
		CurrentTenant: "T2acme",
		Tenants: map[string]Grants{
			"T2acme": {Roles: []string{"Tenant Admin"}, Permissions: []string{"deploy"}},
			"T2beta": {Roles: []string{"Member"}, Permissions: []string{"read"}},
			"T2none": {},
		},
		Project: Grants{Roles: []string{"Staff"}, Permissions: []string{"audit"}},
		AMR:     []string{"fed"},
		Claims:  map[string][]string{"team": {"ml", "ops"}, "https://acme.com/level": {"3"}},
	}
}

func with(change func(*Identity)) *Identity {
	id := ann()
	change(id)
	return id
}

func dct(tenant string) *Identity { return with(func(id *Identity) { id.CurrentTenant = tenant }) }

func email(address string) *Identity { return with(func(id *Identity) { id.Email = address }) }

func rules(r ...Rule) Access { return Access{Rules: r} }

func list(s ...string) []string { return s }

func denied() Decision { return Decision{Reason: ReasonNoRule, Rule: NoRule} }

func allowed(rule int, tenant string) Decision {
	return Decision{Allow: true, Reason: ReasonRule, Rule: rule, Tenant: tenant}
}

type decideCase struct {
	name   string
	access Access
	id     *Identity
	host   string
	want   Decision
}

func runDecide(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.access.Decide(tc.id, tc.host)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, tc.access.Explain(tc.id, tc.host).Decision); diff != "" {
				t.Errorf("Explain decides otherwise (-Decide +Explain):\n%s", diff)
			}
		})
	}
}

func TestModes(t *testing.T) {
	runDecide(t, []decideCase{
		{"the zero access denies who is signed in", Access{}, ann(), "", denied()},
		{"the zero access asks nobody to sign in first", Access{}, nil, "",
			Decision{Reason: ReasonNoSession, Rule: NoRule}},
		{"public allows nobody in particular", Access{Mode: ModePublic}, nil, "",
			Decision{Allow: true, Reason: ReasonPublic, Rule: NoRule}},
		{"public names no tenant even to a member", Access{Mode: ModePublic}, ann(), "T2acme",
			Decision{Allow: true, Reason: ReasonPublic, Rule: NoRule}},
		{"authenticated allows a person without any role", Access{Mode: ModeAuthenticated}, &Identity{}, "",
			Decision{Allow: true, Reason: ReasonAuthenticated, Rule: NoRule}},
		{"authenticated denies nobody with no_session", Access{Mode: ModeAuthenticated}, nil, "",
			Decision{Reason: ReasonNoSession, Rule: NoRule}},
		{"an unknown mode denies", Access{Mode: 7, Rules: []Rule{{Subjects: list("U2ann")}}}, ann(), "", denied()},
		{"rules beside authenticated are not asked",
			Access{Mode: ModeAuthenticated, Rules: []Rule{{Subjects: list("U2ann")}}}, ann(), "",
			Decision{Allow: true, Reason: ReasonAuthenticated, Rule: NoRule}},
	})
	var none *Access
	if got := none.Decide(ann(), ""); got.Allow {
		t.Errorf("no access at all allows: %+v", got)
	}
	if (Decision{}).Allow {
		t.Error("the zero decision allows")
	}
	if none.Explain(ann(), "").Allow {
		t.Error("no access at all explains itself as allowing")
	}
}

func TestRulesWithoutTenant(t *testing.T) {
	admin := Rule{Roles: list("Tenant Admin")}
	runDecide(t, []decideCase{
		{"a role held in the current tenant names it", rules(admin), ann(), "", allowed(0, "T2acme")},
		{"a role held in another tenant alone names that one", rules(Rule{Roles: list("Member")}), ann(), "", allowed(0, "T2beta")},
		{"any one of the roles will do", rules(Rule{Roles: list("Owner", "Member")}), ann(), "", allowed(0, "T2beta")},
		{"of two tenants that would do the current one decides",
			rules(Rule{Roles: list("Tenant Admin", "Member")}), ann(), "", allowed(0, "T2acme")},
		{"of two tenants that would do and no current one none is named",
			rules(Rule{Roles: list("Tenant Admin", "Member")}), dct(""), "", allowed(0, "")},
		{"of two tenants that would do a current one that would not names none",
			rules(Rule{Roles: list("Tenant Admin", "Member")}), dct("T2none"), "", allowed(0, "")},
		{"a current tenant that the person is not in breaks no tie",
			rules(Rule{Roles: list("Tenant Admin", "Member")}), dct("T2evil"), "", allowed(0, "")},
		{"a project role names no tenant", rules(Rule{Roles: list("Staff")}), ann(), "", allowed(0, "")},
		{"a tenant that would do is named beside the project level",
			rules(Rule{Roles: list("Staff", "Member")}), ann(), "", allowed(0, "T2beta")},
		{"role and permission of one tenant hold together",
			rules(Rule{Roles: list("Tenant Admin"), Permissions: list("deploy")}), ann(), "", allowed(0, "T2acme")},
		{"role and permission of two tenants do not add up",
			rules(Rule{Roles: list("Tenant Admin"), Permissions: list("read")}), ann(), "", denied()},
		{"a tenant's role and a project permission do not add up",
			rules(Rule{Roles: list("Tenant Admin"), Permissions: list("audit")}), ann(), "", denied()},
		{"role and permission of the project hold together",
			rules(Rule{Roles: list("Staff"), Permissions: list("audit")}), ann(), "", allowed(0, "")},
		{"a permission alone is enough for a rule of permissions",
			rules(Rule{Permissions: list("read")}), ann(), "", allowed(0, "T2beta")},
		{"roles are compared exactly", rules(Rule{Roles: list("tenant admin")}), ann(), "", denied()},
		{"roles are not compared by their beginning", rules(Rule{Roles: list("Tenant")}), ann(), "", denied()},
		{"a person without tenants holds at the project level",
			rules(Rule{Roles: list("Staff")}), with(func(id *Identity) { id.Tenants = nil }), "", allowed(0, "")},
		{"the first rule that holds decides",
			rules(Rule{Roles: list("Owner")}, Rule{Roles: list("Member")}, admin), ann(), "", allowed(1, "T2beta")},
		{"a rule of neither tenant nor roles names no tenant", rules(Rule{AMR: list("fed")}), ann(), "T2acme", allowed(0, "")},
		{"a tenant whose ID is empty counts for nothing", rules(admin),
			&Identity{Tenants: map[string]Grants{"": {Roles: list("Tenant Admin")}}}, "", denied()},
	})
}

func TestRulesWithTenant(t *testing.T) {
	runDecide(t, []decideCase{
		{"a tenant alone asks for membership", rules(Rule{Tenants: list("T2none")}), ann(), "", allowed(0, "T2none")},
		{"a tenant that the person is not in denies", rules(Rule{Tenants: list("T2evil")}), ann(), "", denied()},
		{"tenant IDs are case sensitive", rules(Rule{Tenants: list("t2acme")}), ann(), "", denied()},
		{"tenant IDs may hold dots", rules(Rule{Tenants: list("acme.eu")}),
			&Identity{Tenants: map[string]Grants{"acme.eu": {}}}, "", allowed(0, "acme.eu")},
		{"the role must be held in the tenant of the rule",
			rules(Rule{Tenants: list("T2beta"), Roles: list("Tenant Admin")}), ann(), "", denied()},
		{"the tenant must hold role and permission together",
			rules(Rule{Tenants: list("T2acme", "T2beta"), Roles: list("Tenant Admin"), Permissions: list("read")}), ann(), "", denied()},
		{"a project role does not count in a tenant",
			rules(Rule{Tenants: list("T2acme"), Roles: list("Staff")}), ann(), "", denied()},
		{"of a list the one tenant that would do is named",
			rules(Rule{Tenants: list("T2acme", "T2beta"), Roles: list("Member")}), ann(), "", allowed(0, "T2beta")},
		{"a tenant listed twice is still one", rules(Rule{Tenants: list("T2beta", "T2beta")}), ann(), "", allowed(0, "T2beta")},
		{"of a list the current tenant decides wherever it stands",
			rules(Rule{Tenants: list("T2beta", "T2none", "T2acme")}), ann(), "", allowed(0, "T2acme")},
		{"of a list without the current tenant none is named",
			rules(Rule{Tenants: list("T2beta", "T2none")}), ann(), "", allowed(0, "")},
		{"dct alone is no membership", rules(Rule{Tenants: list("T2evil")}), dct("T2evil"), "", denied()},
		{"the tenant of the host asks for membership", rules(Rule{TenantFromHost: true}), ann(), "T2beta", allowed(0, "T2beta")},
		{"the tenant of the host is not the current one",
			rules(Rule{TenantFromHost: true, Roles: list("Tenant Admin")}), ann(), "T2beta", denied()},
		{"another customer's host denies", rules(Rule{TenantFromHost: true}), ann(), "T2evil", denied()},
		{"a host without tenant never satisfies {tenant}", rules(Rule{TenantFromHost: true}),
			with(func(id *Identity) { id.Tenants[""] = Grants{} }), "", denied()},
		{"the tenant of the host is one more of a list",
			rules(Rule{Tenants: list("T2evil"), TenantFromHost: true}), ann(), "T2beta", allowed(0, "T2beta")},
		{"a list holds where the host has no tenant",
			rules(Rule{Tenants: list("T2beta"), TenantFromHost: true}), ann(), "", allowed(0, "T2beta")},
	})
}

func TestRulesAboutThePerson(t *testing.T) {
	ann1 := Access{Rules: []Rule{{Emails: list("ann@acme.com")}}}
	acme := Access{Rules: []Rule{{EmailDomains: list("acme.com")}}}
	loose := Access{Rules: ann1.Rules, UnverifiedEmail: true}
	unverified := with(func(id *Identity) { id.EmailVerified = false })
	runDecide(t, []decideCase{
		{"an address is compared without the case of ASCII", ann1, ann(), "", allowed(0, "")},
		{"a domain is compared without the case of ASCII", acme, ann(), "", allowed(0, "")},
		{"an unverified address is none", ann1, unverified, "", denied()},
		{"an unverified domain is none", acme, unverified, "", denied()},
		{"unverified_email takes an unverified address", loose, unverified, "", allowed(0, "")},
		{"evil-acme.com is not acme.com", acme, email("a@evil-acme.com"), "", denied()},
		{"sub.acme.com is not acme.com", acme, email("a@sub.acme.com"), "", denied()},
		{"acme.com.evil.com is not acme.com", acme, email("a@acme.com.evil.com"), "", denied()},
		{"acme.com. is not acme.com", acme, email("a@acme.com."), "", denied()},
		{"an address with two @ has no domain", acme, email("evil@evil.com@acme.com"), "", denied()},
		{"an address with two @ has no domain either way round", acme, email("a@acme.com@evil.com"), "", denied()},
		{"a quoted @ counts too", acme, email(`"a@evil.com"@acme.com`), "", denied()},
		{"an address with two @ equals no rule", rules(Rule{Emails: list("a@b@c")}), email("a@b@c"), "", denied()},
		{"an address without local part is none", acme, email("@acme.com"), "", denied()},
		{"an address without domain is none", rules(Rule{Emails: list("ann@")}), email("ann@"), "", denied()},
		{"a bare domain is no address", acme, email("acme.com"), "", denied()},
		{"no address equals no rule", rules(Rule{Emails: list(""), EmailDomains: list("")}), email(""), "", denied()},
		{"the Kelvin sign is no k", rules(Rule{Emails: list("kim@acme.com")}), email("\u212aim@acme.com"), "", denied()},
		{"the long s is no s", rules(Rule{EmailDomains: list("class.com")}), email("a@cla\u017fs.com"), "", denied()},
		{"a Cyrillic a is no a", acme, email("ann@\u0430cme.com"), "", denied()},
		{"a fullwidth dot is no dot", acme, email("ann@acme\uff0ecom"), "", denied()},
		{"É and é are two letters", rules(Rule{Emails: list("\u00e9va@acme.com")}), email("\u00c9va@acme.com"), "", denied()},
		{"spaces are part of an address", ann1, email(" ann@acme.com"), "", denied()},
		{"a subject is compared exactly", rules(Rule{Subjects: list("U2ann")}), ann(), "", allowed(0, "")},
		{"a subject has a case", rules(Rule{Subjects: list("u2ann")}), ann(), "", denied()},
		{"no subject equals no rule", rules(Rule{Subjects: list("")}), &Identity{}, "", denied()},
		{"one of the methods is enough", rules(Rule{AMR: list("mfa", "fed")}), ann(), "", allowed(0, "")},
		{"a method that was not used denies", rules(Rule{AMR: list("mfa")}), ann(), "", denied()},
		{"any element of a claim will do", rules(Rule{Claims: map[string][]string{"team": {"ops"}}}), ann(), "", allowed(0, "")},
		{"a claim's name is whole though it holds dots",
			rules(Rule{Claims: map[string][]string{"https://acme.com/level": {"3"}}}), ann(), "", allowed(0, "")},
		{"of two claims both must hold",
			rules(Rule{Claims: map[string][]string{"team": {"ml"}, "level": {"3"}}}), ann(), "", denied()},
		{"a claim that is absent denies", rules(Rule{Claims: map[string][]string{"group": {"ml"}}}), ann(), "", denied()},
	})
}

func TestNothingHoldsByBeingEmpty(t *testing.T) {
	person := with(func(id *Identity) {
		id.Tenants["T2acme"] = Grants{Roles: list("", "Tenant Admin"), Permissions: list("")}
		id.AMR = list("")
		id.Claims = map[string][]string{"team": {""}}
	})
	runDecide(t, []decideCase{
		{"a rule without fields", rules(Rule{}), person, "", denied()},
		{"a rule without fields before one that holds", rules(Rule{}, Rule{Subjects: list("U2ann")}), person, "", allowed(1, "")},
		{"roles without values", rules(Rule{Roles: []string{}, Tenants: list("T2acme")}), person, "", denied()},
		{"permissions without values", rules(Rule{Permissions: []string{}, Subjects: list("U2ann")}), person, "", denied()},
		{"tenants without values", rules(Rule{Tenants: []string{}, Subjects: list("U2ann")}), person, "", denied()},
		{"emails without values", rules(Rule{Emails: []string{}, Subjects: list("U2ann")}), person, "", denied()},
		{"claims without names", rules(Rule{Claims: map[string][]string{}, Subjects: list("U2ann")}), person, "", denied()},
		{"a claim without values", rules(Rule{Claims: map[string][]string{"team": {}}}), person, "", denied()},
		{"an empty role", rules(Rule{Roles: list("")}), person, "", denied()},
		{"an empty permission", rules(Rule{Permissions: list("")}), person, "", denied()},
		{"an empty method", rules(Rule{AMR: list("")}), person, "", denied()},
		{"an empty claim", rules(Rule{Claims: map[string][]string{"team": {""}}}), person, "", denied()},
		{"an empty tenant", rules(Rule{Tenants: list("")}), person, "", denied()},
	})
}

func TestEveryFieldMustHold(t *testing.T) {
	all := func() Rule {
		return Rule{
			Tenants: list("T2acme"), Roles: list("Tenant Admin"), Permissions: list("deploy"),
			Emails: list("ann@acme.com"), EmailDomains: list("acme.com"), Subjects: list("U2ann"),
			AMR: list("fed"), Claims: map[string][]string{"team": {"ml"}},
		}
	}
	cases := []decideCase{{"all eight hold", rules(all()), ann(), "", allowed(0, "T2acme")}}
	for field, spoil := range map[string]func(*Rule){
		"tenant":        func(r *Rule) { r.Tenants = list("T2evil") },
		"roles":         func(r *Rule) { r.Roles = list("Owner") },
		"permissions":   func(r *Rule) { r.Permissions = list("drop") },
		"emails":        func(r *Rule) { r.Emails = list("bob@acme.com") },
		"email_domains": func(r *Rule) { r.EmailDomains = list("beta.com") },
		"subjects":      func(r *Rule) { r.Subjects = list("U2bob") },
		"amr":           func(r *Rule) { r.AMR = list("mfa") },
		"claims":        func(r *Rule) { r.Claims = map[string][]string{"team": {"hr"}} },
	} {
		rule := all()
		spoil(&rule)
		access := rules(rule)
		cases = append(cases, decideCase{"all but " + field, access, ann(), "", denied()})
		if diff := cmp.Diff(list(field), access.Explain(ann(), "").Rules[0].Failed); diff != "" {
			t.Errorf("only %s failed (-want +got):\n%s", field, diff)
		}
	}
	runDecide(t, cases)
}

func TestEffectiveRolesAreThoseOfOnePlace(t *testing.T) {
	one := with(func(id *Identity) {
		id.CurrentTenant = ""
		id.Tenants = map[string]Grants{"T2beta": {Roles: list("Member")}}
	})
	cases := []struct {
		name   string
		id     *Identity
		tenant string
		want   []string
	}{
		{"the tenant that decided comes first", ann(), "T2beta", list("Member")},
		{"a tenant that decided by membership lends no other's roles", ann(), "T2none", nil},
		{"a tenant that the person is not in has none", ann(), "T2evil", nil},
		{"without one the current tenant speaks", ann(), "", list("Tenant Admin")},
		{"without a current one the only tenant speaks", one, "", list("Member")},
		{"a current tenant that the person is not in leaves the only one",
			with(func(id *Identity) { *id = *one; id.CurrentTenant = "T2evil" }), "", list("Member")},
		{"the only tenant left of many does not speak",
			with(func(id *Identity) { *id = *one; id.TenantsTruncated = true }), "", list("Staff")},
		{"several tenants and no current one leave the project", dct(""), "", list("Staff")},
		{"no tenants leave the project", with(func(id *Identity) { id.Tenants = nil }), "", list("Staff")},
		{"a current tenant without roles does not borrow the project's", dct("T2none"), "", nil},
		{"nobody has none", nil, "", nil},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.id.EffectiveRoles(tc.tenant)); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
}

// twenty is a policy of twenty rules of which none or the last holds for person.
func twenty() (access *Access, person *Identity) {
	access = &Access{}
	for i := range 19 {
		access.Rules = append(access.Rules, Rule{
			Tenants: list(fmt.Sprintf("T2other%d", i), "T2acme"), TenantFromHost: true,
			Roles: list("Owner", "Auditor"), Permissions: list("drop"), Emails: list("root@acme.com"),
			EmailDomains: list("beta.com"), AMR: list("mfa"), Claims: map[string][]string{"team": {"hr"}},
		})
	}
	access.Rules = append(access.Rules, Rule{Roles: list("Staff"), Emails: list("ann@acme.com")})
	return access, ann()
}

func TestDecideDoesNotAllocate(t *testing.T) {
	access, person := twenty()
	if !access.Decide(person, "T2beta").Allow {
		t.Fatal("the last rule should hold")
	}
	if n := testing.AllocsPerRun(100, func() { access.Decide(person, "T2beta") }); n != 0 {
		t.Errorf("Decide allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { access.Decide(nil, "T2beta") }); n != 0 {
		t.Errorf("Decide on nobody allocates %v times", n)
	}
}

func TestTheIdentityIsLeftAsItWas(t *testing.T) {
	access, person := twenty()
	access.Explain(person, "T2beta")
	NewNeeds(access).Trim(person)
	NewNeeds(access).TrimTight(person)
	if diff := cmp.Diff(ann(), person); diff != "" {
		t.Errorf("the identity changed (-before +after):\n%s", diff)
	}
}

func BenchmarkDecideTwentyRules(b *testing.B) {
	access, person := twenty()
	b.ReportAllocs()
	for b.Loop() {
		access.Decide(person, "T2beta")
	}
}

func BenchmarkDecideFourHundredTenants(b *testing.B) {
	person := ann()
	for i := range 400 {
		person.Tenants[fmt.Sprintf("T2%d", i)] = Grants{Roles: list("Member")}
	}
	access := rules(slices.Repeat([]Rule{{Roles: list("Owner")}}, 20)...)
	b.ReportAllocs()
	for b.Loop() {
		access.Decide(person, "")
	}
}
