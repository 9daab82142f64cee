package proxy

import (
	"net/http"
	"strings"
)

// reauthBody holds an app_id that is no app's: theirs are numbers.
var reauthBody = []byte(`{"app_id":"reauth"}`)

// asksAppID reports whether an open Gradio page has lost its connection, as it
// does when the session ends, and asks whether the app is back. Gradio's page
// asks every 2 s since 5.38 and does nothing on a 401, so it would say
// "Connection Lost" forever. On any app_id it loads itself anew, and that leads
// to the sign-in and back.
//
// The answer is the same for everybody and says nothing of the app, and it goes
// to the app's own pages alone: a script with a bad token, or with none, is to
// see its 401.
func (x *exchange) asksAppID() bool {
	if !x.route.Preset.Reauth || x.r.Method != http.MethodGet || x.navigation() || x.r.Header["Authorization"] != nil {
		return false
	}
	switch strings.TrimPrefix(x.path, strings.TrimSuffix(x.route.Prefix, "/")) {
	case "/gradio_api/app_id", "/app_id": // the latter before 5.0
	default:
		return false
	}
	if site := x.r.Header["Sec-Fetch-Site"]; site != nil {
		return len(site) == 1 && site[0] == "same-origin"
	}
	_, ok := x.refererInRoute()
	return ok
}

// lostConnection is how Gradio's queue ends when its stream is cut. A page of
// Gradio's waits for ever after a stream that ended without a word. On the first
// message, which its own client makes up when a connection breaks, 5.0 and later
// say that the connection is lost and ask for app_id; the second one, which 4.x
// knows too, is shown as it stands, for whichever event is under way. Python's
// client wants the event_id, though nobody's.
var lostConnection = []byte(`data: {"msg":"broken_connection","event_id":null,"message":"` + cutOff + `"}` + "\n\n" +
	`data: {"msg":"unexpected_error","event_id":null,"success":false,"message":"` + cutOff + `"}` + "\n\n")

const cutOff = "The connection was closed: your session has ended, or the server restarts."

// waitsForEvents reports whether a Gradio page waits here for what its events
// bring.
func (x *exchange) waitsForEvents() bool {
	return x.route.Preset.Reauth && strings.HasSuffix(x.path, "/queue/data")
}
