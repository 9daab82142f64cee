package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

// streamer answers every kind of stream: /ws, /file (a download that does not
// come to its end), and event streams elsewhere.
func streamer(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case strings.HasSuffix(r.URL.Path, "/ws"):
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return true
		}
		defer ws.CloseNow()
		_ = ws.Write(r.Context(), websocket.MessageText, []byte("hello"))
		for {
			if _, _, err := ws.Read(r.Context()); err != nil {
				return true
			}
		}
	case strings.HasSuffix(r.URL.Path, "/file"):
		w.Header().Set("Content-Length", "1000000")
		fmt.Fprint(w, "the first bytes")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	case strings.HasSuffix(r.URL.Path, "/events"):
		return hold(nil)(w, r)
	}
	return false
}

// webSocket opens one as a script in the app's page does.
func (b *browser) webSocket(path string) *websocket.Conn {
	b.t.Helper()
	ws, _, err := websocket.Dial(b.t.Context(), "ws://"+b.house.Addr+path, &websocket.DialOptions{
		Host: strings.TrimPrefix(b.house.URL, "http://"), HTTPHeader: http.Header{"Cookie": {b.cookies()}, "Origin": {b.house.URL}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// An ending is how a stream ended, as its client saw it, and when.
type ending struct {
	how string
	at  time.Time
}

// follow opens a stream and tells how it ends.
func (b *browser) follow(path string) <-chan ending {
	b.t.Helper()
	ended := make(chan ending, 1)
	if strings.HasSuffix(path, "/ws") {
		ws := b.webSocket(path)
		if _, _, err := ws.Read(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		go func() {
			_, _, err := ws.Read(context.WithoutCancel(b.t.Context()))
			ended <- ending{fmt.Sprintf("closed %d", websocket.CloseStatus(err)), time.Now()}
		}()
		return ended
	}
	res := b.stream(path)
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s", path, res.Status)
	}
	body := bufio.NewReader(res.Body)
	if _, err := body.ReadByte(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		_, err := io.Copy(io.Discard, body)
		how := "clean end"
		if err != nil {
			how = "aborted"
		}
		ended <- ending{how, time.Now()}
	}()
	return ended
}

// expect waits for a stream's end.
func expect(t *testing.T, what string, ended <-chan ending, how string) {
	t.Helper()
	select {
	case e := <-ended:
		if e.how != how {
			t.Errorf("%s: %s, want %s", what, e.how, how)
		}
	case <-time.After(patience):
		t.Errorf("%s is still open", what)
	}
}

func goesOn(t *testing.T, what string, ended <-chan ending) {
	t.Helper()
	select {
	case e := <-ended:
		t.Errorf("%s: %s", what, e.how)
	default:
	}
}

func TestRoleLossCutsExactlyTheStreamsItConcerns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	h.Admin.on(streamer)
	h.User.on(streamer)
	ada := h.as("ada")
	admin, user, socket := ada.follow("/gradio/admin/events"), ada.follow("/gradio/user/events"), ada.follow("/gradio/admin/ws")
	outlive() // refreshed without a request
	goesOn(t, "the admin's stream", admin)
	if n := h.Provider.Requests()[descopetest.Refresh]; n == 0 {
		t.Fatal("nothing was refreshed")
	}
	before := h.Provider.Requests()[descopetest.Refresh]
	if err := h.Provider.SetRoles("ada", descopetest.Acme, "Member"); err != nil {
		t.Fatal(err)
	}
	h.await("a refresh without a request", func() bool { return h.Provider.Requests()[descopetest.Refresh] > before })
	expect(t, "the admin's stream", admin, "clean end")
	expect(t, "the admin's WebSocket", socket, "closed 1008")
	goesOn(t, "the user's stream", user)
	ada.wants("the user's app", 200)
}

func TestSignOutCutsStreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	h.User.on(streamer)
	bob, other := h.as("bob"), h.as("bob")
	events, socket, file, elsewhere := bob.follow("/gradio/user/events"), bob.follow("/gradio/user/ws"), bob.follow("/gradio/user/file"), other.follow("/gradio/user/events")
	h.await("the download to be a stream", func() bool { return len(h.events("stream_opened")) == 4 })
	res := bob.do("POST", "/auth/logout", "", "Origin", h.URL, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if res.StatusCode != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	expect(t, "the event stream", events, "clean end")
	expect(t, "the WebSocket", socket, "closed 1008")
	expect(t, "the download", file, "aborted")
	goesOn(t, "bob's stream in another browser", elsewhere)
	bob.wants("signed out", 401)
	other.wants("the other browser", 200)
}

func TestACallThatIsCutBeforeItsAnswerLeadsBackToThePageThatMadeIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	asked, over := make(chan bool), make(chan bool)
	defer close(over)
	h.User.on(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- true
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return true
	})
	ada := h.as("ada")
	answer := make(chan reply, 1)
	go func() {
		answer <- ada.do("POST", "/gradio/user/run", "", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Referer", h.URL+"/gradio/user/page?x=1")
	}()
	<-asked
	if code := h.logout(descopetest.Logout{Subject: "U2ada"}); code != 200 {
		t.Fatal(code)
	}
	res := <-answer
	var body struct {
		LoginURL string `json:"login_url"`
	}
	want := h.URL + "/auth/?return_to=" + url.QueryEscape(h.URL+"/gradio/user/page?x=1")
	if err := json.Unmarshal([]byte(res.Text), &body); err != nil || res.StatusCode != 401 || body.LoginURL != want {
		t.Errorf("%s, leads to %q, want %q", res.Status, body.LoginURL, want)
	}
}

func TestASecondSignInTakesOverTheStreams(t *testing.T) {
	h := newHouse(t, build{})
	h.User.on(streamer)
	bob := h.as("bob")
	stolen := bob.cookies()
	events := bob.follow("/gradio/user/events")
	if res := bob.signIn("bob", ""); res.StatusCode != http.StatusFound {
		t.Fatal(res.Status)
	}
	goesOn(t, "the stream", events)
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", stolen); res.StatusCode != 401 {
		t.Errorf("the first session still passes: %s", res.Status)
	}
	if n := h.Provider.Requests()[descopetest.Revocation]; n != 0 {
		t.Errorf("%d refresh tokens were revoked", n)
	}
	bob.do("POST", "/auth/logout", "", "Origin", h.URL)
	expect(t, "the stream, once the second session is over", events, "clean end")
}

func TestAnotherPersonsSignInEndsTheFirstSession(t *testing.T) {
	h := newHouse(t, build{})
	h.User.on(streamer)
	b := h.as("bob")
	stolen := b.cookies()
	events := b.follow("/gradio/user/events")
	if res := b.signIn("ada", ""); res.StatusCode != http.StatusFound {
		t.Fatal(res.Status)
	}
	expect(t, "bob's stream", events, "clean end")
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", stolen); res.StatusCode != 401 {
		t.Errorf("bob's session still passes: %s", res.Status)
	}
	if out := h.events("signed_out"); len(out) != 1 || out[0]["sub"] != "U2bob" {
		t.Errorf("the log has %v", out)
	}
	h.await("the revocation of bob's token", func() bool { return h.Provider.Requests()[descopetest.Revocation] == 1 })
	var me struct{ Sub string }
	if err := json.Unmarshal([]byte(b.fetch("GET", "/auth/me", "").Text), &me); err != nil || me.Sub != "U2ada" {
		t.Errorf("signed in is %q, %v", me.Sub, err)
	}
}

func TestMaxAgeClosesStreams(t *testing.T) {
	t.Parallel()
	const life = 6 * time.Second
	h := newHouse(t, build{session: "  max_age: 6s"})
	h.User.on(streamer)
	begun := time.Now()
	bob := h.as("bob")
	signedIn := time.Now()
	events := bob.follow("/gradio/user/events")
	for time.Since(begun) < life/2 {
		bob.wants("requests do not extend it", 200)
		time.Sleep(250 * time.Millisecond)
	}
	cut(t, "the stream", events, "clean end", signedIn.Add(life))
	if took := time.Since(begun); took < life-10*time.Millisecond {
		t.Errorf("it ended after %s", took)
	}
	bob.wants("after max_age", 401)
}
