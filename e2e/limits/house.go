package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/e2e/rig"
)

// maxBody is max_body of the route /small.
const maxBody = 1 << 20

// A house is a Gatehouse with its provider and an app.
type house struct {
	settings
	dir      string
	address  string
	admin    string
	issuer   string
	provider *descopetest.Provider
	server   *descopetest.Server
	app      *http.Server
	gate     *exec.Cmd
	log      *logged
	wire     *http.Transport
	member   *browser // whose requests go on
}

func newHouse(s settings) (*house, error) {
	h := &house{settings: s, log: &logged{}, wire: &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true}}
	var err error
	if h.dir, err = os.MkdirTemp("", "gatehouse-limits-"); err != nil {
		return nil, err
	}
	if err := h.start(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *house) start() error {
	var err error
	h.provider, err = descopetest.New(descopetest.Options{SessionTTL: time.Hour})
	if err != nil {
		return err
	}
	if h.server, err = h.provider.Start("127.0.0.1:0"); err != nil {
		return err
	}
	h.issuer = h.server.Issuer
	app, err := h.startApp()
	if err != nil {
		return err
	}
	if h.address, err = rig.FreePort(); err != nil {
		return err
	}
	if h.admin, err = rig.FreePort(); err != nil {
		return err
	}
	file := filepath.Join(h.dir, "gatehouse.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `public_url: http://%s
listen: %s
admin: {listen: "%s"}
descope:
  project_id: %s
  issuer: %s
  client_secret: ${DESCOPE_CLIENT_SECRET}
session: {secret: "${GATEHOUSE_SESSION_SECRET}"}
routes:
  - {path: /app, upstream: "http://%s", preset: plain, allow: authenticated, bearer: true}
  - {path: /small, upstream: "http://%s", preset: plain, allow: authenticated, max_body: %d}
`, h.address, h.address, h.admin, h.provider.ProjectID(), h.issuer, app, app, maxBody), 0o600); err != nil {
		return err
	}
	h.gate = exec.Command(h.gatehouse, "serve", "-c", file)
	h.gate.Env = append(os.Environ(), "DESCOPE_CLIENT_SECRET="+h.provider.ClientSecret(), "GATEHOUSE_SESSION_SECRET="+strings.Repeat("limits", 8))
	h.gate.Stdout, h.gate.Stderr = h.log, h.log
	if err := h.gate.Start(); err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := h.ask(h.admin, "/readyz"); status == http.StatusOK {
			break
		}
		if time.Since(began) > 30*time.Second {
			return fmt.Errorf("gatehouse is not ready:\n%s", h.log.last())
		}
	}
	h.member = newBrowser(h)
	if err := h.member.signIn("bob"); err != nil {
		return err
	}
	token, err := h.provider.AccessToken("bob", nil)
	if err != nil {
		return err
	}
	return h.askAs(bearerTurn, token) // the first token has the keys read
}

// startApp starts an app that says who it was told is asking. It reads no upload
// at /stall.
func (h *house) startApp() (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	h.app = &http.Server{
		MaxHeaderBytes: 1 << 20, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/stall") {
				time.Sleep(3 * time.Second)
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-User"))
		}),
	}
	go func() { _ = h.app.Serve(listener) }() // ends with close
	return listener.Addr().String(), nil
}

func (h *house) close() {
	if h.gate != nil && h.gate.Process != nil {
		_ = h.gate.Process.Kill()
		_ = h.gate.Wait()
	}
	if h.app != nil {
		_ = h.app.Close()
	}
	if h.server != nil {
		_ = h.server.Close()
	}
	_ = os.RemoveAll(h.dir)
}

func (h *house) ask(address, path string) (int, string) {
	return rig.Get(http.Client{Timeout: 30 * time.Second, Transport: h.wire}, "http://"+address+path)
}

// calls are what reached the provider: of discovery, keys and tokens.
func (h *house) calls() int {
	n := 0
	for _, endpoint := range []descopetest.Endpoint{descopetest.Discovery, descopetest.Keys, descopetest.Token, descopetest.Userinfo} {
		n += h.provider.Requests()[endpoint]
	}
	return n
}

// A sample is what the process takes.
type sample struct {
	resident   float64 // bytes
	goroutines float64
}

func (h *house) sample() sample {
	_, text := h.ask(h.admin, "/metrics")
	return sample{resident: rig.Metric(text, "process_resident_memory_bytes"), goroutines: rig.Metric(text, "go_goroutines")}
}

// settle waits until no more goroutines run than before, give or take, and
// returns what the process takes then.
func (h *house) settle(ctx context.Context, before sample) sample {
	for began := time.Now(); ; {
		s := h.sample()
		if s.goroutines <= before.goroutines+leftOver || time.Since(began) > 30*time.Second || !rig.Pause(ctx, 200*time.Millisecond) {
			return s
		}
	}
}

// logged counts what Gatehouse writes, and keeps its errors and its end.
type logged struct {
	mu     sync.Mutex
	bytes  int64
	errors []string
	rest   []byte
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += int64(len(p))
	for line := range bytes.Lines(p) {
		if bytes.Contains(line, []byte(`"level":"ERROR"`)) || bytes.Contains(line, []byte("panic")) {
			if len(l.errors) < 5 {
				l.errors = append(l.errors, string(line[:min(len(line), 500)]))
			}
		}
	}
	l.rest = append(l.rest, p...)
	l.rest = append([]byte(nil), l.rest[max(0, len(l.rest)-2000):]...)
	return len(p), nil
}

// take returns what was written since the last time.
func (l *logged) take() (bytes int64, errors []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes, errors = l.bytes, l.errors
	l.bytes, l.errors = 0, nil
	return bytes, errors
}

func (l *logged) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.rest)
}
