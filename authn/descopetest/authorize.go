package descopetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Cancel in place of a person's ID presses Cancel on the sign-in page.
const Cancel = ""

// Authorize is a browser for tests: it opens an authorization URL, signs in as
// the person on whatever pages come, and returns the callback URL that the
// provider redirects to, without following it. The client's cookies are used,
// its redirect policy is not.
func (p *Provider) Authorize(ctx context.Context, client *http.Client, authURL, personID string) (callbackURL string, err error) {
	if personID != Cancel && p.person(personID) == nil {
		return "", fmt.Errorf("sign in at the stand-in: no person %q", personID)
	}
	at, err := url.Parse(authURL)
	if err != nil {
		return "", err
	}
	provider := at.Host
	browser := *client
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	method := http.MethodGet
	for range 10 {
		var form io.Reader
		if method == http.MethodPost {
			form = strings.NewReader(url.Values{"person": {personID}}.Encode())
		}
		req, err := http.NewRequestWithContext(ctx, method, at.String(), form)
		if err != nil {
			return "", err
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := browser.Do(req)
		if err != nil {
			return "", fmt.Errorf("sign in at the stand-in: %w", err)
		}
		text, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		_ = res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK && method == http.MethodGet:
			method = http.MethodPost // a page: press the button
			continue
		case res.StatusCode != http.StatusFound && res.StatusCode != http.StatusSeeOther:
			return "", fmt.Errorf("sign in at the stand-in: %s: %s", res.Status, text)
		}
		method = http.MethodGet
		if at, err = at.Parse(res.Header.Get("Location")); err != nil {
			return "", err
		}
		if at.Host != provider {
			return at.String(), nil
		}
	}
	return "", errors.New("sign in at the stand-in: too many pages")
}
