package descopetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatehouse/authn/descopetest"
)

func page(t *testing.T, p *party, url string) (*http.Response, string) {
	t.Helper()
	res, err := p.http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestTheSignInPageHasAButtonAPerson(t *testing.T) {
	people := descopetest.People()
	people[2].Name = `Carol <script>alert(1)</script>`
	p := meet(t, descopetest.Options{People: people})
	authURL := func(extra ...oauth2.AuthCodeOption) string {
		return p.oauth.AuthCodeURL("s", append(extra, oidc.Nonce("n"), oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))...)
	}
	res, body := page(t, p, authURL(oauth2.SetAuthURLParam("login_hint", "BOB@acme.example")))
	for _, want := range []string{
		"Stand-in for Descope", `data-person="ada"`, `id="person-oscar"`, ">Sign in as Ada<", ">Sign in as Oscar<",
		"Tenant Admin of Acme", "Member of Acme", "No tenant", "Tenant Admin of Globex, by SSO", `id="cancel"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") {
		t.Error("a name became a script")
	}
	if strings.Index(body, `id="person-bob"`) > strings.Index(body, `id="person-ada"`) {
		t.Error("the hint's person does not come first")
	}
	policy := res.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if _, body = page(t, p, authURL(oauth2.SetAuthURLParam("tenant", "T2globex"))); !strings.Contains(body, "Globex single sign-on") ||
		!strings.Contains(body, ">Continue as Oscar<") || strings.Contains(body, "person-ada") {
		t.Errorf("a tenant's own sign-in: %s", body)
	}
	res, body = page(t, p, "http://"+p.server.Addr+"/"+p.ProjectID()+"/sign-in?id=unknown")
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "This sign-in is over") {
		t.Errorf("an unknown sign-in: %s", res.Status)
	}
	if res, _ = page(t, p, "http://"+p.server.Addr+"/nowhere"); res.StatusCode != http.StatusNotFound {
		t.Errorf("nowhere: %s", res.Status)
	}
}
