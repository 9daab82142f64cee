package descopetest

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
)

const (
	scopeClaims = "descope.claims"
	scopeCustom = "descope.custom_claims"
)

// scopes are those that Descope's discovery document lists. Nothing writes it.
var scopes = []string{"openid", "profile", "email", "phone", "offline_access", scopeClaims, scopeCustom}

// personClaims are what a token or userinfo says about who it is for. The lock
// is held.
func (p *Provider) personClaims(g *grant, asked []string) map[string]any {
	claims := map[string]any{"sub": g.subject}
	person := p.people[g.personID]
	if person == nil {
		return claims
	}
	if slices.Contains(asked, "profile") && person.Name != "" {
		claims["name"] = person.Name
	}
	if slices.Contains(asked, "email") && person.Email != "" {
		claims["email"] = person.Email
		claims["email_verified"] = !person.EmailUnverified
	}
	if slices.Contains(asked, scopeClaims) && !p.opts.ClaimsUnsupported {
		p.tenantClaims(claims, g, person)
	}
	if slices.Contains(asked, scopeCustom) {
		maps.Copy(claims, person.Custom)
	}
	override(claims, person.Override)
	return claims
}

// tenantClaims writes roles in the person's shape.
func (p *Provider) tenantClaims(claims map[string]any, g *grant, person *Person) {
	root := person.Project
	if g.tenant != "" {
		claims["dct"] = g.tenant
	}
	if person.Shape == ShapeCurrentTenant {
		root = person.Tenants[g.tenant]
	} else if len(person.Tenants) > 0 {
		claims["tenants"] = maps.Clone(person.Tenants)
	}
	claims["roles"] = list(root.Roles)
	claims["permissions"] = list(root.Permissions)
}

// list is an empty array where there is nothing, as Descope writes it.
func list(values []string) []string {
	if values == nil {
		return []string{}
	}
	return slices.Clone(values)
}

func override(claims, over map[string]any) {
	for name, value := range over {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
}

// idToken gives the claims of an ID token. The lock is held.
func (p *Provider) idToken(issuer string, ex *exchange) map[string]any {
	now := p.now()
	claims := p.personClaims(ex.grant, ex.scopes)
	protocol := map[string]any{
		"iss": issuer, "aud": p.audience(ex.grant.clientID),
		"iat": now.Unix(), "exp": now.Add(p.ttl).Unix(),
		"amr": ex.grant.amr, "auth_time": ex.grant.authTime.Unix(),
	}
	if ex.nonce != "" {
		protocol["nonce"] = ex.nonce
	}
	if !p.opts.OmitSID {
		protocol["sid"] = ex.grant.sid
	}
	return under(claims, protocol)
}

// under puts the protocol's claims below those of the person, so that
// [Person.Override] reaches them too.
func under(claims, protocol map[string]any) map[string]any {
	maps.Copy(protocol, claims)
	return protocol
}

// accessClaims gives the claims of an access token, a JWT as Descope's are. It
// has no nonce, and names the resources that were asked for (RFC 8707), which
// is how a token becomes one for an MCP server. The lock is held.
func (p *Provider) accessClaims(issuer string, ex *exchange) map[string]any {
	now := p.now()
	protocol := map[string]any{
		"iss": issuer, "iat": now.Unix(), "exp": now.Add(p.ttl).Unix(), "jti": rand.Text(),
		"scope": strings.Join(ex.scopes, " "),
	}
	if ex.key != nil {
		protocol["aud"] = p.audience(p.opts.ClientID)
		return under(keyClaims(ex.key), protocol)
	}
	protocol["aud"] = append(p.audience(ex.grant.clientID), ex.grant.resources...)
	protocol["amr"] = ex.grant.amr
	return under(p.personClaims(ex.grant, ex.scopes), protocol)
}

// audience holds the client, and for a named app of the project the project too.
func (p *Provider) audience(clientID string) []string {
	if clientID == p.opts.ClientID && clientID != p.opts.ProjectID {
		return []string{clientID, p.opts.ProjectID}
	}
	return []string{clientID}
}
