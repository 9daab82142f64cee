package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestAttack29SlowHugeEndless(t *testing.T) {
	h := newHouse(t, build{routes: `
  - {path: /app, upstream: "%[1]s", allow: authenticated, max_body: 10000}
  - {path: /open, upstream: "%[2]s", allow: public}
`})
	ada := h.as("ada").cookies()

	t.Run("headers beyond bounds are 431, and the server goes on", func(t *testing.T) {
		for _, request := range []string{
			h.get("/open/x", "", "X: "+strings.Repeat("x", 80<<10)),
			h.get("/open/x", strings.Repeat("c=d; ", 20<<10)),
			h.get("/open/"+strings.Repeat("x", 80<<10), ""),
			h.get("/open/x", "", strings.Repeat("X: y\r\n", 16<<10)+"Z: z"),
		} {
			if answer := h.raw(request); !strings.HasPrefix(answer, "HTTP/1.1 431") {
				t.Errorf("%.60q…: %.60q", request, answer)
			}
		}
		if answer := h.raw(h.get("/open/x", "", "X: "+strings.Repeat("x", 40<<10))); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("40 KB of headers: %.60q", answer)
		}
	})
	t.Run("an endless chunked body ends at max_body with 413", func(t *testing.T) {
		conn, err := net.Dial("tcp", h.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "POST /app/x HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nTransfer-Encoding: chunked\r\n\r\n", h.host(), ada)
		sent := make(chan int)
		go func() {
			n, chunk := 0, "1000\r\n"+strings.Repeat("x", 4096)+"\r\n"
			for {
				if _, err := io.WriteString(conn, chunk); err != nil {
					break
				}
				n += 4096
			}
			sent <- n
		}()
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 413") {
			t.Errorf("got %.200q", answer)
		}
		if n := <-sent; n > 8<<20 {
			t.Errorf("%d bytes were taken", n)
		}
	})
	t.Run("a client that waits for its 413 before it goes on gets it", func(t *testing.T) {
		w := h.wire(t)
		began := time.Now()
		res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n" + strings.Repeat("x", 0x4000) + "\r\n")
		if took := time.Since(began); res.StatusCode != 413 || took > 6*time.Second {
			t.Errorf("%s after %s", res.Status, took)
		}
	})
	t.Run("a length beyond max_body is refused before a byte is read", func(t *testing.T) {
		w := h.wire(t)
		if res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"); res.StatusCode != 413 {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("an answer does not wait for the body of who may not send it", func(t *testing.T) {
		for what, head := range map[string]string{
			"nobody, with a length":  "POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Length: 1000\r\n\r\nx",
			"nobody, chunked":        "POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
			"to a page of Gatehouse": "POST /auth/me HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Length: 1000\r\n\r\nx",
			"to sign out":            "POST /auth/logout HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Length: 1000\r\n\r\nx",
			"to the provider's door": "POST /auth/backchannel-logout HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nx",
			"from another site":      "POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nOrigin: https://evil.example\r\nContent-Length: 1000\r\n\r\nx",
		} {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				w := h.wire(t)
				began := time.Now()
				res := w.ask(head)
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("%s after %s", res.Status, took)
				}
			})
		}
	})
	t.Run("what a stranger sends makes short lines in the log", func(t *testing.T) {
		h.Log.reset()
		h.raw(strings.Repeat("M", 20<<10) + h.get("/app/"+strings.Repeat("x", 20<<10), "", "User-Agent: "+strings.Repeat("u", 10<<10)))
		for line := range strings.SplitSeq(h.Log.String(), "\n") {
			if len(line) > 8<<10 {
				t.Errorf("a line of %d bytes: %.300s…", len(line), line)
			}
		}
	})
	t.Run("10,000 sign-ins begun leave nothing behind", func(t *testing.T) {
		b := h.browser()
		b.client.Jar = nil
		heap := liveHeap()
		for range 10_000 {
			req, err := http.NewRequest("GET", h.URL+"/auth/login", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := b.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode != 302 {
				t.Fatalf("got %s", res.Status)
			}
		}
		h.Log.reset()
		if grown := int64(liveHeap()) - int64(heap); grown > 4<<20 {
			t.Errorf("the heap grew by %d KB", grown>>10)
		}
	})
	t.Run("many different cookies are not remembered", func(t *testing.T) {
		heap := liveHeap()
		w := h.wire(t)
		for i := range 4000 {
			var cookies strings.Builder
			for j := range 8 { // more are not looked at
				fmt.Fprintf(&cookies, "gatehouse=%08x%0200d; ", i, j)
			}
			if res := w.ask(h.get("/app/x", cookies.String())); res.StatusCode != 401 {
				t.Fatalf("got %s", res.Status)
			}
			h.Log.reset()
		}
		if grown := int64(liveHeap()) - int64(heap); grown > 4<<20 {
			t.Errorf("the heap grew by %d KB", grown>>10)
		}
	})
	t.Run("thousands of cookies of a sign-in's name cost no thousands of answers", func(t *testing.T) {
		var cookies strings.Builder
		for i := range 2500 {
			fmt.Fprintf(&cookies, "gatehouse-state-%d=x;", i)
		}
		res := h.wire(t).ask(h.get("/auth/login", cookies.String()))
		if n := len(res.Header["Set-Cookie"]); res.StatusCode != 302 || n > 30 {
			t.Errorf("%s with %d cookies", res.Status, n)
		}
		cookies.Reset()
		for range 1500 {
			cookies.WriteString("gatehouse-state-aaaaaaaaaaaa=x; ")
		}
		res = h.wire(t).ask(h.get("/auth/callback?state=aaaaaaaaaaaabbbb", cookies.String()))
		if n := len(res.Header["Set-Cookie"]); res.StatusCode != 400 || n > 30 {
			t.Errorf("%s with %d cookies", res.Status, n)
		}
	})
	t.Run("names chosen to collide cost no more than others", func(t *testing.T) {
		var cookies strings.Builder
		for i := range 6000 {
			fmt.Fprintf(&cookies, "%s=;", strings.Repeat("Aa", i%4)+strings.Repeat("BB", 3-i%4))
		}
		began := time.Now()
		for range 20 {
			h.wire(t).ask(h.get("/open/x", cookies.String()))
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("20 requests took %s", took)
		}
	})
	t.Run("chunks of one byte and chunk extensions of megabytes are the server's 400, or pass", func(t *testing.T) {
		w := h.wire(t)
		if res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 5000) + "0\r\n\r\n"); res.StatusCode != 200 {
			t.Errorf("5,000 chunks of one byte: %s", res.Status)
		}
		w = h.wire(t)
		res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + ada + "\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("e", 2000)+"\r\nx\r\n", 50) + "0\r\n\r\n")
		if res.StatusCode < 400 {
			t.Errorf("100 KB of chunk extensions: %s", res.Status)
		}
	})
}

