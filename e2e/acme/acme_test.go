// Package acme has Gatehouse fetch its certificates from Pebble, Let's Encrypt's
// test authority, which asks back over HTTP-01 and TLS-ALPN-01 as the real one
// does. It is a module of its own, so that Pebble is no dependency of Gatehouse.
package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	host   = "apps.acme.test"
	second = "more.acme.test" // which a reload adds
)

// The commands, built once.
var gatehouse, eager, pebble, dns string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "acme")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	gatehouse = build(dir, "gatehouse", "../..", "./cmd/gatehouse")
	eager = build(dir, "eager", "../..", "-overlay", hasty(dir), "./cmd/gatehouse")
	pebble = build(dir, "pebble", ".", "github.com/letsencrypt/pebble/v2/cmd/pebble")
	dns = build(dir, "dns", ".", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
	return m.Run()
}

// hasty writes an overlay for a Gatehouse that looks every second whether a
// certificate should be renewed, and returns its name.
func hasty(dir string) string {
	const every, here = "renewEvery = 10 * time.Minute", "../../cmd/gatehouse/acme.go"
	source, err := os.ReadFile(here)
	if err != nil {
		panic(err)
	}
	if !strings.Contains(string(source), every) {
		panic(here + " does not say " + every)
	}
	changed, overlay := filepath.Join(dir, "acme.go"), filepath.Join(dir, "overlay.json")
	original, err := filepath.Abs(here)
	if err != nil {
		panic(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		panic(err)
	}
	for file, content := range map[string][]byte{
		changed: []byte(strings.Replace(string(source), every, "renewEvery = time.Second", 1)), overlay: replace,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			panic(err)
		}
	}
	return overlay
}

func TestCertificatesComeFromAnAuthority(t *testing.T) {
	for _, tc := range []struct {
		name  string
		plain bool // a redirect listener, where HTTP-01 is answered
	}{
		{"by TLS-ALPN-01, on the only port there is", false},
		{"by HTTP-01 too, beside the redirect to https", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAuthority(t, 90*24*time.Hour)
			g := a.serve(t, gatehouse, tc.plain)
			g.awaitCertificate(t, host)
			if tc.plain {
				res := g.ask(t, "http://"+host+":"+a.httpPort+"/x?y")
				if res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != "https://"+host+":"+a.tlsPort+"/x?y" {
					t.Errorf("the plain listener: %s %v", res.Status, res.Header)
				}
			}
			if res := g.ask(t, "https://"+host+":"+a.tlsPort+"/auth/health"); res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
				t.Errorf("%s over %s", res.Status, res.Proto)
			}
		})
	}
}

func TestAHostThatAReloadAddsGetsItsCertificate(t *testing.T) {
	a := newAuthority(t, 90*24*time.Hour)
	g := a.serve(t, gatehouse, false)
	before := g.awaitCertificate(t, host)
	if res, err := g.client.Get("https://" + second + ":" + a.tlsPort + "/auth/health"); err == nil {
		_ = res.Body.Close()
		t.Errorf("before the reload %s is served", second)
	}
	source, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(source), "routes: [", `routes: [{host: `+second+`, upstream: "http://127.0.0.1:1", allow: public}, `, 1)
	if err := os.WriteFile(g.file, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	g.awaitCertificate(t, second)
	if after := g.awaitCertificate(t, host); after != before {
		t.Error("the first host's certificate was fetched anew")
	}
}

func TestCertificatesAreRenewedWhileItRuns(t *testing.T) {
	a := newAuthority(t, 30*time.Second)
	g := a.serve(t, eager, false)
	first := g.awaitCertificate(t, host)
	await(t, "another certificate", func() error {
		if serial := g.awaitCertificate(t, host); serial == first {
			return fmt.Errorf("still %s", serial)
		}
		return nil
	})
}

// build builds a command into the folder and returns its path.
func build(dir, name, from string, args ...string) string {
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
	cmd.Dir = from
	if said, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%s: %v\n%s", name, err, said))
	}
	return out
}

// start runs a command until the test ends, and shows what it said if that failed.
func start(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		hung := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // ended by a signal
		hung.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), said.String())
		}
	})
}

// freePort is a port that nobody listens at now, below those of outgoing connections,
// any of which could take it before it is used.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + mathrand.IntN(12_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("of a hundred ports none is free")
	return ""
}

