package authz

import "strings"

// checkEmail evaluates emails and email_domains.
func (r *Rule) checkEmail(id *Identity, unverified bool) fields {
	if r.Emails == nil && r.EmailDomains == nil {
		return 0
	}
	domain, ok := emailDomain(id.Email)
	ok = ok && (id.EmailVerified || unverified)
	var failed fields
	if r.Emails != nil && !(ok && containsFold(r.Emails, id.Email)) {
		failed |= fieldEmails
	}
	if r.EmailDomains != nil && !(ok && containsFold(r.EmailDomains, domain)) {
		failed |= fieldEmailDomains
	}
	return failed
}

// emailDomain returns what stands behind the only @ of an address. With two of
// them, mail systems differ over which one counts (CVE-2026-40574), so such an
// address has no domain.
func emailDomain(address string) (string, bool) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") {
		return "", false
	}
	return domain, true
}

func containsFold(list []string, s string) bool {
	for _, item := range list {
		if equalFoldASCII(item, s) {
			return true
		}
	}
	return false
}

// equalFoldASCII ignores the case of A to Z and nothing else. strings.EqualFold
// would take the Kelvin sign for a k and the long s for an s, and so one
// person's address for another's.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
