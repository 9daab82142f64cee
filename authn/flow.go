package authn

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"gatehouse/authn/session"
)

// Reason is the fixed word that the error page is asked for.
type Reason string

const (
	// ReasonDenied: the provider, or the person there, refused the sign-in.
	ReasonDenied Reason = "denied"
	// ReasonState: the sign-in is unknown in this browser, expired or used.
	ReasonState Reason = "state"
	// ReasonProvider: the provider answered what cannot be accepted.
	ReasonProvider Reason = "provider"
	// ReasonProviderUnavailable: the provider could not be reached.
	ReasonProviderUnavailable Reason = "provider_unavailable"
	// ReasonSessionTooLarge: the session does not fit into its cookies.
	ReasonSessionTooLarge Reason = "session_too_large"
	// ReasonNoSessionStore: the session store could not be reached.
	ReasonNoSessionStore Reason = "no_session_store"
)

// An Error is a sign-in that failed: the reason is for people, the wrapped
// error for the log.
type Error struct {
	Reason     Reason
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Flow is the authorization code flow with PKCE (RFC 6749 section 4.1, RFC
// 7636), from its start to the identity.
//
//	begin ──► provider ──► Complete ──► Record
//	  │ state cookie          ▲ state cookie, used once
//	  └───────────────────────┘
type Flow struct {
	provider *Provider
	states   *states
	opts     FlowOptions
}

// FlowOptions are the parts of a sign-in that an operator chooses.
type FlowOptions struct {
	AuthPath string
	Secure   bool // public_url is https
	Sealer   func() *session.Sealer
	Identify Identifier
	// Descope's own parameters of the authorization endpoint, and prompt; sent
	// when not empty.
	DescopeFlow, Tenant, Prompt string
	Now                         func() time.Time
	// FirstUse tells whether another instance has ended a sign-in; nil: there is
	// none.
	FirstUse FirstUse
}

// NewFlow returns the sign-in flow at a provider.
func NewFlow(p *Provider, o FlowOptions) *Flow {
	return &Flow{provider: p, states: newStates(o.Secure, o.AuthPath, o.Sealer, o.FirstUse), opts: o}
}

// With returns the flow at a changed provider or with other options. Sign-ins
// under way go on unless the issuer is another, and a state that was used stays
// used. AuthPath, Secure and FirstUse are those of the first flow.
func (f *Flow) With(p *Provider, o FlowOptions) *Flow {
	return &Flow{provider: p, states: f.states, opts: o}
}

// OwnsCookie reports whether name is a cookie of a sign-in under way.
func (f *Flow) OwnsCookie(name string) bool { return f.states.owns(name) }

// A Start is what a sign-in begins with. The fields come from the query and are
// only passed on to the provider; ReturnTo has been checked by the caller.
type Start struct {
	ReturnTo, LoginHint, Tenant string
}

// Begin sets the cookie of a new sign-in and returns the provider's address to
// send the browser to. It fails with an *Error where the provider is not known.
func (f *Flow) Begin(response http.Header, r *http.Request, s Start) (string, error) {
	known := f.provider.await(r.Context())
	if known == nil {
		return "", &Error{Reason: ReasonProviderUnavailable, RetryAfter: discoveryRetry, Err: errors.New("discovery has not succeeded yet")}
	}
	now := f.opts.Now()
	st := signInState{
		State: random(32), Nonce: random(32), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: s.ReturnTo, Begun: now.Unix(), Provider: providerMark(f.provider.cfg.Issuer),
	}
	if err := f.states.put(response, r, st, now); err != nil {
		return "", &Error{Reason: ReasonProvider, Err: err}
	}
	params := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(st.Verifier),
		oauth2.SetAuthURLParam("nonce", st.Nonce),
	}
	set := func(name, value string) {
		if value != "" {
			params = append(params, oauth2.SetAuthURLParam(name, value))
		}
	}
	set("flow", f.opts.DescopeFlow)
	set("prompt", f.opts.Prompt)
	tenant := s.Tenant
	if tenant == "" {
		tenant = f.opts.Tenant
	}
	set("tenant", tenant)
	set("login_hint", s.LoginHint)
	set("loginHint", s.LoginHint) // Descope's spelling
	return known.oauth.AuthCodeURL(st.State, params...), nil
}

// A SignedIn is what a callback came to.
type SignedIn struct {
	Record   *session.Record
	ReturnTo string // as given to Begin
}

// Complete ends the sign-in that the callback belongs to. The state is checked,
// and used up, before anything else is believed or sent: a code redeemed first
// would let a stranger's callback sign this browser in. It fails with an
// *Error.
func (f *Flow) Complete(ctx context.Context, response http.Header, r *http.Request) (*SignedIn, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &Error{Reason: ReasonState, Err: errors.New("the callback's query is malformed")}
	}
	state, ok := only(q, "state")
	if !ok {
		return nil, &Error{Reason: ReasonState, Err: errors.New("the callback has no state, or several")}
	}
	st, ok := f.states.take(response, r, state, f.opts.Now())
	if !ok {
		return nil, &Error{Reason: ReasonState, Err: errors.New("the state is unknown in this browser, expired or used")}
	}
	if st.Provider != "" && st.Provider != providerMark(f.provider.cfg.Issuer) { // its code is none of this provider's business (attack: mix-up)
		return nil, &Error{Reason: ReasonState, Err: errors.New("the sign-in was begun at another provider, before a reload")}
	}
	known := f.provider.known.Load()
	if known == nil {
		return nil, &Error{Reason: ReasonProviderUnavailable, RetryAfter: discoveryRetry, Err: errors.New("discovery has not succeeded yet")}
	}
	code, err := f.authorizationCode(known, q)
	if err != nil {
		return nil, err
	}
	rec, err := f.redeem(ctx, known, code, st)
	if err != nil {
		return nil, err
	}
	return &SignedIn{Record: rec, ReturnTo: st.ReturnTo}, nil
}

