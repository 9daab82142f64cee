package authz

import (
	"encoding/binary"
	"slices"
	"strings"
)

// The reference is the contract read aloud: slow, without early ends, and written
// apart from the evaluator that it is held against.

func referenceDecide(a Access, id *Identity, host string) Decision {
	for i, r := range a.Rules {
		if tenants, ok := referenceHolds(r, id, host, a.UnverifiedEmail); ok {
			return Decision{Allow: true, Reason: ReasonRule, Rule: i, Tenant: referenceNamed(tenants, id)}
		}
	}
	return Decision{Reason: ReasonNoRule, Rule: NoRule}
}

func referenceNamed(tenants []string, id *Identity) string {
	switch {
	case slices.Contains(tenants, id.CurrentTenant):
		return id.CurrentTenant
	case len(tenants) == 1:
		return tenants[0]
	}
	return ""
}

// referenceHolds returns the tenants in which the rule holds.
func referenceHolds(r Rule, id *Identity, host string, unverified bool) (tenants []string, holds bool) {
	any := func(want, have []string) bool {
		return want == nil || slices.ContainsFunc(want, func(s string) bool { return s != "" && slices.Contains(have, s) })
	}
	enough := func(g Grants) bool { return any(r.Roles, g.Roles) && any(r.Permissions, g.Permissions) }

	tenant := r.Tenants != nil || r.TenantFromHost
	grants := r.Roles != nil || r.Permissions != nil
	if !tenant && !grants && r.Emails == nil && r.EmailDomains == nil && r.Subjects == nil && r.AMR == nil && r.Claims == nil {
		return nil, false
	}
	if tenant || grants {
		for t, g := range id.Tenants {
			named := !tenant || slices.Contains(r.Tenants, t) || r.TenantFromHost && t == host
			if t != "" && named && enough(g) {
				tenants = append(tenants, t)
			}
		}
		if len(tenants) == 0 && (tenant || !enough(id.Project)) {
			return nil, false
		}
	}

	address := strings.ToLower(id.Email) // the generator knows ASCII only
	parts := strings.Split(address, "@")
	usable := len(parts) == 2 && parts[0] != "" && parts[1] != "" && (id.EmailVerified || unverified)
	if r.Emails != nil && !(usable && slices.Contains(r.Emails, address)) ||
		r.EmailDomains != nil && !(usable && slices.Contains(r.EmailDomains, parts[len(parts)-1])) {
		return nil, false
	}
	if !any(r.Subjects, []string{id.Subject}) || !any(r.AMR, id.AMR) {
		return nil, false
	}
	if r.Claims != nil && len(r.Claims) == 0 {
		return nil, false
	}
	for name, values := range r.Claims {
		if values == nil || !any(values, id.Claims[name]) {
			return nil, false
		}
	}
	return tenants, true
}

// source turns bytes into policies and people. Its vocabulary is small, so that
// they meet often. When the bytes are used up everything is nothing.
type source []byte

func sourceOf(seed uint64) *source {
	var s source
	for range 60 { // splitmix64: well spread, and the same everywhere
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		s = binary.LittleEndian.AppendUint64(s, z^z>>31)
	}
	return &s
}

func (s *source) below(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % n
}

func (s *source) list(words ...string) []string {
	var list []string
	for range s.below(3) {
		list = append(list, words[s.below(len(words))])
	}
	return list
}

// sometimes is a list in one of n cases.
func (s *source) sometimes(n int, words ...string) []string {
	if s.below(n) != 0 {
		return nil
	}
	return s.list(words...)
}

func (s *source) grants() Grants {
	return Grants{Roles: s.list("r1", "r2", "r3", ""), Permissions: s.list("p1", "p2", "p3")}
}

func (s *source) identity() *Identity {
	id := &Identity{
		Subject: "U" + string(rune('0'+s.below(3))), Project: s.grants(), AMR: s.list("fed", "mfa"),
		Email:         []string{"", "a@x.com", "A@X.com", "a@b@x.com", "b@y.com", "@x.com"}[s.below(6)],
		EmailVerified: s.below(2) == 0, CurrentTenant: []string{"", "t1", "t2", "t9"}[s.below(4)],
		Tenants: map[string]Grants{}, Claims: map[string][]string{},
	}
	for _, t := range []string{"t1", "t2", "t3", "t4", "t5"}[:s.below(6)] {
		if s.below(3) != 0 {
			id.Tenants[t] = s.grants()
		}
	}
	for _, c := range []string{"a", "a.b"} {
		id.Claims[c] = s.list("1", "2", "3")
	}
	return id
}

func (s *source) rule() Rule {
	r := Rule{
		Tenants: s.sometimes(3, "t1", "t2", "t3", "t9", ""), TenantFromHost: s.below(5) == 0,
		Roles: s.sometimes(2, "r1", "r2", "r3"), Permissions: s.sometimes(3, "p1", "p2", "p3"),
		Emails: s.sometimes(9, "a@x.com", "b@y.com", "a@b@x.com"), EmailDomains: s.sometimes(9, "x.com", "com", "b@x.com"),
		Subjects: s.sometimes(9, "U0", "U1"), AMR: s.sometimes(9, "fed", "mfa"),
	}
	if s.below(6) == 0 {
		r.Claims = map[string][]string{"a": s.list("1", "2")}
		if s.below(2) == 0 {
			r.Claims["a.b"] = s.list("3")
		}
	}
	return r
}

func (s *source) access() *Access {
	a := &Access{UnverifiedEmail: s.below(2) == 0}
	for range s.below(4) {
		a.Rules = append(a.Rules, s.rule())
	}
	return a
}

func (s *source) host() string { return []string{"", "t1", "t3", "t9"}[s.below(4)] }
