package authz

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crowd is in four hundred tenants besides Acme and Beta, Member of each.
func crowd() *Identity {
	return with(func(id *Identity) {
		for i := range 400 {
			id.Tenants[fmt.Sprintf("T2crowd%03d", i)] = Grants{Roles: list("Member"), Permissions: list("read")}
		}
		id.Tenants["T2crowd007"] = Grants{Roles: list("Owner"), Permissions: list("read", "drop")}
	})
}

func TestTrimKeepsTheTenantsThatMatter(t *testing.T) {
	everyTenant := slices.Sorted(maps.Keys(crowd().Tenants))
	cases := []struct {
		name  string
		rules []Rule
		trim  []string
		tight []string
	}{
		{"no rule leaves the current tenant", nil, list("T2acme"), list("T2acme")},
		{"rules about the person leave the current tenant",
			[]Rule{{EmailDomains: list("acme.com")}}, list("T2acme"), list("T2acme")},
		{"a tenant that a rule names stays even if its role is missing, for the explanation",
			[]Rule{{Tenants: list("T2beta"), Roles: list("Owner")}}, list("T2acme", "T2beta"), list("T2acme")},
		{"membership that a rule asks for stays",
			[]Rule{{Tenants: list("T2none", "T2evil")}}, list("T2acme", "T2none"), list("T2acme", "T2none")},
		{"a role in any tenant keeps those that have it",
			[]Rule{{Roles: list("Owner")}}, list("T2acme", "T2crowd007"), list("T2acme", "T2crowd007")},
		{"a role with a permission keeps for the explanation those that have one of them",
			[]Rule{{Roles: list("Tenant Admin"), Permissions: list("drop")}}, list("T2acme", "T2crowd007"), list("T2acme")},
		{"{tenant} needs them all", []Rule{{TenantFromHost: true}}, everyTenant, everyTenant},
		{"{tenant} with a role needs them all, if tightly only those that have it",
			[]Rule{{TenantFromHost: true, Roles: list("Owner")}}, everyTenant, list("T2acme", "T2crowd007")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			needs, id := NewNeeds(&Access{Rules: tc.rules}), crowd()
			for _, trimmed := range []struct {
				want []string
				id   *Identity
			}{{tc.trim, needs.Trim(id)}, {tc.tight, needs.TrimTight(id)}} {
				if diff := cmp.Diff(trimmed.want, slices.Sorted(maps.Keys(trimmed.id.Tenants))); diff != "" {
					t.Errorf("tenants (-want +got):\n%s", diff)
				}
				if want := len(trimmed.want) < len(id.Tenants); trimmed.id.TenantsTruncated != want {
					t.Errorf("tenants_truncated is %v, want %v", trimmed.id.TenantsTruncated, want)
				}
			}
		})
	}
}

func TestTrimKeepsWhatHeadersNeed(t *testing.T) {
	needs := NewNeeds(&Access{Rules: []Rule{
		{Tenants: list("T2beta"), Permissions: list("read")},
		{Claims: map[string][]string{"team": {"ops", "hr"}}},
	}})
	id := with(func(id *Identity) {
		id.Tenants["T2beta"] = Grants{Roles: list("Member", "Guest"), Permissions: list("list", "read")}
	})
	want := with(func(want *Identity) {
		want.Tenants = map[string]Grants{
			"T2acme": {Roles: list("Tenant Admin"), Permissions: list("deploy")},
			"T2beta": {Roles: list("Member", "Guest"), Permissions: list("list", "read")},
		}
		want.Claims = map[string][]string{"team": {"ops"}}
		want.TenantsTruncated = true
	})
	if diff := cmp.Diff(want, needs.Trim(id)); diff != "" {
		t.Errorf("trimmed (-want +got):\n%s", diff)
	}
	want.Tenants = map[string]Grants{
		"T2acme": {Roles: list("Tenant Admin")},
		"T2beta": {Roles: list("Member", "Guest"), Permissions: list("read")},
	}
	want.Project.Permissions = nil
	if diff := cmp.Diff(want, needs.TrimTight(id)); diff != "" {
		t.Errorf("trimmed tightly (-want +got):\n%s", diff)
	}
}

func TestTrimOfWhatIsWholeIsTheIdentityItself(t *testing.T) {
	id := &Identity{Subject: "U2bob", Tenants: map[string]Grants{"T2acme": {Roles: list("Member")}}}
	if got := NewNeeds().Trim(id); got != id {
		t.Errorf("the only tenant was not left alone: %+v", got)
	}
	if got := NewNeeds().TrimTight(id); got != id {
		t.Errorf("the only tenant was not left alone: %+v", got)
	}
	if got := NewNeeds().Trim(nil); got != nil {
		t.Errorf("nobody became %+v", got)
	}
}

