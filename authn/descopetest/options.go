package descopetest

import (
	"crypto/rsa"
	"slices"
	"time"
)

const (
	// DefaultProjectID and DefaultClientSecret are those of a provider whose
	// [Options] name none. The ID has the form of a project in the US region.
	DefaultProjectID    = "P2standinstandinstandinstand"
	DefaultClientSecret = "stand-in-access-key"

	defaultSessionTTL = 10 * time.Minute    // Descope's default for session tokens
	refreshTTL        = 28 * 24 * time.Hour // and for refresh tokens: 4 weeks
	signInTTL         = 30 * time.Minute
)

// Options say what kind of project the stand-in is. The zero value is the
// tutorial's: one client whose ID is the project's, Ada, Bob, Carol and Oscar.
type Options struct {
	ProjectID    string
	ClientSecret string
	// ClientID is that of a named federated app. Default: the project's ID.
	ClientID string
	// Issuer fixes the issuer. Default: that of [Provider.Start], else the
	// scheme and host of each request and the project's ID below them.
	Issuer  string
	People  []Person
	Tenants []Tenant
	// RedirectURIs of the client, sign-in and sign-out alike. None: any will do.
	RedirectURIs []string
	// SessionTTL is the life of session, access and ID tokens.
	SessionTTL time.Duration
	// RotateRefresh answers every refresh with a new refresh token and refuses
	// the old one; else the first stays and no answer repeats it.
	RotateRefresh bool
	// ReuseInterval is how long after a rotation the old token is still taken,
	// for clients whose answer was lost on the way.
	ReuseInterval time.Duration
	// ClaimsUnsupported leaves descope.claims out of the app's supported
	// claims: asked for or not, tokens carry no tenants, roles, permissions.
	ClaimsUnsupported bool
	// OmitExpiresIn leaves expires_in out of token answers.
	OmitExpiresIn bool
	// OmitSID leaves sid out of ID tokens; Descope does not document one.
	OmitSID bool
	// IssParameter announces that callbacks carry iss (RFC 9207). They do not.
	IssParameter bool
	// DescopeErrors writes the token endpoint's refusals in Descope's own form
	// in place of RFC 6749's. Both are seen in the wild.
	DescopeErrors bool
	// SessionIssuer is iss in session JWTs of access keys. Default: the bare
	// project ID, as Descope's older projects have it.
	SessionIssuer string
	// Key saves tests the time to make one.
	Key *rsa.PrivateKey
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.ProjectID == "" {
		o.ProjectID = DefaultProjectID
	}
	if o.ClientSecret == "" {
		o.ClientSecret = DefaultClientSecret
	}
	if o.ClientID == "" {
		o.ClientID = o.ProjectID
	}
	if o.People == nil {
		o.People = People()
	}
	if o.Tenants == nil {
		o.Tenants = Tenants()
	}
	if o.SessionTTL == 0 {
		o.SessionTTL = defaultSessionTTL
	}
	if o.SessionIssuer == "" {
		o.SessionIssuer = o.ProjectID
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.RedirectURIs = slices.Clone(o.RedirectURIs)
	return o
}