// An authority is Pebble, with a name server that knows every name as this machine.
type authority struct {
	dir                 string
	directory, rootFile string
	tlsPort, httpPort   string
	management          string
	root                *x509.CertPool // that it signs with
}

// newAuthority starts an authority whose certificates are good for so long.
func newAuthority(t *testing.T, validity time.Duration) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), tlsPort: freePort(t), httpPort: freePort(t)}
	listen, management, names := freePort(t), freePort(t), freePort(t)
	a.directory, a.management = "https://localhost:"+listen+"/dir", "https://localhost:"+management
	a.rootFile = filepath.Join(a.dir, "pebble.pem")
	keyFile := filepath.Join(a.dir, "pebble.key")
	selfSigned(t, a.rootFile, keyFile)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": "127.0.0.1:" + listen, "managementListenAddress": "127.0.0.1:" + management,
		"certificate": a.rootFile, "privateKey": keyFile, "httpPort": number(a.httpPort), "tlsPort": number(a.tlsPort),
		"profiles": map[string]any{"default": map[string]any{"description": "", "validityPeriod": int(validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(a.dir, "pebble.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, nil, dns, "-dnsserver", "127.0.0.1:"+names, "-management", "127.0.0.1:"+freePort(t),
		"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	start(t, []string{"PEBBLE_VA_NOSLEEP=1"}, pebble, "-config", configFile, "-dnsserver", "127.0.0.1:"+names)
	a.root = a.issuers(t) // it answers: who asks too early asks again only after a minute
	return a
}

func number(port string) int {
	n := 0
	for _, c := range port {
		n = n*10 + int(c-'0')
	}
	return n
}

// selfSigned writes a certificate for localhost and its key.
func selfSigned(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A served is Gatehouse behind certificates of the authority.
type served struct {
	authority *authority
	client    *http.Client
	file      string // the configuration
}

func (a *authority) serve(t *testing.T, gatehouse string, plain bool) *served {
	t.Helper()
	redirect := ""
	if plain {
		redirect = "127.0.0.1:" + a.httpPort
	}
	file := filepath.Join(a.dir, "gatehouse.yaml")
	source := fmt.Sprintf(`public_url: https://%s:%s
listen: 127.0.0.1:%s
admin: {listen: ""}
tls:
  acme: {email: ops@acme.test, directory: "%s", storage: "%s"}
  redirect_listen: "%s"
descope: {client_id: x, client_secret: x, issuer: "http://127.0.0.1:1"}
session: {secret: "0123456789012345678901234567890123456789"}
routes: [{upstream: "http://127.0.0.1:1", allow: authenticated}]
`, host, a.tlsPort, a.tlsPort, a.directory, filepath.Join(a.dir, "certificates"), redirect)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, []string{"SSL_CERT_FILE=" + a.rootFile}, gatehouse, "serve", "-c", file)
	g := &served{authority: a, file: file}
	g.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(address)
				return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
			},
			TLSClientConfig: &tls.Config{RootCAs: a.root},
		},
	}
	t.Cleanup(g.client.CloseIdleConnections)
	return g
}

// issuers is the root that the authority signs with, which it makes anew each time.
func (a *authority) issuers(t *testing.T) *x509.CertPool {
	t.Helper()
	trusted := x509.NewCertPool()
	own, err := os.ReadFile(a.rootFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AppendCertsFromPEM(own)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	defer client.CloseIdleConnections()
	pool := x509.NewCertPool()
	await(t, "the authority", func() error {
		res, err := client.Get(a.management + "/roots/0")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		root, err := io.ReadAll(res.Body)
		if err == nil && !pool.AppendCertsFromPEM(root) {
			err = fmt.Errorf("no root in %q", root)
		}
		return err
	})
	return pool
}

// awaitCertificate waits for a certificate of the authority that is good for the
// name, on a connection of its own, and returns its serial number.
func (g *served) awaitCertificate(t *testing.T, name string) (serial string) {
	t.Helper()
	await(t, "a certificate of the authority for "+name, func() error {
		g.client.CloseIdleConnections()
		res, err := g.client.Get("https://" + name + ":" + g.authority.tlsPort + "/auth/health")
		if err != nil {
			return err
		}
		serial = res.TLS.PeerCertificates[0].SerialNumber.String()
		return res.Body.Close()
	})
	return serial
}

func (g *served) ask(t *testing.T, address string) *http.Response {
	t.Helper()
	res, err := g.client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func await(t *testing.T, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
