package descopetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Grants are the roles and permissions of one tenant, or of the project level.
type Grants struct {
	Roles       []string `json:"roles,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
}

// Shape is how a person's tenants are spelled in claims. Descope writes both.
type Shape uint8

const (
	// ShapeTenants is a `tenants` object beside project-level roles.
	ShapeTenants Shape = iota
	// ShapeCurrentTenant has no `tenants`: the roles of the current tenant
	// stand at the root, and `dct` names it.
	ShapeCurrentTenant
)

// Person is somebody who can sign in. The zero value of every field but ID is
// something that occurs.
type Person struct {
	ID      string // stable and short: the value of data-person on the sign-in page
	Name    string
	Subject string // default: U2 and the ID
	Email   string
	// EmailUnverified makes email_verified false, as for many SSO users.
	EmailUnverified bool
	// AMR is how they sign in when not by SSO. Default: email, a magic link.
	AMR []string
	// SSO sends them through their tenant's identity provider, a second page,
	// and makes their amr fed. Their tenant is CurrentTenant, or the only one
	// that they begin with.
	SSO bool
	// CurrentTenant is dct when the sign-in itself names no tenant.
	CurrentTenant string
	Tenants       map[string]Grants
	Project       Grants
	Shape         Shape
	// Custom are custom claims: they stand at the root where the scope
	// descope.custom_claims was asked for.
	Custom map[string]any
	// Override stands at the root of every token and of userinfo, over what is
	// there already; nil removes a claim. The way to claims of strange shapes.
	Override map[string]any
}

// Tenant is a customer of the project.
type Tenant struct {
	ID      string
	Name    string
	Domains []string // tenant= at the authorization endpoint takes these too
}

// Acme and Globex are the tenants of [People].
const (
	Acme   = "T2acme"
	Globex = "T2globex"
)

// Tenants gives the stand-in's tenants when [Options] name none.
func Tenants() []Tenant {
	return []Tenant{
		{ID: Acme, Name: "Acme", Domains: []string{"acme.example"}},
		{ID: Globex, Name: "Globex", Domains: []string{"globex.example"}},
	}
}

// People gives the stand-in's people when [Options] name none: one who may all,
// one who may little, one without a tenant, and one of another customer who
// comes by SSO.
func People() []Person {
	return []Person{
		{ID: "ada", Name: "Ada Admin", Email: "ada@acme.example",
			Tenants: map[string]Grants{Acme: {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}}},
		{ID: "bob", Name: "Bob Member", Email: "bob@acme.example",
			Tenants: map[string]Grants{Acme: {Roles: []string{"Member"}}}},
		{ID: "carol", Name: "Carol Guest", Email: "carol@mail.example"},
		{ID: "oscar", Name: "Oscar Octavius", Email: "oscar@globex.example", SSO: true,
			Tenants: map[string]Grants{Globex: {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}}},
	}
}

func (p Person) clone() *Person {
	p.AMR = slices.Clone(p.AMR)
	p.Tenants = maps.Clone(p.Tenants)
	p.Custom = maps.Clone(p.Custom)
	p.Override = maps.Clone(p.Override)
	if p.Subject == "" {
		p.Subject = "U2" + p.ID
	}
	if len(p.AMR) == 0 {
		p.AMR = []string{"email"}
	}
	return &p
}

// firstName is what the button says.
func (p *Person) firstName() string {
	if first, _, _ := strings.Cut(p.Name, " "); first != "" {
		return first
	}
	return p.ID
}

// homeTenant is where an SSO person's identity provider is.
func (p *Person) homeTenant() string {
	if p.CurrentTenant != "" {
		return p.CurrentTenant
	}
	if len(p.Tenants) == 1 {
		for id := range p.Tenants {
			return id
		}
	}
	return ""
}

// about says in a line what somebody on the sign-in page would want to know.
func (p *Person) about(tenants []Tenant) string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(p.Tenants)) {
		parts = append(parts, membership(p.Tenants[id].Roles, tenantName(tenants, id)))
	}
	if len(p.Project.Roles) > 0 {
		parts = append(parts, strings.Join(p.Project.Roles, ", ")+" of the project")
	}
	if len(parts) == 0 {
		parts = append(parts, "No tenant")
	}
	if p.SSO {
		parts = append(parts, "by SSO")
	}
	return strings.Join(parts, ", ")
}

func membership(roles []string, tenant string) string {
	if len(roles) == 0 {
		return "In " + tenant + " without a role"
	}
	return strings.Join(roles, " and ") + " of " + tenant
}

func tenantName(tenants []Tenant, id string) string {
	for _, tenant := range tenants {
		if tenant.ID == id && tenant.Name != "" {
			return tenant.Name
		}
	}
	return id
}

// Update changes a person as the console would: tokens already issued stay as
// they are, and the next refresh shows the change. change must not call the
// provider.
func (p *Provider) Update(personID string, change func(*Person)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	person := p.people[personID]
	if person == nil {
		return fmt.Errorf("no person %q", personID)
	}
	// Claims of an answer in flight may still read the maps: change a copy.
	next := person.clone()
	change(next)
	p.people[personID] = next
	return nil
}

// SetRoles gives a person these roles in a tenant and no others, and makes them
// a member where they were none. Their permissions there stay.
func (p *Provider) SetRoles(personID, tenant string, roles ...string) error {
	return p.Update(personID, func(person *Person) {
		if person.Tenants == nil {
			person.Tenants = make(map[string]Grants)
		}
		grants := person.Tenants[tenant]
		grants.Roles = slices.Clone(roles)
		person.Tenants[tenant] = grants
	})
}

// RemoveTenant takes a person out of a tenant.
func (p *Provider) RemoveTenant(personID, tenant string) error {
	return p.Update(personID, func(person *Person) { delete(person.Tenants, tenant) })
}
