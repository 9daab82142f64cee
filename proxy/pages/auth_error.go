package pages

import (
	"io"
	"net/http"
)

// The reasons of a sign-in that failed: the only words that /auth/error takes
// from its query.
const (
	ReasonDenied              = "denied"
	ReasonState               = "state"
	ReasonProvider            = "provider"
	ReasonProviderUnavailable = "provider_unavailable"
	ReasonSessionTooLarge     = "session_too_large"
	ReasonNoSessionStore      = "no_session_store"
)

// AuthError is a sign-in that did not work out.
type AuthError struct {
	Reason    string // one of the Reason constants; any other is told in general words
	RequestID string
	RetryURL  string // signs in again
}

// AuthErrorStatus is the status of the page, which tells whose fault it was: 403
// the person's or their administrator's decision, 400 a stale or foreign sign-in
// (and any unknown reason, since then the link itself is wrong), 502 the
// provider's answer, 503 something that Gatehouse needs and lacks.
func AuthErrorStatus(reason string) int {
	switch reason {
	case ReasonDenied:
		return http.StatusForbidden
	case ReasonProvider:
		return http.StatusBadGateway
	case ReasonProviderUnavailable, ReasonSessionTooLarge, ReasonNoSessionStore:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// AuthError writes the page of a failed sign-in. Of what came from outside only
// the request ID is shown.
func (p *Pages) AuthError(w io.Writer, v AuthError) error {
	said := authErrorWords(v.Reason)
	view := problemView{Paragraphs: said.text, Action: said.action, ActionURL: v.RetryURL}
	if v.Reason == ReasonSessionTooLarge {
		view.Setting, view.Futile = "session.store: redis", true
	}
	if v.RequestID != "" && v.Reason != ReasonDenied && v.Reason != ReasonState {
		view.Last = quoteID
	}
	return p.render(w, "problem", said.title, v.RequestID, view)
}

func authErrorWords(reason string) words {
	const again = "Sign in again"
	switch reason {
	case ReasonDenied:
		return words{"Sign-in was refused",
			[]string{"The sign-in was cancelled, or the sign-in service does not let this account in.",
				"Sign in again with another account, or ask the people who run this site."}, again}
	case ReasonState:
		return words{"Sign-in has expired",
			[]string{"It took longer than 30 minutes, was used already, or began in another browser. Nothing is wrong with your account.",
				"Start once more and finish in this same browser."}, again}
	case ReasonProvider:
		return words{"Sign-in did not work",
			[]string{"The sign-in service gave an answer that cannot be trusted or used, so you were not let in.",
				"Try once more. If it happens again, ask the people who run this site."}, again}
	case ReasonProviderUnavailable:
		return words{"Sign-in is not available right now",
			[]string{"The sign-in service is not answering. Your account and your apps are not affected.",
				"Wait a minute, then try again."}, tryAgain}
	case ReasonSessionTooLarge:
		return words{"Your account is too large to sign in",
			[]string{"It holds more tenants, roles or claims than a browser's cookie can keep. Signing in again will not help until that changes.",
				"The operator of this site can keep sessions in Redis, where there is room:"}, again}
	case ReasonNoSessionStore:
		return words{"Your session could not be saved",
			[]string{"You were recognised, but the place where sessions are kept is not answering.",
				"Wait a minute, then sign in again."}, again}
	}
	return words{"Sign-in did not work",
		[]string{"Something went wrong on the way, and you are not signed in.",
			"Start once more. If it happens again, ask the people who run this site."}, again}
}
