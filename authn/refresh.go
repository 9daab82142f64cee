package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"gatehouse/authn/descope"
	"gatehouse/authn/session"
)

// A Refresher keeps the identities of sessions fresh with their refresh
// tokens (RFC 6749, section 6).
type Refresher struct {
	Provider *Provider
	Identify Identifier
}

// Refresh returns the next version of rec. The old refresh token stays good
// unless a new one arrives (Descope's rotation is a project setting).
func (r *Refresher) Refresh(ctx context.Context, rec *session.Record) (*session.Record, error) {
	p := r.Provider
	known := p.known.Load()
	if known == nil {
		return nil, &session.UnreachableError{RetryAfter: discoveryRetry, Err: errors.New("discovery has not succeeded yet")}
	}
	ctx, cancel := p.context(ctx)
	defer cancel()
	token, err := known.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: string(rec.Refresh)}).Token()
	if err != nil {
		return nil, refreshError(err)
	}
	var rotated session.Token
	if token.RefreshToken != "" && token.RefreshToken != string(rec.Refresh) {
		rotated = session.Token(token.RefreshToken)
	}
	next := *rec
	next.Version++
	if rotated != "" {
		next.Refresh = rotated
	}
	claims, end, err := r.confirm(ctx, known, token, &next)
	if err != nil {
		var away *session.UnreachableError
		if errors.As(err, &away) {
			away.Rotated = rotated
		}
		return nil, err
	}
	fresh, err := r.Identify.fill(&next, p.cfg.Issuer, claims, end, p.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", session.ErrEnded, err)
	}
	// Checked on what the record will hold, whatever answered: an ID token or
	// userinfo of somebody else must never become this session's.
	if fresh.Identity.Subject != rec.Identity.Subject || fresh.Identity.Issuer != rec.Identity.Issuer {
		return nil, fmt.Errorf("%w: the refreshed tokens are somebody else's", session.ErrEnded)
	}
	return fresh, nil
}

// confirm returns the claims that the refreshed tokens stand for, and when the
// tokens end: those of the ID token, else of userinfo (OpenID Connect Core 1.0,
// section 12.2, makes the ID token optional).
func (r *Refresher) confirm(ctx context.Context, known *endpoints, token *oauth2.Token, next *session.Record) (rawClaims, time.Time, error) {
	p := r.Provider
	if raw, _ := token.Extra("id_token").(string); raw != "" {
		id, err := p.verify(ctx, known, raw, p.cfg.Now())
		switch {
		case err != nil && keysUnreachable(err):
			return nil, time.Time{}, &session.UnreachableError{Err: err}
		case err != nil:
			return nil, time.Time{}, fmt.Errorf("%w: %w", session.ErrEnded, err)
		}
		if id.sid != "" {
			next.ProviderSID = id.sid
		}
		return id.claims, lifetime(token, id.token), nil
	}
	info, err := known.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		if refusedToken(err) {
			return nil, time.Time{}, fmt.Errorf("%w: no ID token, and userinfo refused the access token", session.ErrEnded)
		}
		away := &session.UnreachableError{Err: err}
		if strings.HasPrefix(err.Error(), "429") {
			away.RetryAfter = rateLimited
		}
		return nil, time.Time{}, away
	}
	var claims rawClaims
	if err := info.Claims(&claims); err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: userinfo: %w", session.ErrEnded, err)
	}
	if _, err := descope.DecodeObject(claims); err != nil { // a fault of the provider's, and no word on the session
		return nil, time.Time{}, &session.UnreachableError{Err: fmt.Errorf("userinfo: %w", err)}
	}
	end := lifetime(token, nil)
	if end.IsZero() {
		end = p.cfg.Now().Add(unknownLife)
	}
	return claims, end, nil
}

// unknownLife is taken for tokens that do not say when they end: Descope's
// default for session tokens.
const unknownLife = 10 * time.Minute

// keysUnreachable reports whether a verification failed for want of the
// provider's keys, which says nothing about the token. go-oidc has no typed
// error for it.
func keysUnreachable(err error) bool { return strings.Contains(err.Error(), "fetching keys") }

// rateLimited is how long userinfo is left alone after a 429: go-oidc does not
// pass its Retry-After on, and Descope counts by the minute.
const rateLimited = time.Minute

// refusedToken reports whether userinfo answered 401 or 403. go-oidc begins its
// error with the status line.
func refusedToken(err error) bool {
	return strings.HasPrefix(err.Error(), "401") || strings.HasPrefix(err.Error(), "403")
}

// Revoke tells the provider that a refresh token is not needed any more (RFC
// 7009). It returns nil where the provider has no such endpoint, and an
// *session.UnreachableError where it is away.
func (r *Refresher) Revoke(ctx context.Context, token session.Token) error {
	known := r.Provider.known.Load()
	if known == nil || known.revocation == "" || token == "" {
		return nil
	}
	ctx, cancel := r.Provider.context(ctx)
	defer cancel()
	form := url.Values{"token": {string(token)}, "token_type_hint": {"refresh_token"}}
	inHeader := known.oauth.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		form.Set("client_id", known.oauth.ClientID)
		form.Set("client_secret", known.oauth.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, known.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if inHeader {
		req.SetBasicAuth(url.QueryEscape(known.oauth.ClientID), url.QueryEscape(known.oauth.ClientSecret))
	}
	res, err := r.Provider.cfg.HTTP.Do(req)
	if err != nil {
		return &session.UnreachableError{Err: fmt.Errorf("revoke: %w", err)}
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return &session.UnreachableError{Err: fmt.Errorf("revoke: the provider answered %s", res.Status)}
	case res.StatusCode >= 300:
		return fmt.Errorf("revoke: the provider answered %s", res.Status)
	}
	return nil
}

// EndSessionURL returns where to send a browser so that it is signed out at the
// provider too (OpenID Connect RP-Initiated Logout 1.0), or "" where the
// provider has no such place. The client is named by its ID: the session does
// not keep the ID token that id_token_hint would need.
func (p *Provider) EndSessionURL(back string) string {
	known := p.known.Load()
	if known == nil || known.endSession == "" {
		return ""
	}
	u, err := url.Parse(known.endSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.cfg.ClientID)
	q.Set("post_logout_redirect_uri", back)
	u.RawQuery = q.Encode()
	return u.String()
}

// tokenError turns a failed code exchange into its reason.
func tokenError(err error) error {
	f := descope.ClassifyTokenError(err)
	var refused *oauth2.RetrieveError
	var network *url.Error
	answered := !errors.As(err, &refused) && !errors.As(err, &network) // 200, with something that is no token
	if !answered && (f.Kind == descope.RateLimited || f.Kind == descope.Unreachable) {
		return &Error{Reason: ReasonProviderUnavailable, RetryAfter: f.RetryAfter, Err: f}
	}
	return &Error{Reason: ReasonProvider, Err: f}
}

// refreshError says what a failed refresh means for its session. Only
// invalid_grant is about the session; a client that the provider rejects is the
// operator's mistake, and nobody is signed out for it.
func refreshError(err error) error {
	f := descope.ClassifyTokenError(err)
	if f.Kind == descope.InvalidGrant {
		return fmt.Errorf("%w: %w", session.ErrEnded, f)
	}
	return &session.UnreachableError{RetryAfter: f.RetryAfter, Err: f}
}