// liveHeap is what is in use after a collection, in bytes.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Slowloris: a connection that sends its headers a byte at a time is given up.
func TestAttack29SlowHeadersAreGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	conn, err := net.Dial("tcp", h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /gradio/user/ HTTP/1.1\r\nHost: "+h.host()+"\r\n")
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		done <- err
	}()
	began := time.Now()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if took := time.Since(began); took < headerTimeout-time.Second {
				t.Errorf("given up after %s already", took)
			}
			return
		case <-tick.C:
			_, _ = io.WriteString(conn, "X: y\r\n")
			if time.Since(began) > headerTimeout+5*time.Second {
				t.Fatal("the connection is still open")
			}
		}
	}
}

// A client that goes away takes everything of its request along.
func TestAttack29AbortsLeaveNothingBehind(t *testing.T) {
	h := newHouse(t, build{})
	bob := h.as("bob").cookies()
	gone := make(chan struct{}, 200)
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- struct{}{}
		return true
	})
	before := runtime.NumGoroutine()
	const clients = 60
	for i := range clients {
		conn, err := net.Dial("tcp", h.Addr)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0: // while it streams
			_, _ = io.WriteString(conn, h.get("/gradio/user/events", bob))
			_, _ = conn.Read(make([]byte, 1))
		case 1: // in the middle of an upload
			_, _ = io.WriteString(conn, "POST /gradio/user/up HTTP/1.1\r\nHost: "+h.host()+"\r\nCookie: "+bob+"\r\nContent-Length: 100000\r\n\r\nabc")
		case 2: // before the answer
			_, _ = io.WriteString(conn, h.get("/gradio/user/events", bob))
		}
		if tcp, ok := conn.(*net.TCPConn); ok && i%2 == 0 {
			_ = tcp.SetLinger(0) // RST
		}
		_ = conn.Close()
	}
	h.await("the end of all streams", func() bool { return h.instance.handler.Streams().Open() == 0 })
	h.await("the end of their goroutines", func() bool { return runtime.NumGoroutine() <= before+12 })
}
