package proxy

import (
	"net/http"
	"strings"
)

// forbiddenPrefixes and forbiddenNames are request headers that say, to some
// upstream, who somebody is or how they came. A client never says that, in
// whatever spelling: many servers read _ as -, some . too, and CGI whatever is no
// letter and no digit (attacks: oauth2-proxy CVE-2025-64484, Traefik
// CVE-2026-33433).
//
// Beside what Gatehouse itself sets they are what apps take from other proxies as
// it stands: an app that was behind one of those goes on to believe it. Tokens
// that an app verifies (Cf-Access-Jwt-Assertion, X-Goog-Iap-Jwt-Assertion,
// X-Amzn-Oidc-Data) pass, since nobody can forge them.
var (
	forbiddenPrefixes = []string{
		"x-forwarded-", "x-gatehouse-", "x-auth-request-", "x-gradio-", "x-original-",
		"remote-", "x-remote-", // Authelia; Apache's and Kubernetes' proxies
		"x-webauth-",                  // Grafana and Gitea
		"x-authentik-",                // authentik
		"x-pomerium-claim-",           // Pomerium
		"x-vouch-",                    // Vouch
		"x-ms-client-", "x-ms-token-", // Azure's Easy Auth
		"x-consumer-", "x-credential-", // Kong
		"tailscale-",                                                // Tailscale Serve
		"x-ssl-", "ssl-client-", "x-client-cert", "x-client-verify", // who ends TLS with client certificates
	}
	forbiddenNames = []string{
		"forwarded", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip", "fastly-client-ip",
		"client-ip", "x-forwarded", "forwarded-for", "x-forward-for", "x-originating-ip", "x-proxyuser-ip", "x-envoy-external-address",
		"x-azure-clientip", "x-azure-socketip", "x-appengine-user-ip", "fly-client-ip", "do-connecting-ip", "x-host", "x-http-destinationurl",
		"x-sendfile-type", "x-accel-mapping", // what Rack takes from nginx (CVE-2025-61780)
		"x-direct-url", "x-rewrite-url", "x-hf-authorization", "comfy-user",
		"cf-access-authenticated-user-email",                              // Cloudflare Access
		"x-goog-authenticated-user-email", "x-goog-authenticated-user-id", // Google's Identity-Aware Proxy
		"x-amzn-oidc-identity", "x-amzn-oidc-accesstoken", // AWS's load balancer
		"x-authenticated-user", "x-authenticated-userid", "x-userinfo", // Kong
		"x-token-subject", "x-token-user-name", "x-token-user-email", "x-token-user-roles", // caddy-security
		"x-request-id", // set again below; X_Request_Id would stand beside it
	}
)

// stripRequest removes what only Gatehouse may say.
func stripRequest(h http.Header) {
	for name := range h {
		if forbiddenHeader(name) {
			delete(h, name)
		}
	}
}

// stripConfigured removes what the operator sets, in every spelling.
func stripConfigured(h http.Header, configured http.Header) {
	for name := range h {
		if configuredHeader(name, configured) {
			delete(h, name)
		}
	}
}

func forbiddenHeader(name string) bool {
	switch name[0] | 0x20 { // lower case
	case 'c', 'd', 'f', 'r', 's', 't', 'x':
	default:
		return false
	}
	for _, prefix := range forbiddenPrefixes {
		if len(name) >= len(prefix) && sameHeader(name[:len(prefix)], prefix) {
			return true
		}
	}
	for _, n := range forbiddenNames {
		if sameHeader(name, n) {
			return true
		}
	}
	return false
}

func configuredHeader(name string, configured http.Header) bool {
	for c := range configured {
		if sameHeader(name, c) {
			return true
		}
	}
	return false
}

// sameHeader compares two names as the most lenient server would: without case,
// and with all that is no letter and no digit read as -.
func sameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if foldHeader(a[i]) != foldHeader(b[i]) {
			return false
		}
	}
	return true
}

func foldHeader(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return '-'
}

