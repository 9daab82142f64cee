package descopetest

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pages shows the few pages that people see.
type pages struct {
	template *template.Template
	policy   string
}

// view is what a page shows.
type view struct {
	Title string
	Lead  string
	Back  string // what Cancel leads away from, "" hides it
	Cards []card
	CSS   template.CSS
	Note  string
}

type card struct {
	Person, Label, About string
	Focus                bool
}

func newPages() (*pages, error) {
	parsed, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("the sign-in page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	// Browsers hold form-action against every redirect that follows a form, and
	// the last one leads to the relying party, wherever that is.
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"form-action 'self' http: https:; frame-ancestors 'none'; base-uri 'none'"
	return &pages{template: parsed, policy: policy}, nil
}

func (g *pages) show(w http.ResponseWriter, status int, v view) {
	v.CSS = template.CSS(pageCSS)
	var body bytes.Buffer
	if err := g.template.Execute(&body, v); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", g.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// signInPage lists the people, or goes straight to a tenant's identity provider
// where the authorization request named one.
func (p *Provider) signInPage(w http.ResponseWriter, r *http.Request) {
	in, err := p.signIn(r.URL.Query().Get("id"))
	if err != nil {
		p.lost(w)
		return
	}
	if in.extra.tenant != "" {
		p.identityProvider(w, r, in, in.extra.tenant, "")
		return
	}
	if r.Method != http.MethodPost {
		p.page.show(w, http.StatusOK, view{
			Title: "Sign in", Lead: "Choose who you are.", Back: in.request.ClientID,
			Cards: p.cards("Sign in as ", in.extra.loginHint, func(*Person) bool { return true }),
		})
		return
	}
	person := p.person(r.PostFormValue("person"))
	switch {
	case person == nil:
		p.cancel(w, r, in)
	case person.SSO:
		query := url.Values{"id": {in.id}, "person": {person.ID}}
		http.Redirect(w, r, "/"+p.opts.ProjectID+ssoPath+"?"+query.Encode(), http.StatusSeeOther)
	default:
		p.finish(w, r, in, person, "", false)
	}
}

// ssoPage is the second step of somebody whose company has its own sign-in.
func (p *Provider) ssoPage(w http.ResponseWriter, r *http.Request) {
	in, err := p.signIn(r.URL.Query().Get("id"))
	person := p.person(r.URL.Query().Get("person"))
	if err != nil || person == nil || person.homeTenant() == "" {
		p.lost(w)
		return
	}
	p.identityProvider(w, r, in, person.homeTenant(), person.ID)
}

// identityProvider plays a tenant's own, Okta say: it knows the tenant's people
// and nobody else, or only the one who is on their way.
func (p *Provider) identityProvider(w http.ResponseWriter, r *http.Request, in *signIn, tenant, only string) {
	knows := func(person *Person) bool {
		_, member := person.Tenants[tenant]
		return member && (only == "" || only == person.ID)
	}
	if r.Method != http.MethodPost {
		name := tenantName(p.opts.Tenants, tenant)
		p.page.show(w, http.StatusOK, view{
			Title: name + " single sign-on", Back: in.request.ClientID,
			Lead:  "This page plays the identity provider of " + name + ".",
			Cards: p.cards("Continue as ", in.extra.loginHint, knows),
		})
		return
	}
	person := p.person(r.PostFormValue("person"))
	if person == nil || !knows(person) {
		p.cancel(w, r, in)
		return
	}
	p.finish(w, r, in, person, tenant, true)
}

func (p *Provider) person(id string) *Person {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.people[id] == nil {
		return nil
	}
	return p.people[id].clone()
}

// cards are the buttons, with the one that the hint means first.
func (p *Provider) cards(verb, hint string, show func(*Person) bool) []card {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cards []card
	for _, id := range p.order {
		person := p.people[id]
		if !show(person) {
			continue
		}
		hinted := hint != "" && strings.EqualFold(hint, person.Email)
		one := card{Person: id, Label: verb + person.firstName(), About: person.about(p.opts.Tenants), Focus: hinted}
		if hinted {
			cards = slices.Insert(cards, 0, one)
		} else {
			cards = append(cards, one)
		}
	}
	return cards
}

// finish ties the person to the authorization request and goes back to
// zitadel/oidc, which makes the code.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, in *signIn, person *Person, tenant string, sso bool) {
	g := p.newGrant(in, person, tenant, sso)
	p.mu.Lock()
	stored := p.signIns[in.id]
	// Pressed twice: the first person stays.
	if stored != nil && stored.grant == nil {
		stored.grant = g
	}
	p.mu.Unlock()
	if stored == nil {
		p.lost(w)
		return
	}
	http.Redirect(w, r, authorizePath+callbackSuffix+"?id="+url.QueryEscape(in.id), http.StatusSeeOther)
}

// cancel goes back to the relying party with access_denied.
func (p *Provider) cancel(w http.ResponseWriter, r *http.Request, in *signIn) {
	target, err := url.Parse(in.request.RedirectURI)
	if err != nil {
		p.lost(w)
		return
	}
	query := target.Query()
	query.Set("error", "access_denied")
	query.Set("error_description", "the sign-in was cancelled")
	query.Set("state", in.request.State)
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

func (p *Provider) lost(w http.ResponseWriter) {
	p.page.show(w, http.StatusBadRequest, view{
		Title: "This sign-in is over", Lead: "Go back to the application and sign in again.",
	})
}
