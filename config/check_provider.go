package config

import (
	"net/url"
	"slices"
	"strings"
)

// checkProvider derives client and issuer from the project and reads the client
// secret.
func (d *decoder) checkProvider(c *Config) {
	p := &c.Descope
	d.deriveIssuer(p)
	if p.ClientID == "" {
		p.ClientID = p.ProjectID
	}
	if p.ClientID == "" && p.Issuer != "" && !d.broken("descope.project_id") && !d.broken("descope.client_id") {
		d.problem("descope.client_id", "is required where project_id is not given")
	}
	d.clientSecret(p)
	if !slices.Contains(p.Scopes, "openid") && !d.brokenBelow("descope.scopes") {
		d.problem("descope.scopes", "want openid among the scopes: without it there is no ID token")
	}
	if p.SessionTokens && p.ProjectID == "" && !d.broken("descope.project_id") {
		d.problem("descope.session_tokens", "needs project_id, which is the issuer of session tokens")
	}
}

func (d *decoder) deriveIssuer(p *Descope) {
	if p.Issuer != "" || d.broken("descope.issuer") || d.broken("descope.project_id") {
		return
	}
	if p.ProjectID == "" {
		d.problem("descope.project_id", "is required: the project's ID from the Descope console, or issuer and client_id for another provider")
		return
	}
	host, ok := projectHost(p.ProjectID)
	if !ok {
		message := "want P and 27 letters or digits, with the region's 4 after the P outside the US"
		if !d.places.nearest("descope.project_id").hidden {
			message += ", got " + quote(p.ProjectID)
		}
		d.problem("descope.project_id", "%s; or set issuer", message)
		return
	}
	p.Issuer = "https://" + host + "/" + p.ProjectID
}

// Elsewhere reports whether another provider than Descope signs people in: no
// project is named, neither by project_id nor in the issuer's path.
func (p *Descope) Elsewhere() bool {
	u, err := url.Parse(p.Issuer)
	if p.ProjectID != "" || err != nil {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if _, ok := projectHost(segment); ok {
			return false
		}
	}
	return true
}

// projectHost is the API's host for a project: its ID is P and 27 characters in
// the US, P, the region's four and 27 elsewhere.
func projectHost(id string) (host string, ok bool) {
	rest, ok := strings.CutPrefix(id, "P")
	if !ok {
		return "", false
	}
	for _, r := range rest {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return "", false
		}
	}
	switch len(rest) {
	case 27:
		return "api.descope.com", true
	case 31:
		return "api." + strings.ToLower(rest[:4]) + ".descope.com", true
	}
	return "", false
}

func (d *decoder) clientSecret(p *Descope) {
	const key, fileKey = "descope.client_secret", "descope.client_secret_file"
	switch {
	case d.broken(key) || d.broken(fileKey):
	case p.ClientSecretFile != "" && !p.ClientSecret.IsZero() && d.twice(key, fileKey):
	case p.ClientSecretFile != "":
		p.ClientSecret = d.oneSecretFile(fileKey, p.ClientSecretFile)
	case p.ClientSecret.IsZero():
		d.problem(key, "is required: write ${DESCOPE_CLIENT_SECRET} and set that variable, or set client_secret_file")
	}
}

// brokenBelow reports whether something is already wrong with the key or a part
// of it.
func (d *decoder) brokenBelow(key string) bool {
	for _, p := range d.problems {
		if p.Key == key || strings.HasPrefix(p.Key, key+".") || strings.HasPrefix(p.Key, key+"[") {
			return true
		}
	}
	return false
}
