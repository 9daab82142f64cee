package stream

import "net/http"

// Cause says why a stream ended. Causes are metric labels and log reasons.
type Cause string

// Why a stream is closed by the proxy.
const (
	SignOut       Cause = "sign_out"
	Expired       Cause = "expired"
	Revoked       Cause = "revoked"
	BearerExpired Cause = "bearer_expired"
	RoleLost      Cause = "role_lost"
	PolicyChanged Cause = "policy_changed"
	Unavailable   Cause = "unavailable" // the provider or the session store is needed and away
	Shutdown      Cause = "shutdown"
)

// Why a stream ended by itself.
const (
	Ended        Cause = "ended" // the app or the client brought it to its end
	UpstreamGone Cause = "upstream_gone"
	ClientGone   Cause = "client_gone"
)

// Status is the HTTP status that answers a request which was cut before a
// header was sent.
func (c Cause) Status() int {
	switch c {
	case SignOut, Expired, Revoked, BearerExpired:
		return http.StatusUnauthorized
	case Shutdown, Unavailable:
		return http.StatusServiceUnavailable
	case Ended, UpstreamGone, ClientGone:
		return http.StatusBadGateway
	}
	return http.StatusForbidden
}

// closeCode is the status code of the WebSocket close frame (RFC 6455 §7.4.1):
// 1001 going away, 1008 policy violation.
func (c Cause) closeCode() uint16 {
	if c == Shutdown {
		return 1001
	}
	return 1008
}

// closeReason is for whoever reads the app's console. It is shorter than 123
// bytes, the most that a close frame holds (RFC 6455 §5.5).
func (c Cause) closeReason() string {
	switch c {
	case SignOut:
		return "signed out"
	case Expired, BearerExpired:
		return "session expired"
	case Revoked:
		return "session revoked"
	case RoleLost, PolicyChanged:
		return "no longer allowed"
	case Unavailable:
		return "session cannot be confirmed"
	case Shutdown:
		return "shutting down"
	}
	return "closed by the proxy"
}

// CutError tells an error handler that the proxy itself ended the request.
type CutError struct{ Cause Cause }

func (e *CutError) Error() string { return "stream closed: " + string(e.Cause) }
