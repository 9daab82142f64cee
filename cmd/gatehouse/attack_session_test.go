package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

func TestAttack19LogoutLeavesStolenCopy(t *testing.T) {
	for what, end := range map[string]func(h *house, b *browser){
		"signing out by the button": func(_ *house, b *browser) { b.fetch("POST", "/auth/logout", "") },
		"signing out by a link":     func(_ *house, b *browser) { b.open("/auth/logout") },
		"signing in again":          func(_ *house, b *browser) { b.signIn("ada", "") },
		"somebody else signing in":  func(_ *house, b *browser) { b.signIn("oscar", "") },
		"the provider's logout by sub": func(h *house, b *browser) {
			if status, err := h.Provider.BackchannelLogout(context.Background(), b.client, h.URL+"/auth/backchannel-logout", descopetest.Logout{Subject: "U2ada", Override: map[string]any{"iat": time.Now().Unix() + 1}}); err != nil || status != 200 {
				t.Fatalf("back-channel logout: %d %v", status, err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHouse(t, build{})
			b := h.as("ada")
			stolen := b.cookies()
			value := strings.TrimPrefix(stolen, "gatehouse=")
			end(h, b)
			w := h.wire(t)
			for _, cookies := range []string{stolen, "gatehouse.0=" + value[:100] + "; gatehouse.1=" + value[100:], stolen + "; a=b", "gatehouse=x; " + stolen} {
				for _, target := range []string{"/gradio/admin/x", "/auth/me"} {
					if res := w.ask(h.get(target, cookies)); res.StatusCode != 401 {
						t.Errorf("%s with the stolen copy: %s", target, res.Status)
					}
				}
			}
		})
	}
}

// Cookie tossing: somebody planted a session of their own beside the person's.
func TestOfTwoSessionsNeitherCountsAndBothCookiesGo(t *testing.T) {
	h := newHouse(t, build{})
	both := h.as("ada").cookies() + "; " + h.as("bob").cookies()
	for path, want := range map[string]int{"/gradio/user/x": 401, "/auth/me": 401, "/auth/": 200, "/auth/login": 302} {
		res := h.browser().do("GET", path, "", "Cookie", both)
		expired := 0
		for _, c := range res.Cookies() {
			if c.MaxAge < 0 {
				expired++
			}
		}
		if res.StatusCode != want || expired < 3 {
			t.Errorf("%s: %s, %d cookies expired", path, res.Status, expired)
		}
	}
}

func TestAttack25StreamsOutliveTheirSession(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(t *testing.T, h *house, b *browser){
		"sign-out": func(_ *testing.T, _ *house, b *browser) { b.fetch("POST", "/auth/logout", "") },
		"back-channel logout": func(t *testing.T, h *house, b *browser) {
			status, err := h.Provider.BackchannelLogout(context.Background(), b.client, h.URL+"/auth/backchannel-logout", descopetest.Logout{Subject: "U2ada", Override: map[string]any{"iat": time.Now().Unix() + 1}})
			if err != nil || status != 200 {
				t.Fatalf("%d %v", status, err)
			}
		},
		"somebody else signing in": func(_ *testing.T, _ *house, b *browser) { b.signIn("oscar", "") },
	} {
		t.Run(what, func(t *testing.T) {
			h := newHouse(t, build{})
			h.Admin.on(streams)
			b := h.as("ada")
			cookies := b.cookies()
			events := openStream(t, h, h.get("/gradio/admin/events", cookies))
			download := openStream(t, h, h.get("/gradio/admin/download", cookies))
			time.Sleep(2100 * time.Millisecond) // a download is a stream once it is 2 s old
			socket, _, err := websocket.Dial(t.Context(), "ws://"+h.host()+"/gradio/admin/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {cookies}, "Origin": {h.URL}}})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.CloseNow()
			bystander := openStream(t, h, h.get("/gradio/admin/events", h.as("ada").cookies()))
			end(t, h, b)
			ended := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if _, _, err := socket.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("the WebSocket ended with %v", err)
			}
			if err := rest(events, 3*time.Second); err != nil {
				t.Errorf("the event stream did not end cleanly: %v", err)
			}
			if err := rest(download, 3*time.Second); err == nil {
				t.Error("the cut download looks whole")
			}
			if took := time.Since(ended); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
			if what == "sign-out" {
				if _, err := bystander.ReadByte(); err != nil {
					t.Errorf("another session's stream ended too: %v", err)
				}
			}
		})
	}
}

// streams is an app with an event stream, an endless download and a WebSocket.
func streams(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
	case "/download":
		w.Header().Set("Content-Type", "application/octet-stream")
	case "/ws":
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return true
		}
		defer c.CloseNow()
		_, _, _ = c.Read(r.Context())
		return true
	default:
		return false
	}
	for {
		if _, err := fmt.Fprint(w, "data: x\n\n"); err != nil {
			return true
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return true
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openStream sends a request and returns its answer's body, from the first byte
// on.
func openStream(t *testing.T, h *house, request string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, request)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("the stream did not open: %v %v", res, err)
	}
	body := bufio.NewReader(res.Body)
	if _, err := body.Peek(1); err != nil {
		t.Fatal(err)
	}
	return body
}

