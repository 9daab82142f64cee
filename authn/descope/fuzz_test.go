package descope

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

// FuzzParseClaims holds what must be true of any input: who is named stands in
// the claims, no tenant or role comes from anywhere but its own place, and the
// same claims written again by encoding/json mean the same.
func FuzzParseClaims(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"U2ada"}`,
		`{"sub":"U2ada","dct":"T2acme","roles":["Tenant Admin"]}`,
		`{"sub":"U2ada","tenants":{"T2acme":{"roles":["Tenant Admin"]},"T2beta":null},"roles":["x"],"dct":"T2acme"}`,
		`{"sub":"U2ada","tenants":[],"dct":"T2acme","roles":["Tenant Admin"]}`,
		`{"sub":"U2ada","tenants":{"T":1},"tenants":{"T":{}}}`,
		`{"dsub":"U2ada","level":1e3,"x":["a",{"b":[]}]}`,
		`{"sub":"\ud800","email_verified":"true","amr":"fed"}`,
		`{"sub":"a"} {"sub":"b"}`,
		strings.Repeat(`{"sub":`, 2000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, err := ParseClaims(raw)
		if err != nil {
			return
		}
		if id.Subject == "" || len(id.Subject) > maxSubject {
			t.Fatalf("subject %q", id.Subject)
		}
		var claims map[string]any
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatalf("took what encoding/json refuses: %v", err)
		}
		if claims["tenants"] != nil {
			object, _ := claims["tenants"].(map[string]any)
			for tenant, grants := range id.Tenants {
				entry, _ := object[tenant].(map[string]any)
				given, _ := entry["roles"].([]any)
				if len(grants.Roles) > len(given) {
					t.Fatalf("tenant %q has roles %q of %v", tenant, grants.Roles, given)
				}
			}
		} else if len(id.Tenants) > 1 || len(id.Tenants) == 1 && len(id.Project.Roles) > 0 {
			t.Fatalf("without tenants: %v and project %v", id.Tenants, id.Project)
		}
		for name := range id.Claims {
			if protocolClaim(name) {
				t.Fatalf("claim %q is the protocol's", name)
			}
		}
		fields, err := DecodeObject(raw)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		id2, err := ParseClaims(again)
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if diff := cmp.Diff(id, id2); diff != "" {
			t.Fatalf("written again it means something else:\n%s", diff)
		}
	})
}

// FuzzClassifyTokenError holds that whatever a token endpoint writes, a log
// gets one bounded line without anything as long as a token in it.
func FuzzClassifyTokenError(f *testing.F) {
	f.Add(400, "10", `{"error":"invalid_grant","error_description":"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJVMmFkYSJ9.c2ln"}`)
	f.Add(429, "Sun, 01 Mar 2026 12:00:00 GMT", `{"errorCode":"E130429","errorMessage":"API rate limit exceeded."}`)
	f.Add(503, "-1", "<html>\n\x00\x1b[31m")
	f.Add(401, "99999999999999999999", `{"errorCode":7}`)
	f.Fuzz(func(t *testing.T, status int, wait, body string) {
		header := http.Header{"Retry-After": {wait}, "Date": {"Sun, 01 Mar 2026 11:00:00 GMT"}}
		got := ClassifyTokenError(&oauth2.RetrieveError{
			Response: &http.Response{StatusCode: status, Header: header}, Body: []byte(body)})
		if got.RetryAfter < 0 || got.RetryAfter > maxRetryAfter {
			t.Errorf("wait %v", got.RetryAfter)
		}
		if status >= 500 && got.Kind != Unreachable && got.Kind != RateLimited {
			t.Errorf("status %d is %v", status, got.Kind)
		}
		text := got.Error()
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x00\x1b") || len(text) > 3*maxText {
			t.Errorf("text %q", text)
		}
		for _, word := range strings.Fields(got.Code + " " + got.Description) {
			if len(strings.TrimSuffix(word, "…")) > maxWord {
				t.Errorf("word %q", word)
			}
		}
	})
}
