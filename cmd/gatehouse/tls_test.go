package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/e2e/rig"
)

// A keyPair is a self-signed certificate in two files.
type keyPair struct {
	cert, key []byte // PEM
	pool      *x509.CertPool
}

func newKeyPair(t *testing.T, serial int64) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "gatehouse test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := keyPair{pool: x509.NewCertPool()}
	p.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	p.pool.AppendCertsFromPEM(p.cert)
	return p
}

// freePort is a port of the loopback interface that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	address, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	return port
}

// A secureHouse ends TLS itself.
type secureHouse struct {
	*house
	dir, redirect string
	pool          *x509.CertPool
}

func newSecureHouse(t *testing.T) *secureHouse {
	t.Helper()
	dir, port, pair := t.TempDir(), freePort(t), newKeyPair(t, 1)
	s := &secureHouse{dir: dir, redirect: "http://127.0.0.1:" + port, pool: pair.pool}
	writer := &house{t: t}
	writer.write(filepath.Join(dir, "cert.pem"), string(pair.cert))
	writer.write(filepath.Join(dir, "key.pem"), string(pair.key))
	s.house = newHouse(t, filed(t, build{
		public: "https://localhost:PORT",
		extra: fmt.Sprintf("tls: {cert_file: %s, key_file: %s, redirect_listen: \"127.0.0.1:%s\"}\n",
			filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), port),
	}))
	return s
}

// secure is the browser with TLS and HTTP/2.
func (s *secureHouse) secure(pool *x509.CertPool) *browser {
	b := s.browser()
	b.client.Transport = &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.Replace(addr, "localhost:", "127.0.0.1:", 1))
		},
	}
	s.t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (s *secureHouse) serial(pool *x509.CertPool) (int64, error) {
	conn, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestGatehouseEndsTLS(t *testing.T) {
	s := newSecureHouse(t)
	bob := s.secure(s.pool)
	if res := bob.signIn("bob", "/gradio/user/"); res.StatusCode != http.StatusFound || !strings.HasPrefix(strings.Join(res.Header.Values("Set-Cookie"), " "), "__Host-gatehouse") {
		t.Fatalf("sign-in: %s %v", res.Status, res.Header)
	}
	for _, path := range []string{"/gradio/user/", "/auth/", "/nowhere"} {
		res := bob.fetch("GET", path, "")
		if res.ProtoMajor != 2 {
			t.Errorf("%s came over %s", path, res.Proto)
		}
		if hsts := res.Header.Values("Strict-Transport-Security"); len(hsts) != 1 || hsts[0] != "max-age=31536000" {
			t.Errorf("%s: Strict-Transport-Security %q", path, hsts)
		}
	}
	if got := s.User.last(t).Header.Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("the app is told X-Forwarded-Proto %q", got)
	}
	if _, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: s.pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	if answer := s.raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.0 400") {
		t.Errorf("plain HTTP on the TLS port: %q", answer)
	}
}

func TestThePlainListenerLeadsToHTTPS(t *testing.T) {
	s := newSecureHouse(t)
	host := strings.TrimPrefix(s.URL, "https://")
	for _, c := range []struct{ name, host, target, want string }{
		{"the same place, query included", "localhost", "/gradio/user/a%2Fb?x=1&y", s.URL + "/gradio/user/a%2Fb?x=1&y"},
		{"whatever the port and case", "LOCALHOST:80", "/", s.URL + "/"},
		{"an unknown host leads to public_url", "evil.example", "/x", s.URL + "/x"},
		{"nothing becomes another host", host, "//evil.example/", s.URL + "//evil.example/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := plainly(t, s.redirect, c.host, c.target)
			if got := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || got != c.want {
				t.Errorf("got %s to %q, want %q", res.Status, got, c.want)
			}
			if res.Header.Get("Strict-Transport-Security") != "" {
				t.Error("HSTS over plain HTTP")
			}
		})
	}
	for target, want := range map[string]int{"/auth/health": 200, "/a/../b": 400} {
		if res := plainly(t, s.redirect, "localhost", target); res.StatusCode != want {
			t.Errorf("%s: %s, want %d", target, res.Status, want)
		}
	}
}

// plainly asks with a Host and a request target of its own.
func plainly(t *testing.T, base, host, target string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", base, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.URL.Opaque = target
	if strings.HasPrefix(target, "//") {
		req.URL.Opaque = "http://" + strings.TrimPrefix(base, "http://") + target
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	t.Parallel()
	s := newSecureHouse(t)
	if n, err := s.serial(s.pool); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	bob := s.secure(s.pool)
	bob.signIn("bob", "")
	renewed := newKeyPair(t, 2)

	s.write(filepath.Join(s.dir, "cert.pem"), string(renewed.cert))
	e := s.within2s("config_rejected", 1) // of two files one is always first
	if !strings.Contains(fmt.Sprint(e["problems"]), "tls.cert_file") {
		t.Errorf("got %v", e)
	}
	if n, err := s.serial(s.pool); n != 1 || err != nil {
		t.Errorf("half a renewal is served: %d %v", n, err)
	}
	s.write(filepath.Join(s.dir, "key.pem"), string(renewed.key))
	s.within2s("config_reloaded", 1)
	if n, err := s.serial(renewed.pool); n != 2 || err != nil {
		t.Errorf("the old one is served still: %d %v", n, err)
	}
	if res := bob.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a connection of before: %s", res.Status)
	}
}

// The end of a TLS connection is said in TLS, which waits seconds for a client
// that does not read: that must not hold what was cut (attack 25).
func TestAClientOverTLSThatDoesNotReadIsCutAtSignOut(t *testing.T) {
	t.Parallel()
	s := newSecureHouse(t)
	bob := s.secure(s.pool)
	bob.signIn("bob", "")
	s.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		for block := bytes.Repeat([]byte("data: x\n\n"), 8<<10); ; {
			if _, err := w.Write(block); err != nil {
				return true
			}
		}
	})
	for _, content := range []string{"video/mp4", "text/event-stream"} {
		conn, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: s.pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /gradio/user/x?type=%s HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n", content, bob.cookies())
	}
	s.await("two streams", func() bool { return len(s.events("stream_opened")) == 2 })
	began := time.Now()
	bob.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "same-origin")
	s.await("the end of both", func() bool { return len(s.events("stream_closed")) == 2 })
	if took := time.Since(began); took > 4*time.Second { // crypto/tls alone would take 5 s
		t.Errorf("took %v", took)
	}
	for _, e := range s.events("stream_closed") {
		if e["cause"] != "sign_out" {
			t.Errorf("closed for %v", e["cause"])
		}
	}
}
