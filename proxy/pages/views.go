package pages

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"
)

// searchFrom is the number of apps above which the portal offers a search box.
const searchFrom = 8

// waysShown is how many other apps a denial names.
const waysShown = 20

// Person is who is signed in. Empty fields are left out.
type Person struct {
	Name  string
	Email string
}

// Empty tells that nothing is known that a person would recognise.
func (p Person) Empty() bool { return p.Label() == "" }

// Label is the name, or the address where there is no name.
func (p Person) Label() string {
	if name := strings.TrimSpace(p.Name); name != "" {
		return name
	}
	return strings.TrimSpace(p.Email)
}

// Second is the address where Label is not already it.
func (p Person) Second() string {
	if email := strings.TrimSpace(p.Email); email != p.Label() {
		return email
	}
	return ""
}

// Initial is the first letter or digit of Label, upper case.
func (p Person) Initial() string {
	for _, r := range p.Label() {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}

// RouteLink is an app that the person may open.
type RouteLink struct {
	Name        string // shown where Title is empty
	Title       string
	Description string
	URL         string
	Tenant      string // tells a {tenant} route's links apart
}

// Label is the title, or the name where there is none, or the address.
func (r RouteLink) Label() string {
	for _, s := range []string{r.Title, r.Name} {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return r.Place()
}

// Place is the address as people read it: without scheme, query and last slash.
func (r RouteLink) Place() string {
	u, err := url.Parse(r.URL)
	if err != nil || u.Opaque != "" {
		return r.URL
	}
	if place := strings.TrimSuffix(u.Host+u.Path, "/"); place != "" {
		return place
	}
	return "/"
}

// TenantChoice is an organization that the person belongs to.
type TenantChoice struct {
	Name      string
	Current   bool
	SwitchURL string // signs in for this tenant; empty makes it plain text
}

// SignIn is the page with the Login button. The first of SignedInAs, SignedOut,
// Expired and Host that is set decides what it says.
type SignIn struct {
	// LoginURL starts the sign-in, return_to included.
	LoginURL string
	// SignedInAs is set when a session lives all the same: the page then asks
	// whether to sign in again instead of doing it because another site said so.
	SignedInAs *Person
	// ContinueURL leads on with the session of SignedInAs; empty leaves it out.
	ContinueURL string
	// SignedOut says that sign-out just worked.
	SignedOut bool
	// Expired says that there was a session and it ended.
	Expired bool
	// Host is the host that the person wanted. Not a path: the page would then
	// speak words that whoever made the link has chosen.
	Host string
}

// SignIn writes the sign-in page.
func (p *Pages) SignIn(w io.Writer, v SignIn) error {
	heading := "Sign in"
	switch {
	case v.SignedInAs != nil:
		heading = "Already signed in"
	case v.SignedOut:
		heading = "You are signed out"
	case v.Expired:
		heading = "Your session has ended"
	}
	return p.render(w, "sign_in", heading, "", v)
}

// Portal lists the apps that a person may open.
type Portal struct {
	Person    Person
	Routes    []RouteLink
	LogoutURL string // takes a POST
	Tenants   []TenantChoice
}

// Searchable tells that the list is long enough for a search box.
func (v Portal) Searchable() bool { return len(v.Routes) > searchFrom }

// Count says how many apps there are.
func (v Portal) Count() string {
	if len(v.Routes) == 1 {
		return "1 app is open to you"
	}
	return fmt.Sprintf("%d apps are open to you", len(v.Routes))
}

// Portal writes the page of apps, or says that there are none.
func (p *Pages) Portal(w io.Writer, v Portal) error {
	heading := "Your apps"
	if len(v.Routes) == 0 {
		heading = "No apps yet"
	}
	return p.render(w, "portal", heading, "", v)
}

// Denied is a 403: signed in, and not allowed here.
type Denied struct {
	Person             Person
	What               string // the app's title; empty where the address is no app
	MissingRoles       []string
	MissingPermissions []string
	Routes             []RouteLink // where else the person may go
	LoginURL           string      // signs in again, to pick up new roles; empty leaves it out
	LogoutURL          string      // takes a POST
	RequestID          string
}

// Missing tells that the page can name something.
func (v Denied) Missing() bool { return len(v.MissingRoles)+len(v.MissingPermissions) > 0 }

// Ways are the first of Routes; with more of them the page also leads to the
// portal, so that what the person can do about it stays in sight.
func (v Denied) Ways() []RouteLink { return v.Routes[:min(len(v.Routes), waysShown)] }

// MoreWays tells that Ways leaves some out.
func (v Denied) MoreWays() bool { return len(v.Routes) > waysShown }

// Denied writes the page of a 403.
func (p *Pages) Denied(w io.Writer, v Denied) error {
	heading := "You do not have access"
	if v.What != "" {
		heading += " to " + v.What
	}
	return p.render(w, "denied", heading, v.RequestID, v)
}

// ConfirmLogout asks before a sign-out that another site may have caused.
type ConfirmLogout struct {
	Person    Person
	LogoutURL string // takes a POST
}

// ConfirmLogout writes the page with the Sign out button.
func (p *Pages) ConfirmLogout(w io.Writer, v ConfirmLogout) error {
	return p.render(w, "confirm_logout", "Sign out?", "", v)
}
