package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gatehouse/proxy/inject"
)

// The account menu is a script tag in the app's own pages: what a person opens,
// and nothing else that passes. Where anything speaks against it the page stays
// as the app made it: an encoding, a policy, a download, no-transform.

// menuScript serves the account menu. Its address never changes, so it is asked
// about again after five minutes.
func (x *exchange) menuScript() error {
	h := x.Header()
	h["Cache-Control"] = []string{"public, max-age=300"}
	h["Etag"] = []string{x.h.menuTag}
	for _, tag := range entityTags(x.r.Header["If-None-Match"]) {
		if tag == "*" || strings.TrimPrefix(tag, "W/") == x.h.menuTag {
			x.WriteHeader(http.StatusNotModified)
			return errAnswered
		}
	}
	return x.serveBytes("text/javascript; charset=utf-8", x.h.menu)
}

// strongTag is an entity tag made of the content.
func strongTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// takesMenu reports whether the answer may get the account menu: a person opens
// a page. A frame that the app puts into its own page is part of that page.
func (x *exchange) takesMenu() bool {
	if !x.route.AccountMenu || x.upgrade() || !x.navigation() {
		return false
	}
	switch x.r.Header.Get("Sec-Fetch-Dest") {
	case "", "document":
		return true
	case "iframe", "frame":
		return x.r.Header.Get("Sec-Fetch-Site") != "same-origin"
	}
	return false
}

// menuScriptTag is what is put into a page.
func (p *Policy) menuScriptTag() string {
	return `<script src="` + html.EscapeString(p.AuthPath) + `/menu.js" defer></script>`
}

// menuMark tells the entity tags of pages with the menu from those without, so
// that neither is taken for the other when a browser asks whether its copy is
// still good.
func (p *Policy) menuMark() string {
	sum := sha256.Sum256([]byte(p.menuScriptTag()))
	return "-menu." + hex.EncodeToString(sum[:4])
}

var identityOnly = http.Header{"Accept-Encoding": {"identity"}}

// askForMenu makes the upstream's answer to h one that the menu can be put into:
// not compressed, and whole unless the browser's copy has the menu already. A
// date says nothing about that, so it is not asked by. Range stays: a part is
// passed as it is, and pages with the menu have nothing that If-Range takes.
func (x *exchange) askForMenu(h http.Header) {
	stripConfigured(h, identityOnly) // also in the operator's spelling
	maps.Copy(h, identityOnly)
	delete(h, "If-Modified-Since")
	mark := x.p.menuMark() + `"`
	var own []string
	for _, tag := range entityTags(h["If-None-Match"]) {
		if original, ok := strings.CutSuffix(tag, mark); ok {
			own = append(own, original+`"`)
		}
	}
	delete(h, "If-None-Match")
	if len(own) > 0 {
		h["If-None-Match"] = []string{strings.Join(own, ", ")}
	}
}

// addMenu puts the account menu into a page. It is a stream: whether the page
// has a place for it shows at its end, so its headers are those of a page with
// the menu in any case, and of a HEAD of it likewise.
func (x *exchange) addMenu(res *http.Response) {
	h := res.Header
	if res.StatusCode == http.StatusNotModified && res.Request.Header["If-None-Match"] != nil {
		x.markPage(h)
		return
	}
	site := inject.Site{Scheme: x.p.Scheme, Host: x.host + x.p.Port, Script: x.p.AuthPath + "/menu.js"}
	if res.StatusCode != http.StatusOK || !plainPage(h) || !site.Allows(strings.Join(h["Content-Security-Policy"], ",")) {
		return
	}
	for _, name := range [...]string{"Content-Length", "Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		delete(h, name)
	}
	x.markPage(h)
	if x.r.Method != http.MethodHead {
		res.ContentLength = -1
		res.Body = inject.NewReader(res.Body, x.p.menuScriptTag(), site.Allows)
	}
}

// plainPage reports whether an answer is an HTML page to be shown, in a form
// that can be read and that may be altered.
func plainPage(h http.Header) bool {
	if len(h["Content-Type"]) != 1 || !inject.Readable(h["Content-Type"][0]) {
		return false
	}
	for _, encoding := range h["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return false
		}
	}
	for _, value := range h["Cache-Control"] { // RFC 9111, section 5.2.2.6
		if strings.Contains(strings.ToLower(value), "no-transform") {
			return false
		}
	}
	disposition, _, _ := strings.Cut(h.Get("Content-Disposition"), ";")
	disposition = strings.TrimSpace(disposition)
	return disposition == "" || strings.EqualFold(disposition, "inline") // else it is saved as a file
}

// markPage makes the validators those of the page with the menu. Its tag is
// weak, for the bytes are not the upstream's, and its date goes: the page as it
// was without the menu has the same.
func (x *exchange) markPage(h http.Header) {
	delete(h, "Last-Modified")
	tag := h.Get("Etag")
	delete(h, "Etag")
	if tags := entityTags([]string{tag}); len(tags) == 1 && tags[0] != "*" {
		h["Etag"] = []string{"W/" + strings.TrimSuffix(strings.TrimPrefix(tags[0], "W/"), `"`) + x.p.menuMark() + `"`}
	}
	if !slices.Contains(h["Vary"], "Sec-Fetch-Mode") {
		h["Vary"] = append(h["Vary"], "Sec-Fetch-Mode") // a script that fetches the page gets it without
	}
}

// entityTags splits a list of entity tags; they may hold commas (RFC 9110,
// section 8.8.3). What is none ends the list.
func entityTags(values []string) []string {
	var tags []string
	for _, list := range values {
		for list = strings.TrimLeft(list, " \t,"); list != ""; list = strings.TrimLeft(list, " \t,") {
			if list == "*" {
				return append(tags, list)
			}
			weak := ""
			if strings.HasPrefix(list, "W/") {
				weak, list = "W/", list[2:]
			}
			end := -1
			if strings.HasPrefix(list, `"`) {
				end = strings.IndexByte(list[1:], '"')
			}
			if end < 0 {
				return tags
			}
			tags = append(tags, weak+list[:end+2])
			list = list[end+2:]
		}
	}
	return tags
}
