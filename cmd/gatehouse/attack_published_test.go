package main

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// published are the payloads of testdata/open-redirects.txt, with the house where
// they have a domain that is allowed.
func (h *house) published(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/open-redirects.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n\n")
	seen := map[string]bool{}
	var out []string
	add := func(payload string) {
		if !seen[payload] {
			seen[payload] = true
			out = append(out, payload)
		}
	}
	for line := range strings.Lines(list) {
		line = strings.TrimSuffix(line, "\n")
		for _, payload := range []string{line, strings.ReplaceAll(line, "www.whitelisteddomain.tld", h.host()), strings.ReplaceAll(line, "localdomain.pw", h.host())} {
			add(payload)
			if decoded, err := url.QueryUnescape(payload); err == nil {
				add(decoded)
			}
		}
	}
	return out
}

// Other people's lists: whatever is asked for, nothing leads away.
func TestAttack16PublishedOpenRedirects(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada").cookies()
	payloads := h.published(t)
	if len(payloads) < 600 {
		t.Fatalf("only %d payloads", len(payloads))
	}
	w := h.wire(t)
	led := 0
	check := func(what string, res reply) {
		t.Helper()
		if res.StatusCode >= 500 {
			t.Errorf("%s: %s", what, res.Status)
		}
		if location := res.Header.Get("Location"); location != "" {
			led++
			if leadsAway(location, h.URL) {
				t.Errorf("%s leads to %q", what, location)
			}
		}
		for link := range strings.SplitSeq(res.Text, `href="`) {
			link, _, _ = strings.Cut(link, `"`)
			if strings.Contains(strings.ToLower(link), "script:") && !strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "<!") {
				t.Errorf("%s: the page links to %q", what, link)
			}
		}
	}
	for _, payload := range payloads {
		for _, page := range []string{"/auth/?return_to=", "/auth/?signed_out=1&return_to=", "/auth/error?reason=state&return_to="} {
			for _, cookies := range []string{"", ada} {
				check(page+payload, w.ask(h.get(page+url.QueryEscape(payload), cookies, "Accept: text/html", "Sec-Fetch-Mode: navigate")))
			}
		}
		if strings.HasPrefix(payload, "/") && !strings.ContainsAny(payload, " \r\n\t\x00\x0b") {
			check("GET "+payload, w.ask(h.get(payload, ada, "Accept: text/html", "Sec-Fetch-Mode: navigate")))
		}
	}
	t.Run("through a sign-in", func(t *testing.T) {
		for i, payload := range payloads {
			if i%25 == 0 {
				check("sign-in with return_to "+payload, h.browser().signIn("ada", payload))
			}
		}
	})
	t.Logf("%d payloads; %d answers led somewhere", len(payloads), led)
}
