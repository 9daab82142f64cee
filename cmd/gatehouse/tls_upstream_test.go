package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// An upstream that speaks TLS is reached by another transport than one that does
// not, and its streams are cut all the same, also those that have left their
// handler.
func TestStreamsOfAnUpstreamThatSpeaksTLS(t *testing.T) {
	t.Parallel()
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/echo") {
			ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			kind, said, _ := ws.Read(r.Context())
			_ = ws.Write(r.Context(), kind, said)
			_ = ws.Close(websocket.StatusNormalClosure, "said")
			return
		}
		streamer(w, r)
	}))
	t.Cleanup(app.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, build{routes: fmt.Sprintf("\n  - {path: /gradio/user, upstream: '%s', ca_file: %s, allow: authenticated}\n", app.URL, ca)})
	ada := h.as("ada")

	ws := ada.webSocket("/gradio/user/echo")
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, said, err := ws.Read(t.Context()); err != nil || string(said) != "hello" {
		t.Errorf("echoed %q, %v", said, err)
	}
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("it ended with %v", err)
	}

	all := ada.followAll("/gradio/user")
	time.Sleep(2500 * time.Millisecond) // until the download is a stream
	for kind, ended := range all {
		goesOn(t, kind, ended)
	}
	ada.do("POST", "/auth/logout", "", "Origin", h.URL)
	for kind, ended := range all {
		expect(t, kind, ended, kinds[kind])
	}
}
