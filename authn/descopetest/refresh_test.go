package descopetest_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/authn/descope"
	"gatehouse/authn/descopetest"
)

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func ended(err error) bool {
	return err != nil && descope.ClassifyTokenError(err).Kind == descope.InvalidGrant
}

func TestWithoutRotationTheFirstRefreshTokenStays(t *testing.T) {
	p := meet(t, descopetest.Options{})
	first, _ := p.mustSignIn(t, "ada")
	for range 3 {
		next, err := p.renew(first.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if next.Extra("refresh_token") != nil {
			t.Error("the answer repeats the refresh token")
		}
		if claims, err := p.claims(next); err != nil || claims["nonce"] != nil || claims["sub"] != "U2ada" {
			t.Errorf("refreshed: %v, %v", claims, err)
		}
	}
	if got := p.Requests(); got[descopetest.Refresh] != 3 || got[descopetest.Token] != 4 {
		t.Errorf("counted %v", got)
	}
}

func TestWithRotationEveryRefreshTokenIsForOneUse(t *testing.T) {
	clock := newClock()
	p := meet(t, descopetest.Options{RotateRefresh: true, ReuseInterval: 10 * time.Second, Now: clock.Now})
	first, _ := p.mustSignIn(t, "ada")
	second, err := p.renew(first.RefreshToken)
	if err != nil || second.RefreshToken == first.RefreshToken {
		t.Fatalf("no new refresh token: %v", err)
	}
	if _, err := p.renew(first.RefreshToken); err != nil {
		t.Errorf("asked again within the interval: %v", err)
	}
	clock.forward(10 * time.Second)
	if _, err := p.renew(first.RefreshToken); !ended(err) {
		t.Errorf("asked again later: %v", err)
	}
	if p.Reuses() != 1 {
		t.Errorf("%d reuses", p.Reuses())
	}
	if _, err := p.renew(second.RefreshToken); err != nil {
		t.Errorf("the newest token: %v", err)
	}
}

func TestALostAnswerHasDoneItsWork(t *testing.T) {
	p := meet(t, descopetest.Options{RotateRefresh: true})
	first, _ := p.mustSignIn(t, "ada")
	p.Fail(descopetest.Refresh, descopetest.ResetConnection().AnswerLost().Once())
	if _, err := p.renew(first.RefreshToken); err == nil {
		t.Fatal("the answer came through")
	}
	if _, err := p.renew(first.RefreshToken); !ended(err) {
		t.Errorf("the token was not rotated: %v", err)
	}
}

func TestAChangedRoleShowsInTheNextTokens(t *testing.T) {
	p := meet(t, descopetest.Options{})
	token, before := p.mustSignIn(t, "bob")
	if err := p.SetRoles("bob", "T2acme", "Tenant Admin", "Auditor"); err != nil {
		t.Fatal(err)
	}
	if err := p.SetRoles("bob", "T2globex", "Member"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Member"}, identity(t, before).Tenants["T2acme"].Roles); diff != "" {
		t.Error(diff)
	}
	roles := func() map[string][]string {
		next, err := p.renew(token.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := p.claims(next)
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string][]string)
		for tenant, grants := range identity(t, claims).Tenants {
			found[tenant] = grants.Roles
		}
		return found
	}
	if diff := cmp.Diff(map[string][]string{"T2acme": {"Tenant Admin", "Auditor"}, "T2globex": {"Member"}}, roles()); diff != "" {
		t.Error(diff)
	}
	if err := p.RemoveTenant("bob", "T2acme"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"T2globex": {"Member"}}, roles()); diff != "" {
		t.Error(diff)
	}
	if p.SetRoles("dave", "T2acme") == nil {
		t.Error("nobody has roles now")
	}
}