// rest reads a body to its end, nil where that was a clean one.
func rest(body io.Reader, wait time.Duration) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, body)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(wait):
		return context.DeadlineExceeded
	}
}

func TestAttack26CookiesReachAnotherApp(t *testing.T) {
	a := newBareApp(t)
	h := newHouse(t, build{routes: `
  - {path: /app, upstream: "` + a.URL + `", allow: authenticated}
  - {path: /open, upstream: "` + a.URL + `", allow: public}
  - {path: /other, upstream: "%[2]s", allow: authenticated}
`})
	good := h.as("ada").cookies()
	value := strings.TrimPrefix(good, "gatehouse=")
	b := h.browser()
	b.authorize("bob", "")
	state := b.cookiesAt("/auth/callback")
	_, stateValue, _ := strings.Cut(state, "=")
	w := h.wire(t)
	for _, cookies := range []string{
		good, good + "; own=1", "own=1; " + good, "own=1;" + good + ";z=2", "  " + good + "  ;  own=1", "\t" + good, "own=1;;;" + good + ";;",
		good + "; " + good, good + "; " + state, state + "; own=1; " + good, "gatehouse =" + value, "gatehouse= " + value, "own=\"a; " + good + "\"",
		"gatehouse.0=" + value + "; gatehouse.1=" + value + "; " + good, "own=1\r\nCookie: " + good + "\r\nCookie: z=2", "$Version=1; " + good + "; $Path=\"/\"",
		"gatehouse=\"" + value + "\"; " + good, good + "; gatehouse", "own; " + good + "; =x", "gatehouse.1=" + value + "; " + good, "gatehouse-state-x=" + stateValue + ";" + good,
	} {
		for _, target := range []string{"/app/x", "/open/x"} {
			w.ask(h.get(target, cookies))
			raw := a.last(t)
			if strings.Contains(raw, value[:60]) || strings.Contains(raw, stateValue[:60]) {
				t.Errorf("%.60q: Gatehouse's cookie reached the app:\n%s", cookies, raw)
			}
			if strings.Contains(cookies, "own=1") && !strings.Contains(raw, "own=1") {
				t.Errorf("%.60q: the app's own cookie got lost:\n%s", cookies, raw)
			}
		}
	}
	t.Run("over HTTP/2, where cookies come in crumbs", func(t *testing.T) {
		server := h.overHTTP2(t)
		status, _, _ := newFrames(t, server).ask(":method", "GET", ":scheme", "https", ":authority", h.host(), ":path", "/app/x", "cookie", "own=1", "cookie", good, "cookie", state, "cookie", "z=2")
		raw := a.last(t)
		if status != "200" || strings.Contains(raw, value[:60]) || strings.Contains(raw, stateValue[:60]) || !strings.Contains(raw, "own=1") || !strings.Contains(raw, "z=2") {
			t.Errorf("%s:\n%s", status, raw)
		}
	})
	t.Run("one app's cookies stay its own", func(t *testing.T) {
		ada := h.as("ada")
		for _, line := range []string{"own=a", "own=a; Path=/", "own=a; Path=/other", "own=a; Path=/app/../other", "own=a; Domain=localhost; Path=/", "own=a; path=/app; PATH=/", "own=a; Path=", "own=a; Path=x", "own=a;Path=/\t", "own=a; Path=/app/; Path=/;"} {
			a.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: " + line + "\r\n\r\nok")
			res := ada.fetch("GET", "/app/x", "")
			for _, c := range res.Cookies() {
				if c.Path != "/app" && !strings.HasPrefix(c.Path, "/app/") || c.Domain != "" {
					t.Errorf("%q came as %q", line, res.Header["Set-Cookie"])
				}
			}
			ada.fetch("GET", "/other/x", "")
			if got := h.User.last(t).Header.Get("Cookie"); strings.Contains(got, "own=") {
				t.Errorf("after %q the other app saw %q", line, got)
			}
		}
	})
}

