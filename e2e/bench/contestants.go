package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/e2e/rig"
)

// A bench is a run: the app, the stand-in provider, and what was measured.
type bench struct {
	settings
	ctx      context.Context
	dir      string
	self     string
	app      *process
	provider *descopetest.Provider
	issuer   string
	closers  []func()
	table    table
	began    time.Time
}

func newBench(ctx context.Context, s settings) (*bench, error) {
	b := &bench{settings: s, ctx: ctx, began: time.Now()}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.gatehouse, err = filepath.Abs(s.gatehouse); err != nil {
		return nil, err
	}
	if _, err = os.Stat(b.gatehouse); err != nil {
		return nil, fmt.Errorf("%w: make build makes it", err)
	}
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() { _ = os.RemoveAll(b.dir) })
	if b.provider, err = descopetest.New(descopetest.Options{SessionTTL: time.Hour}); err != nil {
		return nil, err
	}
	descope, err := b.provider.Start("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.issuer = descope.Issuer
	b.closers = append(b.closers, func() { _ = descope.Close() })
	address, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	if b.app, err = start(ctx, "app", address, []string{"BENCH_LISTEN=" + address, "GOMAXPROCS=" + fmt.Sprint(runtime.NumCPU())}, b.self, "app"); err != nil {
		return nil, err
	}
	b.closers = append(b.closers, b.app.stop)
	return b, nil
}

func (b *bench) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}

// progress shows what is being done, on one line of the terminal.
func (b *bench) progress(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = fmt.Sprintf("[%s] %s", time.Since(b.began).Round(time.Second), text)
	}
	fmt.Fprintf(os.Stderr, "\r\033[K%s", text)
}

// A contestant is a proxy that can be started, and asked for the app at /app/.
type contestant struct {
	name  string
	start func() (*process, error)
	// signIn returns the header line of a member; nil: nobody signs in.
	signIn func(p *process) (string, error)
}

func (b *bench) bare() contestant {
	return contestant{name: "bare ReverseProxy", start: func() (*process, error) {
		address, err := rig.FreePort()
		if err != nil {
			return nil, err
		}
		return start(b.ctx, "bare", address, []string{"BENCH_LISTEN=" + address}, b.self, "bare", "http://"+b.app.address)
	}}
}

// gate is Gatehouse with n routes.
func (b *bench) gate(n int) contestant {
	name := "Gatehouse"
	if n > 1 {
		name = fmt.Sprintf("Gatehouse, %d routes", n)
	}
	return contestant{name: name, start: func() (*process, error) { return b.startGate(n, "", "") }, signIn: b.signInAtGate}
}

// gateBearer is Gatehouse, asked with a bearer token in place of a cookie.
func (b *bench) gateBearer() contestant {
	return contestant{name: "Gatehouse, bearer", start: func() (*process, error) { return b.startGate(1, "", ", bearer: true") },
		signIn: func(p *process) (string, error) {
			_, err := b.signInAtGate(p) // it has read the provider's discovery then
			if err != nil {
				return "", err
			}
			token, err := b.provider.AccessToken("bob", nil)
			return "Authorization: Bearer " + token, err
		}}
}

// gateRedis is Gatehouse with its sessions in Redis.
func (b *bench) gateRedis(redis string) contestant {
	return contestant{name: "Gatehouse, Redis", start: func() (*process, error) {
		return b.startGate(1, ", store: redis, redis_url: 'redis://"+redis+"/0'", "")
	}, signIn: b.signInAtGate}
}

// ways are the other ways in which Gatehouse knows who asks.
func (b *bench) ways() ([]contestant, error) {
	all := []contestant{b.gateBearer()}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return all, nil
	}
	address, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	redis, err := start(b.ctx, "redis-server", address, nil, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", b.dir)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, redis.stop)
	return append(all, b.gateRedis(address)), nil
}

