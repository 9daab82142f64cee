package proxy

import (
	"net/http"
	"strings"
)

// rewriteSetCookies keeps an upstream's cookies to its own route: they lose
// Domain, and their path lies in the prefix. A cookie with a name of Gatehouse's
// own is dropped, and so is one without a name, which browsers send back as
// whatever its value says.
func (x *exchange) rewriteSetCookies(h http.Header) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0]
	for _, line := range lines {
		if line, ok := x.rewriteSetCookie(line); ok {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}

func (x *exchange) rewriteSetCookie(line string) (string, bool) {
	pair, attributes, _ := strings.Cut(line, ";")
	name, _, ok := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || x.h.ownsCookie(name) {
		return "", false
	}
	prefix := x.route.Prefix
	if len(name) >= 7 && strings.EqualFold(name[:7], "__Host-") && prefix != "/" {
		return "", false // browsers take it with Path=/ only
	}
	out := []string{strings.Trim(pair, " \t")} // as browsers do: nothing else becomes another name
	path := ""
	for attribute := range strings.SplitSeq(attributes, ";") {
		key, value, _ := strings.Cut(attribute, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "", "domain":
		case "path":
			path = strings.TrimSpace(value) // the last one counts (RFC 6265, section 5.3)
		default:
			out = append(out, strings.TrimSpace(attribute))
		}
	}
	if prefix != "/" || path != "" {
		out = append(out, "Path="+x.cookiePath(path))
	}
	return strings.Join(out, "; "), true
}

// cookiePath is the public path of an upstream's cookie.
func (x *exchange) cookiePath(path string) string {
	prefix := x.route.Prefix
	switch {
	case prefix == "/" && strings.HasPrefix(path, "/"), x.inPrefix(path):
		return path
	case x.route.Strip && strings.HasPrefix(path, "/"):
		return prefix + path
	}
	return prefix
}
