package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheTutorialsJobIsDone(t *testing.T) {
	h := newHouse(t, build{})

	t.Run("somebody signed out is led from / to the sign-in page with a Login button", func(t *testing.T) {
		b := h.browser()
		res := b.open("/")
		if got, want := res.Header.Get("Location"), h.URL+"/auth/?return_to=%2F"; res.StatusCode != 302 || got != want {
			t.Fatalf("got %s to %q, want 302 to %q", res.Status, got, want)
		}
		page := b.open(res.Header.Get("Location"))
		if page.StatusCode != 200 || !strings.Contains(page.Text, ">Login<") {
			t.Errorf("got %s without a Login button:\n%s", page.Status, page.Text)
		}
	})
	t.Run("Ada, a tenant's admin, lands on the admin dashboard", func(t *testing.T) {
		b := h.browser()
		if res := b.signIn("ada", "/"); res.StatusCode != 302 || res.Header.Get("Location") != "/" {
			t.Fatalf("callback: %s to %q", res.Status, res.Header.Get("Location"))
		}
		if res := b.open("/"); res.Header.Get("Location") != h.URL+"/gradio/admin/" {
			t.Errorf("/ leads to %q", res.Header.Get("Location"))
		}
		if res := b.open("/gradio/admin/"); res.Text != "admin app: GET /" {
			t.Errorf("got %q", res.Text)
		}
	})
	t.Run("Bob, a member, lands on the user dashboard and is kept out of the admin's", func(t *testing.T) {
		b := h.as("bob")
		if res := b.open("/gradio"); res.Header.Get("Location") != h.URL+"/gradio/user/" {
			t.Errorf("/gradio leads to %q", res.Header.Get("Location"))
		}
		before := len(h.Admin.requests())
		res := b.open("/gradio/admin/")
		if res.StatusCode != 403 || !strings.Contains(res.Text, "bob@acme.example") || !strings.Contains(res.Text, "Tenant Admin") {
			t.Errorf("got %s:\n%s", res.Status, res.Text)
		}
		if len(h.Admin.requests()) != before {
			t.Error("the admin app was asked")
		}
	})
	t.Run("the app sees who it is", func(t *testing.T) {
		h.as("ada").fetch("POST", "/gradio/admin/gradio_api/queue/join?x=%zz", `{"data":[]}`)
		got := h.Admin.last(t)
		for name, want := range map[string]string{
			"X-Forwarded-User": "U2ada", "X-Forwarded-Email": "ada@acme.example", "X-Forwarded-Groups": "Tenant Admin",
			"X-Forwarded-Tenant": "T2acme", "X-Forwarded-Preferred-Username": "Ada Admin",
			"X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1",
			"X-Forwarded-Host": strings.TrimPrefix(h.URL, "http://") + "/gradio/admin", "X-Direct-Url": "/gradio/admin",
		} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s: got %q, want %q", name, v, want)
			}
		}
		if got.Target != "/gradio_api/queue/join?x=%zz" || got.Body != `{"data":[]}` {
			t.Errorf("got %s with %q", got.Target, got.Body)
		}
		if got.Header.Get("Cookie") != "" {
			t.Errorf("Gatehouse's cookie reached the app: %s", got.Header.Get("Cookie"))
		}
	})
	t.Run("a deep link survives the sign-in with its query", func(t *testing.T) {
		b := h.browser()
		deep := "/gradio/user/page?view=a%20b&x=1"
		res := b.open(deep)
		page, err := url.Parse(res.Header.Get("Location"))
		if err != nil || page.Query().Get("return_to") != deep {
			t.Fatalf("led to %q", res.Header.Get("Location"))
		}
		if res := b.signIn("bob", deep); res.Header.Get("Location") != deep {
			t.Errorf("back to %q, want %q", res.Header.Get("Location"), deep)
		}
	})
	t.Run("a script without a session gets 401 as JSON and no cookie", func(t *testing.T) {
		b := h.browser()
		res := b.fetch("POST", "/gradio/user/gradio_api/queue/join", "{}")
		var body struct {
			Detail    string `json:"detail"`
			LoginURL  string `json:"login_url"`
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(res.Text), &body); err != nil || res.StatusCode != 401 {
			t.Fatalf("got %s %q", res.Status, res.Text)
		}
		if body.LoginURL != h.URL+"/auth/?return_to=%2Fgradio%2Fuser" || body.RequestID != res.Header.Get("X-Request-Id") || body.Detail == "" {
			t.Errorf("got %+v", body)
		}
		if c := res.Header["Set-Cookie"]; c != nil {
			t.Errorf("cookies were set: %q", c)
		}
	})
}

func TestSignOutKillsACopiedCookie(t *testing.T) {
	h := newHouse(t, build{})
	b := h.as("ada")
	stolen := b.cookies()
	if !strings.HasPrefix(stolen, "gatehouse=") {
		t.Fatalf("cookies: %q", stolen)
	}
	t.Logf("Ada's session cookie: %d bytes", len(stolen)-len("gatehouse="))
	res := b.do("POST", "/auth/logout", "", "Origin", h.URL, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), strings.TrimSuffix(h.Issuer, "/"+h.Provider.ProjectID())) {
		t.Fatalf("got %s to %q", res.Status, res.Header.Get("Location"))
	}
	if b.cookies() != "" {
		t.Errorf("cookies are left: %q", b.cookies())
	}
	for _, c := range []struct{ what, cookie string }{{"the stolen copy", stolen}, {"the browser itself", b.cookies()}} {
		res := h.browser().do("GET", "/gradio/admin/", "", "Cookie", c.cookie)
		if res.StatusCode != 401 {
			t.Errorf("%s still passes: %s", c.what, res.Status)
		}
	}
	if n := h.Provider.Requests()["revoke"]; n != 1 {
		t.Errorf("the provider was told of %d revocations, want 1", n)
	}
}

func TestAScriptsLoginURLComesBackToItsPage(t *testing.T) {
	h := newHouse(t, build{})
	b := h.browser()
	for _, c := range []struct{ what, referer, want string }{
		{"the page that asked, in the same route", h.URL + "/gradio/user/page?x=1&y=%20", h.URL + "/gradio/user/page?x=1&y=%20"},
		{"the route's prefix, where the page is another app's", h.URL + "/gradio/admin/", "/gradio/user"},
		{"or another site's", "https://evil.example/gradio/user/", "/gradio/user"},
		{"or no page at all", "", "/gradio/user"},
		{"or Gatehouse's own", h.URL + "/auth/", "/gradio/user"},
	} {
		t.Run(c.what, func(t *testing.T) {
			res := b.do("POST", "/gradio/user/gradio_api/queue/join", "{}", "Referer", c.referer)
			var body struct {
				LoginURL string `json:"login_url"`
			}
			if err := json.Unmarshal([]byte(res.Text), &body); err != nil {
				t.Fatal(err)
			}
			if want := h.URL + "/auth/?return_to=" + url.QueryEscape(c.want); body.LoginURL != want {
				t.Errorf("got %q, want %q", body.LoginURL, want)
			}
		})
	}
}
