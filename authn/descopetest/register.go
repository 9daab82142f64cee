package descopetest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// register is dynamic client registration (RFC 7591), open as MCP clients need
// it: redirect URIs in, client_id out. Clients that ask for no secret are
// public ones.
func (p *Provider) register(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, MCP-Protocol-Version")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var metadata struct {
		Name         string   `json:"client_name"`
		RedirectURIs []string `json:"redirect_uris"`
		AuthMethod   string   `json:"token_endpoint_auth_method"`
		Scope        string   `json:"scope"`
	}
	if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&metadata) != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_client_metadata"})
		return
	}
	if len(metadata.RedirectURIs) == 0 || slices.ContainsFunc(metadata.RedirectURIs, badRedirect) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_redirect_uri"})
		return
	}
	c := &client{id: "C2" + rand.Text(), redirects: metadata.RedirectURIs, login: "/" + p.opts.ProjectID + signInPath, ttl: p.opts.SessionTTL}
	if metadata.AuthMethod != "none" {
		c.secret = rand.Text() + rand.Text()
	}
	p.mu.Lock()
	p.clients[c.id] = c
	p.mu.Unlock()

	answer := map[string]any{
		"client_id": c.id, "client_id_issued_at": p.now().Unix(), "client_name": metadata.Name,
		"redirect_uris": c.redirects, "grant_types": []string{"authorization_code", "refresh_token"},
		"response_types": []string{"code"}, "scope": metadata.Scope, "token_endpoint_auth_method": "none",
	}
	if c.secret != "" {
		answer["client_secret"], answer["client_secret_expires_at"] = c.secret, 0
		answer["token_endpoint_auth_method"] = "client_secret_basic"
		if metadata.AuthMethod == "client_secret_post" {
			answer["token_endpoint_auth_method"] = "client_secret_post"
		}
	}
	writeJSON(w, http.StatusCreated, answer)
}

func badRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https"
}
