package authn

import (
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/authn/descope"
	"gatehouse/authn/session"
	"gatehouse/authz"
)

// An Identifier makes of verified claims the identity that a session keeps.
type Identifier struct {
	// Trim returns the part of an identity that the present policy and the
	// upstreams' headers look at, and the digest of those needs where
	// something was left out.
	Trim func(*authz.Identity) (trimmed *authz.Identity, needs string)
	Log  *slog.Logger
	// Refreshing is session.refresh: refresh tokens were asked for.
	Refreshing bool
	// Elsewhere: the provider is not Descope, whose advice would mislead.
	Elsewhere bool

	told *saidOnce
}

// saidOnce are diagnoses that concern the operator and not the person.
type saidOnce struct{ noTenants, noRefreshToken atomic.Bool }

// NewIdentifier returns an Identifier that trims as told.
func NewIdentifier(trim func(*authz.Identity) (*authz.Identity, string), log *slog.Logger) Identifier {
	return Identifier{Trim: trim, Log: log, told: new(saidOnce)}
}

// fill completes rec with the identity in claims. Tokens without a refresh
// token cannot be renewed, so the session then lasts to max_age.
func (i Identifier) fill(rec *session.Record, issuer string, claims rawClaims, freshUntil, now time.Time) (*session.Record, error) {
	id, err := descope.ParseClaims(claims)
	if err != nil {
		return nil, &Error{Reason: ReasonProvider, Err: err}
	}
	id.Issuer = issuer // userinfo does not say; an ID token's was verified
	i.missTenants(id)
	rec.Identity, rec.Needs = i.Trim(id)
	rec.RefreshedAt, rec.FreshUntil = now, time.Time{}
	if rec.Refresh != "" {
		rec.FreshUntil = freshUntil
	} else if i.Refreshing && i.told.noRefreshToken.CompareAndSwap(false, true) {
		i.Log.Warn("the provider gave no refresh token, so roles stay as they were at sign-in until session.max_age (said once): " +
			"is offline_access among the scopes that the application may ask for?")
	}
	return rec, nil
}

// missTenants tells the operator why rules with a tenant may not hold. Another
// provider than Descope need not have tenants, and roles of its own do.
func (i Identifier) missTenants(id *authz.Identity) {
	if len(id.Tenants) > 0 || i.Elsewhere && len(id.Project.Roles) > 0 || !i.told.noTenants.CompareAndSwap(false, true) {
		return
	}
	cause := "either descope.claims is missing from the application's supported claims at Descope, or no tenant is set up for the person"
	if i.Elsewhere {
		cause = "the ID token has neither a tenants nor a roles claim, which the provider has to be told to put there (at Descope: descope.claims); rules on claims, emails and subjects need neither"
	}
	i.Log.Warn("somebody signed in without any tenant, so no tenant's role can let them in (said once): " + cause)
}