// authorizationCode returns the code of a callback whose state is good, or the
// provider's refusal.
func (f *Flow) authorizationCode(known *endpoints, q url.Values) (string, error) {
	if iss, sent := q["iss"]; (sent || known.issParam) && (len(iss) != 1 || iss[0] != f.provider.cfg.Issuer) {
		return "", &Error{Reason: ReasonProvider, Err: errors.New("the callback is another issuer's (RFC 9207)")}
	}
	if refusals, sent := q["error"]; sent {
		reason := ReasonProvider
		switch refusals[0] {
		case "access_denied", "login_required", "consent_required", "interaction_required":
			reason = ReasonDenied
		case "server_error", "temporarily_unavailable":
			reason = ReasonProviderUnavailable
		}
		return "", &Error{Reason: reason, Err: fmt.Errorf("the provider refused: %.100q %.300q", refusals[0], q.Get("error_description"))}
	}
	code, ok := only(q, "code")
	if !ok {
		return "", &Error{Reason: ReasonProvider, Err: errors.New("the callback has no code, or several")}
	}
	return code, nil
}

// redeem exchanges the code for tokens and makes a session record of them.
func (f *Flow) redeem(ctx context.Context, known *endpoints, code string, st signInState) (*session.Record, error) {
	ctx, cancel := f.provider.context(ctx)
	defer cancel()
	token, err := known.oauth.Exchange(ctx, code, oauth2.VerifierOption(st.Verifier))
	if err != nil {
		return nil, tokenError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, &Error{Reason: ReasonProvider, Err: errors.New("the token answer has no ID token: is `openid` among the scopes?")}
	}
	id, err := f.provider.verify(ctx, known, raw, f.opts.Now())
	switch {
	case err != nil && keysUnreachable(err): // which says nothing about the token
		return nil, &Error{Reason: ReasonProviderUnavailable, Err: err}
	case err != nil:
		return nil, &Error{Reason: ReasonProvider, Err: err}
	}
	if subtle.ConstantTimeCompare([]byte(id.token.Nonce), []byte(st.Nonce)) != 1 {
		return nil, &Error{Reason: ReasonProvider, Err: errors.New("the ID token's nonce is not this sign-in's")}
	}
	if id.token.AccessTokenHash != "" {
		if err := id.token.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, &Error{Reason: ReasonProvider, Err: err}
		}
	}
	now := f.opts.Now()
	rec := &session.Record{
		ID: session.NewID(), Version: now.UnixMilli(), SignedInAt: now, ActiveAt: now,
		ProviderSID: id.sid, Refresh: session.Token(token.RefreshToken),
	}
	return f.opts.Identify.fill(rec, f.provider.cfg.Issuer, id.claims, lifetime(token, id.token), now)
}

// only returns the parameter's value where it is given exactly once. Two values
// are refused: parties may differ on which one counts.
func only(q url.Values, name string) (string, bool) {
	v := q[name]
	if len(v) != 1 || v[0] == "" {
		return "", false
	}
	return v[0], true
}

// rawClaims is a token's payload.
type rawClaims = json.RawMessage
