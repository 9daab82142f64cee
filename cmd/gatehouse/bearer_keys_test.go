package main

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

func TestBearersWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	provider.Fail(descopetest.Discovery, descopetest.Status(503))
	h := newHouseAt(t, build{routes: bearerRoutes}, provider)
	get := func(token string) reply {
		return h.browser().do("GET", "/gradio/user/", "", "Authorization", token)
	}
	away := func(what string, res reply) {
		t.Helper()
		if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %s %q", what, res.Status, res.Header)
		}
	}
	good := h.accessToken("bob", nil)
	away("before its keys were read", get(good))
	if res := get("Bearer abc"); res.StatusCode != 401 {
		t.Errorf("what no key could make good: %s", res.Status)
	}
	provider.Recover()
	h.await("discovery", h.instance.provider().Ready)
	if res := get(good); res.StatusCode != 200 {
		t.Fatalf("when it is there: %s", res.Status)
	}
	provider.Fail(descopetest.Keys, descopetest.Status(500))
	provider.Fail(descopetest.Discovery, descopetest.Status(500))
	if res := get(good); res.StatusCode != 200 {
		t.Errorf("a known token: %s", res.Status)
	}
	if res := get(h.accessToken("carol", nil)); res.StatusCode != 200 {
		t.Errorf("a new token of a known key: %s", res.Status)
	}
	if err := provider.RotateKeys(false); err != nil {
		t.Fatal(err)
	}
	away("a token of a key that it would have to be asked for", get(h.accessToken("carol", nil)))
	if res := h.browser().open("/gradio/user/"); res.StatusCode != 302 {
		t.Errorf("people: %s", res.Status)
	}
}

func TestRotatedKeysAreTakenAtOnceAndStormsAreNot(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	get := func(token string) int {
		return h.browser().do("GET", "/gradio/user/", "", "Authorization", token).StatusCode
	}
	if code := get(h.accessToken("bob", nil)); code != 200 {
		t.Fatal(code)
	}
	if err := h.Provider.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	if code := get(h.accessToken("bob", nil)); code != 200 {
		t.Errorf("the first token of a new key: %d", code)
	}
	other, err := descopetest.New(descopetest.Options{Issuer: h.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	h.Provider.ResetRecord()
	begun := time.Now()
	for i := range 30 {
		token, err := other.SignJWT(map[string]any{
			"iss": h.Issuer, "aud": h.Provider.ProjectID(), "sub": "U2ada", "iat": begun.Unix(), "exp": begun.Add(time.Minute).Unix(),
		}, map[string]any{"kid": fmt.Sprintf("SKnone%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if code := get("Bearer " + token); code != 401 {
			t.Errorf("a forged token: %d", code)
		}
	}
	most := 3 * (1 + int(time.Since(begun)/(10*time.Second)))
	if n := h.Provider.Requests()[descopetest.Keys]; n > most || n == 0 {
		t.Errorf("30 unknown kids had the keys read %d times, want %d at most", n, most)
	}
}
