package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	menuTag  = `<script src="/auth/menu.js" defer></script>`
	page     = "<!doctype html><html><head><title>App</title></head><body><h1>App</h1></body></html>\n"
	menuPage = "<!doctype html><html><head><title>App</title></head><body><h1>App</h1>" + menuTag + "</body></html>\n"
)

const menuRoutes = `
  - path: /app
    upstream: %[1]s
    allow: authenticated
    account_menu: true
  - path: /open
    upstream: %[1]s
    allow: public
    account_menu: true
  - path: /bare
    upstream: %[1]s
    allow: authenticated
`

// answers makes the app answer with a page and these headers, name by value.
func answers(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i+1 < len(headers); i += 2 {
			if w.Header().Del(headers[i]); headers[i+1] != "" {
				w.Header().Set(headers[i], headers[i+1])
			}
		}
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		w.WriteHeader(status)
		if status != http.StatusNotModified {
			_, _ = w.Write([]byte(body))
		}
		return true
	}
}

// navigates asks as a browser does that opens the address, with headers more.
func (b *browser) navigates(method, target string, more ...string) reply {
	b.t.Helper()
	headers := []string{"Accept", "text/html", "Accept-Encoding", "gzip, br"}
	for _, name := range []string{"Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest"} {
		value := map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}[name]
		for i := 0; i+1 < len(more); i += 2 {
			if more[i] == name {
				value = more[i+1]
			}
		}
		if value != "" {
			headers = append(headers, name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		if !strings.HasPrefix(more[i], "Sec-Fetch-") {
			headers = append(headers, more[i], more[i+1])
		}
	}
	return b.do(method, target, "", headers...)
}

func TestTheAccountMenuIsPutIntoPagesThatAPersonOpens(t *testing.T) {
	h := newHouse(t, build{routes: menuRoutes})
	bob := h.as("bob")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(page))
	_ = z.Close()
	none := []string{"Sec-Fetch-Mode", "", "Sec-Fetch-Site", "", "Sec-Fetch-Dest", ""}
	for _, c := range []struct {
		name   string
		path   string
		method string
		asks   []string // more request headers
		app    func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		{"a page", "/app/", "GET", nil, answers(200, page), menuPage},
		{"a page without Sec-Fetch headers", "/app/", "GET", none, answers(200, page), menuPage},
		{"a page that a form opens", "/app/", "POST", []string{"Sec-Fetch-Site", "same-origin"}, answers(200, page), menuPage},
		{"a page of a public route", "/open/", "GET", nil, answers(200, page), menuPage},
		{"a page in another site's frame", "/app/", "GET", []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"}, answers(200, page), menuPage},
		{"a page whose policy takes the script", "/app/", "GET", nil, answers(200, page, "Content-Security-Policy", "default-src 'self'"), menuPage},
		{"not where the route does not ask for it", "/bare/", "GET", nil, answers(200, page), page},
		{"not in a frame of the app's own", "/app/", "GET", []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}, answers(200, page), page},
		{"not in an object", "/app/", "GET", []string{"Sec-Fetch-Dest", "object"}, answers(200, page), page},
		{"not in what a script fetches", "/app/", "GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty"}, answers(200, page), page},
		{"not in other types", "/app/", "GET", nil, answers(200, page, "Content-Type", "text/plain"), page},
		{"not without a type", "/app/", "GET", nil, answers(200, page, "Content-Type", "application/xhtml+xml"), page},
		{"not in UTF-16", "/app/", "GET", nil, answers(200, page, "Content-Type", "text/html; charset=utf-16"), page},
		{"not in an error's page", "/app/", "GET", nil, answers(404, page), page},
		{"not in a part", "/app/", "GET", []string{"Range", "bytes=0-"}, answers(206, page, "Content-Range", "bytes 0-81/82"), page},
		{"not in a download", "/app/", "GET", nil, answers(200, page, "Content-Disposition", `attachment; filename="report.html"`), page},
		{"but in a page that is to be shown", "/app/", "GET", nil, answers(200, page, "Content-Disposition", `inline; filename="report.html"`), menuPage},
		{"not where nothing may be altered", "/app/", "GET", nil, answers(200, page, "Cache-Control", "no-cache, no-transform"), page},
		{"not where the policy knows nonces alone", "/app/", "GET", nil, answers(200, page, "Content-Security-Policy", "script-src 'nonce-x'"), page},
		{"not where the page's element forbids it", "/app/", "GET", nil,
			answers(200, `<meta http-equiv=content-security-policy content="script-src 'none'">`+page), `<meta http-equiv=content-security-policy content="script-src 'none'">` + page},
		{"not where it came compressed nevertheless", "/app/", "GET", nil, answers(200, zipped.String(), "Content-Encoding", "gzip"), zipped.String()},
		{"not where there is no </body>", "/app/", "GET", nil, answers(200, "<p>a piece"), "<p>a piece"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.Admin.on(c.app)
			res := bob.navigates(c.method, c.path, c.asks...)
			if res.Text != c.want {
				t.Errorf("got %s %q, want %q", res.Status, res.Text, c.want)
			}
			if got := res.Header.Get("Content-Length"); got != "" && got != fmt.Sprint(len(c.want)) {
				t.Errorf("Content-Length %s for %d bytes", got, len(c.want))
			}
		})
	}
}

