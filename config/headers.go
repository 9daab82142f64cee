package config

import (
	"slices"
	"strings"
	"unicode"
)

// headers takes name: value. Names keep their case; two that differ in case alone,
// or in _ and - as many servers read them, are one header.
func headers(p *map[string]string) take {
	return func(d *decoder, key string, n *node) {
		if n.kind != mapping {
			d.problem(key, "want a mapping of header names and values%s", n.got())
			return
		}
		out := make(map[string]string, len(n.entries))
		seen := map[string]bool{}
		for _, e := range n.entries {
			at := joinKey(key, e.name)
			d.places[at] = e.value.place
			folded := foldHeader(e.name)
			switch want := headerNameProblem(e.name, folded); {
			case want != "":
				d.problem(at, "%s", want)
				continue
			case seen[folded]:
				d.problem(at, "names a header that is there already, in another spelling; keep one")
				continue
			}
			seen[folded] = true
			if value, ok := d.headerValue(at, e.value); ok {
				out[e.name] = value
			}
		}
		*p = out
	}
}

// headerValue never shows the value: headers carry passwords of upstreams.
func (d *decoder) headerValue(key string, n *node) (string, bool) {
	switch {
	case !n.isWord("!!str"):
		d.problem(key, "want text, got %s; put it in quotes", n.describe())
	case strings.ContainsFunc(n.text, unicode.IsControl):
		d.problem(key, "want text on one line, without control characters")
	default:
		return strings.TrimSpace(n.text), true
	}
	return "", false
}

// foldHeader is a header's name as the laxest server reads it: Python's WSGI makes
// X_Forwarded_User and X-Forwarded-User one variable.
func foldHeader(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

func headerNameProblem(name, folded string) string {
	switch {
	case isToken(name) != "":
		return "want a header's name: " + isToken(name)
	case slices.Contains(connectionHeaders(), folded):
		return "cannot be set: it belongs to the connection"
	case folded == "host":
		return "cannot be set: the upstream sees the route's host"
	case slices.Contains(ownHeaders(), folded) || strings.HasPrefix(folded, "x-gatehouse-"):
		return "cannot be set: Gatehouse sets it itself, and upstreams rely on it"
	case folded == "cookie":
		return "cannot be set: the person's cookies stand there"
	}
	return ""
}

// connectionHeaders are those of one hop (RFC 9110 section 7.6.1), and those that
// frame the message.
func connectionHeaders() []string {
	return []string{
		"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
		"te", "trailer", "transfer-encoding", "upgrade", "content-length", "http2-settings",
	}
}

// ownHeaders are those that tell an upstream who asks and from where.
func ownHeaders() []string {
	return []string{
		"x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username", "x-forwarded-groups",
		"x-forwarded-tenant", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id",
	}
}
