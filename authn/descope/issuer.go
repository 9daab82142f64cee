package descope

import (
	"errors"
	"net/url"
	"strings"
)

const (
	// shortProject is P and 27 characters, a project in the US; longProject
	// has the 4 characters of its region behind the P.
	shortProject = 28
	longProject  = 32
)

// Project is one Descope project at one address: Descope's own, that of a
// region, or a custom domain.
type Project struct {
	ID     string
	Origin string // scheme and host, without a slash at its end
}

// NewProject finds a project from its ID alone, at Descope's own address: the
// region stands in the ID, as Descope's SDKs read it. It refuses what is no
// project ID, since a typing error would ask some other host's keys.
func NewProject(id string) (Project, error) {
	host := "api.descope.com"
	switch {
	case !strings.HasPrefix(id, "P"), len(id) != shortProject && len(id) != longProject:
		return Project{}, errors.New("not a Descope project ID: P and 27 characters, or 31 outside the US (see Project Settings in the console)")
	case !alphanumeric(id):
		return Project{}, errors.New("not a Descope project ID: only letters and digits follow the P")
	case len(id) == longProject:
		host = "api." + strings.ToLower(id[1:5]) + ".descope.com"
	}
	return Project{ID: id, Origin: "https://" + host}, nil
}

// ProjectOf recognises the project id behind an issuer in one of Descope's
// forms, on whatever host:
//
//	<origin>/<P>                      the default federated app
//	<origin>/<P>/<app>                a named federated app
//	<origin>/v1/apps/<P>              inbound apps
//	<origin>/v1/apps/agentic/<P>/<M>  an MCP server
//
// Any other issuer, another OpenID provider's, is no project's.
func ProjectOf(issuer, id string) (Project, bool) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !plainSegment(id) {
		return Project{}, false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch {
	case len(parts) <= 2 && parts[0] == id:
	case len(parts) == 3 && parts[0] == "v1" && parts[1] == "apps" && parts[2] == id:
	case len(parts) == 5 && parts[0] == "v1" && parts[1] == "apps" && parts[2] == "agentic" && parts[3] == id:
	default:
		return Project{}, false
	}
	return Project{ID: id, Origin: u.Scheme + "://" + u.Host}, true
}

// Issuer is that of the default federated app.
func (p Project) Issuer() string { return p.Origin + "/" + p.ID }

// AppsIssuer is that of inbound apps, and of tokens from the project's MCP
// servers, which often carry it in place of their own.
func (p Project) AppsIssuer() string { return p.Origin + "/v1/apps/" + p.ID }

// KeysURL is the project's JWKS, which signs for all of its issuers.
func (p Project) KeysURL() string { return p.Origin + "/" + p.ID + "/.well-known/jwks.json" }

// AccessKeyURL exchanges an access key for a session JWT.
func (p Project) AccessKeyURL() string { return p.Origin + "/v1/auth/accesskey/exchange" }

// BearerIssuers lists whose tokens a bearer route takes, all of them signed by
// one project's keys: the configured issuer, what the operator adds, and where
// the issuer is a Descope project's, its default app and its inbound apps. With
// sessionTokens the bare project ID too, which is iss in many session JWTs.
// The list is all there is: an iss outside of it is refused, never fetched.
func BearerIssuers(issuer, projectID string, more []string, sessionTokens bool) []string {
	issuers := make([]string, 0, 4+len(more))
	add := func(candidate string) {
		for _, have := range issuers {
			if have == candidate {
				return
			}
		}
		if candidate != "" {
			issuers = append(issuers, candidate)
		}
	}
	add(issuer)
	if project, ok := ProjectOf(issuer, projectID); ok {
		add(project.Issuer())
		add(project.AppsIssuer())
	}
	for _, one := range more {
		add(one)
	}
	if sessionTokens {
		add(projectID)
	}
	return issuers
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// plainSegment keeps an ID that is empty or no path segment from matching.
func plainSegment(id string) bool { return id != "" && alphanumeric(id) }
