package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

const presetRoutes = `
  - path: /gradio
    upstream: %[1]s
    allow: authenticated
  - path: /streamlit
    preset: streamlit
    upstream: %[1]s
    allow: authenticated
    origins: [https://friend.example]
  - path: /jupyter
    preset: jupyter
    upstream: %[1]s
    allow: authenticated
    origins: [https://friend.example]
  - path: /comfy
    preset: comfyui
    upstream: %[1]s
    allow: authenticated
    origins: [https://friend.example]
  - path: /plain
    preset: plain
    upstream: %[1]s
    allow: authenticated
    origins: [https://friend.example]
`

func TestWhatAnAppSeesOfARequest(t *testing.T) {
	h := newHouse(t, build{routes: presetRoutes})
	bob := h.as("bob")
	host := strings.TrimPrefix(h.URL, "http://")
	opened := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}
	for _, c := range []struct {
		name, method, path string
		asks               []string
		target             string
		want               map[string]string
	}{
		{"streamlit keeps its path, and an origin that is its Host's", "GET", "/streamlit/_stcore/host-config", []string{"Origin", h.URL},
			"/streamlit/_stcore/host-config", map[string]string{"Host": host, "Origin": h.URL}},
		{"jupyter keeps its path, token and XSRF pair", "PUT", "/jupyter/api/contents/a.ipynb",
			[]string{"Origin", h.URL, "Authorization", "token 0123abc", "X-Xsrftoken", "2|a|b", "Cookie", "_xsrf=2|a|b; username-localhost=x"},
			"/jupyter/api/contents/a.ipynb", map[string]string{"Authorization": "token 0123abc", "X-Xsrftoken": "2|a|b", "Cookie": "_xsrf=2|a|b; username-localhost=x", "Origin": h.URL}},
		{"a listed origin is shown to jupyter as its own", "POST", "/jupyter/api/sessions", []string{"Origin", "https://friend.example", "Referer", "https://friend.example/x", "Sec-Fetch-Site", "cross-site"},
			"/jupyter/api/sessions", map[string]string{"Origin": h.URL, "Referer": "", "Sec-Fetch-Site": ""}},
		{"and to comfyui", "POST", "/comfy/prompt", []string{"Origin", "https://friend.example", "Sec-Fetch-Site", "cross-site"},
			"/prompt", map[string]string{"Origin": h.URL, "Sec-Fetch-Site": ""}},
		{"a plain app is told the origin as it is", "POST", "/plain/x", []string{"Origin", "https://friend.example", "Sec-Fetch-Site", "cross-site"},
			"/x", map[string]string{"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}},
		{"comfyui's page opens after a sign-in elsewhere", "GET", "/comfy/", opened, "/", map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Mode": "navigate"}},
		{"but nothing else of it on another site's word", "GET", "/comfy/manager/reboot", opened, "/manager/reboot", map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{"nor its page in a frame", "GET", "/comfy/", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"}, "/", map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{"nor what a page fetches from it", "GET", "/comfy/", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "cross-site"}, "/", map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{"nobody says which comfyui user they are", "GET", "/comfy/api/x", []string{"Comfy-User", "admin", "Comfy_User", "admin"}, "/api/x", map[string]string{"Comfy-User": "", "Comfy_User": ""}},
		{"gradio is not told another origin", "GET", "/gradio/config", []string{"Sec-Fetch-Site", "cross-site"}, "/config", map[string]string{"Sec-Fetch-Site": "cross-site"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asks := c.asks
			for i := 0; i < len(asks); i += 2 {
				if asks[i] == "Cookie" { // beside the session's
					asks[i+1] += "; " + bob.cookies()
				}
			}
			res := bob.do(c.method, c.path, "", asks...)
			if res.StatusCode != 200 {
				t.Fatalf("got %s %q", res.Status, res.Text)
			}
			got := h.Admin.last(t)
			if got.Target != c.target {
				t.Errorf("target %s, want %s", got.Target, c.target)
			}
			got.Header["Host"] = []string{got.Host}
			for name, want := range c.want {
				if v := strings.Join(got.Header[name], " | "); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
		})
	}
}

func TestWebSocketsOfEachPreset(t *testing.T) {
	h := newHouse(t, build{routes: presetRoutes})
	type request struct{ target, host, origin, protocols string }
	seen := make(chan request, 1)
	h.Admin.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Upgrade") == "" {
			return false
		}
		seen <- request{r.RequestURI, r.Host, r.Header.Get("Origin"), strings.Join(r.Header["Sec-Websocket-Protocol"], " | ")}
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"streamlit"}})
		if err == nil {
			_ = conn.Close(websocket.StatusNormalClosure, "")
		}
		return true
	})
	bob := h.as("bob")
	host := strings.TrimPrefix(h.URL, "http://")
	for _, c := range []struct {
		name, path, origin string
		protocols          []string
		want               request
	}{
		{"streamlit, whose subprotocols are a token's place", "/streamlit/_stcore/stream", h.URL, []string{"streamlit", "2|a3f|b=="},
			request{"/streamlit/_stcore/stream", host, h.URL, "streamlit,2|a3f|b=="}},
		{"streamlit in a friend's page", "/streamlit/_stcore/stream", "https://friend.example", []string{"streamlit"},
			request{"/streamlit/_stcore/stream", host, h.URL, "streamlit"}},
		{"jupyter's kernels", "/jupyter/api/kernels/0-1/channels?session_id=x", h.URL, nil, request{"/jupyter/api/kernels/0-1/channels?session_id=x", host, h.URL, ""}},
		{"comfyui", "/comfy/ws?clientId=x", h.URL, nil, request{"/ws?clientId=x", host, h.URL, ""}},
		{"gradio 3", "/gradio/queue/join", h.URL, nil, request{"/queue/join", host, h.URL, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, _, err := websocket.Dial(context.Background(), h.URL+c.path, &websocket.DialOptions{
				HTTPClient: bob.client, HTTPHeader: http.Header{"Origin": {c.origin}}, Subprotocols: c.protocols,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if got := <-seen; got != c.want {
				t.Errorf("the app saw %+v, want %+v", got, c.want)
			}
		})
	}
	t.Run("a page of another site gets none", func(t *testing.T) {
		_, res, err := websocket.Dial(context.Background(), h.URL+"/comfy/ws", &websocket.DialOptions{
			HTTPClient: bob.client, HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}},
		})
		if err == nil || res == nil || res.StatusCode != 403 {
			t.Errorf("got %v, %v", res, err)
		}
	})
}

