package session

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// chunkLen is the longest value of one cookie. Browsers keep 4,096 bytes of
	// name, value and attributes together (RFC 6265, section 6.1).
	chunkLen = 3800
	// maxCandidates bounds the cookies of our name that one request has opened:
	// a sibling host can set many of them (cookie tossing), and each costs a MAC.
	maxCandidates = 8
)

// ErrTooLarge says that a session does not fit into two cookies.
var ErrTooLarge = errors.New("session does not fit into two cookies: use session.store redis, or rules that name their tenant")

// Cookie is the session cookie's name and reach. Its value stands in NAME, or
// in NAME.0 and NAME.1 where one cookie is too small.
type Cookie struct {
	Name   string
	Domain string // "" is host-only
	Secure bool
}

// Reaches reports whether browsers send the cookie to host, where it is set on home
// (RFC 6265, section 5.1.3).
func (c *Cookie) Reaches(host, home string) bool {
	return host == home || c.Domain != "" && (host == c.Domain || strings.HasSuffix(host, "."+c.Domain))
}

// values returns the distinct values that the request's cookies could stand
// for. An ordinary request has exactly one, which costs no allocation: buf is
// the caller's, on its stack.
func (c *Cookie) values(h http.Header, buf []string) []string {
	var zero, one []string
	for _, line := range h["Cookie"] {
		for len(line) > 0 {
			var part string
			part, line, _ = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.Trim(part, " \t"), "=")
			if !ok || !strings.HasPrefix(name, c.Name) || len(value) > 2*chunkLen {
				continue
			}
			switch name[len(c.Name):] {
			case "":
				buf = appendDistinct(buf, value)
			case ".0":
				zero = appendDistinct(zero, value)
			case ".1":
				one = appendDistinct(one, value)
			}
		}
	}
	for _, a := range zero {
		for _, b := range one {
			buf = appendDistinct(buf, a+b)
		}
	}
	return buf
}

func appendDistinct(list []string, value string) []string {
	if value == "" || len(list) == maxCandidates {
		return list
	}
	for _, v := range list {
		if v == value {
			return list
		}
	}
	return append(list, value)
}

// Owns reports whether name is one of the session cookie's names.
func (c *Cookie) Owns(name string) bool {
	rest, ok := strings.CutPrefix(name, c.Name)
	return ok && (rest == "" || rest == ".0" || rest == ".1")
}

// Write sets the cookie to value for the given lifetime, and expires the forms
// of it that the request carries beside: a stale chunk must not survive next
// to a whole cookie. It returns ErrTooLarge, and sets nothing, where the value
// needs more than two cookies.
func (c *Cookie) Write(response, request http.Header, value string, life time.Duration) error {
	if len(value) > 2*chunkLen {
		return ErrTooLarge
	}
	if len(value) <= chunkLen {
		c.set(response, c.Name, value, c.Domain, life)
		c.expireCarried(response, request, c.Name+".0")
		c.expireCarried(response, request, c.Name+".1")
		return nil
	}
	c.set(response, c.Name+".0", value[:chunkLen], c.Domain, life)
	c.set(response, c.Name+".1", value[chunkLen:], c.Domain, life)
	c.expireCarried(response, request, c.Name)
	return nil
}

// Expire removes the cookie in every form that Gatehouse sets: whole and in
// chunks, host-only and, where a domain is configured, with it.
func (c *Cookie) Expire(response http.Header) {
	for _, suffix := range []string{"", ".0", ".1"} {
		c.set(response, c.Name+suffix, "", "", -1)
		if c.Domain != "" {
			c.set(response, c.Name+suffix, "", c.Domain, -1)
		}
	}
}

func (c *Cookie) expireCarried(response, request http.Header, name string) {
	for _, line := range request["Cookie"] {
		if strings.Contains(line, name+"=") {
			c.set(response, name, "", c.Domain, -1)
			return
		}
	}
}

func (c *Cookie) set(response http.Header, name, value, domain string, life time.Duration) {
	cookie := http.Cookie{
		Name: name, Value: value, Path: "/", Domain: domain,
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second),
	}
	if life < 0 {
		cookie.MaxAge = -1
	}
	response.Add("Set-Cookie", cookie.String())
}
