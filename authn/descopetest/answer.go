package descopetest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// answer is a response kept back until it is known what becomes of it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: make(http.Header), status: http.StatusOK} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// token is the token endpoint. zitadel/oidc decides; the tokens of its answer
// are replaced by ones of Descope's shape, with the provider's clock.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	_, secret, _ := r.BasicAuth()
	if secret == "" {
		secret = r.PostFormValue("client_secret")
	}
	ex := &exchange{secret: secret}
	kept := newAnswer()
	p.protocol.ServeHTTP(kept, r.WithContext(context.WithValue(r.Context(), exchangeKey, ex)))
	switch {
	case kept.status != http.StatusOK:
		p.refuse(kept)
	case ex.grant != nil || ex.key != nil:
		if err := p.rewrite(kept, r, ex); err != nil {
			kept.status = http.StatusInternalServerError
		}
	}
	kept.header.Set("Cache-Control", "no-store")
	kept.send(w)
}

// rewrite replaces the tokens of an answer and applies the fault that a test
// asked for.
func (p *Provider) rewrite(kept *answer, r *http.Request, ex *exchange) error {
	var body map[string]any
	if err := json.Unmarshal(kept.body.Bytes(), &body); err != nil {
		return err
	}
	issuer := p.issuerOf(r)
	p.mu.Lock()
	key, ttl := p.keys[0], p.ttl
	access := p.accessClaims(issuer, ex)
	id, _ := access["jti"].(string)
	var claims map[string]any
	if ex.grant != nil {
		claims = p.idToken(issuer, ex)
	}
	p.mu.Unlock()

	accessJWT, err := sign(key, access, nil)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.forget()
	p.access[accessJWT] = &accessToken{id: id, grant: ex.grant, expires: p.now().Add(ttl)}
	p.mu.Unlock()
	body["access_token"] = accessJWT
	body["expires_in"] = int64(ttl / time.Second)
	if p.opts.OmitExpiresIn {
		delete(body, "expires_in")
	}
	if body["refresh_token"] == r.PostFormValue("refresh_token") {
		delete(body, "refresh_token") // not rotated: the old one stays good
	}
	delete(body, "id_token")
	if claims != nil {
		fault, _ := r.Context().Value(faultKey).(IDTokenFault)
		token, err := p.faultyIDToken(fault, key, claims)
		if err != nil {
			return err
		}
		if token != "" {
			body["id_token"] = token
		}
	}
	kept.body.Reset()
	return json.NewEncoder(&kept.body).Encode(body)
}

// refuse writes a refusal in Descope's form where the options ask for it.
func (p *Provider) refuse(kept *answer) {
	var refusal struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if !p.opts.DescopeErrors || json.Unmarshal(kept.body.Bytes(), &refusal) != nil {
		return
	}
	code, text := "E011003", "Request is invalid"
	switch refusal.Error {
	case "invalid_grant":
		// zitadel/oidc does not always say of which grant.
		code, text = "E064001", "Authorization code or refresh token is invalid"
	case "invalid_client":
		code, text = "E062901", "Access key is invalid"
	}
	kept.body.Reset()
	_ = json.NewEncoder(&kept.body).Encode(descopeError(code, text, refusal.Description))
}

// descopeError is the body of Descope's errors outside of RFC 6749.
func descopeError(code, description, message string) map[string]string {
	return map[string]string{"errorCode": code, "errorDescription": description, "errorMessage": message}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
