// Package descope holds what only Descope does: how its tokens spell tenants
// and roles, under which issuers one project's tokens come, and how its token
// endpoint says no.
//
// It verifies nothing. A caller hands claims to [ParseClaims] only after the
// signature, issuer, audience and times of the token that carried them were
// checked, or after a TLS connection to the userinfo endpoint vouched for them.
package descope
