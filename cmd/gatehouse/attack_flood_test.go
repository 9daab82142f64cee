package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Floods: whatever one client sends, the others are answered, and nothing is left
// of it when it is gone.

// othersAreAnswered asks on connections of their own, as a stranger and as Bob.
func (h *tlsHouse) othersAreAnswered(t *testing.T, bob string) {
	t.Helper()
	for target, cookies := range map[string]string{"/auth/health": "", "/gradio/user/x": bob} {
		w := h.secureWire(t, "localhost")
		res := w.ask(h.get(target, cookies))
		if res.StatusCode != 200 {
			t.Errorf("meanwhile %s: %s", target, res.Status)
		}
		w.close()
	}
}

// leavesNothing waits until no stream is open and no more goroutines run than
// before, give or take.
func (h *tlsHouse) leavesNothing(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for h.instance.handler.Streams().Open() > 0 || runtime.NumGoroutine() > before+20 {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams and %d goroutines are left, of %d before", h.instance.handler.Streams().Open(), runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// drown sends frames until the server has had enough or all are sent, and reads
// nothing.
func (c *framesClient) drown(n int, frame func(i int) error) (sent int) {
	for i := range n {
		if err := frame(i); err != nil {
			return i
		}
	}
	return n
}

func TestAttack29FloodsOverHTTP2(t *testing.T) {
	h := newTLSHouse(t, build{})
	bob := h.signedIn("bob")
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/slow" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // Go's server notices who goes only behind the body
		<-r.Context().Done()
		return true
	})
	h.othersAreAnswered(t, bob)
	quiet := runtime.NumGoroutine()
	heap := liveHeap()
	slow := over(h.house, "GET", "/gradio/user/slow", bob)
	for _, c := range []struct {
		what  string
		limit int // frames after which the server must have ended the connection; 0: it may bear them all
		flood func(c *framesClient) int
	}{
		{"streams that are reset as soon as they are opened (rapid reset)", 0, func(c *framesClient) int {
			block := c.block(slow...)
			return c.drown(3000, func(i int) error {
				id := uint32(2*i + 1)
				if i > 0 {
					block = c.block(slow...)
				}
				if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: true}); err != nil {
					return err
				}
				return c.framer.WriteRSTStream(id, http2.ErrCodeCancel)
			})
		}},
		{"more streams than are allowed", 0, func(c *framesClient) int {
			return c.drown(3000, func(i int) error {
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: c.block(slow...), EndHeaders: true, EndStream: true})
			})
		}},
		{"headers without an end", 2000, func(c *framesClient) int {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(slow...)})
			return c.drown(2000, func(int) error {
				return c.framer.WriteContinuation(1, false, c.block("x", strings.Repeat("y", 8000)))
			})
		}},
		{"headers in empty parts without an end", 0, func(c *framesClient) int {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(slow...)})
			return c.drown(10_000, func(int) error { return c.framer.WriteContinuation(1, false, nil) })
		}},
		{"headers that unfold", 0, func(c *framesClient) int {
			// One byte each, for a field of 4,000: they stand in the compressor's table.
			block := append(c.block(append(slow, "x", strings.Repeat("y", 3900))...), []byte(strings.Repeat("\xbe", 12_000))...)
			return c.drown(20, func(i int) error {
				if i > 0 {
					block = []byte(strings.Repeat("\xbe", 16_000))
				}
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block, EndHeaders: true, EndStream: true})
			})
		}},
		{"pings whose answers nobody reads", 0, func(c *framesClient) int {
			return c.drown(10_000, func(int) error { return c.framer.WritePing(false, [8]byte{}) })
		}},
		{"settings whose answers nobody reads", 0, func(c *framesClient) int {
			return c.drown(10_000, func(i int) error {
				return c.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: uint32(i % 4096)})
			})
		}},
		{"empty parts of a body", 0, func(c *framesClient) int {
			_ = c.begin(false, over(h.house, "POST", "/gradio/user/slow", bob)...)
			return c.drown(10_000, func(int) error { return c.framer.WriteData(1, false, nil) })
		}},
		{"priorities of streams that are not there", 0, func(c *framesClient) int {
			return c.drown(10_000, func(i int) error {
				return c.framer.WritePriority(uint32(2*i+1), http2.PriorityParam{Weight: 1})
			})
		}},
		{"windows that grow beyond what they can", 10, func(c *framesClient) int {
			return c.drown(10_000, func(int) error { return c.framer.WriteWindowUpdate(0, 1<<31-1) })
		}},
		{"frames of no known kind", 0, func(c *framesClient) int {
			return c.drown(10_000, func(int) error { return c.framer.WriteRawFrame(0xfe, 0, 0, make([]byte, 100)) })
		}},
		{"frames longer than agreed on", 10, func(c *framesClient) int {
			return c.drown(10, func(int) error { return c.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<21)) })
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			client := dialFrames(t, h.Addr, h.conf)
			done := make(chan int, 1)
			go func() { done <- c.flood(client) }()
			h.othersAreAnswered(t, bob)
			sent := <-done
			if c.limit > 0 && !connectionEnded(client) {
				t.Errorf("after %d frames the connection is still there", sent)
			}
			_ = client.conn.Close()
			h.leavesNothing(t, quiet)
		})
	}
	h.Log.reset()
	h.User.mu.Lock()
	h.User.seen = nil
	h.User.mu.Unlock()
	if grown := int64(liveHeap()) - int64(heap); grown > 16<<20 {
		t.Errorf("the heap grew by %d KB", grown>>10)
	}
}

