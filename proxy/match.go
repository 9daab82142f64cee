package proxy

import (
	"errors"
	"net/http"

	"gatehouse/authz"
	"gatehouse/proxy/route"
)

// canonicalize settles on one host and one raw path. What policy sees from here
// on is what the upstream gets.
func (x *exchange) canonicalize() error {
	var err error
	x.path, x.query, x.hasQuery, err = route.CanonicalPath(x.r.RequestURI)
	if err == nil && x.r.ProtoMajor > 1 && x.r.RequestURI[0] != '/' {
		err = errors.New("a :path that is none (RFC 9113, section 8.3.1)")
	}
	if err != nil {
		return &refusal{status: http.StatusBadRequest, reason: authz.ReasonBadPath, detail: "The address is not one that every server reads the same way.", err: err}
	}
	if x.host, err = route.CanonicalHost(x.r.Host); err != nil && !x.asksHealth() {
		return &refusal{status: http.StatusBadRequest, reason: authz.ReasonBadPath, detail: "The Host header is malformed."}
	}
	return nil
}

// match finds the route. Pages of Gatehouse's own, landings and unknown places
// are answered here.
func (x *exchange) match() error {
	if x.asksHealth() {
		return x.health()
	}
	if rt, path := x.p.protectedResource(x.host, x.path); rt != nil {
		if x.plain && x.p.Scheme == "https" {
			return x.toHTTPS()
		}
		return x.serveMetadata(rt, path)
	}
	found, err := x.p.Table.Lookup(x.host, x.path)
	if err != nil {
		return unclear(err)
	}
	x.found = found
	if found.Kind == route.UnknownHost {
		return x.unknownHost()
	}
	if x.plain && x.p.Scheme == "https" {
		return x.toHTTPS()
	}
	switch found.Kind {
	case route.Own:
		return x.serveOwn()
	case route.Landing:
		return x.land()
	case route.Matched:
		x.route = x.p.Routes[found.Index]
		if x.route.TenantHost {
			x.tenant = x.p.tenantOf(found.Label)
		}
		return nil
	}
	return x.nowhere()
}

// asksHealth reports whether a load balancer asks, which it may under any host, or
// none: balancers ask by address, some in HTTP/1.0.
func (x *exchange) asksHealth() bool { return x.path == x.p.AuthPath+"/health" }

// unclear refuses an address that leads nowhere for certain.
func unclear(err error) error {
	r := &refusal{status: http.StatusBadRequest, reason: authz.ReasonBadPath, err: err}
	var ambiguous *route.AmbiguousError
	if errors.As(err, &ambiguous) {
		r.detail = "The address can be read in two ways."
	}
	return r
}

// toHTTPS sends a request that came in the clear to the public scheme.
func (x *exchange) toHTTPS() error {
	return x.redirect(http.StatusPermanentRedirect, x.p.Origin(x.host)+x.target())
}

// target is the canonical path with the query as it was sent.
func (x *exchange) target() string {
	if !x.hasQuery {
		return x.path
	}
	return x.path + "?" + x.query
}

// unknownHost leads people to the host that exists; anything else learns that
// it asked the wrong server (RFC 9110, section 15.5.20).
func (x *exchange) unknownHost() error {
	if x.navigation() {
		return x.redirect(http.StatusFound, x.p.PublicURL()+asLocation(x.target()))
	}
	return &refusal{status: http.StatusMisdirectedRequest, reason: authz.ReasonNoRoute}
}

// nowhere answers for paths that nobody has, among them those that browsers ask
// for by themselves.
func (x *exchange) nowhere() error {
	if x.reading() && unasked(x.path) {
		switch x.path {
		case "/manifest.json":
			return x.serveBytes("application/manifest+json", []byte("{}"))
		case "/favicon.ico":
			return x.serveBytes("image/x-icon", x.h.ico)
		case "/robots.txt":
			return x.serveBytes("text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /\n"))
		}
	}
	return &refusal{status: http.StatusNotFound, reason: authz.ReasonNoRoute}
}

// unasked reports whether browsers ask for the path by themselves, so that it
// has an answer even where no route takes it.
func unasked(path string) bool {
	return path == "/manifest.json" || path == "/favicon.ico" || path == "/robots.txt"
}

// finishPrefix sends /app on to /app/, without which the relative addresses in
// the app's page would lead beside it.
func (x *exchange) finishPrefix() error {
	if x.route.Preset.Slash && x.path == x.route.Prefix && x.path != "/" && x.reading() {
		location := x.p.Origin(x.host) + x.path + "/"
		if x.hasQuery {
			location += "?" + x.query
		}
		return x.redirect(http.StatusFound, asLocation(location))
	}
	return nil
}