func TestAPageWithTheMenuHasTheHeadersOfOne(t *testing.T) {
	h := newHouse(t, build{routes: menuRoutes})
	bob := h.as("bob")
	h.Admin.on(answers(200, page, "Etag", `"v1"`, "Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT", "Accept-Ranges", "bytes",
		"Content-Md5", "x", "Digest", "sha-256=x", "Repr-Digest", "sha-256=:x:", "Content-Digest", "sha-256=:x:",
		"Content-Security-Policy", "default-src 'self'", "X-App", "kept", "Content-Language", "en"))
	for _, method := range []string{"GET", "HEAD"} {
		res := bob.navigates(method, "/app/")
		for name, want := range map[string]string{
			"Last-Modified": "", "Accept-Ranges": "", "Content-Md5": "", "Digest": "", "Repr-Digest": "", "Content-Digest": "",
			"Content-Length": "", "Content-Encoding": "", "Content-Security-Policy": "default-src 'self'", "X-App": "kept",
			"Content-Language": "en", "Content-Type": "text/html; charset=utf-8", "Vary": "Sec-Fetch-Mode",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", method, name, got, want)
			}
		}
		if tag := res.Header.Get("Etag"); !strings.HasPrefix(tag, `W/"v1-menu.`) || !strings.HasSuffix(tag, `"`) {
			t.Errorf("%s: Etag %s", method, tag)
		}
	}
	if res := bob.navigates("GET", "/bare/"); res.Header.Get("Etag") != `"v1"` || res.Header.Get("Last-Modified") == "" || res.Header.Get("Digest") == "" {
		t.Errorf("a page without the menu was touched: %v", res.Header)
	}
}

