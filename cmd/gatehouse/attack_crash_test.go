package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// A crash shows every goroutine's stack: what stands in its output must not be
// what somebody could use.
func TestAttack20ACrashTellsNothing(t *testing.T) {
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	descope, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer descope.Close()
	arrived := make(chan struct{}, 2)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer app.Close()
	dir, address, secret := t.TempDir(), freeAddress(t), newSecret()
	file := filepath.Join(dir, "gatehouse.yaml")
	if err := os.WriteFile(file, []byte("public_url: http://"+address+"\nlisten: "+address+"\nadmin: {listen: \"\"}\ndescope: {project_id: "+provider.ProjectID()+", issuer: '"+descope.Issuer+
		"', client_secret: '${DESCOPE_CLIENT_SECRET}'}\nsession: {secret: '${GATEHOUSE_SESSION_SECRET}'}\nroutes:\n  - {path: /app, upstream: '"+app.URL+"', allow: authenticated, bearer: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(dir, "gatehouse") // TestMain is the command under this name
	if err := os.Symlink(self, command); err != nil {
		t.Fatal(err)
	}
	var out syncBuffer
	gate := exec.Command(command, "serve", "-c", file)
	gate.Env = append(os.Environ(), "GOTRACEBACK=system", "DESCOPE_CLIENT_SECRET="+provider.ClientSecret(), "GATEHOUSE_SESSION_SECRET="+secret)
	gate.Stdout, gate.Stderr = &out, &out
	if err := gate.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Process.Kill() }()

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	get := func(ctx context.Context, target string, headers ...string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			t.Error(err)
			return nil
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			return nil
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res
	}
	var login *http.Response
	for deadline := time.Now().Add(20 * time.Second); login == nil || login.StatusCode != http.StatusFound; time.Sleep(20 * time.Millisecond) {
		if login = get(t.Context(), "http://"+address+"/auth/login"); time.Now().After(deadline) {
			t.Fatalf("no sign-in:\n%s", out.String())
		}
	}
	callback, err := provider.Authorize(t.Context(), client, login.Header.Get("Location"), "ada")
	if err != nil {
		t.Fatal(err)
	}
	get(t.Context(), callback)
	token, err := provider.AccessToken("ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go get(ctx, "http://"+address+"/app/x?marked-query-9a41")
	go get(ctx, "http://"+address+"/app/y", "Authorization", "Bearer "+token)
	<-arrived
	<-arrived
	if err := gate.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = gate.Wait()

	said := out.String()
	if !strings.Contains(said, "goroutine ") || strings.Count(said, "proxy.(*Handler).ServeHTTP") < 2 {
		t.Fatalf("it did not crash with its stacks:\n%s", said)
	}
	back, _ := url.Parse(callback)
	at, _ := url.Parse("http://" + address + "/")
	sealed := map[string]string{
		"the client secret": provider.ClientSecret(), "the session secret": secret, "the code": back.Query().Get("code"), "the state": back.Query().Get("state"),
		"the access token": token[len(token)-40:], "a query": "marked-query-9a41",
	}
	for _, c := range jar.Cookies(at) {
		sealed["the cookie "+c.Name] = c.Value[:40]
	}
	for i, r := range provider.Recorded(descopetest.Token) {
		sealed["the code verifier"] = r.Form.Get("code_verifier")
		if i > 0 {
			t.Error("more than one code")
		}
	}
	for name, value := range sealed {
		if len(value) < 8 {
			t.Errorf("%s is %q: the test tests nothing", name, value)
		} else if strings.Contains(said, value) {
			t.Errorf("%s stands in the crash's output", name)
		}
	}
	if sealed["the cookie gatehouse"] == "" {
		t.Error("nobody was signed in")
	}
}
