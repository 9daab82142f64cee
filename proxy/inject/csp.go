package inject

import "strings"

// A Site is where the page and the script are: they share an origin.
type Site struct {
	Scheme string // http or https
	Host   string // with its port, unless it is the scheme's own
	Script string // path of the script
}

// Allows reports whether a content security policy, or a list of them as in a
// header, lets the page load the script and the script ask its own origin. Where
// that is in doubt it says no: a page that was written to be closed stays as it
// is (W3C CSP Level 3).
//
// A nonce or a hash in the policy is no way in: the tag has neither. Nor is
// 'self' beside 'strict-dynamic', which takes its effect away. Trusted types are
// a page's word that no script but its own comes near it, so they count as a no,
// and so does a sandbox in which the script would not know its origin.
func (s Site) Allows(policies string) bool {
	for policy := range strings.SplitSeq(policies, ",") {
		if !s.allows(directives(policy)) {
			return false
		}
	}
	return true
}

// directives parses one policy. Of a directive that stands twice the first
// counts (section 2.2.1).
func directives(policy string) map[string][]string {
	out := make(map[string][]string)
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(strings.ToLower(directive))
		if len(words) == 0 {
			continue
		}
		if _, seen := out[words[0]]; !seen {
			out[words[0]] = words[1:]
		}
	}
	return out
}

func (s Site) allows(d map[string][]string) bool {
	if flags, ok := d["sandbox"]; ok && !(contains(flags, "allow-scripts") && contains(flags, "allow-same-origin")) {
		return false
	}
	if _, ok := d["require-trusted-types-for"]; ok {
		return false
	}
	scripts, ok := first(d, "script-src-elem", "script-src", "default-src")
	if ok && (contains(scripts, "'strict-dynamic'") || !s.anyMatches(scripts)) {
		return false
	}
	connects, ok := first(d, "connect-src", "default-src")
	return !ok || s.anyMatches(connects)
}

// first returns the first of the directives that is there.
func first(d map[string][]string, names ...string) ([]string, bool) {
	for _, name := range names {
		if sources, ok := d[name]; ok {
			return sources, true
		}
	}
	return nil, false
}

func (s Site) anyMatches(sources []string) bool {
	for _, source := range sources {
		if s.matches(source) {
			return true
		}
	}
	return false
}

// matches reports whether a source expression, in lower case, takes the script.
func (s Site) matches(source string) bool {
	switch source {
	case "'self'", "*", s.Scheme + ":":
		return true
	case "http:":
		return true // takes https too (section 6.7.2.8)
	}
	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		scheme, rest = s.Scheme, source
	}
	if scheme != s.Scheme && scheme != "http" {
		return false
	}
	host, path, hasPath := strings.Cut(rest, "/")
	path = "/" + path
	switch {
	case !hasPath, strings.HasSuffix(path, "/") && strings.HasPrefix(strings.ToLower(s.Script), path), strings.EqualFold(path, s.Script):
	default:
		return false
	}
	return s.hostMatches(host)
}

// hostMatches compares host and port of a source with the site's.
func (s Site) hostMatches(source string) bool {
	name, port := splitPort(source)
	own, ownPort := splitPort(s.Host)
	if port != "*" && port != ownPort {
		if defaults := map[string]string{"http": "80", "https": "443"}; ownPort != "" || port != defaults[s.Scheme] {
			return false
		}
	}
	if suffix, wild := strings.CutPrefix(name, "*"); wild {
		return suffix == "" || strings.HasPrefix(suffix, ".") && strings.HasSuffix(own, suffix) && len(own) > len(suffix)
	}
	return name == own
}

func splitPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i], host[i+1:]
	}
	return host, ""
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