// setIdentity tells the upstream who it is. What is empty is absent, never the
// client's own (attack: Caddy CVE-2026-30851), and public routes are told
// nothing.
func (x *exchange) setIdentity(h http.Header) {
	id := x.identity
	if id == nil || x.route.Public() {
		return
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = x.field(encodeHeader(value, false))
		}
	}
	set("X-Forwarded-User", id.Subject)
	set("X-Forwarded-Preferred-Username", id.Name)
	set("X-Forwarded-Tenant", x.decision.Tenant)
	if id.EmailVerified || x.route.Access.UnverifiedEmail {
		set("X-Forwarded-Email", id.Email)
	} else if id.Email != "" {
		x.h.tellUnverified(x.route)
	}
	if groups := joinGroups(id.EffectiveRoles(x.decision.Tenant)); groups != "" {
		h["X-Forwarded-Groups"] = x.field(groups)
	}
	if x.assertion != "" {
		h["X-Gatehouse-Assertion"] = x.field(x.assertion)
	}
}

// joinGroups lists roles; a comma inside a role is percent-encoded.
func joinGroups(roles []string) string {
	if len(roles) == 1 {
		return encodeHeader(roles[0], true)
	}
	var b strings.Builder
	for _, role := range roles {
		if role == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(encodeHeader(role, true))
	}
	return b.String()
}

// encodeHeader percent-encodes what cannot stand in a header as it is: bytes
// outside 0x20–0x7E, and % itself. In a list also the comma.
func encodeHeader(s string, list bool) string {
	unsafe := func(c byte) bool { return c < 0x20 || c > 0x7e || c == '%' || list && c == ',' }
	for i := 0; i < len(s); i++ {
		if unsafe(s[i]) {
			var b strings.Builder
			for j := 0; j < len(s); j++ {
				if unsafe(s[j]) {
					b.WriteString(percent(s[j]))
				} else {
					b.WriteByte(s[j])
				}
			}
			return b.String()
		}
	}
	return s
}

// setForwarded says how the request came, as the public sees it.
func (x *exchange) setForwarded(h http.Header) {
	host := x.host + x.p.Port
	h["X-Forwarded-For"] = x.field(x.client.String())
	h["X-Forwarded-Proto"] = x.field(x.p.Scheme)
	h["X-Request-Id"] = x.field(x.id)
	forwardedHost := host
	if prefix := x.route.Prefix; prefix != "/" {
		if x.route.Preset.ForwardedPrefix {
			forwardedHost += prefix
		}
		if x.route.Preset.DirectURL {
			h["X-Direct-Url"] = x.field(prefix)
		}
	}
	h["X-Forwarded-Host"] = x.field(forwardedHost)
}

// stripCookies removes Gatehouse's own cookies, and leaves the rest of the
// header as it was sent.
func (h *Handler) stripCookies(header http.Header) {
	lines := header["Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0] // the upstream's header is a copy
	for _, line := range lines {
		if line = h.stripCookieLine(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(header, "Cookie")
		return
	}
	header["Cookie"] = kept
}

func (h *Handler) stripCookieLine(line string) string {
	kept := make([]string, 0, 16)
	for part := range strings.SplitSeq(line, ";") {
		name, _, _ := strings.Cut(part, "=")
		if !h.ownsCookie(strings.TrimSpace(name)) {
			kept = append(kept, part)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ";"))
}

// ownsCookie reports whether a cookie is Gatehouse's: the session's, or that of
// a sign-in under way.
func (h *Handler) ownsCookie(name string) bool {
	return h.sessions.Cookie.Owns(name) || h.policy.Load().Flow.OwnsCookie(name)
}

// tellUnverified says once a route that an address was withheld, since the app
// will only see that it is missing.
func (h *Handler) tellUnverified(rt *Route) {
	h.tellOnce("unverified "+rt.Name, "an email address that the provider has not verified was withheld from the app (said once a route); "+
		"unverified_email: true on the route passes it on", "route", rt.Name)
}
