package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWhatAnUpstreamSaysIsMadePublic(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	host := strings.TrimPrefix(h.URL, "http://")
	inner := strings.TrimPrefix(h.Admin.URL, "http://")
	for _, c := range []struct{ what, name, said, want string }{
		{"a root-absolute redirect gets the prefix", "Location", "/page/", "/gradio/admin/page/"},
		{"one that has the prefix keeps it", "Location", "/gradio/admin/page", "/gradio/admin/page"},
		{"a neighbour's path is not taken for the prefix", "Location", "/gradio/administrator", "/gradio/admin/gradio/administrator"},
		{"one to Gatehouse's own pages stays", "Location", "/auth/logout", "/auth/logout"},
		{"the upstream's own address too where its path cannot be decoded", "Location", "http://INNER/%zz", "http://PUBLIC/gradio/admin/%zz"},
		{"a relative one stays", "Location", "page", "page"},
		{"the upstream's own address becomes the public one", "Location", "http://INNER/page?x=1", "http://PUBLIC/gradio/admin/page?x=1"},
		{"without a path too", "Location", "http://INNER", "http://PUBLIC/gradio/admin/"},
		{"an address built from the Host header gets the prefix", "Location", "http://PUBLIC/page", "http://PUBLIC/gradio/admin/page"},
		{"a link to another app stays", "Location", "http://PUBLIC/gradio/user/", "http://PUBLIC/gradio/user/"},
		{"somebody else's address stays", "Location", "https://example.com/a", "https://example.com/a"},
		{"Content-Location too", "Content-Location", "/file", "/gradio/admin/file"},
		{"a cookie loses its Domain, and its path gets the prefix", "Set-Cookie", "access-token=1; Domain=example.com; Path=/; HttpOnly", "access-token=1; HttpOnly; Path=/gradio/admin/"},
		{"a deeper path too", "Set-Cookie", "a=1; Path=/sub", "a=1; Path=/gradio/admin/sub"},
		{"a cookie without a path gets the prefix", "Set-Cookie", "a=1", "a=1; Path=/gradio/admin"},
		{"a __Host- cookie has no place below a prefix", "Set-Cookie", "__Host-a=1; Path=/; Secure", ""},
		{"nor has one with Gatehouse's name", "Set-Cookie", "gatehouse=evil; Path=/", ""},
		{"or a chunk's", "Set-Cookie", "gatehouse.1=evil", ""},
		{"or a sign-in's", "Set-Cookie", "gatehouse-state-abcdefghijkl=evil", ""},
		{"or no name, which browsers send back as its value says", "Set-Cookie", "=gatehouse=evil", ""},
		{"or not even =", "Set-Cookie", "gatehouse", ""},
		{"public goes from Cache-Control, private comes", "Cache-Control", "public, max-age=60, s-maxage=10", "private, max-age=60"},
		{"a comma in quotes parts nothing", "Cache-Control", `private="a, public", no-cache="x, public, y", max-age=1`, `private, no-cache="x, public, y", max-age=1`},
		{"but one behind quotes that do not end does", "Cache-Control", `no-cache="x, public, max-age=1`, `private, no-cache="x, max-age=1`},
		{"private comes where there is none", "Cache-Control", "", "private"},
		{"no-store stays", "Cache-Control", "no-store", "private, no-store"},
		{"Clear-Site-Data is dropped", "Clear-Site-Data", `"cookies"`, ""},
		{"HSTS is dropped", "Strict-Transport-Security", "max-age=1", ""},
		{"Alt-Svc is dropped", "Alt-Svc", "h3", ""},
		{"Report-To is dropped", "Report-To", "{}", ""},
		{"NEL is dropped", "NEL", "{}", ""},
		{"CDN-Cache-Control is dropped", "CDN-Cache-Control", "max-age=9", ""},
		{"Surrogate-Control is dropped", "Surrogate-Control", "max-age=9", ""},
		{"Gatehouse's names are dropped in any spelling", "X_Gatehouse_Assertion", "forged", ""},
		{"a service worker for the whole host is dropped", "Service-Worker-Allowed", "/", ""},
		{"one for the prefix passes", "Service-Worker-Allowed", "/gradio/admin/x", "/gradio/admin/x"},
		{"one that is a neighbour's too is dropped", "Service-Worker-Allowed", "/gradio/admin", ""},
		{"no kind of content is guessed", "Content-Type", "", ""},
		{"its CORS is dropped", "Access-Control-Allow-Origin", "*", ""},
		{"what is nobody's business passes", "X-App", "yes", "yes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			public := func(s string) string {
				return strings.NewReplacer("PUBLIC", host, "INNER", inner).Replace(s)
			}
			h.Admin.on(func(w http.ResponseWriter, _ *http.Request) bool {
				if c.said != "" {
					w.Header()[c.name] = []string{public(c.said)}
				}
				w.Header()["Content-Type"] = w.Header()["Content-Type"] // or Go's server guesses one here
				_, _ = io.WriteString(w, "<html>")
				return true
			})
			defer h.Admin.on(nil)
			res := ada.fetch("GET", "/gradio/admin/x", "")
			var got []string
			for name, values := range res.Header {
				if strings.EqualFold(name, c.name) {
					got = append(got, values...)
				}
			}
			if s := strings.Join(got, " | "); s != public(c.want) {
				t.Errorf("%s: %q came as %q, want %q", c.name, public(c.said), s, public(c.want))
			}
		})
	}
}

func TestAnUpstreamCannotNameTheRequest(t *testing.T) {
	h := newHouse(t, build{})
	h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Request-Id", "forged")
		w.Header().Set("Trailer", "X-Gatehouse-Late")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Gatehouse-Late", "forged")
		return true
	})
	res := h.as("bob").fetch("GET", "/gradio/user/", "")
	if id := res.Header.Values("X-Request-Id"); len(id) != 1 || id[0] == "forged" {
		t.Errorf("X-Request-Id: %q", id)
	}
	if len(res.Trailer) != 0 {
		t.Errorf("trailers passed: %v", res.Trailer)
	}
}

func TestInterimAnswersAreNotPassedOn(t *testing.T) {
	h := newHouse(t, build{})
	h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Set-Cookie", "gatehouse=evil")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		fmt.Fprint(w, "body")
		return true
	})
	bob := h.as("bob")
	answer := h.raw("GET /gradio/user/ HTTP/1.1\r\nHost: " + strings.TrimPrefix(h.URL, "http://") + "\r\nCookie: " + bob.cookies() + "\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") || strings.Contains(answer, "evil") {
		t.Errorf("got %q", answer)
	}
}
