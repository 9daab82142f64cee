package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pemFiles is a key in both of its forms, its certificate, and another key.
func pemFiles(t *testing.T) fakeFiles {
	t.Helper()
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	newKey := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, other := newKey(elliptic.P256()), newKey(elliptic.P384())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "apps.example.com"}, NotAfter: time.Unix(1<<32, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	sec1, err1 := x509.MarshalECPrivateKey(key)
	pkcs8, err8 := x509.MarshalPKCS8PrivateKey(key)
	wrong, errWrong := x509.MarshalPKCS8PrivateKey(other)
	return fakeFiles{
		"cert.pem":  block("CERTIFICATE", certificate, err),
		"sec1.pem":  block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil) + block("EC PRIVATE KEY", sec1, err1),
		"pkcs8.pem": block("PRIVATE KEY", pkcs8, err8),
		"p384.pem":  block("PRIVATE KEY", wrong, errWrong),
		"logo.svg":  "<svg/>",
	}
}

func TestFilesThatAreGood(t *testing.T) {
	c, err := parse("gatehouse.yaml", []byte(top+`
tls: {cert_file: cert.pem, key_file: pkcs8.pem}
assertion: {key_file: [pkcs8.pem, sec1.pem]}
pages: {logo_file: logo.svg}
routes: [{upstream: https://a, ca_file: cert.pem, allow: public}]
`), secretEnv(), pemFiles(t).read)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cert.pem", "gatehouse.yaml", "logo.svg", "pkcs8.pem", "sec1.pem"}, c.Files()); diff != "" {
		t.Error(diff)
	}
	if !c.TLS.Enabled() || c.TLS.ACME.Enabled() {
		t.Error("TLS should be on, ACME off")
	}
}

func TestFilesThatAreBad(t *testing.T) {
	got := problemsWith(t, top+`tls: {cert_file: cert.pem, key_file: p384.pem}
assertion: {key_file: p384.pem}
pages: {logo_file: none.svg}
routes: [{upstream: https://a, ca_file: logo.svg, allow: public}]
`, pemFiles(t))
	want := []string{
		"gatehouse.yaml:4:7: tls.cert_file: does not go with key_file: private key does not match public key",
		"gatehouse.yaml:5:13: assertion.key_file: holds no EC P-256 private key; want PEM, as gatehouse keygen --assertion writes it",
		"gatehouse.yaml:6:9: pages.logo_file: cannot be read: file does not exist; want the path of a file",
		"gatehouse.yaml:7:32: routes[0].ca_file: holds no certificate; want PEM with BEGIN CERTIFICATE",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A path of an endless device would fill the memory, one of a named pipe would
// wait for ever.
func TestDevicesAreNotRead(t *testing.T) {
	if _, err := readRegular("/dev/zero"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}
