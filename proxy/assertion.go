package proxy

import (
	"net/http"
)

// assert makes the signed statement about the person that the upstream gets.
// Public routes get none, and without a key there is none.
func (x *exchange) assert() error {
	if x.identity == nil || x.route.Public() || x.p.Assertions == nil || !x.p.Assertions.Signing() {
		return nil
	}
	token, err := x.p.Assertions.About(x.identity, x.route.Name, x.decision.Tenant, x.route.Access.UnverifiedEmail)
	if err != nil { // an upstream that relies on it must not see the request without
		return &refusal{status: http.StatusInternalServerError, err: err}
	}
	x.assertion = token
	return nil
}

// jwks publishes the keys of the assertion, an empty list where there are none.
func (x *exchange) jwks() error {
	body := []byte(`{"keys":[]}`)
	if x.p.Assertions != nil {
		body = x.p.Assertions.JWKS()
	}
	x.Header()["Cache-Control"] = []string{"public, max-age=300"}
	return x.serveBytes("application/jwk-set+json", body)
}
