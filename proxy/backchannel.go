package proxy

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"

	"gatehouse/authn"
)

const (
	// maxLogoutForm bounds the body of a back-channel logout, in bytes.
	maxLogoutForm = 64 << 10
	// logoutFormTimeout is how long the body may take to come.
	logoutFormTimeout = 10 * time.Second
)

// backchannelLogout ends sessions because the provider says so (OpenID Connect
// Back-Channel Logout 1.0, section 2.5). The request comes from the provider
// itself and not from a browser: the signed token is all that counts, and
// neither cookies nor Origin are looked at. The sessions' streams follow, since
// the Handler observes the table.
func (x *exchange) backchannelLogout() error {
	token, err := x.logoutToken()
	if err != nil {
		return err
	}
	logout, err := x.p.Logouts.Verify(x.r.Context(), token)
	var away *authn.KeysUnavailableError
	switch {
	case errors.As(err, &away):
		return unavailable("The logout token cannot be checked at the moment.", away.RetryAfter, err)
	case errors.Is(err, context.Canceled):
		return &refusal{status: statusClientGone, err: err}
	case err != nil:
		x.h.log.Warn("a back-channel logout was refused", "request_id", x.id, "client_ip", x.client.String(), "error", err.Error())
		return badLogout("The logout token is not valid.", err)
	}
	if logout.Subject != "" {
		x.h.sessions.RevokeSubject(logout.Issuer, logout.Subject, logout.Before)
	}
	if logout.SID != "" {
		x.h.sessions.RevokeSID(logout.Issuer, logout.SID)
	}
	x.h.log.Info("back-channel logout", "request_id", x.id, "sub", logout.Subject, "by_sid", logout.SID != "")
	h := x.Header()
	h["Cache-Control"] = []string{"no-store"}
	x.WriteHeader(http.StatusOK)
	return errAnswered
}

// logoutToken reads the one parameter of the form. Anybody may post here, so the
// body is bounded in size and time.
func (x *exchange) logoutToken() (string, error) {
	kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", badLogout("Want a form with logout_token in it.", err)
	}
	// An error says that there is no connection to have a deadline.
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(logoutFormTimeout))
	x.r.Body = http.MaxBytesReader(x, x.r.Body, maxLogoutForm)
	err = x.r.ParseForm()
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", &refusal{status: http.StatusRequestEntityTooLarge, detail: "The form is too large.", err: err}
	case err != nil:
		return "", badLogout("The form is malformed.", err)
	}
	token, ok := onlyForm(x.r.PostForm, "logout_token")
	if !ok {
		return "", badLogout("Want a form with one logout_token in it.", nil)
	}
	return token, nil
}

// onlyForm returns the field where it is given exactly once.
func onlyForm(form url.Values, name string) (string, bool) {
	v := form[name]
	if len(v) != 1 || v[0] == "" {
		return "", false
	}
	return v[0], true
}

func badLogout(detail string, err error) *refusal {
	return &refusal{status: http.StatusBadRequest, detail: detail, err: err}
}
