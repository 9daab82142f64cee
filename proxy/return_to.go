package proxy

import (
	"net/url"
	"strings"

	"gatehouse/proxy/route"
)

// maxReturnTo is the longest address to come back to, in bytes.
const maxReturnTo = 2000

// A location is a place that return_to or a Referer names.
type location struct {
	host, path string
	found      route.Match
}

// returnTo returns the address to come back to after sign-in, made from checked
// parts: a path on public_url's host, or a URL on a route's host. Anything else
// is "/", also what lies at auth_path, since coming back to the sign-out or the
// callback is never meant (attack: open redirect, CVE-2026-83589).
func (p *Policy) returnTo(raw string) string {
	const home = "/"
	if i := strings.IndexByte(raw, '#'); i >= 0 {
		raw = raw[:i]
	}
	host, target, ok := p.split(raw)
	if !ok {
		return home
	}
	path, query, hasQuery, err := route.CanonicalPath(target)
	if err != nil || strings.HasPrefix(path, "//") {
		return home
	}
	found, err := p.Table.Lookup(host, path)
	if err != nil || found.Kind == route.UnknownHost || found.Kind == route.Own {
		return home
	}
	origin := ""
	if host != p.Host {
		origin = p.Origin(host)
	}
	if hasQuery {
		// Measured as it will be sent: a byte may become three.
		if whole := asLocation(origin + path + "?" + query); len(whole) <= maxReturnTo {
			return whole
		}
	}
	if len(origin+path) <= maxReturnTo {
		return origin + path
	}
	if found.Kind == route.Matched {
		return origin + p.Routes[found.Index].Prefix
	}
	return home
}

// split takes an absolute path, or a URL with public_url's scheme and port,
// into a canonical host and the rest. Its host is checked by the caller against
// the hosts that have routes.
func (p *Policy) split(raw string) (host, target string, ok bool) {
	if strings.HasPrefix(raw, "/") {
		return p.Host, raw, !strings.HasPrefix(raw, "//") && !strings.HasPrefix(raw, `/\`)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !strings.EqualFold(scheme, p.Scheme) {
		return "", "", false
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, target := rest[:end], rest[end:]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	name, ok := strings.CutSuffix(authority, p.Port)
	if p.Port == "" { // which may be written all the same
		name = strings.TrimSuffix(authority, defaultPorts[p.Scheme])
	}
	if !ok || strings.HasSuffix(name, ".") {
		return "", "", false
	}
	host, err := route.CanonicalHost(name)
	if err != nil || len(host) != len(name) { // another port, or an empty one
		return "", "", false
	}
	return host, target, true
}

var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// locate finds what a checked return address names.
func (p *Policy) locate(back string) (location, bool) {
	host, target, ok := p.split(back)
	if !ok {
		return location{}, false
	}
	path, _, _, err := route.CanonicalPath(target)
	if err != nil {
		return location{}, false
	}
	found, err := p.Table.Lookup(host, path)
	if err != nil || found.Kind == route.UnknownHost {
		return location{}, false
	}
	return location{host: host, path: path, found: found}, true
}

// tenantFor returns the tenant whose host a checked return address lies on, so
// that the sign-in goes straight to that customer's SSO, or "".
func (p *Policy) tenantFor(back string) string {
	place, ok := p.locate(back)
	found := place.found
	if !ok || found.Label == "" || found.Kind == route.Matched && !p.Routes[found.Index].TenantHost {
		return ""
	}
	for _, rt := range p.Routes {
		if tenant, ok := p.serves(rt, place.host); ok && rt.TenantHost {
			return tenant
		}
	}
	return "" // a host of a *.suffix alone
}

// asLocation makes an address fit for a Location header: bytes outside ASCII,
// which a query may hold as it was sent, are percent-encoded.
func asLocation(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] <= ' ' || s[i] == '"' || s[i] == '\\' {
			return encodeLoose(s)
		}
	}
	return s
}

func encodeLoose(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || c <= ' ' || c == '"' || c == '\\' {
			b.WriteString(percent(c))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func percent(c byte) string {
	const hex = "0123456789ABCDEF"
	return string([]byte{'%', hex[c>>4], hex[c&15]})
}

// onlyQuery returns a query parameter that is given exactly once, and can be read.
func onlyQuery(raw, name string) string {
	value, _ := queryValue(raw, name)
	return value
}

// queryValue also reports whether the parameter is given at all, however often and
// however badly. What stands beside it does not matter.
func queryValue(raw, name string) (value string, given bool) {
	for pair := range strings.SplitSeq(raw, "&") {
		key, text, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		text, err := url.QueryUnescape(text)
		if given || err != nil {
			return "", true
		}
		value, given = text, true
	}
	return value, given
}
