package proxy

import "net/http"

// A Preset is what one kind of UI needs from a proxy. Whether the prefix is
// stripped is the route's: its configuration has the last word.
type Preset struct {
	Name string
	// Slash: the app's page must be opened at prefix + "/", because its
	// addresses are relative to it.
	Slash bool
	// ForwardedPrefix: X-Forwarded-Host carries the prefix. Gradio builds its
	// root from the whole of it, path included, since 4.21.
	ForwardedPrefix bool
	// DirectURL: X-Direct-Url carries the prefix, which is where Gradio 3.50
	// looks for its root. A full URL there would break its WebSocket.
	DirectURL bool
	// Manifest: the page links /manifest.json, which browsers fetch without
	// credentials.
	Manifest bool
	// PartialHeaders: 206 answers echo the request's headers, identity and
	// cookies among them, so only what a 206 needs passes (gradio/routes.py,
	// file=).
	PartialHeaders bool
	// Reauth: a page that lost its connection asks for app_id until it gets an
	// answer, and then loads itself anew (reauth.go).
	Reauth bool
	// OwnOrigin: the app refuses a page whose origin is not its own Host's. A
	// listed origin, which the operator and [exchange.checkOrigin] have let in,
	// is shown to it as its own.
	OwnOrigin bool
	// ShortLines: the app's WebSocket handshake fails by a header line that is longer
	// than [longestLine].
	ShortLines bool
	// NoCrossSite: the app refuses whatever Sec-Fetch-Site calls cross-site,
	// which is also how its own page is opened after a sign-in elsewhere.
	NoCrossSite bool
}

// PresetNamed returns the preset that an operator names.
//
// streamlit and jupyter know their prefix themselves (server.baseUrlPath,
// base_url). Streamlit's subprotocol holds its XSRF token, and Jupyter's
// Authorization: token and X-XSRFToken are its own: all of that passes as it was
// sent. Jupyter on a loopback address takes no other Host unless
// ServerApp.allow_remote_access is set.
//
// Open WebUI signs people in by WEBUI_AUTH_TRUSTED_EMAIL_HEADER, to be set to
// X-Forwarded-Email, with X-Forwarded-Preferred-Username as its _NAME_HEADER and
// X-Forwarded-Groups as its _GROUPS_HEADER. No client can send these. Its page
// sends its own token as a Bearer, so such a route cannot take Descope's as
// well: leave bearer off.
func PresetNamed(name string) (Preset, bool) {
	switch name {
	case "gradio":
		return Preset{Name: name, Slash: true, ForwardedPrefix: true, DirectURL: true, Manifest: true, PartialHeaders: true, Reauth: true, ShortLines: true}, true
	case "streamlit", "jupyter", "openwebui":
		return Preset{Name: name, Slash: true, OwnOrigin: true, ShortLines: true}, true
	case "comfyui":
		return Preset{Name: name, Slash: true, OwnOrigin: true, NoCrossSite: true, ShortLines: true}, true
	case "plain":
		return Preset{Name: name}, true
	}
	return Preset{}, false
}

// suit makes the request one that the app takes, where Gatehouse has already
// decided what the app would decide again with less knowledge.
func (x *exchange) suit(h http.Header) {
	p := x.route.Preset
	if p.OwnOrigin && x.cors != "" {
		h["Origin"] = []string{x.p.Origin(x.host)}
		delete(h, "Referer") // Jupyter looks at that too
		delete(h, "Sec-Fetch-Site")
	}
	if p.NoCrossSite && x.opensPage() {
		delete(h, "Sec-Fetch-Site")
	}
	if p.ShortLines && x.upgrade() {
		x.shortenHandshake(h)
	}
}

// opensPage reports whether a person opens the app's page in a tab. Only there
// is another site's word for it ignored: the page does nothing by being opened.
// At every other address the app's own refusal stands, for ComfyUI's extensions
// have some that act on a GET (a restart, an installation), and a link in a mail
// leads there as well as here.
func (x *exchange) opensPage() bool {
	if !x.reading() || x.upgrade() || x.path != x.route.Prefix && x.path != x.route.Prefix+"/" {
		return false
	}
	mode, dest := x.r.Header["Sec-Fetch-Mode"], x.r.Header["Sec-Fetch-Dest"]
	return len(mode) == 1 && mode[0] == "navigate" && (len(dest) == 0 || len(dest) == 1 && dest[0] == "document")
}

// longestLine is the longest header line that the websockets package of Python
// takes, which serves uvicorn's and so Streamlit's and Gradio's WebSockets: in
// bytes, name and line end included. A longer one fails the handshake without a
// word.
const longestLine = 8192

// shortenHandshake leaves out what is too long of the headers that only
// Gatehouse sets. Groups are not cut: an app would take some for all.
func (x *exchange) shortenHandshake(h http.Header) {
	for name, values := range h {
		if len(values) != 1 || len(name)+len(": \r\n")+len(values[0]) <= longestLine || !forbiddenHeader(name) {
			continue
		}
		delete(h, name)
		x.h.tellOnce("handshake "+x.route.Name+" "+name,
			"a header about the person is too long for a WebSocket's handshake and was left out of it (said once a route)",
			"route", x.route.Name, "header", name, "bytes", len(values[0]))
	}
}

// tellOnce logs a warning the first time that it is given the key.
func (h *Handler) tellOnce(key, message string, attrs ...any) {
	if _, told := h.told.LoadOrStore(key, true); !told {
		h.log.Warn(message, attrs...)
	}
}
