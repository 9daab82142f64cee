package main

import (
	"net/http"
	"strings"
	"testing"
)

const originRoutes = `
  - path: /app
    upstream: %[1]s
    allow: authenticated
    origins: [http://friend.localhost:9000]
  - path: /open
    upstream: %[2]s
    allow: public
`

func TestNoOtherSitesPageActsForThePerson(t *testing.T) {
	h := newHouse(t, build{routes: originRoutes})
	ada := h.as("ada")
	for _, c := range []struct {
		what    string
		method  string
		path    string
		headers []string
		status  int
	}{
		{"a POST from the app's own page passes", "POST", "/app/x", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.example"}, 200},
		{"so does one from the address bar", "POST", "/app/x", []string{"Sec-Fetch-Site", "none"}, 200},
		{"a script without either header is no browser", "POST", "/app/x", nil, 200},
		{"an old browser's own Origin passes", "POST", "/app/x", []string{"Origin", "SELF"}, 200},
		{"a listed origin passes", "POST", "/app/x", []string{"Origin", "http://friend.localhost:9000", "Sec-Fetch-Site", "same-site"}, 200},
		{"another site is refused", "POST", "/app/x", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a sibling host is refused although it is the same site", "POST", "/app/x", []string{"Origin", "http://sibling.localhost", "Sec-Fetch-Site", "same-site"}, 403},
		{"cross-site without Origin is refused", "POST", "/app/x", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"Origin null is refused", "POST", "/app/x", []string{"Origin", "null"}, 403},
		{"the same host on another port is refused", "POST", "/app/x", []string{"Origin", "http://localhost:1"}, 403},
		{"a listed origin with a slash is another one", "POST", "/app/x", []string{"Origin", "http://friend.localhost:9000/"}, 403},
		{"Sec-Fetch-Site given twice is not believed", "POST", "/app/x", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403},
		{"PUT is no safe method", "PUT", "/app/x", []string{"Origin", "https://evil.example"}, 403},
		{"nor is one that nobody knows", "FROB", "/app/x", []string{"Origin", "https://evil.example"}, 403},
		{"GET is safe", "GET", "/app/x", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"a WebSocket from elsewhere is refused", "GET", "/app/ws", []string{"Origin", "https://evil.example", "Connection", "Upgrade", "Upgrade", "websocket"}, 403},
		{"a public route takes anybody's POST", "POST", "/open/x", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		t.Run(c.what, func(t *testing.T) {
			headers := append([]string(nil), c.headers...)
			for i := range headers {
				if headers[i] == "SELF" {
					headers[i] = h.URL
				}
			}
			res := ada.do(c.method, c.path, "", headers...)
			if res.StatusCode != c.status {
				t.Errorf("got %s, want %d: %s", res.Status, c.status, res.Text)
			}
			if c.status == 403 && !strings.Contains(res.Text, "another site") {
				t.Errorf("refused with %q", res.Text)
			}
		})
	}
}

func TestAPublicAppsOwnCORSPasses(t *testing.T) {
	h := newHouse(t, build{routes: originRoutes})
	for _, status := range []int{200, 206} {
		h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Expose-Headers", "X-App")
			w.WriteHeader(status)
			return true
		})
		res := h.browser().do("GET", "/open/x", "", "Origin", "https://friend.example", "Range", "bytes=0-")
		if res.StatusCode != status || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Expose-Headers") != "X-App" {
			t.Errorf("%s %v", res.Status, res.Header)
		}
	}
}

func TestPreflightsAreAnsweredByGatehouse(t *testing.T) {
	h := newHouse(t, build{routes: originRoutes})
	b := h.browser()
	ask := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-a"}

	t.Run("a listed origin gets 204 with what it asked for", func(t *testing.T) {
		res := b.do("OPTIONS", "/app/x", "", append(ask, "Origin", "http://friend.localhost:9000")...)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "http://friend.localhost:9000", "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type,x-a", "Vary": "Origin",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("any other gets 403 and no CORS", func(t *testing.T) {
		res := b.do("OPTIONS", "/app/x", "", append(ask, "Origin", "https://evil.example")...)
		if res.StatusCode != 403 || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("got %s %v", res.Status, res.Header)
		}
	})
	t.Run("a listed origin can read its 401", func(t *testing.T) {
		res := b.do("GET", "/app/x", "", "Origin", "http://friend.localhost:9000")
		if res.StatusCode != 401 || res.Header.Get("Access-Control-Allow-Origin") != "http://friend.localhost:9000" ||
			res.Header.Get("Access-Control-Expose-Headers") != "WWW-Authenticate, X-Request-Id" {
			t.Errorf("got %s %v", res.Status, res.Header)
		}
	})
	t.Run("OPTIONS without preflight headers needs a session as all else", func(t *testing.T) {
		if res := b.do("OPTIONS", "/app/x", ""); res.StatusCode != 401 {
			t.Errorf("got %s", res.Status)
		}
	})
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the app", n)
	}
	t.Run("on a public route the app answers for itself", func(t *testing.T) {
		h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusNoContent)
			return true
		})
		res := b.do("OPTIONS", "/open/x", "", append(ask, "Origin", "https://anybody.example")...)
		if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("got %s %v", res.Status, res.Header)
		}
	})
}
