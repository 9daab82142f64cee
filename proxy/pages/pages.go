// Package pages holds everything that Gatehouse itself shows a person: the
// sign-in page, the portal of apps, what is said when access is denied or
// something went wrong, the icon, and the script of the account menu.
//
// The package turns plain view structs into bytes and knows nothing of routing,
// sessions or rules. Its caller decides what may be said and sets the status,
// Cache-Control: no-store and the policy of CSP on every page:
//
//	p, err := pages.New(pages.Options{AuthPath: "/auth"})
//	…
//	w.Header().Set("Content-Type", "text/html; charset=utf-8")
//	w.Header().Set("Content-Security-Policy", p.CSP())
//	w.WriteHeader(http.StatusForbidden)
//	err = p.Denied(w, pages.Denied{Person: who, What: "Admin dashboard"})
//
// A page is one response: style, script, icon and logo stand in it, so nothing
// is loaded and nothing moves once it is drawn. All of it works without
// JavaScript; the one script that a page may carry filters a long list of apps.
//
// Every text in a view is shown as text, whatever it holds. URLs are the
// caller's: html/template drops schemes that could run script, and nothing here
// judges where a link leads.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// DefaultTitle is the product's name on pages where the operator gave none.
const DefaultTitle = "Gatehouse"

//go:embed templates/*.html style.css search.js menu.js menu.css icon.svg favicon.ico
var files embed.FS

// Options is what an operator may change about the pages. The zero value is good.
type Options struct {
	// Title stands in the bar and in the browser's tab; empty is DefaultTitle.
	Title string
	// Logo replaces the icon in the bar: an SVG, PNG, JPEG, GIF or WebP of at
	// most MaxLogo bytes. It is embedded in every page, so small is good.
	Logo []byte
	// LogoType is the logo's media type; empty tells it from the bytes.
	LogoType string
	// Support is where people find help: an e-mail address, or a mailto:, https:
	// or http: link.
	Support string
	// AuthPath is where Gatehouse's own pages live; empty is /auth.
	AuthPath string
	// PlainHTTP says that the public URL is http:, as on a developer's machine:
	// forms may then lead to http: too. Without it they lead to https: alone.
	PlainHTTP bool
}

// Pages renders Gatehouse's pages. It is immutable and safe for concurrent use.
type Pages struct {
	title   string
	home    string
	logo    template.URL
	icon    template.URL
	style   template.CSS
	search  template.JS
	support *support
	csp     string
	byName  map[string]*template.Template
}

// New reads the templates and checks the options. Its errors name the option
// that cannot be used.
func New(o Options) (*Pages, error) {
	p := &Pages{title: strings.TrimSpace(o.Title), byName: make(map[string]*template.Template)}
	if p.title == "" {
		p.title = DefaultTitle
	}
	var err error
	if p.home, err = home(o.AuthPath); err != nil {
		return nil, err
	}
	if p.support, err = parseSupport(o.Support); err != nil {
		return nil, err
	}
	if p.logo, err = logoURL(o.Logo, o.LogoType); err != nil {
		return nil, err
	}
	p.icon = dataURL("image/svg+xml", Icon())
	p.style = template.CSS(squeeze(read("style.css")))
	p.search = template.JS(squeeze(read("search.js")))
	p.csp = policy(string(p.style), string(p.search), o.PlainHTTP)
	return p, p.parse()
}

// parse gives each page a template of its own: layout.html with that page's blocks.
func (p *Pages) parse() error {
	layout, err := template.ParseFS(files, "templates/layout.html")
	if err != nil {
		return fmt.Errorf("layout of the pages: %w", err)
	}
	for _, name := range []string{"sign_in", "portal", "denied", "problem", "confirm_logout"} {
		t, err := layout.Clone()
		if err != nil {
			return fmt.Errorf("layout of the pages: %w", err)
		}
		if t, err = t.ParseFS(files, "templates/"+name+".html"); err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		p.byName[name] = t
	}
	return nil
}

// CSP is the Content-Security-Policy that every page needs and must have. Style
// and script are allowed by their hash, so injected markup could run or draw
// nothing. Forms may lead to https: beside 'self': browsers hold the redirects
// that follow a form to form-action as well, and signing out goes on to the
// provider's end_session_endpoint and from there perhaps to a customer's SSO,
// whose hosts nobody here can know.
func (p *Pages) CSP() string { return p.csp }

func policy(style, script string, plainHTTP bool) string {
	forms := "'self' https:"
	if plainHTTP {
		forms += " http:"
	}
	return strings.Join([]string{
		"default-src 'none'",
		"style-src " + hashSource(style),
		"script-src " + hashSource(script),
		"img-src data:",
		"form-action " + forms,
		"frame-ancestors 'none'",
		"base-uri 'none'",
	}, "; ")
}

func hashSource(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what layout.html sees: the frame around one view.
type page struct {
	Heading   string
	Product   string
	Home      string
	Logo      template.URL
	Icon      template.URL
	Style     template.CSS
	Search    template.JS
	Support   *supportLink
	RequestID string
	View      any
}

// render writes the page whole or not at all, so that a failing template leaves
// no half page under a status already sent. An error of w is returned too.
func (p *Pages) render(w io.Writer, name, heading, requestID string, view any) error {
	var b bytes.Buffer
	err := p.byName[name].ExecuteTemplate(&b, "layout", page{
		Heading:   heading,
		Product:   p.title,
		Home:      p.home,
		Logo:      p.logo,
		Icon:      p.icon,
		Style:     p.style,
		Search:    p.search,
		Support:   p.support.link(requestID),
		RequestID: requestID,
		View:      view,
	})
	if err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func home(authPath string) (string, error) {
	if authPath == "" {
		authPath = "/auth"
	}
	if !strings.HasPrefix(authPath, "/") || strings.HasPrefix(authPath, "//") {
		return "", fmt.Errorf("auth path %q: want a path such as /auth", authPath)
	}
	return strings.TrimRight(authPath, "/") + "/", nil
}

// read returns an embedded file. The names are constants of this package and
// embedding is checked by the compiler, so a failure is a broken build.
func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("pages: " + err.Error())
	}
	return b
}
