package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// A session holds what the policy of its time looked at. Where a new policy looks
// at more, the provider is asked before a stream is closed for want of it.
func TestANewPolicyAsksBeforeItClosesAStreamForWhatTheSessionLacks(t *testing.T) {
	member := descopetest.Grants{Roles: []string{"Member"}}
	people := []descopetest.Person{
		{ID: "both", Name: "Both", Email: "both@acme.example", Tenants: map[string]descopetest.Grants{descopetest.Acme: member, descopetest.Globex: member}},
		{ID: "one", Name: "One", Email: "one@acme.example", Tenants: map[string]descopetest.Grants{descopetest.Acme: member}},
	}
	for name, away := range map[string]bool{"who may still, goes on": false, "or not, where the provider does not say": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := filed(t, build{provider: descopetest.Options{People: people}, routes: `
  - path: /app
    upstream: %[2]s
    allow:
      - tenant: T2acme
        roles: [Member]
`})
			h := newHouse(t, b)
			h.User.on(streamer)
			both, one := h.as("both"), h.as("one")
			stays, goes := both.followAll("/app"), one.followAll("/app")
			open := h.instance.handler.Streams().Open
			h.await("six streams", func() bool { return open() == 6 })
			if away {
				h.Provider.Fail(descopetest.Refresh, descopetest.Status(503))
			}
			h.edit(b.file, "tenant: T2acme", "tenant: T2globex")
			h.within2s("config_reloaded", 1)
			for kind, how := range kinds {
				cut(t, "the "+kind+" of who is not in it", goes[kind], how, time.Now())
				if away {
					cut(t, "the "+kind+" of who may be in it", stays[kind], how, time.Now())
				}
			}
			if away {
				return
			}
			h.await("the provider's word", func() bool { return h.Provider.Requests()[descopetest.Refresh] == 1 })
			if res := both.fetch("GET", "/app/x", ""); res.StatusCode != http.StatusOK {
				t.Errorf("a request: %s", res.Status)
			}
			time.Sleep(2 * time.Second) // when the last word would have been said
			for kind := range kinds {
				goesOn(t, "the "+kind+" of who is in both", stays[kind])
			}
			if n := open(); n != 3 {
				t.Errorf("%d streams are left, want 3", n)
			}
		})
	}
}

// A reload is about the routes that it changes. What a session was trimmed of is asked
// for, and who would be let in without it does not notice if nobody can be asked.
func TestANewPolicyShutsNobodyOutOfARouteThatItLeavesAlone(t *testing.T) {
	member := descopetest.Grants{Roles: []string{"Member"}}
	people := []descopetest.Person{{
		ID: "pat", Name: "Pat", Email: "pat@acme.example", Custom: map[string]any{"plan": "gold", "given_name": "Pat"},
		Tenants: map[string]descopetest.Grants{descopetest.Acme: member, descopetest.Globex: member},
	}}
	for _, tc := range []struct {
		name, session string
		away          bool
		refused       int // at the route that the new policy changes
	}{
		{"without a refresh token", "  refresh: false", false, http.StatusUnauthorized},
		{"while the provider is away", "", true, http.StatusServiceUnavailable},
		{"while the provider answers", "", false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := filed(t, build{provider: descopetest.Options{People: people}, session: tc.session, routes: `
  - {path: /left, upstream: %[2]s, allow: authenticated}
  - {path: /changed, upstream: %[2]s, allow: [{tenant: T2acme, roles: [Member]}]}
`})
			h := newHouse(t, b)
			pat := h.as("pat")
			if tc.away {
				h.Provider.Fail(descopetest.Refresh, descopetest.Status(503))
			}
			for i, step := range [][2]string{
				{"[{tenant: T2acme, roles: [Member]}]", "[{emails: [pat@acme.example]}]"},
				{"[{emails: [pat@acme.example]}]", "[{tenant: T2globex, roles: [Member]}]"},
				{"[{tenant: T2globex, roles: [Member]}]", "[{claims: {plan: [gold]}}]"},
			} {
				h.edit(b.file, step[0], step[1])
				h.within2s("config_reloaded", i+1)
				if res := pat.fetch("GET", "/left/", ""); res.StatusCode != http.StatusOK {
					t.Errorf("%s: the route that is as before: %s %s", step[1], res.Status, res.Text)
				}
				want := http.StatusOK
				if i > 0 && tc.refused != 0 {
					want = tc.refused
				}
				if res := pat.fetch("GET", "/changed/", ""); res.StatusCode != want {
					t.Errorf("%s: %s, want %d", step[1], res.Status, want)
				}
			}
			if tc.refused == 0 {
				return
			}
			if tc.refused == http.StatusUnauthorized {
				signIn := pat.open("/changed/")
				if page := pat.open(signIn.Header.Get("Location")); page.StatusCode != http.StatusOK || !strings.Contains(page.Text, "/auth/login?return_to=%2Fchanged%2F") {
					t.Errorf("the sign-in page: %s, leads to %q", page.Status, page.Header.Get("Location"))
				}
			}
			h.edit(b.file, "  - {path: /left", "  - {path: /above/left")
			h.within2s("config_reloaded", 4)
			for path, want := range map[string]int{"/": http.StatusFound, "/above/": http.StatusFound} {
				if res := pat.fetch("GET", path, ""); res.StatusCode != want {
					t.Errorf("a landing above something open, %s: %s, want %d", path, res.Status, want)
				}
			}
			h.edit(b.file, "  - {path: /above/left, upstream: "+h.User.URL+", allow: authenticated}\n", "")
			h.within2s("config_reloaded", 5)
			if res := pat.fetch("GET", "/", ""); res.StatusCode != tc.refused {
				t.Errorf("a landing above nothing that is open for certain: %s, want %d", res.Status, tc.refused)
			}
		})
	}
}
