package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/authn/descopetest"
)

// admin asks the operators' listener.
func (h *house) admin(path string) (int, string) {
	w := httptest.NewRecorder()
	h.instance.adminHandler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func TestOperatorsSeeWhatHappens(t *testing.T) {
	h := newHouse(t, build{})
	ada, bob := h.as("ada"), h.as("bob")
	ada.fetch("GET", "/gradio/admin/x?token=secret", "")
	ada.fetch("GET", "/gradio/admin/y", "")
	bob.open("/gradio/admin/x")
	bob.fetch("POST", "/gradio/user/"+strings.Repeat("z", 10), "")
	h.browser().fetch("GET", "/gradio/user/x", "")
	ada.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "same-origin")

	t.Run("audit events say who, what, whence and why", func(t *testing.T) {
		h.await("the last event", func() bool { return len(h.events("signed_out")) == 1 })
		signedIn := h.events("signed_in")
		if len(signedIn) != 2 || signedIn[0]["email"] != "ada@acme.example" || signedIn[0]["sub"] != "U2ada" || signedIn[0]["client_ip"] != "127.0.0.1" {
			t.Errorf("signed_in: %v", signedIn)
		}
		accessed := h.events("accessed")
		if len(accessed) != 2 {
			t.Errorf("a session's first use of a route is told once, got %d: %v", len(accessed), accessed)
		}
		denied := h.events("denied")
		var bobs, nobodys int
		for _, e := range denied {
			switch {
			case e["email"] == "bob@acme.example" && e["reason"] == "no_rule" && e["route"] == "gradio/admin" && e["decision"] == "deny":
				bobs++
			case e["reason"] == "no_session" && e["email"] == nil:
				nobodys++
			}
		}
		if bobs != 1 || nobodys != 1 {
			t.Errorf("denied: %v", denied)
		}
		for _, e := range append(append(signedIn, accessed...), denied...) {
			for _, key := range []string{"time", "request_id", "method", "path", "client_ip", "config"} {
				if e[key] == nil {
					t.Errorf("%s lacks %s: %v", e["event"], key, e)
				}
			}
		}
	})
	t.Run("no query, cookie, token or secret is in the log", func(t *testing.T) {
		for _, secret := range []string{"token=secret", "gatehouse=", h.Provider.ClientSecret(), "code="} {
			if strings.Contains(h.Log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
	t.Run("metrics count requests, decisions and sign-ins", func(t *testing.T) {
		_, text := h.admin("/metrics")
		for _, want := range []string{
			`gatehouse_requests_total{code="200",route="gradio/admin"} 2`,
			`gatehouse_requests_total{code="403",route="gradio/admin"} 1`,
			`gatehouse_decisions_total{decision="deny",reason="no_rule",route="gradio/admin"} 1`,
			`gatehouse_decisions_total{decision="deny",reason="no_session",route="gradio/user"} 1`,
			`gatehouse_sign_ins_total{result="ok"} 2`,
			`gatehouse_request_seconds_count{route="gradio/user"}`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
		}
		if strings.Contains(text, "zzzz") {
			t.Error("a label holds what a client chose")
		}
	})
	t.Run("the process is healthy and ready", func(t *testing.T) {
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, text := h.admin(path); code != 200 {
				t.Errorf("%s: %d %s", path, code, text)
			}
		}
		h.instance.handler.Drain()
		if code, _ := h.admin("/readyz"); code != 503 {
			t.Errorf("draining, /readyz is %d", code)
		}
		if res := h.browser().do("GET", "/auth/health", ""); res.StatusCode != 503 {
			t.Errorf("draining, /auth/health is %s", res.Status)
		}
	})
}

func TestTheProviderMayBeAwayAtStart(t *testing.T) {
	t.Parallel()
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	provider.Fail(descopetest.Discovery, descopetest.Status(503))
	h := newHouseAt(t, build{}, provider)
	if code, text := h.admin("/readyz"); code != 503 {
		t.Errorf("/readyz is %d %s", code, text)
	}
	if code, _ := h.admin("/healthz"); code != 200 {
		t.Errorf("/healthz is %d", code)
	}
	res := h.browser().open("/auth/login")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Text, "not available") {
		t.Errorf("login: %s %q", res.Status, res.Text)
	}
	if res := h.browser().fetch("GET", "/auth/login", ""); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Text, `{"detail":`) {
		t.Errorf("login by a program: %s %q", res.Status, res.Text)
	}
	if res := h.browser().open("/"); res.StatusCode != 302 {
		t.Errorf("pages: %s", res.Status)
	}
	provider.Recover(descopetest.Discovery)
	h.await("discovery", h.instance.provider().Ready)
	h.as("ada")
}

func TestAuditEventsSayWhatIsKnown(t *testing.T) {
	h := newHouse(t, build{})
	h.as("ada")
	h.raw("GET /a/../b?code=secret HTTP/1.1\r\nHost: " + strings.TrimPrefix(h.URL, "http://") + "\r\nConnection: close\r\n\r\n")
	denied := h.events("denied")
	if len(denied) != 1 || denied[0]["path"] != "/a/../b" || denied[0]["reason"] != "bad_path" {
		t.Errorf("a path that is refused: %v", denied)
	}
	if code := h.logout(descopetest.Logout{Subject: "U2ada"}); code != 200 {
		t.Fatal(code)
	}
	revoked := h.events("session_revoked")
	if len(revoked) != 1 || revoked[0]["reason"] != "revoked" || revoked[0]["sub"] != "U2ada" {
		t.Errorf("a session that the provider ended: %v", revoked)
	}
	h.browser().open("/auth/callback?state=unknown&code=x")
	failed := h.events("sign_in_failed")
	if len(failed) != 1 || failed[0]["reason"] != "state" {
		t.Errorf("a sign-in that failed: %v", failed)
	}
}

func TestWhoComesRightAfterTheStartWaitsForDiscovery(t *testing.T) {
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseAt(t, build{}, provider)
	if res := h.browser().open("/auth/login"); res.StatusCode != 302 {
		t.Errorf("login: %s", res.Status)
	}
}
