package stream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
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

// echo is a WebSocket app that sends back what it gets.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

func (h *house) dial(session string) *websocket.Conn {
	h.t.Helper()
	c, _, err := websocket.Dial(h.t.Context(), h.url, &websocket.DialOptions{
		HTTPClient: h.front.Client(),
		HTTPHeader: http.Header{"Session": {session}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	c.SetReadLimit(-1)
	h.t.Cleanup(func() { c.CloseNow() })
	return c
}

const handshake = `GET / HTTP/1.1
Host: x
Session: ada
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==

`

// upgrade opens an upgrade by hand and reads its header.
func (h *house) upgrade(head string) (net.Conn, *bufio.Reader) {
	h.t.Helper()
	c := h.raw(head)
	in := bufio.NewReader(c)
	if line := readLine(h.t, in); !strings.HasPrefix(line, "HTTP/1.1 101 ") {
		h.t.Fatal(line)
	}
	for readLine(h.t, in) != "" {
	}
	return c, in
}

// script is an app that answers the handshake and then does as it is told.
func script(protocol string, f func(c net.Conn, gone <-chan struct{})) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			io.Copy(io.Discard, buffered)
		}()
		f(c, gone)
		<-gone
	}
}

func wantCloseFrame(t *testing.T, in *bufio.Reader, code uint16, reason string) {
	t.Helper()
	opcode, payload, err := readFrame(in)
	if err != nil || opcode != opClose || len(payload) < 2 {
		t.Fatalf("got opcode %d, %q, %v; want a close frame", opcode, payload, err)
	}
	if got := binary.BigEndian.Uint16(payload); got != code || string(payload[2:]) != reason {
		t.Errorf("closed with %d %q, want %d %q", got, payload[2:], code, reason)
	}
}

func TestAnIdleWebSocketIsClosedWithACode(t *testing.T) {
	t.Parallel()
	for cause, want := range map[Cause]websocket.CloseError{
		SignOut:       {Code: 1008, Reason: "signed out"},
		Expired:       {Code: 1008, Reason: "session expired"},
		PolicyChanged: {Code: 1008, Reason: "no longer allowed"},
		Shutdown:      {Code: 1001, Reason: "shutting down"},
	} {
		for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
			t.Run(fmt.Sprint(cause, " ", name), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, echo, options...)
				took := replyWait
				// A busy machine may be slow once, but not each time.
				for try := 0; try < 5 && took >= replyWait; try++ {
					took = h.closeIdle(cause, want)
				}
				if took >= replyWait {
					t.Errorf("took %v although the client answered", took)
				}
				if h.log() != "" {
					t.Errorf("logged %q", h.log())
				}
			})
		}
	}
}

// closeIdle closes a WebSocket that carries nothing at the moment, and returns how
// long that took.
func (h *house) closeIdle(cause Cause, want websocket.CloseError) time.Duration {
	h.t.Helper()
	c, ctx := h.dial("ada"), h.t.Context()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		h.t.Fatal(err)
	}
	if _, data, err := c.Read(ctx); err != nil || string(data) != "hello" {
		h.t.Fatalf("echo: %q, %v", data, err)
	}
	h.CloseSession("ada", cause)
	return within(h.t, func() {
		_, _, err := c.Read(ctx)
		var got websocket.CloseError
		if !errors.As(err, &got) || got != want {
			h.t.Errorf("closed with %v, want %v", err, want)
		}
		h.wantClosed(ending{"ada", "", WebSocket, cause})
	})
}

func TestFramesOfALargeMessageAreNeverTorn(t *testing.T) {
	t.Parallel()
	message := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MB
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for { // one endless message, in fragments of 8 KB
			out, err := c.Writer(r.Context(), websocket.MessageBinary)
			if err != nil {
				return
			}
			for at := 0; at < len(message); at += 8 << 10 {
				if _, err := out.Write(message[at : at+8<<10]); err != nil {
					return
				}
			}
			out.Close()
		}
	})
	for i := range 5 {
		session := fmt.Sprint("ada", i)
		_, in := h.upgrade(strings.Replace(handshake, "ada", session, 1))
		for range 100 + 37*i {
			if _, _, err := readFrame(in); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		within(t, func() {
			h.CloseSession(session, SignOut)
			var opcode byte
			for opcode != opClose {
				var err error
				if opcode, _, err = readFrame(in); err != nil && time.Since(began) >= frameWait {
					return // this client was too slow to get the rest of its frame
				} else if err != nil {
					t.Fatalf("a torn frame or no close frame: %v", err)
				}
			}
			if rest, _ := io.ReadAll(in); len(rest) > 0 {
				t.Errorf("%d bytes follow the close frame", len(rest))
			}
		})
	}
}

