package descopetest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// discovery is zitadel/oidc's document with Descope's layout in it. It stands
// below the issuer, and where RFC 8414 puts it for MCP clients.
func (p *Provider) discovery(w http.ResponseWriter, r *http.Request) {
	kept := newAnswer()
	p.protocol.ServeHTTP(kept, at(r, discoveryPath))
	var document map[string]any
	if err := json.Unmarshal(kept.body.Bytes(), &document); err != nil {
		http.Error(w, "no discovery document", http.StatusInternalServerError)
		return
	}
	issuer := p.issuerOf(r)
	origin := strings.TrimSuffix(issuer, "/"+p.opts.ProjectID)
	for name, path := range map[string]string{
		"authorization_endpoint": authorizePath, "token_endpoint": tokenPath, "userinfo_endpoint": userinfoPath,
		"revocation_endpoint": revokePath, "end_session_endpoint": logoutPath, "registration_endpoint": registerPath,
		"jwks_uri": "/" + p.opts.ProjectID + keysPath,
	} {
		document[name] = origin + path
	}
	for _, name := range []string{"introspection_endpoint", "device_authorization_endpoint", "check_session_iframe"} {
		delete(document, name)
	}
	if p.opts.IssParameter {
		document["authorization_response_iss_parameter_supported"] = true
	}
	document["response_types_supported"] = []string{"code"}
	document["grant_types_supported"] = []string{"authorization_code", "refresh_token", "client_credentials"}
	document["claims_supported"] = []string{"iss", "aud", "iat", "exp", "sub", "nonce", "amr", "name", "email", "email_verified",
		"dct", "tenants", "roles", "permissions"}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeJSON(w, http.StatusOK, document)
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	p.protocol.ServeHTTP(w, at(r, keysPath))
}

// at is the request as zitadel/oidc expects it, without the project in its path.
func at(r *http.Request, path string) *http.Request {
	clone := r.Clone(r.Context())
	clone.URL.Path, clone.URL.RawPath = path, ""
	return clone
}

// authorize checks what Descope asks for and zitadel/oidc does not, and takes
// the parameters that only Descope knows.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, descopeError("E011001", "Request is malformed", "the form cannot be read"))
		return
	}
	missing := ""
	switch {
	case r.Form.Get("state") == "":
		missing = "state is required"
	case !slices.Contains(strings.Fields(r.Form.Get("scope")), "openid"):
		missing = "scope must hold openid"
	case r.Form.Get("response_type") != "code":
		missing = "response_type must be code"
	case r.Form.Get("code_challenge") == "" || r.Form.Get("code_challenge_method") != "S256":
		missing = "code_challenge with S256 is required"
	}
	extra := extras{loginHint: r.Form.Get("login_hint"), resources: r.Form["resource"]}
	if hint := r.Form.Get("loginHint"); hint != "" {
		extra.loginHint = hint
	}
	if asked := r.Form.Get("tenant"); asked != "" {
		if extra.tenant = p.tenant(asked); extra.tenant == "" {
			missing = "no such tenant"
		}
	}
	if missing != "" {
		writeJSON(w, http.StatusBadRequest, descopeError("E011003", "Request is invalid", missing))
		return
	}
	ctx := context.WithValue(r.Context(), extrasKey, extra)
	ctx = context.WithValue(ctx, redirectKey, r.Form.Get("redirect_uri"))
	p.protocol.ServeHTTP(w, r.WithContext(ctx))
}

// tenant finds a tenant by its ID, exactly, or by a domain.
func (p *Provider) tenant(asked string) string {
	for _, tenant := range p.opts.Tenants {
		if tenant.ID == asked || slices.ContainsFunc(tenant.Domains, func(d string) bool { return strings.EqualFold(d, asked) }) {
			return tenant.ID
		}
	}
	return ""
}

// userinfo is answered here, since zitadel/oidc would hold access tokens
// against the machine's clock.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = r.PostFormValue("access_token")
	}
	p.mu.Lock()
	access := p.access[token]
	var claims map[string]any
	if access != nil && access.grant != nil && p.now().Before(access.expires) {
		claims = p.personClaims(access.grant, access.grant.scopes)
	}
	p.mu.Unlock()
	if claims == nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, descopeError("E061005", "Unauthorized", "the access token is invalid or expired"))
		return
	}
	writeJSON(w, http.StatusOK, claims)
}

// endSession signs out (OpenID Connect RP-Initiated Logout 1.0). It ends the
// session of id_token_hint; without a hint nobody is known to be signed in, and
// it only sends the browser back, where client_id vouches for the address.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	clientID := r.FormValue("client_id")
	if hint := r.FormValue("id_token_hint"); hint != "" {
		sid, audience, ok := p.readHint(hint)
		if !ok || clientID != "" && !slices.Contains(audience, clientID) {
			writeJSON(w, http.StatusBadRequest, descopeError("E011003", "Request is invalid", "id_token_hint is invalid"))
			return
		}
		if clientID == "" && len(audience) > 0 {
			clientID = audience[0]
		}
		p.endSID(sid)
	}
	back := r.FormValue("post_logout_redirect_uri")
	if back == "" {
		p.page.show(w, http.StatusOK, view{Title: "Signed out", Lead: "You are signed out."})
		return
	}
	c := p.client(clientID, back)
	if c == nil || !slices.Contains(c.PostLogoutRedirectURIs(), back) && !sameSite(c.redirects, back) {
		writeJSON(w, http.StatusBadRequest, descopeError("E011003", "Request is invalid", "post_logout_redirect_uri is not allowed"))
		return
	}
	target, err := url.Parse(back)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, descopeError("E011003", "Request is invalid", "post_logout_redirect_uri is no URL"))
		return
	}
	if state := r.FormValue("state"); state != "" {
		query := target.Query()
		query.Set("state", state)
		target.RawQuery = query.Encode()
	}
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// sameSite takes any page of a registered redirect's origin to come back to
// after sign-out, since Descope's list is one of domains.
func sameSite(redirects []string, back string) bool {
	target, err := url.Parse(back)
	return err == nil && slices.ContainsFunc(redirects, func(redirect string) bool {
		known, err := url.Parse(redirect)
		return err == nil && known.Scheme == target.Scheme && known.Host == target.Host
	})
}

// readHint takes an expired token too, as the specification wants.
func (p *Provider) readHint(hint string) (sid string, audience []string, ok bool) {
	token, err := jwt.ParseSigned(hint, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", nil, false
	}
	var claims struct {
		SID      string       `json:"sid"`
		Audience jwt.Audience `json:"aud"`
	}
	p.mu.Lock()
	keys := slices.Clone(p.keys)
	p.mu.Unlock()
	for _, key := range keys {
		if token.Claims(&key.private.PublicKey, &claims) == nil {
			return claims.SID, claims.Audience, true
		}
	}
	return "", nil, false
}

func (p *Provider) endSID(sid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revokeWhere(func(g *grant) bool { return g.sid == sid })
}
