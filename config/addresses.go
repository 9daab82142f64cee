package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listenAddress takes host:port; the host may be empty or an address or a name.
func listenAddress(p *string) take {
	return text(p, func(s string) string {
		const want = "host:port such as 127.0.0.1:8000 or :8000"
		host, port, err := net.SplitHostPort(s)
		if err != nil || !isPort(port, true) {
			return want
		}
		if host != "" && hostProblem(strings.ToLower(host), true) != "" {
			return want
		}
		return ""
	})
}

func isPort(port string, zero bool) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || zero) && port == strconv.FormatUint(n, 10)
}

// publicURL takes the address of Gatehouse. A scheme's own port is dropped, as
// browsers drop it.
func publicURL(p **url.URL) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok || s == "" {
			return
		}
		u, bare := parseOrigin(s)
		switch {
		case u == nil || u.Scheme != "http" && u.Scheme != "https":
			d.problem(key, "want scheme://host[:port] such as https://apps.example.com%s", n.got())
		case hostProblem(u.Hostname(), false) != "":
			d.problem(key, "want %s%s", hostProblem(u.Hostname(), false), n.got())
		case !bare:
			d.problem(key, "want scheme://host[:port] alone%s", d.writeInstead(n, u.Scheme+"://"+u.Host))
		default:
			*p = u
		}
	}
}

// writeInstead proposes a value, unless it would show one that is hidden.
func (d *decoder) writeInstead(n *node, value string) string {
	if n.place.hidden {
		return ""
	}
	return ": write " + value
}

// parseOrigin reads scheme://host[:port] into lower case and without the scheme's
// own port. nil where there is no such thing; bare tells that nothing else is there.
func parseOrigin(s string) (u *url.URL, bare bool) {
	full, err := url.Parse(s)
	if err != nil || full.Host == "" || full.Scheme == "" {
		return nil, false
	}
	host, port := strings.ToLower(full.Hostname()), full.Port()
	if host == "" || strings.HasSuffix(full.Host, ":") || port != "" && !isPort(port, false) {
		return nil, false
	}
	if full.Scheme == "http" && port == "80" || full.Scheme == "https" && port == "443" {
		port = ""
	}
	bare = full.User == nil && full.Path == "" && !strings.ContainsAny(s, "?#")
	return &url.URL{Scheme: full.Scheme, Host: joinHost(host, port)}, bare
}

func joinHost(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}

// cookieDomain takes a domain; the leading dot of old times is tolerated.
func cookieDomain(p *string) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok || s == "" {
			return
		}
		s = strings.ToLower(strings.TrimPrefix(s, "."))
		if _, err := netip.ParseAddr(s); err == nil || hostProblem(s, false) != "" {
			d.problem(key, "want a domain such as apps.example.com, without scheme and port%s", n.got())
			return
		}
		*p = s
	}
}

// routeHost takes an exact host or one with a wildcard label.
func routeHost(p *string) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok || s == "" {
			return
		}
		host := strings.TrimSuffix(strings.ToLower(s), ".")
		name, wildcard := strings.CutPrefix(host, wildcardLabel)
		if !wildcard {
			name, wildcard = strings.CutPrefix(host, tenantLabel)
		}
		literal := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
		switch {
		case strings.ContainsAny(name, "*{}"):
			d.problem(key, "want an exact host, *.example.com or {tenant}.example.com%s", n.got())
		case strings.ContainsAny(name, "/@ ") || strings.Contains(name, ":") && !isIP(literal):
			d.problem(key, "want a host without scheme, port and path%s", n.got())
		case hostProblem(literal, false) != "":
			d.problem(key, "want %s%s", hostProblem(literal, false), n.got())
		case wildcard && isIP(literal):
			d.problem(key, "want a domain after the wildcard%s", n.got())
		default:
			*p = strings.TrimSuffix(host, name) + joinHost(literal, "")
		}
	}
}

// upstreams takes one address or a list of replicas.
func upstreams(p *[]Upstream) take {
	return func(d *decoder, key string, n *node) {
		if n.kind == list && len(n.items) == 0 || n.kind == scalar && n.text == "" {
			d.problem(key, "is empty; want an address such as http://127.0.0.1:7860")
			return
		}
		for _, item := range d.oneOrItems(key, n) {
			s, ok := d.text(item.key, item.node)
			if !ok {
				continue
			}
			u, want := parseUpstream(s)
			if want != "" {
				if u != (Upstream{}) {
					want += d.writeInstead(item.node, u.String())
				} else {
					want += item.got()
				}
				d.problem(item.key, "want %s", want)
				continue
			}
			if slices.Contains(*p, u) {
				d.problem(item.key, "is in the list twice; keep one")
				continue
			}
			*p = append(*p, u)
		}
	}
}

// parseUpstream reads an upstream's address. With want, u is what was probably
// meant, or zero.
func parseUpstream(s string) (u Upstream, want string) {
	const example = "an address such as http://127.0.0.1:7860, https://host:port or unix:/path/to.sock"
	if socket, ok := strings.CutPrefix(s, "unix:"); ok {
		socket = strings.TrimPrefix(socket, "//")
		if !strings.HasPrefix(socket, "/") {
			return Upstream{}, "an absolute path after unix:"
		}
		return Upstream{Scheme: "unix", Socket: socket}, ""
	}
	origin, bare := parseOrigin(s)
	if origin == nil || origin.Scheme != "http" && origin.Scheme != "https" || hostProblem(origin.Hostname(), true) != "" {
		return Upstream{}, example
	}
	u = Upstream{Scheme: origin.Scheme, Host: origin.Host}
	if !bare {
		return u, "scheme://host[:port] alone, without path, query and password"
	}
	return u, ""
}

// origins takes the exact origins of other sites, as browsers write them.
func origins(p *[]string) take {
	return func(d *decoder, key string, n *node) {
		for _, item := range d.items(key, n) {
			s, ok := d.text(item.key, item.node)
			if !ok {
				continue
			}
			u, bare := parseOrigin(s)
			switch {
			case s == "*" || s == "null" || strings.Contains(s, "*"):
				d.problem(item.key, "want each origin written out, without * and null: those would let any page act for the person")
			case u == nil || hostProblem(u.Hostname(), true) != "":
				d.problem(item.key, "want scheme://host[:port]%s", item.got())
			case !bare:
				d.problem(item.key, "want scheme://host[:port] alone%s", d.writeInstead(item.node, u.Scheme+"://"+u.Host))
			default:
				*p = append(*p, u.Scheme+"://"+u.Host)
			}
		}
	}
}