// connectionEnded reads on until the server's end of the connection.
func connectionEnded(c *framesClient) bool {
	_ = c.conn.NetConn().SetReadDeadline(time.Now().Add(20 * time.Second))
	var timeout net.Error
	for {
		f, err := c.framer.ReadFrame()
		if _, ok := f.(*http2.GoAwayFrame); ok {
			return true
		}
		if _, ok := err.(http2.StreamError); err != nil && !ok {
			return !errors.As(err, &timeout) || !timeout.Timeout()
		}
	}
}

// A client that takes nothing holds its own streams, and no one else's.
func TestAttack29AClientThatTakesNothing(t *testing.T) {
	h := newTLSHouse(t, build{})
	bob := h.signedIn("bob")
	h.othersAreAnswered(t, bob)
	quiet := runtime.NumGoroutine()
	c := dialFrames(t, h.Addr, h.conf, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for range 100 {
		c.begin(true, over(h.house, "GET", "/auth/", "", "accept", "text/html")...)
		c.begin(true, over(h.house, "GET", "/gradio/user/x", bob)...)
	}
	h.othersAreAnswered(t, bob)
	_ = c.conn.Close()
	h.leavesNothing(t, quiet)
}

// Slowloris from many at once: the others are answered. (Each of them is given up
// after 15 s: TestAttack29SlowHeadersAreGivenUp.)
func TestAttack29ManySlowClients(t *testing.T) {
	plain, secure := newHouse(t, build{}), newTLSHouse(t, build{})
	bob := secure.signedIn("bob")
	const clients = 150 // of each kind
	for i := range clients {
		for _, addr := range []string{plain.Addr, secure.Addr} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			switch i % 3 {
			case 0: // nothing, nor a handshake
			case 1: // the beginning of headers
				_, _ = io.WriteString(conn, "GET /gradio/user/ HTTP/1.1\r\nHost: "+plain.host()+"\r\nX-"+fmt.Sprint(i))
			case 2: // the beginning of a handshake
				_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
			}
		}
		if i%10 == 0 { // the beginning of HTTP/2
			conn, err := tls.Dial("tcp", secure.Addr, secure.conf)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = io.WriteString(conn, http2.ClientPreface[:i%20])
		}
	}
	secure.othersAreAnswered(t, bob)
	if res := plain.wire(t).ask(plain.get("/auth/health", "")); res.StatusCode != 200 {
		t.Errorf("in the clear: %s", res.Status)
	}
}
