package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// elsewhere are addresses that lead, or led in some browser or library, away
// from the host that they are given to.
var elsewhere = []string{
	"//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/\\evil.example`,
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "/\x00/evil.example", "/\x0b/evil.example", "/ /evil.example", "\t//evil.example", " //evil.example",
	"\x00//evil.example", "\x01https://evil.example", "/%09/evil.example", "/%0a/evil.example", "/%0d/evil.example", "/%00/evil.example", "/%5cevil.example", "/%5c%5cevil.example",
	"/%2fevil.example", "/%2f%2fevil.example", "%2f%2fevil.example", "/%2F/evil.example", "/.//evil.example", "/./\\evil.example", "/..//evil.example", "/;//evil.example", "/.;/evil.example",
	"//evil.example@localhost", "//localhost@evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example", "http:evil.example", "http:/\\evil.example", `http:\\evil.example`,
	"https://evil.example", "HTTPS://evil.example", "https://evil.example%2f@localhost", "https://localhost.evil.example", "https://evil.example#@localhost", "https://evil.example?localhost",
	`https://evil.example\@localhost`, "https://localhost%00.evil.example", "https://localhost%E3%80%82evil.example", "https://evil。example", "https://evil%E3%80%82example", "//evil｡example", "//ⓔvil.example",
	"//0x7f000001", "//2130706433", "//[::ffff:127.0.0.1]", "//127.1", "ftp://evil.example", "file:///etc/passwd", "gopher://evil.example", "ws://evil.example",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)", "javascript://localhost/%0aalert(1)", "\x01javascript:alert(1)", " javascript:alert(1)", "javascript&colon;alert(1)", "vbscript:x",
	"data:text/html,<script>alert(1)</script>", "data:;base64,PHNjcmlwdD4=", "blob:x", "about:blank", "view-source:x", "mailto:x@evil.example", "intent://evil.example",
	"?//evil.example", "#//evil.example", "evil.example", ".evil.example", "@evil.example", ":80", ":@evil.example", "/@evil.example/..//", "/x/..//evil.example", "/gradio/user/../..//evil.example", "/gradio/user/%2e%2e/%2e%2e//evil.example",
	"/gradio/user\r\nLocation: https://evil.example", "/gradio/user%0d%0aLocation:%20https://evil.example", "/gradio/user\u2028", "/gradio/user\u202e", "/auth/logout", "/auth/callback?code=x&state=y", "/auth/../auth/logout", "/%61uth/logout", "/AUTH/logout", "/auth;x/logout", "//auth/logout", "/auth%2flogout", "/auth/login?return_to=//evil.example",
	"\u00a0//evil.example", "\u3000//evil.example", "／／evil.example", "/／evil.example", "/\u2215evil.example", "http://SELF@evil.example", "http://SELF.evil.example", "http://SELF:1/", "http://SELF%2eevil.example", "http://evil.example/SELF", "https://SELF/gradio/user/", "http://SELF\\.evil.example", "http://SELF#.evil.example/", "http://SELF?.evil.example/", "http://SELF;evil.example/", "http://SELF,evil.example/", "http://SELF /", "//SELF/gradio/user/",
}

