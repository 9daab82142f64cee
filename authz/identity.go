package authz

// Grants are what a person holds at one level: in one tenant, or in the project.
type Grants struct {
	Roles       []string
	Permissions []string
}

// Identity is who a request speaks for, after a token or a session was verified.
// It is immutable once built: sessions, streams and decisions share one value.
type Identity struct {
	Issuer  string
	Subject string

	// Email is as the provider sent it. Rules look at it only under the
	// conditions that Rule.Emails names.
	Email         string
	EmailVerified bool
	Name          string

	// CurrentTenant is Descope's dct, the tenant that the person signed in to.
	// It may be empty.
	CurrentTenant string

	// Tenants holds what the person holds in each tenant. A tenant with empty
	// Grants is still a membership. Claims that carry dct and root roles without
	// a tenants claim arrive here as the one tenant dct. The empty ID is no tenant.
	Tenants map[string]Grants

	// Project is what the person holds outside of every tenant.
	Project Grants

	AMR []string

	// Claims holds the custom claims, scalars as text and arrays element by
	// element. A name that holds dots is one name.
	Claims map[string][]string

	// TenantsTruncated says that the person is in more tenants than these.
	TenantsTruncated bool
}

// EffectiveRoles returns the roles that an upstream is told of: those in the
// tenant that decided; where none did, those in CurrentTenant; else those in the
// person's only tenant; else the project's. It is never a union over tenants, for
// an upstream that reads "Tenant Admin" cannot see of which tenant. The result
// belongs to the identity and must not be changed.
func (id *Identity) EffectiveRoles(tenant string) []string {
	if id == nil {
		return nil
	}
	if tenant != "" {
		return id.Tenants[tenant].Roles
	}
	if home, ok := id.homeTenant(); ok {
		return id.Tenants[home].Roles
	}
	return id.Project.Roles
}

// homeTenant is the tenant that speaks for the person where no rule chose one:
// CurrentTenant if the person is in it, else the only one. The one tenant that is
// left of many is not the only one.
func (id *Identity) homeTenant() (string, bool) {
	if id.in(id.CurrentTenant) {
		return id.CurrentTenant, true
	}
	if len(id.Tenants) == 1 && !id.TenantsTruncated {
		for tenant := range id.Tenants {
			return tenant, tenant != ""
		}
	}
	return "", false
}

// in reports whether the person is a member of the tenant.
func (id *Identity) in(tenant string) bool {
	_, ok := id.Tenants[tenant]
	return ok && tenant != ""
}
