package fleet

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

// A town is what stands around the instances: a provider, an app, and the
// configuration that all of them have.
type town struct {
	t         *testing.T
	URL       string // public_url
	Provider  *descopetest.Provider
	file      string // gatehouse.yaml
	client    string // the client secret
	listening string // where public_url leads
}

// newTown lays a town out. listen is where browsers come to; session are more
// lines of the configuration's session.
func newTown(t *testing.T, listen string, opts descopetest.Options, session string) *town {
	t.Helper()
	provider, err := descopetest.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	served, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = served.Close() })
	app := httptest.NewServer(http.HandlerFunc(app))
	t.Cleanup(app.Close)
	_, port, _ := net.SplitHostPort(listen)
	tn := &town{t: t, URL: "http://localhost:" + port, Provider: provider, client: provider.ClientSecret(), listening: listen}
	tn.file = filepath.Join(t.TempDir(), "gatehouse.yaml")
	source := fmt.Sprintf(`public_url: %s
drain_delay: 1s
drain_timeout: 6s
descope: {project_id: %s, issuer: "%s", client_secret: "${DESCOPE_CLIENT_SECRET}"}
session:
  secret: "0123456789012345678901234567890123456789"
%s
routes:
  - path: /app
    preset: plain
    upstream: %s
    allow: authenticated
`, tn.URL, provider.ProjectID(), served.Issuer, session, app.URL)
	if err := os.WriteFile(tn.file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return tn
}

// app answers, and streams until its client is gone.
func app(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 0; ; n++ {
			fmt.Fprintf(w, "data: %d\n\n", n)
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	case "/ws":
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ctx := ws.CloseRead(r.Context())
		for ws.Write(ctx, websocket.MessageText, []byte("tick")) == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	default:
		fmt.Fprint(w, "served ", r.Header.Get("X-Forwarded-User"))
	}
}
