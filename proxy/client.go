package proxy

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/http/httpguts"

	"gatehouse/authz"
)

// requestIDLen is the length of Gatehouse's own request IDs.
const requestIDLen = 26

var requestIDAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newRequestID returns 128 random bits in the form of the error page's `id`.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return requestIDAlphabet.EncodeToString(b[:])
}

// ownRequestID reports whether s has the form of Gatehouse's own request IDs,
// so that nothing else from outside is shown.
func ownRequestID(s string) bool {
	if len(s) != requestIDLen {
		return false
	}
	for _, c := range []byte(s) {
		if !strings.ContainsRune("0123456789abcdefghjkmnpqrstvwxyz", rune(c)) {
			return false
		}
	}
	return true
}

// resolveClient says who connects. X-Forwarded-For, X-Forwarded-Proto and
// X-Request-Id are believed from trusted proxies only, which by default is
// nobody (attacks: oauth2-proxy CVE-2026-40575, authentik CVE-2024-47070).
func (x *exchange) resolveClient() error {
	peer, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err == nil {
		x.client = peer.Addr().Unmap()
	}
	trusted := x.p.trusts(x.client)
	if trusted {
		x.fromProxy()
	}
	if x.id == "" {
		x.id = newRequestID()
	}
	if !httpguts.ValidHeaderFieldName(x.r.Method) { // a token (RFC 9110, section 9.1); HTTP/2's server takes others
		return &refusal{status: http.StatusBadRequest, reason: authz.ReasonBadPath, detail: "The method is malformed."}
	}
	if x.r.Method == http.MethodConnect || x.r.Method == http.MethodTrace {
		return &refusal{status: http.StatusMethodNotAllowed}
	}
	return nil
}

func (p *Policy) trusts(a netip.Addr) bool {
	for _, network := range p.Trusted {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// fromProxy takes over what a trusted proxy says.
func (x *exchange) fromProxy() {
	h := x.r.Header
	// The client is the rightmost address that is no trusted proxy: what stands
	// further left was written by whoever is at that address.
	hops := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := parseHop(hops[i])
		if !ok {
			break
		}
		x.client = addr
		if !x.p.trusts(addr) {
			break
		}
	}
	if proto := h["X-Forwarded-Proto"]; len(proto) == 1 {
		x.plain = strings.EqualFold(proto[0], "http")
	}
	if id := h["X-Request-Id"]; len(id) == 1 && plainRequestID(id[0]) {
		x.id = id[0]
	}
}

// parseHop reads one address of X-Forwarded-For, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

// plainRequestID reports whether a trusted proxy's request ID can stand in
// headers and logs as it is.
func plainRequestID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.:/+=", c) >= 0:
		default:
			return false
		}
	}
	return true
}
