package proxy

import (
	"net/http"
	"slices"
	"time"

	"gatehouse/authz"
)

// meAnswer is /auth/me: who is signed in, for scripts in the apps' pages. The
// tenants stand as in the ID token, as far as the session holds them.
type meAnswer struct {
	Sub              string              `json:"sub"`
	Email            string              `json:"email"`
	EmailVerified    bool                `json:"email_verified"`
	Name             string              `json:"name"`
	Roles            []string            `json:"roles"`       // project level
	Permissions      []string            `json:"permissions"` // project level
	Tenants          map[string]meGrants `json:"tenants"`
	TenantsTruncated bool                `json:"tenants_truncated"`
	ExpiresAt        string              `json:"expires_at"` // RFC 3339: when the session ends if nothing more happens
	Routes           []meRoute           `json:"routes"`
}

type meGrants struct {
	Roles       []string `json:"roles"`
	Permissions []string `json:"permissions"`
}

type meRoute struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// me answers who is signed in. Asking is no activity: a page left open must not
// keep its session alive.
func (x *exchange) me() error {
	if err := x.findQuietly(); err != nil {
		return err
	}
	if x.identity == nil {
		x.serveJSON(http.StatusUnauthorized, refusalBody{
			Detail: "You are not signed in.", LoginURL: x.p.PublicURL() + x.p.AuthPath + "/", RequestID: x.id,
		})
		return errAnswered
	}
	id := x.identity
	answer := meAnswer{
		Sub: id.Subject, Email: id.Email, EmailVerified: id.EmailVerified, Name: id.Name,
		Roles: orEmpty(id.Project.Roles), Permissions: orEmpty(id.Project.Permissions),
		Tenants: make(map[string]meGrants, len(id.Tenants)), TenantsTruncated: id.TenantsTruncated,
		ExpiresAt: x.h.sessions.ExpiresAt(x.session).UTC().Format(time.RFC3339),
		Routes:    []meRoute{},
	}
	for tenant, g := range id.Tenants {
		answer.Tenants[tenant] = meGrants{orEmpty(g.Roles), orEmpty(g.Permissions)}
	}
	for _, place := range x.p.Places(id) {
		answer.Routes = append(answer.Routes, meRoute{Name: place.Route.Name, Title: place.Route.Label(), URL: place.URL})
	}
	x.serveJSON(http.StatusOK, answer)
	return errAnswered
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// labelsOf returns the host labels that stand for the person's tenants, one each:
// the first alias, or the ID where that is a label itself.
func (p *Policy) labelsOf(id *authz.Identity) []string {
	var labels []string
	for tenant := range id.Tenants {
		if alias := p.aliasOf(tenant); alias != "" {
			labels = append(labels, alias)
		} else if _, taken := p.Tenants[tenant]; !taken && hostLabel(tenant) {
			labels = append(labels, tenant)
		}
	}
	slices.Sort(labels)
	return labels
}
