package descope

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	usProject = "P2abcdefghijklmnopqrstuvwxyz"
	euProject = "Peuc12abcdefghijklmnopqrstuvwxyz"
)

func TestAProjectIsFoundByItsID(t *testing.T) {
	for _, tc := range []struct{ id, issuer string }{
		{usProject, "https://api.descope.com/" + usProject},
		{euProject, "https://api.euc1.descope.com/" + euProject},
		{"", ""}, {"P2", ""}, {usProject + "x", ""}, {"p" + usProject[1:], ""},
		{"P/../" + usProject[5:], ""}, {"Pa.b/" + euProject[5:], ""}, {"P2abcdefghijklmnopqrstuvwxyé", ""},
	} {
		project, err := NewProject(tc.id)
		if tc.issuer == "" {
			if err == nil {
				t.Errorf("%q was taken for a project: %v", tc.id, project)
			}
			continue
		}
		if err != nil || project.Issuer() != tc.issuer {
			t.Errorf("%q: got %v, %v", tc.id, project, err)
		}
	}
	project, _ := NewProject(usProject)
	if got := project.KeysURL(); got != "https://api.descope.com/"+usProject+"/.well-known/jwks.json" {
		t.Errorf("keys at %s", got)
	}
	if got := project.AccessKeyURL(); got != "https://api.descope.com/v1/auth/accesskey/exchange" {
		t.Errorf("access keys at %s", got)
	}
}

func TestAProjectIsRecognisedBehindItsIssuers(t *testing.T) {
	for _, tc := range []struct{ issuer, origin string }{
		{"https://api.descope.com/P2x", "https://api.descope.com"},
		{"https://auth.acme.example/P2x/", "https://auth.acme.example"},
		{"http://127.0.0.1:4000/P2x", "http://127.0.0.1:4000"},
		{"https://api.descope.com/P2x/app1", "https://api.descope.com"},
		{"https://api.descope.com/v1/apps/P2x", "https://api.descope.com"},
		{"https://api.descope.com/v1/apps/agentic/P2x/M2", "https://api.descope.com"},
		{"https://api.descope.com/P2y", ""},
		{"https://api.descope.com/P2x/a/b", ""},
		{"https://api.descope.com/v1/apps/P2x/a", ""},
		{"https://api.descope.com/p2x", ""},
		{"https://accounts.example", ""}, {"P2x", ""}, {"ftp://api.descope.com/P2x", ""}, {"://", ""}, {"", ""},
	} {
		project, ok := ProjectOf(tc.issuer, "P2x")
		if ok != (tc.origin != "") || project.Origin != tc.origin {
			t.Errorf("%s: got %v, %v", tc.issuer, project, ok)
		}
	}
	if _, ok := ProjectOf("https://api.descope.com/", ""); ok {
		t.Error("no ID is some project's")
	}
}

func TestWhoseBearersAreTaken(t *testing.T) {
	for _, tc := range []struct {
		name, issuer string
		more         []string
		session      bool
		want         []string
	}{
		{"the default app and the inbound apps of a project", "https://api.descope.com/P2x", nil, false,
			[]string{"https://api.descope.com/P2x", "https://api.descope.com/v1/apps/P2x"}},
		{"an MCP server, and what its tokens say instead", "https://api.descope.com/v1/apps/agentic/P2x/M2", nil, false,
			[]string{"https://api.descope.com/v1/apps/agentic/P2x/M2", "https://api.descope.com/P2x", "https://api.descope.com/v1/apps/P2x"}},
		{"the bare project ID with session tokens", "https://api.descope.com/P2x", nil, true,
			[]string{"https://api.descope.com/P2x", "https://api.descope.com/v1/apps/P2x", "P2x"}},
		{"what the operator adds, once", "https://api.descope.com/P2x", []string{"https://auth.acme.example/P2x", "https://api.descope.com/P2x"}, false,
			[]string{"https://api.descope.com/P2x", "https://api.descope.com/v1/apps/P2x", "https://auth.acme.example/P2x"}},
		{"another provider's issuer alone", "https://accounts.example", nil, false, []string{"https://accounts.example"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, BearerIssuers(tc.issuer, "P2x", tc.more, tc.session)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