func TestTokensEndWithTheClock(t *testing.T) {
	clock := newClock()
	p := meet(t, descopetest.Options{Now: clock.Now, SessionTTL: time.Minute, OmitExpiresIn: true})
	token, claims := p.mustSignIn(t, "ada")
	if token.ExpiresIn != 0 || claims["exp"].(float64)-claims["iat"].(float64) != 60 {
		t.Errorf("expires_in %d, claims %v", token.ExpiresIn, claims)
	}
	clock.forward(61 * time.Second)
	if status := userinfo(t, p, token.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("userinfo with an old token: %d", status)
	}
	p.SetSessionTTL(time.Hour)
	next, err := p.renew(token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	clock.forward(59 * time.Minute)
	if status := userinfo(t, p, next.AccessToken); status != http.StatusOK {
		t.Errorf("userinfo within the new lifetime: %d", status)
	}
	clock.forward(28 * 24 * time.Hour)
	if _, err := p.renew(token.RefreshToken); !ended(err) {
		t.Errorf("a refresh token of last month: %v", err)
	}
}

func userinfo(t *testing.T, p *party, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.oidc.UserInfoEndpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// endpoints are those that go-oidc has no name for.
func endpoints(t *testing.T, p *party) (more struct {
	Revocation   string `json:"revocation_endpoint"`
	EndSession   string `json:"end_session_endpoint"`
	Registration string `json:"registration_endpoint"`
}) {
	t.Helper()
	if err := p.oidc.Claims(&more); err != nil {
		t.Fatal(err)
	}
	return more
}

func TestRevocationEndsTheSession(t *testing.T) {
	for _, kind := range []string{"refresh_token", "access_token"} {
		t.Run(kind, func(t *testing.T) {
			p := meet(t, descopetest.Options{})
			token, _ := p.mustSignIn(t, "ada")
			other, _ := p.mustSignIn(t, "ada")
			raw := map[string]string{"refresh_token": token.RefreshToken, "access_token": token.AccessToken}[kind]
			form := url.Values{"token": {raw}, "token_type_hint": {kind}}
			revoke := func(secret string) int {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoints(t, p).Revocation, strings.NewReader(form.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.SetBasicAuth(p.ClientID(), secret)
				res, err := p.http.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				return res.StatusCode
			}
			if got := revoke("wrong"); got != http.StatusUnauthorized {
				t.Errorf("revoked by a stranger: %d", got)
			}
			for range 2 { // what is gone is revoked
				if got := revoke(p.ClientSecret()); got != http.StatusOK {
					t.Errorf("revoke: %d", got)
				}
			}
			if _, err := p.renew(token.RefreshToken); !ended(err) {
				t.Errorf("refreshed all the same: %v", err)
			}
			if got := userinfo(t, p, token.AccessToken); got != http.StatusUnauthorized {
				t.Errorf("userinfo all the same: %d", got)
			}
			if _, err := p.renew(other.RefreshToken); err != nil {
				t.Errorf("the other session ended too: %v", err)
			}
			p.RevokeSessions("ada")
			if _, err := p.renew(other.RefreshToken); !ended(err) {
				t.Errorf("refreshed after the console ended all sessions: %v", err)
			}
		})
	}
}

func TestSignOutAtTheProvider(t *testing.T) {
	p := meet(t, descopetest.Options{RedirectURIs: []string{"http://127.0.0.1:1/auth/callback"}})
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	token, _ := p.mustSignIn(t, "ada")
	back := "http://127.0.0.1:1/auth/?signed_out=1"
	for _, tc := range []struct {
		name   string
		query  url.Values
		status int
		to     string
		ends   bool
	}{
		{"with the client's ID alone the session lives on", url.Values{"client_id": {p.ClientID()}, "post_logout_redirect_uri": {back}, "state": {"s"}},
			http.StatusFound, back + "&state=s", false},
		{"an address elsewhere is refused", url.Values{"client_id": {p.ClientID()}, "post_logout_redirect_uri": {"http://elsewhere.example/"}},
			http.StatusBadRequest, "", false},
		{"an address without a client is refused", url.Values{"post_logout_redirect_uri": {back}}, http.StatusBadRequest, "", false},
		{"a hint that nobody signed is refused", url.Values{"id_token_hint": {"a.b.c"}, "post_logout_redirect_uri": {back}}, http.StatusBadRequest, "", false},
		{"another client's hint is refused", url.Values{"id_token_hint": {token.Extra("id_token").(string)}, "client_id": {"P2other"}}, http.StatusBadRequest, "", false},
		{"without an address a page says so", url.Values{}, http.StatusOK, "", false},
		{"a hint ends the session", url.Values{"id_token_hint": {token.Extra("id_token").(string)}, "post_logout_redirect_uri": {back}},
			http.StatusFound, back, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := browser.Get(endpoints(t, p).EndSession + "?" + tc.query.Encode())
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != tc.status || res.Header.Get("Location") != tc.to {
				t.Errorf("got %s to %q", res.Status, res.Header.Get("Location"))
			}
			if _, err := p.renew(token.RefreshToken); ended(err) != tc.ends {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestOverlappingRefreshesAreNoticed(t *testing.T) {
	p := meet(t, descopetest.Options{})
	token, _ := p.mustSignIn(t, "ada")
	if _, err := p.renew(token.RefreshToken); err != nil || p.Overlap() != 1 {
		t.Fatalf("overlap %d, %v", p.Overlap(), err)
	}
	hold := p.Hold(descopetest.Refresh)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if _, err := p.renew(token.RefreshToken); err != nil {
				t.Error(err)
			}
		})
	}
	<-hold.Arrived
	<-hold.Arrived
	hold.Release()
	wait.Wait()
	if p.Overlap() != 2 {
		t.Errorf("overlap %d", p.Overlap())
	}
}

func TestRefusalsInDescopesForm(t *testing.T) {
	p := meet(t, descopetest.Options{DescopeErrors: true})
	_, err := p.renew("no such token")
	if got := descope.ClassifyTokenError(err); got.Kind != descope.InvalidGrant || got.Code != "E064001" {
		t.Errorf("got %v", got)
	}
	token, _ := p.mustSignIn(t, "ada")
	p.oauth.ClientSecret = "wrong"
	_, err = p.renew(token.RefreshToken)
	if got := descope.ClassifyTokenError(err); got.Kind != descope.Rejected || got.Code != "E062901" {
		t.Errorf("got %v", got)
	}
}
