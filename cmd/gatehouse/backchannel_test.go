package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// logout posts a logout token as the provider does.
func (h *house) logout(logout descopetest.Logout) int {
	h.t.Helper()
	status, err := h.Provider.BackchannelLogout(h.t.Context(), h.browser().client, h.URL+"/auth/backchannel-logout", logout)
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// passes reports whether the browser's session still opens an app.
func (b *browser) passes() bool {
	b.t.Helper()
	return b.fetch("GET", "/gradio/user/", "").StatusCode == 200
}

func TestBackChannelLogoutBySubject(t *testing.T) {
	h := newHouse(t, build{})
	office, home, bob := h.as("ada"), h.as("ada"), h.as("bob")
	unseen := h.as("ada").cookies() // a copy that comes only afterwards
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/data") && hold(nil)(w, r)
	})
	stream := office.stream("/gradio/user/queue/data")
	if code := h.logout(descopetest.Logout{Subject: "U2ada"}); code != 200 {
		t.Fatal(code)
	}
	begun := time.Now()
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream did not end cleanly: %v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the stream went on for %v", took)
	}
	if office.passes() || home.passes() {
		t.Error("a session of hers goes on")
	}
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", unseen); res.StatusCode != 401 {
		t.Errorf("a session that was not seen before: %s", res.Status)
	}
	if !bob.passes() {
		t.Error("somebody else was signed out")
	}
	t.Run("who signs in again after it is in, in the same second", func(t *testing.T) {
		if !h.as("ada").passes() {
			t.Error("is not")
		}
	})
	t.Run("operators see why", func(t *testing.T) {
		h.await("the audit event", func() bool { return len(h.events("stream_closed")) > 0 })
		if e := h.events("stream_closed")[0]; e["cause"] != "revoked" {
			t.Errorf("got %v", e)
		}
		if revoked := h.events("session_revoked"); len(revoked) == 0 || revoked[0]["sub"] != "U2ada" {
			t.Errorf("got %v", revoked)
		}
	})
}

func TestBackChannelLogoutBySID(t *testing.T) {
	h := newHouse(t, build{})
	home := h.withSID("ada", "S2home")
	for _, logout := range []descopetest.Logout{{SID: "S2phone"}, {SID: "S2tablet", Subject: "U2ada"}} {
		device := h.withSID("ada", logout.SID)
		if code := h.logout(logout); code != 200 {
			t.Fatal(code)
		}
		if device.passes() {
			t.Error("the session that was meant goes on")
		}
		if !home.passes() {
			t.Error("another session of hers was ended")
		}
	}
}

// withSID signs a person in whose session the provider knows by sid.
func (h *house) withSID(person, sid string) *browser {
	h.t.Helper()
	if err := h.Provider.Update(person, func(p *descopetest.Person) { p.Override = map[string]any{"sid": sid} }); err != nil {
		h.t.Fatal(err)
	}
	return h.as(person)
}

// Attack 27, over the wire: what each check refuses is tested where it is made.
func TestABadLogoutTokenEndsNothing(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	for name, over := range map[string]map[string]any{
		"without iat": {"iat": nil}, "without jti": {"jti": nil}, "without events": {"events": nil},
		"with a nonce": {"nonce": "n"}, "without sub and sid": {"sub": nil}, "for somebody else": {"aud": "P2another"},
		"from somebody else": {"iss": "https://api.descope.com/P2another"}, "too old": {"iat": time.Now().Add(-time.Hour).Unix()},
	} {
		if code := h.logout(descopetest.Logout{Subject: "U2ada", Override: over}); code != 400 {
			t.Errorf("%s: %d", name, code)
		}
	}
	token, err := h.Provider.LogoutToken(descopetest.Logout{Subject: "U2nobody"})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"logout_token": {token}}.Encode()
	const kind = "application/x-www-form-urlencoded"
	post := func(target, body string, headers ...string) reply {
		return h.browser().do("POST", target, body, headers...)
	}
	for _, tc := range []struct {
		name   string
		res    reply
		status int
	}{
		{"no form", post("/auth/backchannel-logout", "", "Content-Type", kind), 400},
		{"another type", post("/auth/backchannel-logout", `{"logout_token":"`+token+`"}`, "Content-Type", "application/json"), 400},
		{"no type", post("/auth/backchannel-logout", form), 400},
		{"two tokens", post("/auth/backchannel-logout", form+"&"+form, "Content-Type", kind), 400},
		{"the token in the query", post("/auth/backchannel-logout?"+form, "", "Content-Type", kind), 400},
		{"no JWT", post("/auth/backchannel-logout", "logout_token=x", "Content-Type", kind), 400},
		{"a broken form", post("/auth/backchannel-logout", "logout_token=%zz", "Content-Type", kind), 400},
		{"a body without end", post("/auth/backchannel-logout", "logout_token="+strings.Repeat("x", 1<<20), "Content-Type", kind), 413},
		{"GET", h.browser().do("GET", "/auth/backchannel-logout?"+form, ""), 405},
	} {
		if tc.res.StatusCode != tc.status || tc.res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, Cache-Control %q", tc.name, tc.res.Status, tc.res.Header.Get("Cache-Control"))
		}
	}
	t.Run("a good one counts once, whatever cookies and Origin come with it", func(t *testing.T) {
		send := func() reply {
			return ada.do("POST", "/auth/backchannel-logout", form, "Content-Type", kind+"; charset=utf-8",
				"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		}
		if res := send(); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" || res.Text != "" {
			t.Errorf("first: %s %q", res.Status, res.Header)
		}
		if res := send(); res.StatusCode != 400 {
			t.Errorf("again: %s", res.Status)
		}
	})
	if !ada.passes() {
		t.Error("Ada was signed out by it")
	}
	if strings.Contains(h.Log.String(), token) {
		t.Error("the token stands in the log")
	}
}

func TestBackChannelLogoutOnAnyHostOfTheHouse(t *testing.T) {
	h := newHouse(t, build{public: "http://apps.test:PORT", routes: `
  - path: /app
    host: other.test
    upstream: %[1]s
    allow: public
`})
	_, port, _ := net.SplitHostPort(h.Addr)
	for _, tc := range []struct {
		host   string
		status int
	}{{"apps.test", 200}, {"other.test", 200}, {"nobody.test", 421}} {
		token, err := h.Provider.LogoutToken(descopetest.Logout{Subject: "U2ada"})
		if err != nil {
			t.Fatal(err)
		}
		res := h.browser().do("POST", "http://"+tc.host+":"+port+"/auth/backchannel-logout", url.Values{"logout_token": {token}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if res.StatusCode != tc.status {
			t.Errorf("%s: %s", tc.host, res.Status)
		}
	}
}

func TestALogoutThatCannotBeJudgedMayComeAgain(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	token, err := h.Provider.LogoutToken(descopetest.Logout{Subject: "U2ada"})
	if err != nil {
		t.Fatal(err)
	}
	send := func() reply {
		return h.browser().do("POST", "/auth/backchannel-logout", url.Values{"logout_token": {token}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	h.Provider.Fail(descopetest.Keys, descopetest.Status(500))
	if res := send(); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %s %q", res.Status, res.Header)
	}
	if !ada.passes() {
		t.Error("it had an effect")
	}
	h.Provider.Recover()
	if res := send(); res.StatusCode != 200 {
		t.Errorf("again: %s", res.Status)
	}
	if ada.passes() {
		t.Error("it had no effect")
	}
}
