package descopetest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func decodePart(t *testing.T, token string, part int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func decodeHeader(t *testing.T, token string) map[string]any  { return decodePart(t, token, 0) }
func decodePayload(t *testing.T, token string) map[string]any { return decodePart(t, token, 1) }
