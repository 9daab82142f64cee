package route

import (
	"net/netip"
	"strings"
)

// HostError says why a host is refused. The answer to it is 400. Why is a fixed
// phrase and never quotes the request.
type HostError struct{ Why string }

func (e *HostError) Error() string { return "bad host: " + e.Why }

// CanonicalHost returns the host of a Host header, or of an URL's authority, by
// which routes are found: in lower case, without port and without one trailing dot
// (CVE-2026-27588). It takes names of letters, digits, hyphens, underscores and
// dots, IPv4 addresses, and IPv6 addresses in brackets, which it keeps in their
// shortest form; it does not take userinfo, zones, empty labels, an empty port or
// anything beyond ASCII. The error is a *HostError. A name in lower case is
// returned without allocating.
func CanonicalHost(hostport string) (string, error) {
	if strings.HasPrefix(hostport, "[") {
		return canonicalIPv6(hostport)
	}
	host, port, hasPort := strings.Cut(hostport, ":")
	if hasPort && !validPort(port) {
		return "", &HostError{"malformed port"}
	}
	host = strings.TrimSuffix(host, ".")
	if err := checkName(host); err != nil {
		return "", err
	}
	return lower(host), nil
}

func canonicalIPv6(hostport string) (string, error) {
	end := strings.IndexByte(hostport, ']')
	if end < 0 {
		return "", &HostError{"bracket without end"}
	}
	host, rest := hostport[:end+1], hostport[end+1:]
	if rest != "" && (rest[0] != ':' || !validPort(rest[1:])) {
		return "", &HostError{"malformed port"}
	}
	addr, err := netip.ParseAddr(host[1:end])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", &HostError{"malformed IPv6 address"}
	}
	return "[" + addr.String() + "]", nil
}

// checkName holds a name to the lengths of RFC 1035, section 2.3.4, and to the
// characters that are in use.
func checkName(host string) error {
	if host == "" {
		return &HostError{"empty"}
	}
	if len(host) > 253 {
		return &HostError{"longer than 253 bytes"}
	}
	label := 0
	for i := range len(host) {
		c := host[i]
		switch {
		case c == '.':
			if label == 0 {
				return &HostError{"empty label"}
			}
			label = 0
			continue
		case !isUnreserved(c) || c == '~':
			return &HostError{"character that no host name has"}
		}
		if label++; label > 63 {
			return &HostError{"label longer than 63 bytes"}
		}
	}
	if label == 0 {
		return &HostError{"empty label"}
	}
	return nil
}

// validPort takes 1 to 65535.
func validPort(port string) bool {
	if port == "" || len(port) > 5 {
		return false
	}
	n := 0
	for i := range len(port) {
		c := port[i]
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return 1 <= n && n <= 65535
}

// lower lowers A to Z and nothing else. It allocates only where there is one.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				b[j] = lowerByte(b[j])
			}
			return string(b)
		}
	}
	return s
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
