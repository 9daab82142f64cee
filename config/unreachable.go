package config

import (
	"maps"
	"slices"
	"strings"
)

// neverHolds tells of rules that hold for nobody.
func (w *warner) neverHolds(i int) {
	for j, rule := range w.config.Routes[i].Allow.Rules {
		at := childIndex(childIndex("routes", i)+".allow", j)
		for _, name := range slices.Sorted(maps.Keys(rule.Claims)) {
			if instead, ok := reservedClaims()[name]; ok {
				w.warn(at+".claims."+name, "can never hold: "+name+" is not among the claims that a rule can ask by name; "+instead)
			}
		}
		if len(rule.Emails) > 0 && len(rule.EmailDomains) > 0 && !slices.ContainsFunc(rule.Emails, rule.inDomains) {
			w.warn(at+".emails", "can never hold: none of the addresses is in one of email_domains, and both have to hold; make them two rules if either will do")
		}
		for _, tenant := range rule.Tenant {
			if id, ok := w.config.Tenants[tenant]; ok && !slices.Contains(slices.Collect(maps.Values(w.config.Tenants)), tenant) {
				w.warn(at+".tenant", "names "+tenant+", which is an alias for hosts; a rule wants the tenant's ID, "+id)
			}
		}
	}
}

// reservedClaims are those that mean something of their own, with what to write
// in their place.
func reservedClaims() map[string]string {
	claims := map[string]string{
		"sub": "use subjects", "dsub": "use subjects", "amr": "use amr", "email": "use emails or email_domains",
		"roles": "use roles", "permissions": "use permissions", "tenants": "use tenant", "dct": "use tenant",
		"email_verified": "rules take verified addresses only", "name": "names are for show", "picture": "pictures are for show",
	}
	for _, name := range []string{
		"iss", "aud", "exp", "iat", "nbf", "jti", "rexp", "drn", "nonce", "at_hash", "c_hash", "s_hash",
		"auth_time", "sid", "azp", "cnf", "act",
	} {
		claims[name] = "it is about the token and not about the person"
	}
	return claims
}

// inDomains reports whether an address is in one of the rule's email_domains.
func (r *Rule) inDomains(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.ContainsFunc(r.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// shadowedHosts tells of wildcard routes that some host under them does not have:
// an exact host has only the routes that name it.
func (w *warner) shadowedHosts() {
	exact := map[string]bool{strings.ToLower(w.config.PublicURL.Hostname()): true}
	for i := range w.config.Routes {
		if r := &w.config.Routes[i]; r.Host != "" {
			if _, wildcard := r.IsWildcard(); !wildcard {
				exact[r.Host] = true
			}
		}
	}
	for i := range w.config.Routes {
		suffix, wildcard := w.config.Routes[i].IsWildcard()
		if !wildcard {
			continue
		}
		for _, host := range slices.Sorted(maps.Keys(exact)) {
			if label, rest, _ := strings.Cut(host, "."); rest == suffix && label != "" && !w.covered(host, w.config.Routes[i].Path) {
				w.warn(childIndex("routes", i)+".host", "does not count on "+host+", which has routes of its own: what they do not take is answered 404 there")
				break
			}
		}
	}
}

// covered reports whether the routes of an exact host take all that a wildcard
// route at that path would.
func (w *warner) covered(host, path string) bool {
	for _, r := range w.config.Routes {
		own := r.Host
		if own == "" {
			own = strings.ToLower(w.config.PublicURL.Hostname())
		}
		if own == host && (r.Path == path || isAbove(r.Path, path)) {
			return true
		}
	}
	return false
}
