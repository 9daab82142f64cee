package config

import (
	"net"
)

// checkServer checks public_url and the listeners against each other.
func (d *decoder) checkServer(c *Config) {
	if c.PublicURL == nil && !d.broken("public_url") {
		d.problem("public_url", "is required: the address that browsers see, such as https://apps.example.com")
	}
	if c.Listen == "" && !d.broken("listen") {
		d.problem("listen", "is required: host:port such as 127.0.0.1:8000")
	}
	listeners := []struct{ key, address string }{
		{"listen", c.Listen}, {"admin.listen", c.Admin.Listen}, {"tls.redirect_listen", c.TLS.RedirectListen},
	}
	for i, a := range listeners {
		for _, b := range listeners[:i] {
			if sameListener(a.address, b.address) {
				key, other := a.key, b.key
				if !d.written(key) {
					key, other = other, key
				}
				d.problem(key, "takes the same port as %s; want one of its own", other)
			}
		}
	}
}

// sameListener reports whether one of two addresses would find its port taken.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || isEveryInterface(hostA) || isEveryInterface(hostB)
}

func isEveryInterface(host string) bool {
	return host == "" || host == "0.0.0.0" || host == "::"
}

// checkTLS checks where certificates come from and whether they can.
func (d *decoder) checkTLS(c *Config) {
	t := c.TLS
	switch {
	case t.CertFile != "" && t.KeyFile == "" && !d.broken("tls.key_file"):
		d.problem("tls.key_file", "is required with cert_file: the PEM file of its private key")
	case t.KeyFile != "" && t.CertFile == "" && !d.broken("tls.cert_file"):
		d.problem("tls.cert_file", "is required with key_file: the PEM file of its certificate")
	}
	if t.ACME.Enabled() && t.CertFile != "" {
		d.problem("tls.acme", "goes without cert_file; keep one of the two")
	}
	if c.PublicURL == nil || c.PublicURL.Scheme == "https" {
		return
	}
	if t.ACME.Enabled() {
		d.problem("tls.acme", "needs a public_url that begins with https://")
	}
	if t.RedirectListen != "" {
		d.problem("tls.redirect_listen", "redirects to https and needs a public_url that begins with https://")
	}
}
