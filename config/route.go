package config

import (
	"net"
	"strings"
	"time"
)

// Route is a host and/or path prefix with an upstream and an access rule.
type Route struct {
	// Name in logs, metrics and the assertion's aud. Unique. Default: from path
	// and host, such as gradio/admin.
	Name string `yaml:"name"`

	// Title in the portal and the account menu. Default: the name.
	Title string `yaml:"title"`

	// A sentence under the title in the portal. Default: "".
	Description string `yaml:"description"`

	// Host of the route: exact, *.example.com, or {tenant}.example.com, where the
	// label stands for a tenant (write the latter two in quotes). Without a port. A
	// route that needs a session must lie under session.cookie_domain.
	// Default: "", public_url's host.
	Host string `yaml:"host"`

	// Path prefix, matched on segment boundaries: /a takes /a and /a/b, not /ab.
	// Canonical: no dot segments, no //, no encoded letters. Default: /.
	Path string `yaml:"path"`

	// The app: http://host:port, https://host:port or unix:/path/to.sock, without
	// a path; or a list of replicas, over which people are spread so that each
	// stays on one. Required.
	Upstreams []Upstream `yaml:"upstream"`

	// PEM file with the certificate authorities that an https upstream's
	// certificate must come from, in place of the system's. Default: "".
	CAFile string `yaml:"ca_file"`

	// What kind of UI the app is, and so what it needs from a proxy: gradio,
	// streamlit, jupyter, comfyui, openwebui (only at path /) or plain. Default: gradio.
	Preset string `yaml:"preset"`

	// Whether path is taken off before the request goes to the upstream. Without
	// it the app must know the path itself. Default: from the preset: true for
	// gradio, comfyui and plain, false for the others.
	StripPath bool `yaml:"strip_path"`

	// Who may open the route. authenticated: everybody who can sign in to the
	// Descope project, which often means anybody with an email address. public:
	// everybody, without sign-in. Or a list of rules, of which one must hold.
	// Required.
	Allow Allow `yaml:"allow"`

	// Whether scripts may come with Authorization: Bearer and a token from Descope
	// in place of a session. A bearer then decides alone. Default: false.
	Bearer bool `yaml:"bearer"`

	// Other origins, scheme://host[:port], whose pages may call the route with the
	// person's session: exact, no * and no null. Each one can do there whatever
	// the person can. Default: [].
	Origins []string `yaml:"origins"`

	// Whether an Account button (who am I, other apps, Sign out) is put into the
	// app's HTML pages. Default: false.
	AccountMenu bool `yaml:"account_menu"`

	// Whether rules and X-Forwarded-Email also take an address that Descope has
	// not verified. Such an address can be anybody's claim, so it is for
	// providers that vouch for their addresses themselves (SSO). Default: false.
	UnverifiedEmail bool `yaml:"unverified_email"`

	// Largest request body in bytes, 0 for no limit. Default: 0.
	MaxBody int64 `yaml:"max_body"`

	// Time until the upstream's response headers, 0s for no limit. What follows
	// them is never cut. Default: 0s.
	Timeout time.Duration `yaml:"timeout"`

	// Headers set on the upstream's request, name: value, over any that the
	// client sent. Not Host, not those of the connection, not those that
	// Gatehouse sets itself. Default: {}.
	Headers map[string]string `yaml:"headers"`
}

// NeedsSession reports whether the route can be reached with a session only:
// neither public nor open to bearer tokens.
func (r *Route) NeedsSession() bool { return !r.Allow.Public && !r.Bearer }

// IsWildcard reports whether the host stands for every label under a suffix, and
// gives that suffix: example.com for *.example.com and {tenant}.example.com.
func (r *Route) IsWildcard() (suffix string, ok bool) {
	if suffix, ok = strings.CutPrefix(r.Host, wildcardLabel); ok {
		return suffix, true
	}
	return strings.CutPrefix(r.Host, tenantLabel)
}

// HasTenantHost reports whether the host's first label stands for a tenant.
func (r *Route) HasTenantHost() bool { return strings.HasPrefix(r.Host, tenantLabel) }

const (
	wildcardLabel = "*."
	tenantLabel   = tenantWord + "."
	tenantWord    = "{tenant}"
)

// Allow is who may open a route. Exactly one of the three is set in a Config that
// Load returned; the zero value allows nobody.
type Allow struct {
	// Public: everybody, without sign-in.
	Public bool
	// Authenticated: everybody who is signed in.
	Authenticated bool
	// Rules: whoever one of them holds for.
	Rules []Rule
}

// Rule is one of the conditions of a route. All its fields must hold; within a
// field any value will do; the first rule of the list that holds decides. A
// person who is in several tenants needs a rule's role and its permission in the
// same one, or both at project level. An empty rule or field is an error.
type Rule struct {
	// Tenant that must grant what the rule asks for: its ID, a list of IDs, or
	// "{tenant}" for the one that the route's {tenant} host names. Without it any
	// tenant's role of that name will do, also one of a customer's own making.
	// Default: any tenant, or the project level.
	Tenant []string `yaml:"tenant"`

	// TenantFromHost is true where tenant holds "{tenant}".
	TenantFromHost bool

	// Names of roles, exact. Default: not asked.
	Roles []string `yaml:"roles"`

	// Names of permissions, exact. Default: not asked.
	Permissions []string `yaml:"permissions"`

	// Email addresses, verified ones (see unverified_email). ASCII case is
	// ignored. Default: not asked.
	Emails []string `yaml:"emails"`

	// Domains of verified email addresses, exact: example.com does not take
	// mail.example.com. Default: not asked.
	EmailDomains []string `yaml:"email_domains"`

	// Users by their ID at the provider (sub), exact. Default: not asked.
	Subjects []string `yaml:"subjects"`

	// Ways that the person signed in by, such as fed (SSO), mfa or webauthn.
	// Default: not asked.
	AMR []string `yaml:"amr"`

	// Custom claims, name: value or a list of values. Numbers and true/false
	// compare as text; of a claim that is a list, one element must fit. Names
	// are never split at dots. Default: not asked.
	Claims map[string][]string `yaml:"claims"`
}

// Upstream is the address of one app, or of one of its replicas.
type Upstream struct {
	// Scheme is http, https or unix (plain HTTP over a socket).
	Scheme string
	// Host is host[:port] in lower case, empty for unix.
	Host string
	// Socket is the absolute path of a unix socket, else empty.
	Socket string
}

// String is the address as the file has it, with nothing secret in it.
func (u Upstream) String() string {
	if u.Scheme == "unix" {
		return "unix:" + u.Socket
	}
	return u.Scheme + "://" + u.Host
}

// Dial gives network and address for net.Dial, the port filled in by the scheme.
func (u Upstream) Dial() (network, address string) {
	if u.Scheme == "unix" {
		return "unix", u.Socket
	}
	if _, _, err := net.SplitHostPort(u.Host); err == nil {
		return "tcp", u.Host
	}
	host := strings.Trim(u.Host, "[]")
	if u.Scheme == "https" {
		return "tcp", net.JoinHostPort(host, "443")
	}
	return "tcp", net.JoinHostPort(host, "80")
}
