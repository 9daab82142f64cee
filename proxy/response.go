package proxy

import (
	"io"
	"net/http"
	"strings"

	"gatehouse/proxy/route"
	"gatehouse/proxy/stream"
)

// unwantedHeaders are what no upstream says: they would speak for the whole
// host, for Gatehouse, or to a proxy in front of it. One that obeys
// X-Accel-Redirect would hand out what nobody asked the policy for, and one that
// obeys X-Accel-Expires keep one person's answer for another.
var unwantedHeaders = []string{
	"Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Nel", "Report-To", "X-Request-Id",
	"X-Accel-Redirect", "X-Sendfile", "X-Sendfile2", "X-Lighttpd-Send-File", "X-Litespeed-Location", "X-Reproxy-Url", "X-Reproxy-File",
	"X-Accel-Expires", "X-Litespeed-Cache-Control", "Surrogate-Control", "Edge-Control",
	"Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "Akamai-Cache-Control",
}

// modifyResponse makes of the upstream's answer what the browser gets, and
// hands its body to the stream registry.
func (x *exchange) modifyResponse(res *http.Response) error {
	h := res.Header
	x.dropUnwanted(h)
	x.rewriteLocations(h)
	x.rewriteSetCookies(h)
	if x.route.Preset.PartialHeaders && res.StatusCode == http.StatusPartialContent {
		keepPartialHeaders(h)
	}
	if !x.route.Public() {
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				delete(h, name)
			}
		}
		h["Cache-Control"] = x.field(privateCache(h["Cache-Control"]))
	}
	if isEventStream(h) {
		x.events = true
		h["X-Accel-Buffering"] = []string{"no"}
		h["Cache-Control"] = x.field(streamCache(h["Cache-Control"]))
	}
	dropTrailers(res)
	if res.StatusCode == http.StatusSwitchingProtocols {
		// This header is written to the connection itself.
		x.status = res.StatusCode
		x.stamp(h)
	}
	if x.takesMenu() {
		x.addMenu(res)
	}
	st := stream.From(res.Request.Context())
	if x.waitsForEvents() {
		st.Farewell(lostConnection)
	}
	return st.Respond(res)
}

// dropTrailers keeps an upstream from saying in a trailer what it may not say in
// a header. No Python UI sends any.
func dropTrailers(res *http.Response) {
	delete(res.Header, "Trailer")
	res.Trailer = nil
	if res.ContentLength < 0 && res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &untrailed{res.Body, res}
	}
}

// untrailed forgets the trailers that came after the body, before ReverseProxy
// looks at them.
type untrailed struct {
	io.ReadCloser
	res *http.Response
}

// Unwrap returns the upstream's own body.
func (b *untrailed) Unwrap() io.ReadCloser { return b.ReadCloser }

func (b *untrailed) Close() error {
	err := b.ReadCloser.Close()
	b.res.Trailer = nil
	return err
}

func isEventStream(h http.Header) bool {
	kind := h.Get("Content-Type")
	return len(kind) >= 17 && strings.EqualFold(kind[:17], "text/event-stream")
}

// dropUnwanted removes what only Gatehouse says, however the name is spelled.
func (x *exchange) dropUnwanted(h http.Header) {
	for name := range h {
		if len(name) >= 12 && sameHeader(name[:12], "x-gatehouse-") {
			delete(h, name)
			continue
		}
		for _, unwanted := range unwantedHeaders {
			if sameHeader(name, unwanted) {
				delete(h, name)
				break
			}
		}
	}
	if scopes, ok := h["Service-Worker-Allowed"]; ok {
		for _, scope := range scopes {
			// Browsers resolve it: /app/../other would be /other.
			// A scope is a prefix of bytes: /app would be /apparatus, too.
			if _, _, _, err := route.CanonicalPath(scope); err != nil || !strings.HasPrefix(scope, strings.TrimSuffix(x.route.Prefix, "/")+"/") {
				delete(h, "Service-Worker-Allowed")
				break
			}
		}
	}
}

