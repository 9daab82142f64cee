package descopetest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"gatehouse/authn/descopetest"
)

func TestAProviderServedByOthersIsWhereItIsAsked(t *testing.T) {
	provider, err := descopetest.New(descopetest.Options{Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	server := httptest.NewTLSServer(provider)
	defer server.Close()
	ctx := oidc.ClientContext(t.Context(), server.Client())
	issuer := server.URL + "/" + provider.ProjectID()
	found, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(found.Endpoint().TokenURL, server.URL+"/oauth2/v1/") {
		t.Errorf("endpoints %v", found.Endpoint())
	}
}

func TestOptionsThatMakeNoProvider(t *testing.T) {
	for name, people := range map[string][]descopetest.Person{
		"an ID twice": {{ID: "ada"}, {ID: "ada"}},
		"no ID":       {{Name: "Ada"}},
	} {
		if _, err := descopetest.New(descopetest.Options{People: people, Key: testKey()}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	provider, err := descopetest.New(descopetest.Options{Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Start("256.0.0.1:0"); err == nil {
		t.Error("it listens nowhere")
	}
}

func TestWhatComesIsCountedAndForgotten(t *testing.T) {
	p := meet(t, descopetest.Options{})
	res, err := http.Get(p.server.Issuer + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := p.Requests(); got[descopetest.Keys] != 1 || got[descopetest.Discovery] != 1 {
		t.Errorf("counted %v", got)
	}
	for range 1100 {
		recorder := httptest.NewRecorder()
		p.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/nowhere", nil))
	}
	if got := len(p.Recorded(descopetest.Other)); got == 0 || got > 1000 || p.Requests()[descopetest.Other] != 1100 {
		t.Errorf("kept %d of %d", got, p.Requests()[descopetest.Other])
	}
	p.ResetRecord()
	if got := p.Requests(); len(got) != 0 {
		t.Errorf("counted %v after the reset", got)
	}
}
