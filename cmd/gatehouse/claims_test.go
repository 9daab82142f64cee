package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
)

// check warns of claims that no rule can ask by name. What those are is for
// whoever parses claims to say, who lives where config may not look.
func TestClaimsThatCheckWarnsOfAreThoseThatAreNeverThere(t *testing.T) {
	for _, name := range []string{
		"iss", "sub", "dsub", "aud", "exp", "iat", "nbf", "jti", "rexp", "drn", "nonce", "at_hash", "c_hash", "s_hash", "auth_time",
		"sid", "azp", "cnf", "act", "tenants", "roles", "permissions", "dct", "amr", "email", "email_verified", "name", "picture",
		"department", "Email", "groups", "org.unit", "scope", "tenant",
	} {
		raw, err := json.Marshal(map[string]any{"sub": "U1", name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		id, err := claimsIdentity(raw)
		if err != nil {
			t.Fatal(err)
		}
		_, there := id.Claims[name]
		c, err := config.Parse("g.yaml", []byte(`public_url: https://a.example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}"}
session: {secret: "${S}"}
routes: [{upstream: http://a, allow: [{claims: {`+name+`: x}}]}]
`), []string{"C=c", "S=" + newSecret()})
		if err != nil {
			t.Fatal(err)
		}
		warned := slices.ContainsFunc(c.Warnings(), func(p config.Problem) bool { return strings.Contains(p.Message, "can never hold") })
		if warned == there {
			t.Errorf("%s: warned of %v, and a rule can ask for it %v", name, warned, there)
		}
	}
}
