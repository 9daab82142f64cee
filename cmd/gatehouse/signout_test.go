package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/authn/descopetest"
)

// Signing out ends the session at the provider too: its newest refresh token is
// revoked (RFC 7009), and the browser visits the end_session_endpoint (OpenID
// Connect RP-Initiated Logout 1.0), from where it comes back.
func TestSignOutReachesTheProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	ada := h.as("ada")
	outlive()
	ada.wants("refreshed", 200)
	found, err := h.instance.sessions.Find(t.Context(), http.Header{"Cookie": {ada.cookies()}})
	if err != nil || found.Session == nil {
		t.Fatal(found, err)
	}
	newest := string(found.Session.Record().Refresh)

	res := ada.do("POST", "/auth/logout", "", "Origin", h.URL, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	revoked := h.Provider.Recorded(descopetest.Revocation)
	if len(revoked) != 1 || revoked[0].Form.Get("token") != newest || revoked[0].Form.Get("token_type_hint") != "refresh_token" || revoked[0].Auth == "" {
		t.Errorf("revoked %+v, want the newest refresh token", revoked)
	}
	there, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusSeeOther {
		t.Fatal(res.Status, err)
	}
	q := there.Query()
	if q.Get("client_id") != h.Provider.ClientID() || q.Get("post_logout_redirect_uri") != h.URL+"/auth/?signed_out=1" || q.Has("id_token_hint") {
		t.Errorf("sent to %s", there)
	}
	back := ada.open(there.String())
	if n := len(h.Provider.Recorded(descopetest.EndSession)); n != 1 {
		t.Errorf("end_session_endpoint was visited %d times", n)
	}
	place, err := url.Parse(back.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if place.Path != "/auth/" || place.Query().Get("signed_out") != "1" {
		t.Errorf("the provider sends back to %s", place)
	}
	if page := ada.open(place.String()); page.StatusCode != http.StatusOK || !strings.Contains(page.Text, "signed out") {
		t.Errorf("the last page: %s %s", page.Status, page.Text)
	}
}

// A sibling host may have planted a session of its own beside the person's: both
// end, and both refresh tokens with them.
func TestSignOutOfTwoSessionsRevokesBoth(t *testing.T) {
	h := newHouse(t, build{})
	both := h.as("ada").cookies() + "; " + h.as("oscar").cookies()
	h.browser().do("POST", "/auth/logout", "", "Cookie", both, "Origin", h.URL, "Sec-Fetch-Site", "same-origin")
	tokens := map[string]bool{}
	for _, r := range h.Provider.Recorded(descopetest.Revocation) {
		tokens[r.Form.Get("token")] = true
	}
	if len(tokens) != 2 || len(h.events("signed_out")) != 2 {
		t.Errorf("%d tokens revoked, %d people signed out", len(tokens), len(h.events("signed_out")))
	}
	for _, one := range strings.Split(both, "; ") {
		if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", one); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("one of them goes on: %s", res.Status)
		}
	}
}
