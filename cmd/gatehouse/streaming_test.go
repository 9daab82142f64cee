package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// hold answers GET with an event stream that goes on until the client goes: one
// event at once, then one for each value of more.
func hold(more <-chan string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				return true
			case event := <-more:
				fmt.Fprint(w, event)
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
}

// stream opens a stream as a script in the app's page does.
func (b *browser) stream(path string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.house.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestEventStreamsPassAtOnceAndByteForByte(t *testing.T) {
	h := newHouse(t, build{})
	more := make(chan string)
	h.User.on(hold(more))
	res := h.as("bob").stream("/gradio/user/gradio_api/queue/data?session_hash=x")
	for name, want := range map[string]string{"X-Accel-Buffering": "no", "Content-Encoding": ""} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if cache := res.Header.Get("Cache-Control"); !strings.Contains(cache, "no-transform") || !strings.Contains(cache, "private") {
		t.Errorf("Cache-Control: %q", cache)
	}
	body := bufio.NewReader(res.Body)
	read := func(n int) string {
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read(13); got != "data: first\n\n" {
		t.Fatalf("got %q", got)
	}
	for i := range 100 {
		event := fmt.Sprintf("data: {\"n\": %d, \"odd\": \"\\u2028 é\"}\r\n\r\n", i)
		more <- event
		if got := read(len(event)); got != event { // each is there before the next is sent
			t.Fatalf("got %q, want %q", got, event)
		}
	}
}

func TestClosingThePageStopsTheGenerator(t *testing.T) {
	h := newHouse(t, build{})
	stopped := make(chan struct{})
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		defer close(stopped)
		return hold(nil)(w, r)
	})
	res := h.as("bob").stream("/gradio/user/events")
	_ = res.Body.Close()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Error("the app did not notice")
	}
}

func TestUploadsAreNotBuffered(t *testing.T) {
	h := newHouse(t, build{})
	bob := h.as("bob")
	seen := make(chan byte)
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		b := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, b); err != nil {
				return true
			}
			seen <- b[0]
		}
	})
	read, write := io.Pipe()
	req, _ := http.NewRequest("POST", h.URL+"/gradio/user/gradio_api/upload", read)
	req.Header.Set("Origin", h.URL)
	done := make(chan error, 1)
	go func() {
		res, err := bob.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		done <- err
	}()
	for i := range 10 {
		if _, err := write.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		select {
		case b := <-seen: // the app has the byte before the next is sent
			if b != byte(i) {
				t.Fatalf("got %d, want %d", b, i)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the byte was held back")
		}
	}
	_ = write.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An app may answer while it still reads, and then two would like to read the
// body: the server, which wants to be through with it, and the transport.
func TestAnAnswerMayComeBeforeItsUploadIsThrough(t *testing.T) {
	h := newHouse(t, build{})
	cookie := h.as("bob").cookies()
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: begun\n\n")
		_ = control.Flush()
		rest, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "data: %d %v\n\n", len(rest), err)
		return true
	})
	half := strings.Repeat("x", 1<<16) // a little may be held back until more of it is there
	chunk := "10000\r\n" + half + "\r\n"
	for name, body := range map[string]struct{ header, first, rest string }{
		"of a known length": {"Content-Length: 131072", half, half},
		"in chunks":         {"Transfer-Encoding: chunked", chunk, chunk + "0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", h.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprintf(conn, "POST /gradio/user/early HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s\r\n%s\r\n\r\n%s",
				strings.TrimPrefix(h.URL, "http://"), h.URL, cookie, body.header, body.first)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			events := bufio.NewReader(res.Body)
			if got, err := events.ReadString('\n'); err != nil || got != "data: begun\n" {
				t.Fatalf("got %q, %v", got, err)
			}
			if _, err := io.WriteString(conn, body.rest); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(events)
			if want := "\ndata: 131072 <nil>\n\n"; err != nil || string(got) != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestAClientThatStopsInTheMiddleOfItsUploadHoldsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	cookie := h.as("bob").cookies()
	h.User.on(func(w http.ResponseWriter, _ *http.Request) bool {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	conn, err := net.Dial("tcp", h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST /gradio/user/early HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s\r\nContent-Length: 131072\r\n\r\n%s",
		strings.TrimPrefix(h.URL, "http://"), h.URL, cookie, strings.Repeat("x", 1<<16))
	answer, err := io.ReadAll(conn) // until Gatehouse hangs up
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404 ") {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestWebSocketsPass(t *testing.T) {
	h := newHouse(t, build{})
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Forwarded-User") != "U2bob" {
			w.WriteHeader(http.StatusTeapot)
			return true
		}
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"streamlit"}, InsecureSkipVerify: true})
		if err != nil {
			return true
		}
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return true
			}
			_ = conn.Write(r.Context(), kind, append([]byte("echo "), message...))
		}
	})
	bob := h.as("bob")
	conn, _, err := websocket.Dial(context.Background(), h.URL+"/gradio/user/queue/join", &websocket.DialOptions{
		HTTPClient: bob.client, HTTPHeader: http.Header{"Origin": {h.URL}}, Subprotocols: []string{"streamlit", "a-token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != "streamlit" {
		t.Errorf("subprotocol %q", conn.Subprotocol())
	}
	if err := conn.Write(context.Background(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.Read(context.Background()); err != nil || string(message) != "echo hello" {
		t.Errorf("got %q, %v", message, err)
	}
	t.Run("nobody signed out gets one", func(t *testing.T) {
		_, res, err := websocket.Dial(context.Background(), h.URL+"/gradio/user/queue/join", &websocket.DialOptions{HTTPClient: h.browser().client})
		if err == nil || res == nil || res.StatusCode != 401 {
			t.Errorf("got %v %v", res, err)
		}
	})
	t.Run("sign-out closes it with 1008", func(t *testing.T) {
		bob.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "same-origin")
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, _, err := conn.Read(ctx)
		if got := websocket.CloseStatus(err); got != websocket.StatusPolicyViolation {
			t.Errorf("closed with %v: %v", got, err)
		}
	})
}

func TestAnAppThatIsAwayIsToldInWordsWithoutItsAddress(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	_ = gone.Close()
	h := newHouse(t, build{routes: `
  - path: /gone
    upstream: http://` + address + `
    allow: authenticated
  - path: /slow
    upstream: %[2]s
    allow: authenticated
    timeout: 100ms
`})
	release := make(chan struct{})
	defer close(release)
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool { <-release; return true })
	bob := h.as("bob")
	for _, c := range []struct {
		path   string
		status int
	}{{"/gone/", 502}, {"/slow/", 504}} {
		page, script := bob.open(c.path), bob.fetch("POST", c.path, "")
		for _, res := range []reply{page, script} {
			if res.StatusCode != c.status {
				t.Errorf("%s: %s, want %d", c.path, res.Status, c.status)
			}
			if strings.Contains(res.Text, "127.0.0.1") || strings.Contains(res.Text, "dial") || res.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s says %q", c.path, res.Text)
			}
		}
		if !strings.Contains(page.Text, "<h1") || !strings.HasPrefix(script.Text, `{"detail":`) {
			t.Errorf("%s: a page is %q, JSON %q", c.path, page.Text, script.Text)
		}
	}
}