func TestAttack27BackChannelLogoutTokens(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	post := func(token string, more ...string) int {
		return h.browser().do("POST", "/auth/backchannel-logout", "logout_token="+token, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, more...)...).StatusCode
	}
	token := func(over map[string]any) string {
		s, err := h.Provider.LogoutToken(descopetest.Logout{Subject: "U2ada", Override: over})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Now().Unix()
	for what, over := range map[string]map[string]any{
		"without iat": {"iat": nil}, "without jti": {"jti": nil}, "without events": {"events": nil}, "with other events": {"events": map[string]any{"x": map[string]any{}}},
		"with events as text": {"events": "http://schemas.openid.net/event/backchannel-logout"}, "with a nonce": {"nonce": "n"}, "with an empty nonce": {"nonce": ""},
		"of another issuer": {"iss": "https://evil.example"}, "for another audience": {"aud": "somebody"}, "without subject": {"sub": nil}, "with an empty subject": {"sub": ""},
		"of an hour ago": {"iat": now - 3600}, "of the future": {"iat": now + 3600}, "expired": {"exp": now - 120}, "with a subject that is a list": {"sub": []string{"U2ada"}},
	} {
		if status := post(token(over)); status != 400 {
			t.Errorf("a logout token %s: %d", what, status)
		}
	}
	good := token(nil)
	parts := strings.Split(good, ".")
	for what, body := range map[string]string{
		"none": "", "a word": "x", "no signature": parts[0] + "." + parts[1] + ".", "alg none": "eyJhbGciOiJub25lIn0." + parts[1] + ".", "twice": good + "&logout_token=" + good, "another's": good + "&logout_token=x",
	} {
		if status := post(body); status != 400 {
			t.Errorf("%s: %d", what, status)
		}
	}
	for _, request := range []struct{ method, kind string }{{"GET", ""}, {"PUT", "application/x-www-form-urlencoded"}, {"POST", "application/json"}, {"POST", "multipart/form-data; boundary=x"}, {"POST", "text/plain"}} {
		if res := h.browser().do(request.method, "/auth/backchannel-logout?logout_token="+good, "logout_token="+good, "Content-Type", request.kind); res.StatusCode < 400 {
			t.Errorf("%s as %q: %s", request.method, request.kind, res.Status)
		}
	}
	if res := ada.fetch("GET", "/gradio/admin/x", ""); res.StatusCode != 200 {
		t.Errorf("one of them ended the session: %s", res.Status)
	}
	if status := post(good); status != 200 {
		t.Errorf("a good one: %d", status)
	}
	if status := post(good); status != 400 {
		t.Errorf("once more: %d", status)
	}
}