func TestTheUpstreamIsAskedForAPageThatCanBeAltered(t *testing.T) {
	h := newHouse(t, build{routes: menuRoutes})
	bob := h.as("bob")
	h.Admin.on(answers(200, page, "Etag", `"v1"`))
	tag := bob.navigates("GET", "/app/").Header.Get("Etag")
	h.Admin.on(nil)
	for _, c := range []struct {
		name, path string
		asks       []string
		want       map[string]string
	}{
		{"not compressed", "/app/", nil, map[string]string{"Accept-Encoding": "identity"}},
		{"not by a date, which a page without the menu has too", "/app/", []string{"If-Modified-Since", "Mon, 02 Nov 2026 10:00:00 GMT"}, map[string]string{"If-Modified-Since": ""}},
		{"not by the tag of a page without the menu", "/app/", []string{"If-None-Match", `"v1", W/"v1", *`}, map[string]string{"If-None-Match": ""}},
		{"but by the tag of one with it", "/app/", []string{"If-None-Match", `"v0", ` + tag}, map[string]string{"If-None-Match": `W/"v1"`}},
		{"a part is a part", "/app/", []string{"Range", "bytes=5-", "If-Range", `"v1"`}, map[string]string{"Range": "bytes=5-", "If-Range": `"v1"`}},
		{"what a script fetches is asked for as it asked", "/app/", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "If-None-Match", `"v1"`},
			map[string]string{"Accept-Encoding": "gzip, br", "If-None-Match": `"v1"`}},
		{"and so is a page of a route without the menu", "/bare/", []string{"If-None-Match", tag}, map[string]string{"Accept-Encoding": "gzip, br", "If-None-Match": tag}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bob.navigates("GET", c.path, c.asks...)
			got := h.Admin.last(t).Header
			for name, want := range c.want {
				if got.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.Get(name), want)
				}
			}
		})
	}
	t.Run("a 304 keeps the tag of the page that it confirms", func(t *testing.T) {
		h.Admin.on(answers(304, "", "Etag", `"v1"`, "Content-Type", ""))
		res := bob.navigates("GET", "/app/", "If-None-Match", tag)
		if res.StatusCode != 304 || res.Header.Get("Etag") != tag {
			t.Errorf("got %s with %s, want %s", res.Status, res.Header.Get("Etag"), tag)
		}
	})
}

func TestALargePageStreamsThrough(t *testing.T) {
	h := newHouse(t, build{routes: menuRoutes})
	bob := h.as("bob")
	begun, more := make(chan bool), make(chan bool)
	row := strings.Repeat("<p>row</p>", 6554)
	h.Admin.on(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>"))
		_ = http.NewResponseController(w).Flush()
		<-begun
		for range 160 { // 10 MB
			_, _ = w.Write([]byte(row))
		}
		<-more
		_, _ = w.Write([]byte("</body></html>"))
		return true
	})
	req, _ := http.NewRequest("GET", h.URL+"/app/", nil)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	res, err := bob.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read := func(n int) string {
		t.Helper()
		b := make([]byte, n)
		for got := 0; got < n; {
			k, err := res.Body.Read(b[got:])
			if got += k; err != nil && got < n {
				t.Fatal(err)
			}
		}
		return string(b)
	}
	if got := read(12); got != "<html><body>" {
		t.Fatalf("got %q", got)
	}
	begun <- true
	if got := read(160 * len(row)); got != strings.Repeat(row, 160) {
		t.Fatal("the page was altered")
	}
	more <- true
	if got := read(len(menuTag) + 14); got != menuTag+"</body></html>" {
		t.Errorf("it ends with %q", got)
	}
}

func TestTheMenusScriptIsServedOnEveryHostAndAskedAboutAgain(t *testing.T) {
	h := newHouse(t, build{
		public:  "http://app.localhost:PORT",
		session: "  cookie_domain: app.localhost\n",
		routes:  "\n  - host: a.app.localhost\n    upstream: %[1]s\n    allow: authenticated\n  - path: /x\n    upstream: %[2]s\n    allow: authenticated\n",
	})
	b := h.browser()
	for _, origin := range []string{h.URL, strings.Replace(h.URL, "//", "//a.", 1)} {
		res := b.do("GET", origin+"/auth/menu.js", "", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script", "Sec-Fetch-Site", "same-origin")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(res.Text, "gatehouse-account") {
			t.Fatalf("%s: %s %q", origin, res.Status, res.Header)
		}
		if c := res.Header.Get("Cache-Control"); c != "public, max-age=300" || res.Header.Get("Etag") == "" || res.Header["Set-Cookie"] != nil {
			t.Errorf("%s: headers %q", origin, res.Header)
		}
		again := b.do("GET", origin+"/auth/menu.js", "", "If-None-Match", "W/"+res.Header.Get("Etag"))
		if again.StatusCode != 304 || again.Text != "" || again.Header.Get("Etag") != res.Header.Get("Etag") {
			t.Errorf("%s: asked again: %s %q", origin, again.Status, again.Header)
		}
	}
}
