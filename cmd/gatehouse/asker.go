package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/authn/descope"
	"gatehouse/authz"
)

// claimsIdentity makes of claims as they stand in an ID token the identity that
// a sign-in would. Claims that people write out for a test or a question may
// leave out sub: no rule for subjects holds for them then.
func claimsIdentity(raw []byte) (*authz.Identity, error) {
	raw = bytes.TrimSpace(raw)
	var root map[string]json.RawMessage
	if json.Unmarshal(raw, &root) != nil || has(root, "sub") || has(root, "dsub") {
		return descope.ParseClaims(raw)
	}
	filled := []byte(`{"dsub":"nobody in particular"`)
	if len(root) > 0 {
		filled = append(filled, ',')
	}
	id, err := descope.ParseClaims(append(filled, raw[1:]...))
	if err == nil {
		id.Subject = ""
	}
	return id, err
}

func has(root map[string]json.RawMessage, name string) bool {
	raw, ok := root[name]
	return ok && string(raw) != "null"
}

// tokenClaims decodes the payload of a JWT and checks nothing: not who signed
// it, not for whom it is, not whether it has expired. What it says may be shown
// to whoever pasted it and decides nothing.
func tokenClaims(token string) ([]byte, error) {
	token = strings.TrimSpace(token)
	if rest, ok := strings.CutPrefix(token, "Bearer "); ok {
		token = strings.TrimSpace(rest)
	}
	parts := strings.Split(token, ".")
	switch {
	case len(parts) == 5:
		return nil, errors.New("the token is encrypted (JWE): paste the claims with --claims")
	case len(parts) != 3:
		return nil, errors.New("no JWT: want three parts with dots between them, as an ID token has them")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, errors.New("no JWT: its middle part is no base64url; was it cut while it was copied?")
	}
	return payload, nil
}

// doubts says what a sign-in would have against the claims of a pasted token.
func doubts(raw []byte, issuer string, now time.Time) []string {
	var c struct {
		Issuer string  `json:"iss"`
		Expiry float64 `json:"exp"`
	}
	if json.Unmarshal(raw, &c) != nil {
		return nil
	}
	var out []string
	if c.Issuer != issuer {
		out = append(out, fmt.Sprintf("its issuer is %q, that of descope.issuer is %q: a sign-in would refuse it", c.Issuer, issuer))
	}
	if end := time.Unix(int64(c.Expiry), 0); c.Expiry != 0 && now.After(end) {
		out = append(out, "it expired at "+end.UTC().Format(time.RFC3339))
	}
	return out
}
