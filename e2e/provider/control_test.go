package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/authn/descopetest"
)

// started runs the command and returns what it printed.
func started(t *testing.T, args ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, write, io.Discard)
		_ = write.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(read).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var told map[string]string
	if err := json.Unmarshal(line, &told); err != nil {
		t.Fatal(err)
	}
	return told
}

func post(t *testing.T, url, body string) (int, map[string]any) {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

func TestTheCommandTellsWhereItIs(t *testing.T) {
	told := started(t, "-project", "P2x", "-client-secret", "s", "-session-ttl", "1m", "-rotate", "-redirect", "http://localhost:8000/auth/callback")
	if told["project_id"] != "P2x" || told["client_id"] != "P2x" || told["client_secret"] != "s" || !strings.HasSuffix(told["issuer"], "/P2x") || len(told) != 5 {
		t.Errorf("told %v", told)
	}
	res, err := http.Get(told["issuer"] + "/.well-known/openid-configuration")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	if res, err = http.Get(told["control"] + "/requests?endpoint=discovery"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var seen struct {
		Counts   map[string]int `json:"counts"`
		Requests []any          `json:"requests"`
	}
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil || seen.Counts["discovery"] != 1 || len(seen.Requests) != 1 {
		t.Errorf("saw %v, %v", seen, err)
	}
}

func TestTheControlAPIStaysOnThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "nonsense"} {
		if run(t.Context(), []string{"-control", address}, io.Discard, io.Discard) == nil {
			t.Errorf("%s was taken", address)
		}
	}
}

func TestEveryActionDoesSomething(t *testing.T) {
	provider, err := descopetest.New(descopetest.Options{Issuer: "http://127.0.0.1:1/P2x"})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(newControl(provider))
	defer api.Close()
	var got bytes.Buffer
	party := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.WriteString(r.PostFormValue("logout_token"))
	}))
	defer party.Close()
	for _, tc := range []struct {
		action, body string
		status       int
		fields       string
	}{
		{"roles", `{"person":"bob","tenant":"T2acme","roles":["Tenant Admin"]}`, 200, ""},
		{"roles", `{"person":"dave","tenant":"T2acme","roles":[]}`, 400, "error"},
		{"roles", `{"persona":"bob"}`, 400, "error"},
		{"remove-tenant", `{"person":"ada","tenant":"T2acme"}`, 200, ""},
		{"person", `{"person":"ada","email_unverified":true,"project":{"roles":["x"]},"custom":{"team":"ml"},"override":{"tenants":[]}}`, 200, ""},
		{"fail", `{"endpoint":"token","retry_after":3,"times":1}`, 200, ""},
		{"fail", `{"endpoint":"token","status":503,"header":{"X-Why":"test"}}`, 200, ""},
		{"fail", `{"status":503}`, 400, "error"},
		{"recover", `{}`, 200, ""},
		{"hold", `{"endpoint":"userinfo"}`, 200, ""},
		{"release", `{"endpoint":"userinfo"}`, 200, ""},
		{"release", `{"endpoint":"jwks"}`, 400, "error"},
		{"session-ttl", `{"seconds":1.5}`, 200, ""},
		{"session-ttl", `{}`, 400, "error"},
		{"rotate-keys", `{"forget":true}`, 200, ""},
		{"revoke-sessions", `{"person":"ada"}`, 200, ""},
		{"accesskey", `{"tenants":{"T2acme":{"roles":["Member"]}}}`, 200, "key key_id token"},
		{"access-token", `{"person":"ada","override":{"aud":["x"]}}`, 200, "token"},
		{"session-token", `{"person":"ada"}`, 200, "token"},
		{"session-token", `{"person":"dave"}`, 400, "error"},
		{"backchannel", `{"url":"` + party.URL + `","sub":"U2ada"}`, 200, "status"},
		{"reset-requests", `{}`, 200, ""},
	} {
		t.Run(tc.action+" "+tc.body, func(t *testing.T) {
			status, answer := post(t, api.URL+"/control/"+tc.action, tc.body)
			if status != tc.status {
				t.Fatalf("got %d %v", status, answer)
			}
			for _, field := range strings.Fields(tc.fields) {
				if answer[field] == nil || answer[field] == "" {
					t.Errorf("no %s in %v", field, answer)
				}
			}
		})
	}
	if got.Len() == 0 {
		t.Error("no logout token arrived")
	}
	res, err := http.Post(api.URL+"/control/roles", "text/plain", strings.NewReader(`{"person":"bob"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a form of some page steered the provider: %s", res.Status)
	}
}
