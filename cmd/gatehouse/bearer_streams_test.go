package main

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/config"
)

func TestABearersStreamsEndWithIt(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Upgrade") == "" {
			return hold(nil)(w, r)
		}
		ws, err := websocket.Accept(w, r, nil)
		if err == nil {
			_, _, _ = ws.Read(r.Context())
		}
		return true
	})
	begun := time.Now()
	end := begun.Add(2 * time.Second).Truncate(time.Second)
	token := h.accessToken("bob", map[string]any{"exp": end.Unix()})
	req, err := http.NewRequest("GET", h.URL+"/gradio/user/queue/data", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", token)
	res, err := h.browser().client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "data: first\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	ws, _, err := websocket.Dial(t.Context(), strings.Replace(h.URL, "http", "ws", 1)+"/gradio/user/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	_, _, err = ws.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the WebSocket ended with %v", err)
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Errorf("the event stream did not end cleanly: %v", err)
	}
	if early := time.Until(end); early > 50*time.Millisecond {
		t.Errorf("they ended %v before the token", early)
	}
	if late := time.Since(end); late > 2*time.Second {
		t.Errorf("they ended %v after the token", late)
	}
	h.await("the audit events", func() bool { return len(h.events("stream_closed")) == 2 })
	for _, e := range h.events("stream_closed") {
		if e["cause"] != "bearer_expired" || e["sub"] != "U2bob" || e["session"] != nil {
			t.Errorf("got %v", e)
		}
	}
}

// takeUp reloads the house with a changed configuration.
func takeUp(t *testing.T, h *house, c *config.Config) {
	t.Helper()
	if err := h.instance.reload(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestABearersStreamsFollowThePolicy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, h *house)
	}{
		{"when the route takes no tokens any more", func(t *testing.T, h *house) {
			c := *h.instance.config()
			c.Routes = slices.Clone(c.Routes)
			c.Routes[1].Bearer = false
			takeUp(t, h, &c)
		}},
		{"when its audience is not taken any more", func(t *testing.T, h *house) {
			c := *h.instance.config()
			c.Descope.Audiences = nil
			takeUp(t, h, &c)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, build{routes: bearerRoutes, descope: "  audiences: [reports]\n"})
			h.User.on(hold(nil))
			req, err := http.NewRequest("GET", h.URL+"/gradio/user/queue/data", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", h.accessToken("bob", map[string]any{"aud": "reports"}))
			res, err := h.browser().client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
			same := *h.instance.config()
			takeUp(t, h, &same)
			if n := h.instance.handler.Streams().Open(); n != 1 {
				t.Fatalf("%d streams are open under the same policy", n)
			}
			tc.change(t, h)
			if _, err := io.ReadAll(res.Body); err != nil {
				t.Errorf("it did not end cleanly: %v", err)
			}
			h.await("the audit event", func() bool { return len(h.events("stream_closed")) == 1 })
			if e := h.events("stream_closed")[0]; e["cause"] != "policy_changed" {
				t.Errorf("got %v", e)
			}
		})
	}
}
