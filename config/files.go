package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mostBytes bounds every file that is read: a path that names a disk or an
// endless device must not fill the memory.
const mostBytes = 4 << 20

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than 4 MiB")
)

// readRegular reads a regular file. It asks before it opens, since opening a named
// pipe would wait for a writer.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(content) > mostBytes {
		return nil, errTooLarge
	}
	return content, err
}

// reason is what went wrong with a file, without its path: what stands at a path's
// key may be a secret that somebody put one key too low.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

func (d *decoder) readFile(key, path string) ([]byte, bool) {
	content, err := d.read(path)
	if err != nil {
		d.problem(key, "cannot be read: %s; want the path of a file", reason(err))
		return nil, false
	}
	return content, true
}

// checkFiles reads the files that others will use, so that a bad one is told now
// and with its place.
func (d *decoder) checkFiles(c *Config) {
	d.checkCertificate(c.TLS)
	d.checkAuthorities("descope.ca_file", c.Descope.CAFile)
	for i, r := range c.Routes {
		d.checkAuthorities(childIndex("routes", i)+".ca_file", r.CAFile)
	}
	for i, path := range c.Assertion.KeyFile {
		key := childIndex("assertion.key_file", i)
		if !d.written(key) {
			key = "assertion.key_file"
		}
		d.checkSigningKey(key, path)
	}
	d.checkLogo("pages.logo_file", c.Pages.LogoFile)
}

func (d *decoder) checkCertificate(t TLS) {
	if t.CertFile == "" || t.KeyFile == "" {
		return
	}
	cert, certRead := d.readFile("tls.cert_file", t.CertFile)
	key, keyRead := d.readFile("tls.key_file", t.KeyFile)
	if !certRead || !keyRead {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		d.problem("tls.cert_file", "does not go with key_file: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
}

func (d *decoder) checkAuthorities(key, path string) {
	if path == "" {
		return
	}
	content, ok := d.readFile(key, path)
	if ok && !x509.NewCertPool().AppendCertsFromPEM(content) {
		d.problem(key, "holds no certificate; want PEM with BEGIN CERTIFICATE")
	}
}

func (d *decoder) checkSigningKey(key, path string) {
	content, ok := d.readFile(key, path)
	if ok && !isSigningKey(content) {
		d.problem(key, "holds no EC P-256 private key; want PEM, as gatehouse keygen --assertion writes it")
	}
}

// isSigningKey looks for the key that ES256 needs, in PKCS#8 or SEC1. OpenSSL
// writes the curve's parameters before a SEC1 key.
func isSigningKey(content []byte) bool {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				key = k
			}
		}
		if k, ok := key.(*ecdsa.PrivateKey); ok {
			return k.Curve == elliptic.P256()
		}
	}
	return false
}

func (d *decoder) checkLogo(key, path string) {
	if path == "" {
		return
	}
	kinds := []string{".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico"}
	if !slices.Contains(kinds, strings.ToLower(filepath.Ext(path))) {
		d.problem(key, "want a picture: a file that ends in %s", orList(kinds))
		return
	}
	d.readFile(key, path)
}

// Files are all files that the configuration was made from or points to: itself,
// secrets, certificates, keys, authorities, the logo. A change of one of them is a
// change of the configuration. State files are not among them.
func (c *Config) Files() []string {
	files := []string{
		c.file, c.TLS.CertFile, c.TLS.KeyFile, c.Descope.ClientSecretFile, c.Descope.CAFile,
		c.Session.SecretFile, c.Session.RedisURLFile, c.Pages.LogoFile,
	}
	files = append(files, c.Assertion.KeyFile...)
	for _, r := range c.Routes {
		files = append(files, r.CAFile)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "" })
	slices.Sort(files)
	return slices.Compact(files)
}
