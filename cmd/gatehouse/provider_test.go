package main

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
)

// Keycloak makes of offline_access a session apart from the person's, which its
// admins' sign-out and its back-channel logout do not reach.
func TestWhetherSignInAsksForOfflineAccess(t *testing.T) {
	for _, tc := range []struct {
		name, session, descope string
		want                   []string
	}{
		{"by default, to keep roles fresh", "", "", []string{"openid", "offline_access"}},
		{"not without refresh", "refresh: false", "", []string{"openid"}},
		{"not of a provider that refreshes without it", "", "offline_access: false", []string{"openid"}},
		{"once, where the operator wrote it", "", "scopes: [openid, offline_access]", []string{"openid", "offline_access"}},
		{"where the operator wrote it, whatever else is said", "", "scopes: [offline_access, openid], offline_access: false", []string{"offline_access", "openid"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			descope := tc.descope
			if !strings.Contains(descope, "[") {
				descope = "scopes: [openid], " + descope
			}
			document := "public_url: http://localhost:8000\n" +
				"descope: {issuer: https://idp.example/realms/acme, client_id: c, client_secret: \"${SECRET}\", " + descope + "}\n" +
				"session: {secret: \"${SECRET}\", " + tc.session + "}\n"
			c, err := config.Parse("gatehouse.yaml", []byte(document), []string{"SECRET=at-least-thirty-two-bytes-of-secret"})
			if err != nil {
				t.Fatal(err)
			}
			if got := scopes(c); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