func TestTheFrameUnderWayEndsBeforeTheCloseFrame(t *testing.T) {
	t.Parallel()
	text := frame{first: 0x01, payload: []byte(strings.Repeat("x", 70000))}.bytes()
	end := make(chan struct{})
	h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) {
		c.Write(text[:5])
		<-end
		c.Write(append(text[5:], text...)) // and a frame that must not pass
	}))
	_, in := h.upgrade(handshake)
	if _, err := in.Peek(5); err != nil {
		t.Fatal(err)
	}
	s := h.waitOpened()
	s.Close(SignOut)
	h.waitCut(s)
	close(end)
	if opcode, payload, err := readFrame(in); opcode != 1 || len(payload) != 70000 || err != nil {
		t.Fatalf("the frame: opcode %d, %d bytes, %v", opcode, len(payload), err)
	}
	wantCloseFrame(t, in, 1008, "signed out")
}

func TestAFrameThatNeverEndsIsCutWithoutACloseFrame(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := frame{first: 0x81, payload: make([]byte, 100)}.bytes()
			h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) { c.Write(text[:50]) }), options...)
			_, in := h.upgrade(handshake)
			if _, err := in.Peek(50); err != nil {
				t.Fatal(err)
			}
			within(t, func() {
				h.CloseSession("ada", SignOut)
				got, err := io.ReadAll(in)
				if err == nil || !bytes.Equal(got, text[:50]) {
					t.Errorf("read %q, %v; want the torn frame alone and an error", got, err)
				}
				h.wantClosed(ending{"ada", "", WebSocket, SignOut})
			})
		})
	}
}

func TestTheAppsOwnCloseFrameIsNotFollowedByAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) {
		c.Write(frame{first: 0x88, payload: []byte{0x03, 0xe8}}.bytes())
	}))
	_, in := h.upgrade(handshake)
	if _, err := in.Peek(4); err != nil {
		t.Fatal(err)
	}
	within(t, func() {
		h.CloseSession("ada", SignOut)
		wantCloseFrame(t, in, 1000, "")
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%q follows the app's close frame", rest)
		}
		h.wantClosed(ending{"ada", "", WebSocket, SignOut})
	})
}

func TestAWebSocketWhoseClientDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) {
				block := frame{first: 0x82, payload: make([]byte, 1<<20)}.bytes()
				for {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}), options...)
			h.upgrade(handshake)
			s := h.waitOpened()
			time.Sleep(time.Until(s.Began().Add(time.Second))) // the pipes fill
			within(t, func() {
				s.Close(Revoked)
				h.wantClosed(ending{"ada", "", WebSocket, Revoked})
			})
		})
	}
}

func TestAfterTheCutNothingOfTheClientPasses(t *testing.T) {
	t.Parallel()
	before := frame{first: 0x81, masked: true, payload: []byte("before")}.bytes()
	got := make(chan string, 2)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		c, buffered, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		first := make([]byte, len(before))
		io.ReadFull(buffered, first)
		got <- string(first)
		all, _ := io.ReadAll(buffered)
		got <- string(all)
	})
	c, in := h.upgrade(handshake)
	c.Write(before)
	if first := receive(t, "the frame", got); first != string(before) {
		t.Errorf("the app read %q, want %q", first, before)
	}
	h.CloseSession("ada", SignOut)
	wantCloseFrame(t, in, 1008, "signed out")
	c.Write(frame{first: 0x81, masked: true, payload: []byte("after")}.bytes())
	c.Write(frame{first: 0x88, masked: true}.bytes())
	if all := receive(t, "the app's end", got); all != "" {
		t.Errorf("after the cut the app read %q", all)
	}
	within(t, func() { h.wantClosed(ending{"ada", "", WebSocket, SignOut}) })
}

// Bytes that come before the 101 are in the server's buffer, which the reverse
// proxy does not look at.
func TestWhatTheClientSendsEarlyIsNotLost(t *testing.T) {
	t.Parallel()
	first := frame{first: 0x81, masked: true, payload: []byte("eager")}.bytes()
	got := make(chan []byte, 1)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		c, buffered, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		p := make([]byte, len(first))
		io.ReadFull(buffered, p)
		got <- p
	})
	h.raw(handshake + string(first))
	if p := receive(t, "the frame", got); !bytes.Equal(p, first) {
		t.Errorf("the app read %q, want %q", p, first)
	}
}

// Whenever the session ends, the client sees 401, or a whole header and a whole
// close frame: the close frame cannot get ahead of the 101.
func TestACutDuringTheHandshakeIsCleanEitherWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) {
		c.Write(frame{first: 0x81, payload: []byte("welcome")}.bytes())
	}))
	denied, closed := 0, 0
	for i := range 300 {
		session := fmt.Sprint("ada", i)
		c := h.raw(strings.Replace(handshake, "ada", session, 1))
		time.Sleep(time.Duration(i) * 5 * time.Microsecond) // walks over the handshake
		for !h.Has(session) && h.CloseSession(session, SignOut) == 0 && len(h.closed) == 0 {
			time.Sleep(20 * time.Microsecond)
		}
		h.CloseSession(session, SignOut)
		in := bufio.NewReader(c)
		line := readLine(t, in)
		for readLine(t, in) != "" {
		}
		switch {
		case strings.HasPrefix(line, "HTTP/1.1 401 "):
			denied++
		case strings.HasPrefix(line, "HTTP/1.1 101 "):
			closed++
			if opcode, err := in.Peek(1); err == nil && opcode[0] == 0x81 {
				readFrame(in)
			}
			wantCloseFrame(t, in, 1008, "signed out")
			c.Write(frame{first: 0x88, masked: true}.bytes())
		default:
			t.Fatal(line)
		}
		c.Close()
		h.wantClosed(ending{session, "", WebSocket, SignOut})
	}
	t.Logf("%d denied, %d closed", denied, closed)
}

