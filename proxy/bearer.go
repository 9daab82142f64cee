package proxy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"gatehouse/authn"
	"gatehouse/authz"
	"gatehouse/proxy/route"
)

// findBearer takes the identity from a bearer token, on routes that accept one.
// It reports whether there is a credential of that kind, good or bad: then the
// session cookie has no say, so that a script never acts as whoever's browser it
// happens to run in. Other Authorization schemes are the app's own business.
func (x *exchange) findBearer() (sent bool, err error) {
	lines := x.r.Header["Authorization"]
	if len(lines) == 0 {
		return false, nil
	}
	token, kind := parseAuthorization(lines)
	switch kind {
	case otherScheme:
		return false, nil
	case malformedCredential:
		return true, x.badBearer(errMalformed)
	}
	x.bearerSent = true
	b, err := x.p.Bearers.Verify(x.r.Context(), token, x.isResource)
	if err != nil {
		return true, x.badBearer(err)
	}
	x.bearer, x.identity = b, b.Identity
	return true, nil
}

var errMalformed = errors.New("the Authorization header is malformed, or there are several")

// credential tells what stands in Authorization.
type credential uint8

const (
	otherScheme credential = iota
	bearerToken
	malformedCredential
)

// parseAuthorization reads the header's lines (RFC 9110, section 11.4; RFC 6750,
// section 2.1). A Bearer beside another line is malformed: servers differ on which
// one counts.
func parseAuthorization(lines []string) (token string, kind credential) {
	if !slices.ContainsFunc(lines, saysBearer) {
		return "", otherScheme
	}
	if len(lines) != 1 {
		return "", malformedCredential
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	token = strings.Trim(rest, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isToken68(token) {
		return "", malformedCredential
	}
	return token, bearerToken
}

// saysBearer reports whether a line has the scheme Bearer for any server, those
// included that divide it otherwise.
func saysBearer(line string) bool {
	const scheme = "Bearer"
	line = strings.TrimLeft(line, " \t,")
	return len(line) >= len(scheme) && strings.EqualFold(line[:len(scheme)], scheme) &&
		(len(line) == len(scheme) || !letterOrDigit(line[len(scheme)]))
}

// isToken68 follows RFC 9110, section 11.2.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for _, c := range []byte(body) {
		if !letterOrDigit(c) && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return body != ""
}

func letterOrDigit(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

// badBearer refuses a token. It is never a sign-in, and never the cookie's turn.
func (x *exchange) badBearer(err error) error {
	var away *authn.KeysUnavailableError
	switch {
	case errors.As(err, &away):
		return unavailable("The token cannot be checked at the moment. Try again shortly.", away.RetryAfter, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: statusClientGone, err: err}
	}
	x.bearerSent, x.why = true, err.Error()
	r := &refusal{
		status: http.StatusUnauthorized, reason: authz.ReasonBadToken, title: "This token is not accepted",
		detail: "The access token is not valid for this app.", err: err,
	}
	if errors.Is(err, authn.ErrTokenExpired) {
		r.reason, r.detail = authz.ReasonExpired, "The access token has expired."
	}
	return r
}

// isResource reports whether an audience is an address of what is asked for: a
// URL on this host's public origin whose own longest match is this route. A token for
// one app is thereby none for its neighbour (RFC 8707, section 2).
func (x *exchange) isResource(audience string) bool {
	return x.p.isResource(audience, x.host, x.found)
}

func (p *Policy) isResource(audience, host string, found route.Match) bool {
	if strings.HasPrefix(audience, "/") || strings.Contains(audience, "#") { // no URL, and one that is a part of another
		return false
	}
	place, ok := p.locate(audience)
	return ok && place.host == host && place.found.Kind == route.Matched && place.found.Index == found.Index
}

// challenge tells whoever gets a 401 from a bearer route how to come again (RFC
// 6750, section 3; RFC 9728, section 5.1). No error is named where no token was
// sent.
func (x *exchange) challenge(status int, h http.Header) {
	if status != http.StatusUnauthorized || x.route == nil || !x.route.Bearer {
		return
	}
	value := `Bearer `
	if x.bearerSent {
		value += `error="invalid_token", `
	}
	// A canonical path holds neither quotes nor backslashes.
	h["Www-Authenticate"] = []string{value + `resource_metadata="` + x.p.Origin(x.host) + metadataPath + x.path + `"`}
}