// leadsAway reads a Location as a browser does (WHATWG URL: tabs and newlines
// go, backslashes are slashes, spaces and controls around go).
func leadsAway(location, self string) bool {
	if strings.ContainsAny(location, "\r\n\t\x00") {
		return true
	}
	s := strings.ReplaceAll(strings.TrimFunc(location, func(r rune) bool { return r <= ' ' }), `\`, "/")
	if strings.HasPrefix(s, "//") {
		return true
	}
	if strings.HasPrefix(s, "/") {
		return false
	}
	u, err := url.Parse(s)
	return err != nil || u.Scheme+"://"+u.Host != self
}

func TestAttack16OpenRedirect(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada").cookies()
	w := h.wire(t)
	self, provider := h.host(), strings.TrimSuffix(h.Issuer, h.Provider.ProjectID())
	payloads := append([]string(nil), elsewhere...)
	for i := range payloads {
		payloads[i] = strings.ReplaceAll(payloads[i], "SELF", self)
	}
	n := 0
	check := func(what string, res reply) {
		t.Helper()
		n++
		if res.StatusCode >= 500 {
			t.Errorf("%s: %s", what, res.Status)
		}
		location := res.Header.Get("Location")
		if strings.HasPrefix(location, provider) {
			location = "" // where to come back to is in the state
		}
		if location != "" && leadsAway(location, h.URL) {
			t.Errorf("%s leads to %q", what, location)
		}
		if strings.Contains(res.Text, `href="//`) || strings.Contains(res.Text, `href="http://evil`) || strings.Contains(res.Text, `href="https://evil`) || strings.Contains(strings.ToLower(res.Text), `href="javascript`) {
			t.Errorf("%s: the page links away:\n%s", what, res.Text)
		}
	}
	for _, payload := range payloads {
		once := url.QueryEscape(payload)
		for _, encoded := range []string{once, url.QueryEscape(once), strings.ReplaceAll(url.PathEscape(payload), "+", "%2B")} {
			for _, page := range []string{"/auth/?return_to=", "/auth/login?x=1&return_to=", "/auth/error?reason=state&return_to=", "/auth/?signed_out=1&return_to=", "/auth?return_to="} {
				for _, cookies := range []string{"", ada} {
					res := w.ask(h.get(page+encoded, cookies, "Accept: text/html", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"))
					check(page+encoded, res)
				}
			}
		}
		// Where the address itself is the payload.
		if !strings.ContainsAny(payload, " \r\n\t\x00") {
			for _, target := range []string{payload, "/" + payload, "/gradio/user" + payload, "/gradio" + payload} {
				if !strings.HasPrefix(target, "/") {
					continue
				}
				for _, cookies := range []string{"", ada} {
					check("GET "+target, w.ask(h.get(target, cookies, "Accept: text/html", "Sec-Fetch-Mode: navigate")))
				}
			}
		}
		// The address that a 401 names.
		if !strings.ContainsAny(payload, "\r\n\x00\x01\x0b") { // those are the server's 400
			res := w.ask(h.get("/gradio/user/x", "", "Referer: "+payload))
			if want := `"login_url":"` + h.URL + `/auth/?return_to=%2Fgradio%2Fuser"`; !strings.Contains(res.Text, want) {
				t.Errorf("Referer %q: %s", payload, res.Text)
			}
		}
	}
	t.Run("through a whole sign-in", func(t *testing.T) {
		for i, payload := range payloads {
			if i%4 != 0 { // each is a sign-in; the check above covers the rest
				continue
			}
			res := h.browser().signIn("ada", payload)
			check("sign-in with return_to "+payload, res)
		}
	})
	t.Run("on unknown hosts and by redirects to https", func(t *testing.T) {
		s := newHouse(t, build{public: "https://gate.example.test:PORT", extra: "trusted_proxies: [127.0.0.0/8]"})
		w := s.wire(t)
		for _, payload := range payloads {
			if strings.ContainsAny(payload, " \r\n\t\x00") || !strings.HasPrefix(payload, "/") {
				continue
			}
			for _, host := range []string{"evil.example", "gate.example.test"} {
				res := w.ask(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nX-Forwarded-Proto: http\r\n\r\n", payload, host))
				if location := res.Header.Get("Location"); location != "" && leadsAway(location, s.URL) {
					t.Errorf("%s on %s leads to %q", payload, host, location)
				}
			}
		}
	})
	t.Logf("%d answers looked at", n)
}

// A return address is at most 2,000 bytes, and a browser keeps a cookie of at
// most 4,096, name and value: whatever the address holds must fit.
func TestALongDeepLinkSurvivesItsSignIn(t *testing.T) {
	h := newHouse(t, build{})
	for what, query := range map[string]string{
		"letters": strings.Repeat("a", 1970), "ampersands": strings.Repeat("&", 1970), "angle brackets": strings.Repeat("<>", 985), "parameters": strings.Repeat("a=1&", 490),
		"quotes": strings.Repeat(`"`, 1900), "backslashes": strings.Repeat(`\`, 1900), "raw UTF-8": strings.Repeat("é", 950), "escapes": strings.Repeat("%C3%A9", 320), "slashes": strings.Repeat("/", 1970),
	} {
		b := h.browser()
		deep := "/gradio/user/?" + query
		callback := b.authorize("bob", deep)
		state := b.cookiesAt("/auth/callback")
		if n := len(state) + len("__Host-"); n > 4096 {
			t.Errorf("%s: the cookie has %d bytes", what, n)
		}
		back := b.open(callback).Header.Get("Location")
		if back != deep && back != "/gradio/user/" {
			t.Errorf("%s: back to %.80q", what, back)
		}
		if plain := !strings.ContainsAny(query, `"\é`); plain && back != deep {
			t.Errorf("%s: the query got lost", what)
		}
	}
}