func TestAnotherUpgradeIsCut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, script("tunnel", func(c net.Conn, gone <-chan struct{}) { io.WriteString(c, "hello\n") }))
	_, in := h.upgrade(strings.Replace(handshake, "Upgrade: websocket", "Upgrade: tunnel", 1))
	readLine(t, in)
	within(t, func() {
		h.CloseSession("ada", SignOut)
		if rest, err := io.ReadAll(in); err == nil || len(rest) > 0 {
			t.Errorf("read %q, %v; want a reset", rest, err)
		}
		h.wantClosed(ending{"ada", "", Upgrade, SignOut})
	})
}

func TestAnUpgradeThatIsDeniedAtOnceIsAnswered(t *testing.T) {
	t.Parallel()
	h := newHouse(t, echo)
	h.recheck = func(*Stream) Cause { return SignOut }
	_, res, err := websocket.Dial(t.Context(), h.url, nil)
	if err == nil || res == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %v, %v; want 401", res, err)
	}
}

func TestHowWebSocketsEndByThemselves(t *testing.T) {
	t.Parallel()
	t.Run("the client says goodbye", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, echo)
		if err := h.dial("ada").Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Error(err)
		}
		h.wantClosed(ending{"ada", "", WebSocket, Ended})
	})
	t.Run("the client is gone", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) {}))
		c, _ := h.upgrade(handshake)
		c.Close()
		h.wantClosed(ending{"ada", "", WebSocket, ClientGone})
	})
	t.Run("the client is gone and the app ignores it", func(t *testing.T) {
		t.Parallel()
		hold := make(chan struct{})
		defer close(hold)
		h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) { <-hold }))
		c, _ := h.upgrade(handshake)
		c.Close()
		h.wantClosed(ending{"ada", "", WebSocket, ClientGone})
	})
	t.Run("the app is gone", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, script("websocket", func(c net.Conn, gone <-chan struct{}) { c.Close() }))
		h.upgrade(handshake) // and does not close its side
		h.wantClosed(ending{"ada", "", WebSocket, UpstreamGone})
	})
	t.Run("the app says goodbye", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, nil); err == nil {
				c.Close(websocket.StatusNormalClosure, "done")
			}
		})
		_, _, err := h.dial("ada").Read(t.Context())
		if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the client sees %v", err)
		}
		h.wantClosed(ending{"ada", "", WebSocket, Ended})
	})
}

func TestActivityIsReportedOnceASecond(t *testing.T) {
	t.Parallel()
	h := newHouse(t, echo)
	c := h.dial("ada")
	began := time.Now()
	for range 20 {
		c.Write(t.Context(), websocket.MessageText, []byte("x"))
		c.Read(t.Context())
	}
	receive(t, "activity", h.active)
	if more, took := len(h.active), time.Since(began); more > int(took/activePause) {
		t.Errorf("activity was reported %d times in %v", 1+more, took)
	}
}

func TestShutdownClosesEverythingAndWhatComesAfter(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echo(w, r)
			return
		}
		events(nil)(w, r)
	})
	sse, ws := h.get("ada", "/"), h.dial("bob")
	if n := h.CloseAll(Shutdown); n != 2 {
		t.Errorf("closed %d streams, want 2", n)
	}
	if _, err := io.ReadAll(sse.Body); err != nil {
		t.Error(err)
	}
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ends with %v", err)
	}
	within(t, func() {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if err := h.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
	if res := h.get("carol", "/"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stream after the shutdown: status %d, want 503", res.StatusCode)
	}
}

// nowhere is a connection that takes all bytes and has none.
type nowhere struct{ net.Conn }

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkWebSocketWrite(b *testing.B) {
	for name, size := range map[string]int{"32 B": 32, "1 KB": 1 << 10, "32 KB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			c := &conn{Conn: nowhere{}, websocket: true, done: make(chan struct{})}
			c.out.header = true
			one := frame{first: 0x81, payload: make([]byte, size)}.bytes()
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			for b.Loop() {
				c.Write(one)
			}
		})
	}
}

// What the tests cannot measure on a busy machine holds by what each step is given.
func TestTheStepsOfACloseFitIntoTwoSeconds(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]time.Duration{
		"a WebSocket":     frameWait + sayClose + replyWait + closeWait,
		"an event stream": eventWait + cleanEnd,
	} {
		if steps >= 2*time.Second {
			t.Errorf("%s may take %v", name, steps)
		}
	}
}
