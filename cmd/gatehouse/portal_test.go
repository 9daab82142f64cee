package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const portalRoutes = `
  - path: /reports
    title: Reports
    description: "What the models <found>"
    upstream: %[1]s
    allow:
      - {tenant: [T2acme, T2globex], roles: [Member, Tenant Admin]}
  - path: /admin
    upstream: %[1]s
    allow:
      - {tenant: T2acme, roles: [Tenant Admin]}
  - host: "{tenant}.apps.localhost"
    title: Of one customer
    upstream: %[2]s
    allow:
      - {tenant: "{tenant}", roles: [Member, Tenant Admin]}
  - path: /status
    title: Status
    upstream: %[2]s
    allow: public
`

// ofTwo is a house in which Bob is a member of two tenants.
func ofTwo(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, build{
		public:  "http://apps.localhost:PORT",
		session: "  cookie_domain: apps.localhost",
		extra:   "tenants: {acme: T2acme, globex: T2globex}",
		routes:  portalRoutes,
	})
	if err := h.Provider.SetRoles("bob", "T2globex", "Member"); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestThePortalListsWhatThePersonMayOpen(t *testing.T) {
	h := ofTwo(t)
	for _, tc := range []struct {
		name, person string
		labels       []string
	}{
		{"an admin of one tenant", "ada", []string{"Reports", "admin", "Of one customer"}},
		{"a member of two, to whom a tenant's host is listed twice", "bob", []string{"Reports", "Of one customer", "Of one customer"}},
		{"who is in no tenant; what is public is no app of theirs", "carol", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := h.as(tc.person).open("/auth/")
			if page.StatusCode != http.StatusOK {
				t.Fatalf("%s\n%s", page.Status, page.Text)
			}
			var labels []string
			for _, m := range regexp.MustCompile(`<h2><bdi>([^<]*)</bdi>`).FindAllStringSubmatch(page.Text, -1) {
				labels = append(labels, m[1])
			}
			if !slices.Equal(labels, tc.labels) {
				t.Errorf("lists %q, want %q", labels, tc.labels)
			}
			if strings.Contains(page.Text, "<found>") {
				t.Error("a description became markup")
			}
		})
	}
}

func TestATenantWithTwoNamesIsListedOnce(t *testing.T) {
	h := newHouse(t, build{
		public: "http://apps.localhost:PORT", session: "  cookie_domain: apps.localhost",
		extra: "tenants: {acme: T2acme, acme-inc: T2acme, globex: T2globex}",
		routes: `
  - host: "{tenant}.apps.localhost"
    name: desk
    upstream: %[1]s
    allow: [{tenant: "{tenant}"}]
  - host: globex.apps.localhost
    path: /other
    upstream: %[2]s
    allow: authenticated
`,
	})
	var me struct{ Routes []struct{ Name, URL string } }
	if err := json.Unmarshal([]byte(h.as("ada").fetch("GET", "/auth/me", "").Text), &me); err != nil {
		t.Fatal(err)
	}
	if len(me.Routes) != 2 || !strings.Contains(me.Routes[0].URL, "//acme.apps") || me.Routes[1].Name == "desk" {
		t.Errorf("Ada is told of %v", me.Routes)
	}
	if err := json.Unmarshal([]byte(h.as("oscar").fetch("GET", "/auth/me", "").Text), &me); err != nil {
		t.Fatal(err)
	}
	if len(me.Routes) != 1 || me.Routes[0].Name == "desk" {
		t.Errorf("Oscar, whose tenant's host has routes of its own, is told of %v", me.Routes)
	}
}

func TestThePortalChangesTheTenantBySigningInAgain(t *testing.T) {
	h := ofTwo(t)
	if page := h.as("ada").open("/auth/"); strings.Contains(page.Text, "Your organizations") {
		t.Error("who belongs to one organization is offered others")
	}
	b := h.as("bob")
	page := b.open("/auth/")
	switches := regexp.MustCompile(`<a href="(/auth/login\?tenant=\w+)"><span class="unseen">Switch to </span><bdi>(\w+)</bdi>`).FindAllStringSubmatch(page.Text, -1)
	if len(switches) != 2 || switches[0][2] != "acme" || switches[1][2] != "globex" {
		t.Fatalf("Bob, who signed in for neither, may switch to %q in\n%s", switches, page.Text)
	}

	begun := b.open(switches[1][1])
	at, err := url.Parse(begun.Header.Get("Location"))
	if err != nil || at.Query().Get("tenant") != "T2globex" {
		t.Fatalf("%s leads to %s, %v", switches[1][1], at, err)
	}
	callback, err := h.Provider.Authorize(t.Context(), b.client, at.String(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	b.open(callback)

	if page = b.open("/auth/"); !strings.Contains(page.Text, `aria-current="true"><bdi>globex</bdi>`) {
		t.Errorf("after the change the portal shows\n%s", page.Text)
	}
	if me := b.fetch("GET", "/auth/me", ""); !strings.Contains(me.Text, "T2globex") {
		t.Errorf("after the change /auth/me says %s", me.Text)
	}
}
