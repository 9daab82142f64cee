package authz

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// Needs is which parts of an identity some accesses can look at. A session that
// keeps these and no more is decided on as the whole identity would be; Trim and
// TrimTight leave out the rest. The zero value needs nothing. A Needs is immutable and may be shared.
type Needs struct {
	anywhere []grant            // asked of any tenant, or of the one that the host stands for
	named    map[string][]grant // asked of tenants that rules name
	fromHost bool

	permissions []string // all that rules mention
	claims      []claim

	digest string
}

// grant is a role and a permission that are asked for together, "" where none is.
// A rule that takes any of several is as many grants.
type grant struct{ role, permission string }

// claim is a custom claim and a value that some rule takes.
type claim struct{ name, value string }

// NewNeeds returns what the accesses need together. Neither their order nor that
// of their rules matters, and nil ones need nothing.
func NewNeeds(accesses ...*Access) *Needs {
	n := &Needs{named: map[string][]grant{}}
	for _, a := range accesses {
		if a == nil || a.Mode != ModeRules {
			continue
		}
		for i := range a.Rules {
			n.take(&a.Rules[i])
		}
	}
	n.settle()
	return n
}

// take adds one rule.
func (n *Needs) take(r *Rule) {
	grants := r.grants()
	for _, g := range grants {
		if g.permission != "" {
			n.permissions = append(n.permissions, g.permission)
		}
	}
	for name, values := range r.Claims {
		for _, value := range values {
			n.claims = append(n.claims, claim{name, value})
		}
	}
	for _, tenant := range r.Tenants {
		n.named[tenant] = append(n.named[tenant], grants...)
	}
	if r.TenantFromHost {
		n.fromHost = true
		n.anywhere = append(n.anywhere, grants...)
	}
	if !r.wantsTenant() && r.wantsGrants() {
		n.anywhere = append(n.anywhere, grants...)
	}
}

// grants lists each role with each permission. A list whose values are all empty
// is satisfied by nothing, and so asks for nothing that one could keep.
func (r *Rule) grants() []grant {
	roles, permissions := asked(r.Roles), asked(r.Permissions)
	grants := make([]grant, 0, len(roles)*len(permissions))
	for _, role := range roles {
		for _, permission := range permissions {
			grants = append(grants, grant{role, permission})
		}
	}
	return grants
}

// asked returns the values of a field, and "" for a field that is not there.
func asked(values []string) []string {
	if values == nil {
		return []string{""}
	}
	return keepOf(values, func(value string) bool { return value != "" })
}

// settle sorts everything, so that equal policies have equal needs.
func (n *Needs) settle() {
	n.anywhere = sorted(n.anywhere, compareGrants)
	for tenant, grants := range n.named {
		n.named[tenant] = sorted(grants, compareGrants)
	}
	n.permissions = sorted(n.permissions, cmp.Compare[string])
	n.claims = sorted(n.claims, compareClaims)
	n.digest = n.sum()
}

func compareGrants(a, b grant) int {
	return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.permission, b.permission))
}

func compareClaims(a, b claim) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
}

func sorted[T comparable](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// Digest identifies the needs: twelve characters of base64url, the same in every
// process and on every start for equal needs. A session keeps the digest of the
// needs that it was trimmed to.
func (n *Needs) Digest() string {
	if n.digest == "" { // the zero value
		return n.sum()
	}
	return n.digest
}

// sum hashes lists with their lengths and strings with theirs: without them two
// policies could run together into the same bytes.
func (n *Needs) sum() string {
	var b []byte
	number := func(i int) { b = binary.AppendUvarint(b, uint64(i)) }
	text := func(s string) { number(len(s)); b = append(b, s...) }
	grants := func(list []grant) {
		number(len(list))
		for _, g := range list {
			text(g.role)
			text(g.permission)
		}
	}
	if n.fromHost {
		number(1)
	} else {
		number(0)
	}
	grants(n.anywhere)
	number(len(n.named))
	for _, tenant := range n.tenants() {
		text(tenant)
		grants(n.named[tenant])
	}
	number(len(n.permissions))
	for _, s := range n.permissions {
		text(s)
	}
	number(len(n.claims))
	for _, c := range n.claims {
		text(c.name)
		text(c.value)
	}
	hash := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(hash[:9])
}

// tenants are those that rules name, sorted.
func (n *Needs) tenants() []string {
	tenants := make([]string, 0, len(n.named))
	for tenant := range n.named {
		tenants = append(tenants, tenant)
	}
	slices.Sort(tenants)
	return tenants
}

// Covers reports whether a session that was trimmed to n holds all that the other
// needs decide by. Where it does not, the session has to be refreshed. It may say
// no where a closer look would say yes, never the other way round.
func (n *Needs) Covers(other *Needs) bool {
	if n.Digest() == other.Digest() {
		return true
	}
	if !subset(other.permissions, n.permissions, cmp.Compare[string]) ||
		!subset(other.claims, n.claims, compareClaims) {
		return false
	}
	for _, g := range other.anywhere {
		if !implied(n.anywhere, g) {
			return false
		}
	}
	for tenant, grants := range other.named {
		for _, g := range grants {
			if !implied(n.anywhere, g) && !implied(n.named[tenant], g) {
				return false
			}
		}
	}
	return true
}

// CoversClaims is Covers for a session of which no more than custom claims was left
// out. A nil n needs nothing.
func (n *Needs) CoversClaims(other *Needs) bool {
	return len(other.claims) == 0 || n != nil && subset(other.claims, n.claims, compareClaims)
}

// implied reports whether a tenant that satisfies g satisfies one of the sorted
// grants, all of which keep the tenant in the session.
func implied(grants []grant, g grant) bool {
	for _, wider := range [...]grant{{}, {role: g.role}, {permission: g.permission}, g} {
		if _, ok := slices.BinarySearchFunc(grants, wider, compareGrants); ok {
			return true
		}
	}
	return false
}

// subset reports whether the sorted list holds all of part.
func subset[T any](part, list []T, compare func(a, b T) int) bool {
	for _, item := range part {
		if _, ok := slices.BinarySearchFunc(list, item, compare); !ok {
			return false
		}
	}
	return true
}