func TestTheOnlyTenantLeftIsNotDroppedNorTakenForTheOnlyOne(t *testing.T) {
	needs := NewNeeds(&Access{Rules: []Rule{{Tenants: list("T2beta")}}})
	once := needs.Trim(dct(""))
	if diff := cmp.Diff(once, needs.Trim(once)); diff != "" {
		t.Errorf("trimmed again (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(list("Staff"), once.EffectiveRoles("")); diff != "" {
		t.Errorf("one tenant of several speaks for the person (-want +got):\n%s", diff)
	}
}

func TestDigestsAreStable(t *testing.T) {
	rule := Rule{Tenants: list("T2b", "T2a"), Roles: list("r2", "r1"), Claims: map[string][]string{"c": {"1"}}}
	host := Rule{TenantFromHost: true, Permissions: list("p")}
	turned := Rule{Tenants: list("T2a", "T2b", "T2a"), Roles: list("r1", "r2"), Claims: map[string][]string{"c": {"1"}}}
	one := NewNeeds(&Access{Rules: []Rule{rule, host}})
	other := NewNeeds(&Access{Rules: []Rule{host}}, nil, &Access{Mode: ModePublic}, &Access{Rules: []Rule{turned}})
	if one.Digest() != other.Digest() {
		t.Errorf("the order of rules changes the digest: %s, %s", one.Digest(), other.Digest())
	}
	// Sessions outlive the process, so a new release must not change these lightly.
	if got, want := one.Digest(), "uaM8dRo5WLJB"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	var zero Needs
	if zero.Digest() != NewNeeds().Digest() {
		t.Errorf("the zero value needs %s, no access needs %s", zero.Digest(), NewNeeds().Digest())
	}
}

func TestDigestsTellNeedsApart(t *testing.T) {
	seen := map[string]int{}
	for i, r := range []Rule{
		{},
		{TenantFromHost: true},
		{Tenants: list("a")}, {Tenants: list("b")}, {Tenants: list("a", "b")}, {Tenants: list("ab")},
		{Roles: list("a")}, {Permissions: list("a")}, {Roles: list("a"), Permissions: list("b")},
		{Tenants: list("a"), Roles: list("b")}, {Tenants: list("a"), Permissions: list("b")},
		{TenantFromHost: true, Roles: list("b")},
		{Claims: map[string][]string{"a": {"b"}}}, {Claims: map[string][]string{"ab": {""}}},
		{Claims: map[string][]string{"a": {"b", "c"}}},
	} {
		digest := NewNeeds(&Access{Rules: []Rule{r}}).Digest()
		if before, ok := seen[digest]; ok {
			t.Errorf("rules %d and %d share the digest %s", before, i, digest)
		}
		seen[digest] = i
	}
}

func TestCovers(t *testing.T) {
	cases := []struct {
		name string
		old  Rule
		now  Rule
		want bool
	}{
		{"the same rule needs nothing more", Rule{Roles: list("a")}, Rule{Roles: list("a")}, true},
		{"a rule about the person needs nothing more", Rule{}, Rule{EmailDomains: list("acme.com"), Subjects: list("U2"), AMR: list("fed")}, true},
		{"fewer roles need nothing more", Rule{Roles: list("a", "b")}, Rule{Roles: list("b")}, true},
		{"another role needs more", Rule{Roles: list("a")}, Rule{Roles: list("a", "b")}, false},
		{"another tenant needs more", Rule{Tenants: list("a")}, Rule{Tenants: list("a", "b")}, false},
		{"a named tenant is among all", Rule{TenantFromHost: true}, Rule{Tenants: list("a"), Roles: list("r")}, true},
		{"all are more than a named one", Rule{Tenants: list("a")}, Rule{TenantFromHost: true}, false},
		{"a role in one tenant is less than in any", Rule{Roles: list("r")}, Rule{Tenants: list("a"), Roles: list("r")}, true},
		{"a role in any tenant is more than in one", Rule{Tenants: list("a"), Roles: list("r")}, Rule{Roles: list("r")}, false},
		{"membership covers a role there", Rule{Tenants: list("a")}, Rule{Tenants: list("a"), Roles: list("r")}, true},
		{"a role does not cover membership", Rule{Tenants: list("a"), Roles: list("r")}, Rule{Tenants: list("a")}, false},
		{"a permission that was not mentioned needs more", Rule{Tenants: list("a")}, Rule{Tenants: list("a"), Permissions: list("p")}, false},
		{"another claim needs more", Rule{Claims: map[string][]string{"a": {"1"}}}, Rule{Claims: map[string][]string{"b": {"1"}}}, false},
		{"another value needs more", Rule{Claims: map[string][]string{"a": {"1"}}}, Rule{Claims: map[string][]string{"a": {"1", "2"}}}, false},
		{"fewer values need nothing more", Rule{Claims: map[string][]string{"a": {"1", "2"}}}, Rule{Claims: map[string][]string{"a": {"1"}}}, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			old, now := NewNeeds(&Access{Rules: []Rule{tc.old}}), NewNeeds(&Access{Rules: []Rule{tc.now}})
			if got := old.Covers(now); got != tc.want {
				t.Errorf("covers is %v, want %v", got, tc.want)
			}
		})
	}
}
