package descopetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// Logout says whom a back-channel logout is about. Descope does not document
// which of the two it sends.
type Logout struct {
	Subject string
	SID     string
	// Override replaces claims of the logout token; nil removes one.
	Override map[string]any
}

// LogoutToken makes a logout token (OpenID Connect Back-Channel Logout 1.0
// section 2.4).
func (p *Provider) LogoutToken(logout Logout) (string, error) {
	now := p.now()
	claims := map[string]any{
		"iss": p.Issuer(), "aud": p.opts.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(), "events": map[string]any{backchannelEvent: map[string]any{}},
	}
	if logout.Subject != "" {
		claims["sub"] = logout.Subject
	}
	if logout.SID != "" {
		claims["sid"] = logout.SID
	}
	override(claims, logout.Override)
	return p.SignJWT(claims, map[string]any{"typ": "logout+jwt"})
}

// BackchannelLogout sends a logout token to a relying party's endpoint and
// returns the status of its answer. The session at the provider lives on;
// [Provider.RevokeSessions] ends it.
func (p *Provider) BackchannelLogout(ctx context.Context, client *http.Client, endpoint string, logout Logout) (status int, err error) {
	token, err := p.LogoutToken(logout)
	if err != nil {
		return 0, err
	}
	body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("back-channel logout: %w", err)
	}
	return res.StatusCode, res.Body.Close()
}
