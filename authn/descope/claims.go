package descope

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gatehouse/authz"
)

const (
	// maxClaims bounds a claims set, in bytes. A person of a thousand tenants
	// with ten roles each stays well below it.
	maxClaims = 1 << 20
	// maxSubject is what OpenID Connect Core 1.0 section 2 allows a sub to be.
	maxSubject = 255
)

// protocolClaims say something about the token or the sign-in, or have a field
// of their own in [authz.Identity]. Rules cannot ask for them by name.
func protocolClaim(name string) bool {
	switch name {
	case "iss", "sub", "dsub", "aud", "exp", "iat", "nbf", "jti", "rexp", "drn",
		"nonce", "at_hash", "c_hash", "s_hash", "auth_time", "sid", "azp", "cnf", "act",
		"tenants", "roles", "permissions", "dct", "amr",
		"email", "email_verified", "name", "picture":
		return true
	}
	return false
}

// ParseClaims turns the claims of an ID token, a userinfo answer or a session
// JWT into an identity. It reads the three shapes that Descope writes:
//
//  1. a `tenants` object: roles by tenant, and project-level ones at the root;
//  2. no `tenants`, but `dct`: the roles at the root are those of that tenant;
//  3. neither: the roles at the root are project level.
//
// Roles at the root count for a tenant only if dct names it and `tenants` is
// absent, as in Descope's Go SDK; JSON null is absent. A `tenants` claim that
// is there but no object counts as no tenants at all, and does not turn roles
// at the root into a tenant's. Whatever has the wrong type grants nothing: a
// tenant whose entry is no object is dropped (null and {} make a member without
// roles), and of a list of roles only its strings count.
//
// Names are matched exactly and the tenants' IDs keep their case. Every other
// claim of the root stands in Claims: scalars as text, numbers as they were
// written, arrays element by element; objects are left out, and so is an array
// or a claim that holds nothing.
//
// It fails when raw is over 1 MiB or no JSON object, when a name stands twice
// at the root (RFC 7519 section 4: the reader of an ambiguous token must not
// choose), and when there is no usable subject: `sub`, or `dsub` where `sub` is
// absent. Errors name claims, never their values.
func ParseClaims(raw []byte) (*authz.Identity, error) {
	if len(raw) > maxClaims {
		return nil, fmt.Errorf("claims are over %d bytes", maxClaims)
	}
	claims, err := DecodeObject(raw)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	id := &authz.Identity{
		Email:         stringOf(claims["email"]),
		EmailVerified: truth(claims["email_verified"]),
		Name:          stringOf(claims["name"]),
		CurrentTenant: stringOf(claims["dct"]),
		AMR:           methods(claims["amr"]),
		Claims:        customClaims(claims),
	}
	if id.Subject, err = subject(claims); err != nil {
		return nil, err
	}
	if id.Issuer, err = issuerClaim(claims); err != nil {
		return nil, err
	}
	grant(id, claims)
	return id, nil
}

// subject is sub, or dsub for tokens whose template moved it there.
func subject(claims map[string]json.RawMessage) (string, error) {
	name := "sub"
	if absent(claims[name]) {
		name = "dsub"
	}
	var sub string
	switch raw := claims[name]; {
	case absent(raw):
		return "", errors.New("claims hold no sub")
	case json.Unmarshal(raw, &sub) != nil:
		return "", fmt.Errorf("claim %s is no string", name)
	case sub == "":
		return "", fmt.Errorf("claim %s is empty", name)
	case len(sub) > maxSubject:
		return "", fmt.Errorf("claim %s is over %d bytes", name, maxSubject)
	}
	return sub, nil
}

// issuerClaim is empty for userinfo answers, which need no iss.
func issuerClaim(claims map[string]json.RawMessage) (string, error) {
	var iss string
	if raw := claims["iss"]; !absent(raw) && json.Unmarshal(raw, &iss) != nil {
		return "", errors.New("claim iss is no string")
	}
	return iss, nil
}

// grant fills Tenants and Project by the rule that [ParseClaims] tells.
func grant(id *authz.Identity, claims map[string]json.RawMessage) {
	root := grantsOf(claims)
	if raw := claims["tenants"]; !absent(raw) {
		id.Project = root
		id.Tenants = tenantsOf(raw)
		return
	}
	if id.CurrentTenant == "" {
		id.Project = root
		return
	}
	id.Tenants = map[string]authz.Grants{id.CurrentTenant: root}
}

// tenantsOf reads a tenants claim; nil when it is no object.
func tenantsOf(raw json.RawMessage) map[string]authz.Grants {
	entries, err := DecodeObject(raw)
	if err != nil {
		return nil
	}
	var tenants map[string]authz.Grants
	for id, entry := range entries {
		var grants authz.Grants
		if !absent(entry) {
			fields, err := DecodeObject(entry)
			if err != nil {
				continue
			}
			grants = grantsOf(fields)
		}
		if id == "" {
			continue
		}
		if tenants == nil {
			tenants = make(map[string]authz.Grants, len(entries))
		}
		tenants[id] = grants
	}
	return tenants
}

func grantsOf(fields map[string]json.RawMessage) authz.Grants {
	return authz.Grants{
		Roles:       stringsOf(fields["roles"]),
		Permissions: stringsOf(fields["permissions"]),
	}
}

// methods reads amr, which RFC 8176 makes an array and some templates a string.
func methods(raw json.RawMessage) []string {
	if one := stringOf(raw); one != "" {
		return []string{one}
	}
	return stringsOf(raw)
}

// truth accepts the string too: providers behind SSO often send it quoted.
func truth(raw json.RawMessage) bool {
	var b bool
	if json.Unmarshal(raw, &b) == nil {
		return b
	}
	return stringOf(raw) == "true"
}

func customClaims(claims map[string]json.RawMessage) map[string][]string {
	var custom map[string][]string
	for name, raw := range claims {
		if protocolClaim(name) {
			continue
		}
		values := flatten(raw)
		if len(values) == 0 {
			continue
		}
		if custom == nil {
			custom = make(map[string][]string)
		}
		custom[name] = slices.Clip(values)
	}
	return custom
}