// inPrefix reports whether a root-absolute path lies in the route's prefix.
func (x *exchange) inPrefix(address string) bool { return within(address, x.route.Prefix) }

// within is route.Within for a root-absolute address, whose query and fragment
// take no part.
func within(address, prefix string) bool {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	return route.Within(address, prefix)
}

// privateCache keeps shared caches from serving one person's answer to
// another: public and s-maxage go, private comes.
func privateCache(values []string) string {
	kept := []string{"private"}
	for _, value := range values {
		for value != "" {
			var directive string
			directive, value = cutDirective(value)
			name, _, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "", "public", "s-maxage", "private":
			default:
				kept = append(kept, directive)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// cutDirective cuts a list at its first comma outside of quotes (RFC 9110, section
// 5.6.4). Quotes that do not end are none.
func cutDirective(list string) (first, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return strings.TrimSpace(list[:i]), list[i+1:]
		}
	}
	if quoted {
		first, rest, _ = strings.Cut(list, ",")
		return strings.TrimSpace(first), rest
	}
	return strings.TrimSpace(list), ""
}

// streamCache keeps what is between Gatehouse and the browser from holding
// events back or compressing them. Gradio says neither by itself.
func streamCache(values []string) string {
	said := strings.Join(values, ", ")
	for _, directive := range [...]string{"no-cache", "no-transform"} {
		if !strings.Contains(strings.ToLower(said), directive) {
			if said != "" {
				said += ", "
			}
			said += directive
		}
	}
	return said
}

// rewriteLocations turns the addresses that an upstream gives of itself into
// public ones.
func (x *exchange) rewriteLocations(h http.Header) {
	for _, name := range [...]string{"Location", "Content-Location"} {
		for i, value := range h[name] {
			h[name][i] = x.publicAddress(value)
		}
	}
}

// publicAddress is the public form of an address in an upstream's answer. Its
// own host and port become the public origin; on a stripping route a
// root-absolute path gets the prefix, unless it has it or is Gatehouse's.
// Addresses of others, and relative ones, stay.
func (x *exchange) publicAddress(value string) string {
	if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//") {
		return x.publicPath(value)
	}
	// By hand: url.Parse takes no address whose path it cannot decode, and whose host
	// would show.
	scheme, rest, ok := strings.Cut(value, "//")
	scheme = strings.ToLower(strings.TrimSuffix(scheme, ":"))
	if !ok || scheme != "http" && scheme != "https" && scheme != "" {
		return value
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	own := x.route.Upstream.owns(scheme, authority)
	public := strings.EqualFold(authority, x.host+x.p.Port) // built from the Host header
	if !own && !public {
		return value
	}
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	if public && !own && x.elsewhere(rest) {
		return x.p.Origin(x.host) + rest
	}
	return x.p.Origin(x.host) + x.publicPath(rest)
}

func (x *exchange) publicPath(path string) string {
	if !x.route.Strip || x.route.Prefix == "/" || x.inPrefix(path) || within(path, x.p.AuthPath) {
		return path
	}
	return x.route.Prefix + path
}

// elsewhere reports whether a path on this host is another route's: an app that
// links to another app means it.
func (x *exchange) elsewhere(path string) bool {
	place, ok := x.p.locate(x.p.Origin(x.host) + path)
	return ok && place.found.Kind == x.found.Kind && place.found.Index != x.found.Index
}

// partialHeaders are those that a 206 needs (RFC 9110, section 15.3.7).
var partialHeaders = map[string]bool{
	"Accept-Ranges": true, "Content-Range": true, "Content-Length": true, "Content-Type": true,
	"Content-Disposition": true, "Content-Encoding": true, "Content-Location": true, "Etag": true, "Last-Modified": true,
	"Date": true, "Cache-Control": true, "Expires": true, "Vary": true, "Content-Security-Policy": true,
	"X-Content-Type-Options": true,
}

func keepPartialHeaders(h http.Header) {
	for name := range h {
		if !partialHeaders[name] && !strings.HasPrefix(name, "Access-Control-Allow-") && name != "Access-Control-Expose-Headers" {
			delete(h, name)
		}
	}
}
