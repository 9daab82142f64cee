package pages

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
)

// support is where people find help; nil is nowhere.
type support struct {
	href string
	text string
	mail bool // an address whose subject may carry the request ID
}

// supportLink is one page's way to help.
type supportLink struct {
	Href string
	Text string
}

// parseSupport takes an address or a link. The scheme is checked here and not
// left to html/template, so that a wrong one is an operator's error at start and
// not a dead link on the one page where somebody needs help.
func parseSupport(s string) (*support, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if addr, err := mail.ParseAddress(s); err == nil && addr.Address == s {
		return &support{href: (&url.URL{Scheme: "mailto", Opaque: mailPath(s)}).String(), text: s, mail: true}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("support %q: want an e-mail address or a link", s)
	}
	switch {
	case u.Scheme == "mailto" && u.Opaque != "":
		to, err := url.PathUnescape(u.Opaque)
		if err != nil {
			to = u.Opaque
		}
		return &support{href: u.String(), text: to, mail: u.RawQuery == ""}, nil
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		return &support{href: u.String(), text: "Contact support"}, nil
	}
	return nil, fmt.Errorf("support %q: want an e-mail address, or a link that begins with https, http or mailto", s)
}

// mailPath escapes an address for a mailto: URL but for its @ (RFC 6068, section 2).
func mailPath(addr string) string {
	return strings.ReplaceAll(url.PathEscape(addr), "%40", "@")
}

// link is the way to help from a page; a mail begun there names the request.
func (s *support) link(requestID string) *supportLink {
	if s == nil {
		return nil
	}
	l := &supportLink{Href: s.href, Text: s.text}
	if s.mail && requestID != "" {
		l.Href += "?subject=" + url.PathEscape("Request "+requestID)
	}
	return l
}
