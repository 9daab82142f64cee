package authz

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkProperties holds a random policy and a random person to what is promised of
// all policies and all people.
func checkProperties(t *testing.T, s *source) {
	t.Helper()
	a, b, id, host := s.access(), s.access(), s.identity(), s.host()
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s\naccess %+v\nother access %+v\nidentity %+v\nhost %q", what, diff, a, b, id, host)
		}
	}

	got := a.Decide(id, host)
	explained := a.Explain(id, host)
	same("Decide and the contract differ", referenceDecide(*a, id, host), got)
	same("Decide and Explain differ", got, explained.Decision)
	if got.Allow && !explained.Rules[got.Rule].Holds {
		t.Fatalf("the rule that decided does not hold: %+v", explained)
	}

	needs := NewNeeds(a, b)
	for _, access := range []*Access{a, b} {
		for name, trimmed := range map[string]*Identity{"Trim": needs.Trim(id), "TrimTight": needs.TrimTight(id)} {
			decision := access.Decide(id, host)
			same(name+" changes the decision", decision, access.Decide(trimmed, host))
			same(name+" changes the roles", id.EffectiveRoles(decision.Tenant), trimmed.EffectiveRoles(decision.Tenant))
			if (len(trimmed.Tenants) < len(id.Tenants)) != trimmed.TenantsTruncated {
				t.Fatalf("%s: tenants_truncated is %v for %+v", name, trimmed.TenantsTruncated, trimmed)
			}
		}
		same("Trim changes the explanation", access.Explain(id, host), access.Explain(needs.Trim(id), host))
	}
	same("trimming twice trims more", needs.Trim(id), needs.Trim(needs.Trim(id)))
	same("trimming tightly twice trims more", needs.TrimTight(id), needs.TrimTight(needs.TrimTight(id)))
	if !needs.Covers(NewNeeds(a)) || !needs.Covers(NewNeeds(b, a)) {
		t.Fatalf("the needs of two do not cover those of one: %+v", needs)
	}

	if one, other := NewNeeds(a), NewNeeds(b); one.Covers(other) {
		for _, trimmed := range []*Identity{one.Trim(id), one.TrimTight(id)} {
			decision := b.Decide(id, host)
			same("needs that are covered change the decision", decision, b.Decide(trimmed, host))
			same("needs that are covered change the roles", id.EffectiveRoles(decision.Tenant), trimmed.EffectiveRoles(decision.Tenant))
		}
	}
}

func TestPropertiesOfRandomPolicies(t *testing.T) {
	for seed := range uint64(4_000) {
		checkProperties(t, sourceOf(seed))
	}
}

func FuzzPolicies(f *testing.F) {
	for seed := range uint64(8) {
		f.Add([]byte(*sourceOf(seed)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := source(data)
		checkProperties(t, &s)
	})
}

// FuzzEmailDomain looks for an address that gains a domain which is not plainly
// written behind its only @ (attack 15).
func FuzzEmailDomain(f *testing.F) {
	for _, seed := range []string{
		"ann@acme.com", "ANN@ACME.COM", "a@evil.com@acme.com", `"a@b"@acme.com`, "a@evil-acme.com",
		"a@sub.acme.com", "a@\u0430cme.com", "\u212aim@acme.com", "a@acme.com\x00", "@acme.com", "acme.com", "a@",
	} {
		f.Add(seed)
	}
	access := Access{Rules: []Rule{{EmailDomains: []string{"acme.com"}}}}
	f.Fuzz(func(t *testing.T, address string) {
		allowed := access.Decide(&Identity{Email: address, EmailVerified: true}, "").Allow
		plain := len(address) > len("@acme.com")
		for i := range len(address) {
			c := address[i]
			at := i - (len(address) - len("@acme.com"))
			if at >= 0 {
				plain = plain && (c == "@acme.com"[at] || c == "@ACME.COM"[at])
			} else {
				plain = plain && c != '@'
			}
		}
		if allowed != plain {
			t.Errorf("%q: allowed %v, plainly of acme.com %v", address, allowed, plain)
		}
	})
}