// A WebSocket server of Python takes no header line over 8192 bytes and says
// nothing: the page would wait forever. Many roles make such a line.
func TestNoLineOfAHandshakeIsTooLongForTheApp(t *testing.T) {
	var roles []string
	for i := range 400 {
		roles = append(roles, fmt.Sprintf("Reader of collection %03d", i))
	}
	many := descopetest.Person{
		ID: "many", Name: "Mary Many", Email: "many@acme.example",
		Tenants: map[string]descopetest.Grants{descopetest.Acme: {Roles: roles}}, CurrentTenant: descopetest.Acme,
	}
	h := newHouse(t, build{routes: presetRoutes, provider: descopetest.Options{People: append(descopetest.People(), many)}})
	lines := make(chan http.Header, 1)
	h.Admin.on(func(_ http.ResponseWriter, r *http.Request) bool { lines <- r.Header.Clone(); return true })
	b := h.as("many")
	b.do("GET", "/streamlit/_stcore/stream", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Fetch-Site", "same-origin")
	handshake := <-lines
	for name, values := range handshake {
		for _, v := range values {
			if n := len(name) + len(v) + 4; n > 8192 {
				t.Errorf("%s is a line of %d bytes", name, n)
			}
		}
	}
	if handshake.Get("X-Forwarded-User") != "U2many" || handshake["X-Forwarded-Groups"] != nil {
		t.Errorf("the app saw %v", handshake)
	}
	b.fetch("GET", "/streamlit/", "")
	if got := <-lines; len(got.Get("X-Forwarded-Groups")) < 8192 {
		t.Errorf("an ordinary request had %d bytes of groups", len(got.Get("X-Forwarded-Groups")))
	}
	b.do("GET", "/plain/ws", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Fetch-Site", "same-origin")
	if got := <-lines; len(got.Get("X-Forwarded-Groups")) < 8192 {
		t.Errorf("an app that may take more had %d bytes of groups", len(got.Get("X-Forwarded-Groups")))
	}
	if n := strings.Count(h.Log.String(), "too long for a WebSocket's handshake"); n != 1 {
		t.Errorf("it was logged %d times, want 1", n)
	}
}

func TestAGradioPageWhoseSessionEndedLoadsItselfAnew(t *testing.T) {
	h := newHouse(t, build{routes: presetRoutes})
	bob := h.as("bob")
	const reauth = `{"app_id":"reauth"}`
	own := []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	for _, c := range []struct {
		name, method, path string
		asks               []string
		status             int
	}{
		{"as its page asks", "GET", "/gradio/gradio_api/app_id", own, 200},
		{"as that of Gradio 4 does", "GET", "/gradio/app_id", own, 200},
		{"in a browser without Sec-Fetch headers", "GET", "/gradio/gradio_api/app_id", []string{"Referer", h.URL + "/gradio/?x=1"}, 200},
		{"not to another site's page", "GET", "/gradio/gradio_api/app_id", []string{"Sec-Fetch-Site", "cross-site", "Referer", h.URL + "/gradio/"}, 401},
		{"nor to another app's", "GET", "/gradio/gradio_api/app_id", []string{"Referer", h.URL + "/plain/"}, 401},
		{"not to a script without a page", "GET", "/gradio/gradio_api/app_id", nil, 401},
		{"not to a script with a token", "GET", "/gradio/gradio_api/app_id", append([]string{"Authorization", "Bearer x"}, own...), 401},
		{"not to another method", "POST", "/gradio/gradio_api/app_id", own, 401},
		{"not at another address", "GET", "/gradio/gradio_api/app_idx", own, 401},
		{"not for another kind of app", "GET", "/plain/gradio_api/app_id", own, 401},
		{"and opened it leads to the sign-in", "GET", "/gradio/gradio_api/app_id", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"}, 302},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := h.browser().do(c.method, c.path, "", c.asks...)
			if res.StatusCode != c.status || (res.Text == reauth) != (c.status == 200) {
				t.Errorf("got %s %q, want %d", res.Status, res.Text, c.status)
			}
			if res.StatusCode == 200 && (res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" || res.Header["Set-Cookie"] != nil) {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
	if res := bob.do("GET", "/gradio/gradio_api/app_id", "", own...); !strings.HasPrefix(res.Text, "admin app:") {
		t.Errorf("signed in the app itself is asked, not %q", res.Text)
	}
}