func TestBodiesOverTheLimitAreRefused(t *testing.T) {
	h := newHouse(t, build{routes: "\n  - path: /a\n    upstream: %[1]s\n    allow: authenticated\n    max_body: 10\n"})
	ada := h.as("ada")
	h.Admin.on(func(w http.ResponseWriter, r *http.Request) bool {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return true
		}
		fmt.Fprint(w, "took it")
		return true
	})
	if res := ada.fetch("POST", "/a/x", "0123456789"); res.Text != "took it" {
		t.Errorf("ten bytes: %s", res.Status)
	}
	if res := ada.fetch("POST", "/a/x", "0123456789+"); res.StatusCode != 413 {
		t.Errorf("eleven bytes: %s", res.Status)
	}
	req, _ := http.NewRequest("POST", h.URL+"/a/x", io.MultiReader(strings.NewReader("01234567"), strings.NewReader("89+")))
	res, err := ada.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("eleven bytes in chunks: %s", res.Status)
	}
	t.Run("the app's own 413 passes", func(t *testing.T) {
		h.Admin.on(func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "too large for me", http.StatusRequestEntityTooLarge)
			return true
		})
		if res := ada.fetch("POST", "/a/x", "1"); res.StatusCode != 413 || !strings.Contains(res.Text, "too large for me") {
			t.Errorf("got %s %q", res.Status, res.Text)
		}
	})
}

func TestShutdownLetsRequestsEndAndClosesStreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	bob := h.as("bob")
	begun, release := make(chan struct{}), make(chan struct{})
	h.Admin.on(func(w http.ResponseWriter, _ *http.Request) bool {
		close(begun)
		<-release
		fmt.Fprint(w, "done")
		return true
	})
	h.User.on(hold(nil))
	events := bob.stream("/gradio/user/events")
	ada := h.as("ada")
	answer := make(chan reply, 1)
	go func() { answer <- ada.fetch("GET", "/gradio/admin/slow", "") }()
	<-begun
	h.stop() // as SIGTERM does
	h.await("draining", h.instance.handler.Draining)
	h.await("the listener's end", func() bool {
		conn, err := net.Dial("tcp", h.Addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(release)
	if res := <-answer; res.Text != "done" {
		t.Errorf("the request under way got %s %q", res.Status, res.Text)
	}
	if _, err := io.ReadAll(events.Body); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("the event stream did not end cleanly: %v", err)
	}
	<-h.done
}
