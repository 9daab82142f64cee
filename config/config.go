// Package config is what an operator may write: the types of gatehouse.yaml,
// how it is read, and every check that needs nothing but the file, the
// environment and the files that it names.
//
//	c, err := config.Load("gatehouse.yaml", os.Environ())
//	var problems config.Errors
//	if errors.As(err, &problems) {
//		for _, p := range problems {
//			fmt.Fprintln(os.Stderr, p) // gatehouse.yaml:14:7: routes[1].allow: …
//		}
//	}
//
// A Config that Load returned is whole: defaults are filled in, derived values
// derived, secret files read. Nobody who uses it has to ask what an empty field
// means, unless the field's comment gives the empty value a meaning of its own.
// It is never changed afterwards and may be shared by any number of readers.
//
// The comments of the fields are the reference: docs/configuration.md is made
// from them, and a test fails where the two, the table of defaults or
// config.example.yaml part ways. The tag of a field is its key in the file; a
// field without a tag is derived.
package config

import (
	"net/netip"
	"net/url"
	"time"
)

// Config is one gatehouse.yaml with its defaults filled in.
type Config struct {
	// Address that Gatehouse listens on, host:port. The default is reached from
	// this machine only; :8000 is every interface. With a configured tls it
	// speaks HTTPS there, else plain HTTP, for a load balancer that ends TLS.
	// A change needs a restart. Default: 127.0.0.1:8000.
	Listen string `yaml:"listen"`

	// Address of Gatehouse as browsers see it: scheme://host[:port], without a
	// path. Redirects, cookies and the origin check follow it, whatever a
	// request says of itself. On http the session cookie travels in the clear;
	// use it on localhost only. A change needs a restart. Required.
	PublicURL *url.URL `yaml:"public_url"`

	// Path that holds Gatehouse's own pages (sign-in, callback, sign-out), on
	// every host. No route may stand at it or below it, and the callback
	// registered at Descope is public_url + auth_path + /callback. A change
	// needs a restart. Default: /auth.
	AuthPath string `yaml:"auth_path"`

	// What somebody without a session meets. page: a page with a Login button.
	// direct: straight to Descope. Default: page.
	SignIn string `yaml:"sign_in"`

	// What / and other paths above all routes do after sign-in. first: on to the
	// first route, in the order of the file, that the person may open. portal: a
	// page of them all. Default: first.
	Landing string `yaml:"landing"`

	// Networks (CIDR, or single addresses) whose X-Forwarded-For,
	// X-Forwarded-Proto and X-Request-Id are believed. Name only the load
	// balancers directly in front of Gatehouse: whoever connects from here can
	// claim any client address. Default: [].
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// Time between SIGTERM and the end of accepting connections: /readyz already
	// fails, requests are still served, so that load balancers can look away
	// first. A duration such as 5s. Default: 0s.
	DrainDelay time.Duration `yaml:"drain_delay"`

	// Time that requests have to end after drain_delay; streams are closed two
	// seconds before it is over. Give the supervisor (terminationGracePeriod,
	// TimeoutStopSec) more than drain_delay and drain_timeout together. Default: 30s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`

	// HTTPS that Gatehouse ends itself.
	TLS TLS `yaml:"tls"`
	// The listener for operators.
	Admin Admin `yaml:"admin"`
	// The provider that signs people in: Descope, or any OpenID provider.
	Descope Descope `yaml:"descope"`
	// How long people stay signed in, and where that is kept.
	Session Session `yaml:"session"`
	// The signed statement about the person for upstreams that check it.
	Assertion Assertion `yaml:"assertion"`

	// Aliases for {tenant} hosts, alias: tenant ID. With acme: T2acme the host
	// acme.example.com stands for the tenant T2acme. An alias is a lower-case host
	// label; IDs keep their case and their dots. The portal shows an alias in the
	// ID's place. Not from the environment. Default: {}.
	Tenants map[string]string `yaml:"tenants"`

	// What Gatehouse's own pages show.
	Pages Pages `yaml:"pages"`

	// The apps and who may open them. The longest path wins, an exact host before
	// a wildcard; the order counts only for landing and for lists of routes. What
	// no route takes is answered 404. Not from the environment. Default: [].
	Routes []Route `yaml:"routes"`

	// What Gatehouse writes to stderr.
	Log Log `yaml:"log"`

	// Policy tests that gatehouse check runs: who asks for what, and what should
	// come of it. Not from the environment. Default: [].
	Tests []Test `yaml:"tests"`

	file    string   // as the caller named it
	places  places   // where each key was written
	literal []string // keys of secrets that are written out in the file
	unused  string   // session.cookie_name as written, where it has no effect
}