// startGate starts Gatehouse with n routes, and with more said of its session and
// of the route that is asked for.
func (b *bench) startGate(n int, session, route string) (*process, error) {
	address, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	var y strings.Builder
	fmt.Fprintf(&y, "public_url: http://%s\nlisten: %[1]s\nadmin: {listen: \"\"}\nlog: {level: error}\ndescope:\n  project_id: %s\n  issuer: %s\n  client_secret: ${DESCOPE_CLIENT_SECRET}\nsession: {secret: '${GATEHOUSE_SESSION_SECRET}'%s}\nroutes:\n",
		address, b.provider.ProjectID(), b.issuer, session)
	fmt.Fprintf(&y, "  - {path: /app, upstream: 'http://%s', allow: [{roles: [Member, Tenant Admin]}]%s}\n", b.app.address, route)
	for i := range n - 1 {
		fmt.Fprintf(&y, "  - {path: /apps/%d, upstream: 'http://%s', allow: [{roles: [Role %d]}]}\n", i, b.app.address, i)
	}
	file := filepath.Join(b.dir, fmt.Sprintf("gatehouse-%d.yaml", n))
	if err := os.WriteFile(file, []byte(y.String()), 0o600); err != nil {
		return nil, err
	}
	return start(b.ctx, "gatehouse", address, []string{
		"DESCOPE_CLIENT_SECRET=" + b.provider.ClientSecret(), "GATEHOUSE_SESSION_SECRET=" + strings.Repeat("bench", 10),
	}, b.gatehouse, "serve", "-c", file)
}

// signInAtGate goes through the sign-in as a browser does.
func (b *bench) signInAtGate(p *process) (string, error) {
	return b.signIn("http://"+p.address, "/auth/login")
}

func (b *bench) signIn(origin, login string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var address string
	for wait := time.Now(); ; time.Sleep(50 * time.Millisecond) { // until it has read the provider's discovery
		res, err := client.Get(origin + login)
		if err != nil {
			return "", err
		}
		_ = res.Body.Close()
		if address = res.Header.Get("Location"); res.StatusCode == http.StatusFound && strings.Contains(address, "/authorize") {
			break
		}
		if time.Since(wait) > 10*time.Second {
			return "", fmt.Errorf("%s: %s, %s", login, res.Status, address)
		}
	}
	callback, err := b.provider.Authorize(b.ctx, client, address, "bob")
	if err != nil {
		return "", err
	}
	res, err := client.Get(callback)
	if err != nil {
		return "", err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusFound {
		return "", fmt.Errorf("callback: %s", res.Status)
	}
	u, err := url.Parse(origin)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return "Cookie: " + strings.Join(pairs, "; "), nil
}

// others are those of the field that are installed here.
func (b *bench) others() []contestant {
	var found []contestant
	for _, o := range []struct {
		binary string
		make   func(path string) contestant
	}{{"oauth2-proxy", b.oauth2proxy}, {"caddy", b.caddy}, {"nginx", b.nginx}} {
		path, err := exec.LookPath(filepath.Join(".cache", "field", o.binary)) // as field.sh installs them
		if err != nil {
			path, err = exec.LookPath(o.binary)
		}
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil {
			found = append(found, o.make(path))
		}
	}
	return found
}

func (b *bench) oauth2proxy(path string) contestant {
	return contestant{name: "oauth2-proxy", start: func() (*process, error) {
		address, err := rig.FreePort()
		if err != nil {
			return nil, err
		}
		return start(b.ctx, "oauth2-proxy", address, nil, path,
			"--provider=oidc", "--http-address="+address, "--oidc-issuer-url="+b.issuer, "--redirect-url=http://"+address+"/oauth2/callback",
			"--client-id="+b.provider.ProjectID(), "--client-secret="+b.provider.ClientSecret(), "--cookie-secret=0123456789abcdef0123456789abcdef",
			"--cookie-secure=false", "--code-challenge-method=S256", "--email-domain=*", "--upstream=http://"+b.app.address, "--skip-provider-button",
			"--request-logging=false", "--auth-logging=false", "--standard-logging=false")
	}, signIn: func(p *process) (string, error) { return b.signIn("http://"+p.address, "/oauth2/start?rd=/") }}
}

func (b *bench) caddy(path string) contestant {
	return contestant{name: "Caddy, no sign-in", start: func() (*process, error) {
		address, err := rig.FreePort()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(b.dir, "Caddyfile")
		text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\n\treverse_proxy %s\n}\n", address, b.app.address)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return start(b.ctx, "caddy", address, []string{"XDG_DATA_HOME=" + b.dir, "XDG_CONFIG_HOME=" + b.dir}, path, "run", "--config", file, "--adapter", "caddyfile")
	}}
}

func (b *bench) nginx(path string) contestant {
	return contestant{name: "nginx, no sign-in", start: func() (*process, error) {
		address, err := rig.FreePort()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(b.dir, "nginx.conf")
		text := fmt.Sprintf(`daemon off; worker_processes %d; pid %s/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
upstream app { server %s; keepalive 256; }
server { listen %s; client_max_body_size 0;
location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off; } } }
`, runtime.NumCPU(), b.dir, b.app.address, address)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return start(b.ctx, "nginx", address, nil, path, "-p", b.dir, "-c", file)
	}}
}
