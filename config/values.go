package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// The tests of this file look at one text and complete "want …".

// isOneWord passes text without spaces.
func isOneWord(s string) string {
	if strings.ContainsAny(s, " \t,") {
		return "one word without spaces and commas"
	}
	return ""
}

// isToken passes the token of RFC 9110 section 5.6.2: names of cookies, headers
// and methods.
func isToken(s string) string {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return "letters, digits and - _ . alone"
		}
	}
	if s == "" {
		return "a name"
	}
	return ""
}

func isTokenByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// isMethod passes an HTTP method; those of HTTP are upper case, and get is none.
func isMethod(s string) string {
	if isToken(s) != "" || s != strings.ToUpper(s) {
		return "a method such as GET or POST, in capitals"
	}
	return ""
}

// isHTTPURL passes an absolute http or https URL.
func isHTTPURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return "an address that begins with https:// or http://"
	}
	return ""
}

// isIssuer passes what OpenID Connect Discovery allows for an issuer: no query and
// no fragment. http too, for providers on the same machine; Warnings tells of
// others.
func isIssuer(s string) string {
	if want := isHTTPURL(s); want != "" {
		return want
	}
	if strings.ContainsAny(s, "?# ") {
		return "an issuer without ? and #"
	}
	if strings.HasSuffix(s, "/.well-known/openid-configuration") {
		return "the issuer without /.well-known/openid-configuration"
	}
	return ""
}

// isContact passes an email address or a link.
func isContact(s string) string {
	if isHTTPURL(s) == "" || isEmail(s) == "" {
		return ""
	}
	return "an email address or a link that begins with https://"
}

// isEmail passes what rules compare: something on either side of exactly one @.
func isEmail(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(domain, "@") || strings.ContainsAny(s, " \t,<>") {
		return "an email address such as ann@example.com"
	}
	return ""
}

// isEmailDomain passes a domain as it stands behind the @.
func isEmailDomain(s string) string {
	if strings.HasPrefix(s, "@") {
		return "the domain without the @"
	}
	if strings.HasPrefix(s, "*") || strings.HasPrefix(s, ".") {
		return "each domain written out, without * and leading dot; subdomains are not covered"
	}
	if hostProblem(strings.ToLower(s), false) != "" {
		return "a domain such as example.com"
	}
	return ""
}

// isTestURL passes a path or an absolute URL.
func isTestURL(s string) string {
	if strings.HasPrefix(s, "/") || isHTTPURL(s) == "" {
		return ""
	}
	return "a path that begins with / or an absolute URL"
}

// hostProblem looks at a host name or IP address, in lower case and without a
// port. Underscores stand in names of containers, never in public ones.
func hostProblem(host string, underscore bool) string {
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return "an address without a zone"
		}
		return ""
	}
	labels := strings.Split(host, ".")
	if len(host) > 253 {
		return "a host name of at most 253 letters"
	}
	for _, label := range labels {
		if want := labelProblem(label, underscore); want != "" {
			return want
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "a host name or a whole IP address"
	}
	return ""
}

func labelProblem(label string, underscore bool) string {
	if label == "" {
		return "a host name such as app.example.com"
	}
	if len(label) > 63 {
		return "a host name whose parts have at most 63 letters"
	}
	for _, r := range label {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
		case r == '_' && underscore:
		case r > 127:
			return "a host name in its xn-- form"
		default:
			return "a host name such as app.example.com"
		}
	}
	if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
		return "a host name whose parts neither begin nor end with -"
	}
	return ""
}

// isIP reports whether a host is an address, with or without brackets.
func isIP(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}