// TLS is HTTPS that Gatehouse ends itself: with a certificate from files, or one
// from ACME. With neither it speaks plain HTTP and something in front ends TLS.
type TLS struct {
	// PEM file with the certificate and its chain. It is read again when it
	// changes, so a renewal needs no restart. Goes with key_file. Default: "".
	CertFile string `yaml:"cert_file"`

	// PEM file with the certificate's private key. Default: "".
	KeyFile string `yaml:"key_file"`

	// Certificates fetched from an ACME authority.
	ACME ACME `yaml:"acme"`

	// Address, such as :80, of a plain HTTP listener that redirects to https and
	// answers ACME's HTTP-01. A change needs a restart. Default: "", none.
	RedirectListen string `yaml:"redirect_listen"`
}

// ACME fetches certificates for public_url's host and for each exact host of the
// routes; wildcard hosts are an error with it. It is on as soon as one of its
// keys is set, and excludes tls.cert_file. A change needs a restart.
type ACME struct {
	// Address that the authority writes to about expiring certificates. Default: "".
	Email string `yaml:"email"`

	// URL of the authority's directory. Default: "", Let's Encrypt's production directory.
	Directory string `yaml:"directory"`

	// Folder for account and certificates. Keep it over restarts: an authority
	// limits how often it issues the same certificate. Default: "",
	// certmagic in the user's data folder (XDG_DATA_HOME).
	Storage string `yaml:"storage"`
}

// Enabled reports whether certificates come from ACME.
func (a ACME) Enabled() bool { return a != ACME{} }

// Enabled reports whether Gatehouse ends TLS itself.
func (t TLS) Enabled() bool { return t.CertFile != "" || t.ACME.Enabled() }

// Admin is the listener for operators, with /healthz, /readyz and /metrics.
type Admin struct {
	// Address of /healthz, /readyz and /metrics, host:port. Nobody signs in
	// there: keep it away from the public. "" turns it off. A change needs a
	// restart. Default: 127.0.0.1:9090.
	Listen string `yaml:"listen"`
}

// Assertion is the signed statement about the person, X-Gatehouse-Assertion.
type Assertion struct {
	// PEM file with an EC P-256 private key (PKCS#8 or SEC1; gatehouse keygen
	// --assertion makes one). When set, every request of a signed-in person
	// carries a JWT about them in X-Gatehouse-Assertion, and the public keys
	// stand at /auth/jwks.json. A list for rotation: the first signs, all are
	// published. Default: [].
	KeyFile []string `yaml:"key_file"`
}

// Pages is what Gatehouse's own pages (sign-in, portal, errors) show.
type Pages struct {
	// Name over the pages. Default: "", Gatehouse's own.
	Title string `yaml:"title"`

	// Picture over the pages: an SVG, PNG, JPEG, GIF, WebP or ICO file. Default: "".
	LogoFile string `yaml:"logo_file"`

	// Where people find help: an email address or an http(s) link. Default: "".
	Support string `yaml:"support"`
}

// Log is what Gatehouse writes to stderr. Tokens, codes, cookies and secrets
// never stand there.
type Log struct {
	// Least level that is written: debug (one line a request), info, warn or
	// error. Audit events are written at every level. Default: info.
	Level string `yaml:"level"`

	// json: an object a line. text: key=value, for people. Default: json.
	Format string `yaml:"format"`
}

// Test is one policy test: what should come of one person's one request.
type Test struct {
	// Whose request it is: anonymous, or the claims as they stand in an ID token,
	// such as {tenants: {T2acme: {roles: [Tenant Admin]}}}. Required.
	As map[string]any `yaml:"as"`

	// Anonymous is true where as is the word anonymous; As is nil then.
	Anonymous bool

	// Method of the request. Default: GET.
	Method string `yaml:"method"`

	// What is asked for: a path on public_url, or an absolute URL. Required.
	URL string `yaml:"url"`

	// What should come of it: allow, deny, sign_in or not_found. Required.
	Want string `yaml:"want"`
}
