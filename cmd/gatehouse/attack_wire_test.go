package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// smuggled is a request that must never be one of its own.
func (h *house) smuggled(cookies string) string { return h.get("/gradio/admin/smuggled", cookies) }

// A framingAttack is a request whose end two servers could see in two places,
// with a request of Ada's hidden behind one of them.
type framingAttack struct{ what, request string }

// framingAttacks are Bob's.
func (h *house) framingAttacks(bob, hidden string) []framingAttack {
	post := func(headers, body string) string {
		return "POST /gradio/user/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\n" + headers + "\r\n\r\n" + body
	}
	sized := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	return []framingAttack{
		{"chunked and a length that ends early", post("Content-Length: 4\r\nTransfer-Encoding: chunked", sized(hidden)+"0\r\n\r\n")},
		{"the same, the other way round", post("Transfer-Encoding: chunked\r\nContent-Length: 4", sized(hidden)+"0\r\n\r\n")},
		{"a length as long as the hidden request", post("Content-Length: "+strconv.Itoa(len(hidden)), hidden)},
		{"two lengths", post("Content-Length: 0\r\nContent-Length: "+strconv.Itoa(len(hidden)), hidden)},
		{"a list of lengths", post("Content-Length: 0, "+strconv.Itoa(len(hidden)), hidden)},
		{"a length with a sign", post("Content-Length: +"+strconv.Itoa(len(hidden)), hidden)},
		{"a negative length", post("Content-Length: -1", hidden)},
		{"a length in hexadecimal", post("Content-Length: 0x0", hidden)},
		{"a length that overflows", post("Content-Length: 18446744073709551616", hidden)},
		{"an empty length", post("Content-Length: ", hidden)},
		{"a length before a space", post("Content-Length : 0", hidden)},
		{"a length in an alias", post("Content_Length: "+strconv.Itoa(len(hidden))+"\r\nContent-Length: 0", "")},
		{"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"+hidden)},
		{"chunked after identity", post("Transfer-Encoding: identity, chunked", "0\r\n\r\n"+hidden)},
		{"chunked before identity", post("Transfer-Encoding: chunked, identity\r\nContent-Length: 5", "0\r\n\r\n"+hidden)},
		{"xchunked", post("Transfer-Encoding: xchunked\r\nContent-Length: 5", "0\r\n\r\n"+hidden)},
		{"chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\nContent-Length: 5", "0\r\n\r\n"+hidden)},
		{"chunked after a vertical tab", post("Transfer-Encoding: \x0bchunked\r\nContent-Length: 5", "0\r\n\r\n"+hidden)},
		{"chunked after a NUL", post("Transfer-Encoding: chunked\x00", "0\r\n\r\n"+hidden)},
		{"chunked behind a space", post("Transfer-Encoding : chunked", "0\r\n\r\n"+hidden)},
		{"chunked on a folded line", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")},
		{"a header folded over the length", post("X: a\r\n Content-Length: 999", "")},
		{"a folded first line", "POST /gradio/user/x HTTP/1.1\r\n Host: x\r\nHost: " + h.host() + "\r\n\r\n" + hidden},
		{"chunked in an alias", post("Transfer_Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")},
		{"chunked in HTTP/1.0", strings.Replace(post("Connection: keep-alive\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "HTTP/1.1", "HTTP/1.0", 1)},
		{"a chunk size that is none", post("Transfer-Encoding: chunked", "zz\r\n"+hidden)},
		{"a chunk size with a sign", post("Transfer-Encoding: chunked", "+5\r\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a chunk size with 0x", post("Transfer-Encoding: chunked", "0x5\r\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a chunk size that overflows", post("Transfer-Encoding: chunked", "fffffffffffffffff5\r\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a negative chunk", post("Transfer-Encoding: chunked", "-1\r\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a chunk longer than it says", post("Transfer-Encoding: chunked", "1\r\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a chunk size on a bare LF", post("Transfer-Encoding: chunked", "5;x\nabcde\r\n0\r\n\r\n"+hidden)},
		{"a header on a bare CR", post("X: a\rContent-Length: 999", "")},
		{"a target with a line in it", "GET /gradio/user/x\rX: y HTTP/1.1\r\nHost: " + h.host() + "\r\n\r\n" + hidden},
		{"HTTP/0.9", "GET /gradio/user/x\r\n" + hidden},
		{"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden},
		{"HTTP/1.2", strings.Replace(post("Content-Length: 0", ""), "HTTP/1.1", "HTTP/1.2", 1)},
		{"HTTP/9.9", strings.Replace(post("Content-Length: 0", ""), "HTTP/1.1", "HTTP/9.9", 1)},
	}
}

// hidesNothing sends the attack: every answer but the last must belong to a
// request that was sent as one, for what was hidden is no request, or the
// connection is gone.
func (h *house) hidesNothing(t *testing.T, w *wire, c framingAttack, hidden string) {
	t.Helper()
	res := w.ask(c.request)
	answers := 1
	for w.conn != nil {
		_ = w.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := w.read("GET"); err != nil {
			break
		}
		answers++
	}
	for _, seen := range h.Admin.requests() {
		if strings.Contains(c.request, "0\r\n\r\n"+hidden) && res.StatusCode == 200 {
			continue // a pipelined request of Ada's own, sent as one
		}
		t.Errorf("the hidden request reached the admin app: %s (answer %s)", seen.Target, res.Status)
	}
	h.Admin.mu.Lock()
	h.Admin.seen = nil
	h.Admin.mu.Unlock()
	if res.StatusCode >= 400 && res.StatusCode != 403 && answers > 1 {
		t.Errorf("%s, and then %d more answers", res.Status, answers-1)
	}
	if res.StatusCode >= 500 && res.StatusCode != 501 && res.StatusCode != 505 {
		t.Errorf("got %s", res.Status)
	}
}

func TestAttack10SmugglingAndDesync(t *testing.T) {
	h := newHouse(t, build{})
	bob, ada := h.as("bob").cookies(), h.as("ada").cookies()
	hidden := h.smuggled(ada)
	for _, c := range h.framingAttacks(bob, hidden) {
		t.Run(c.what, func(t *testing.T) { h.hidesNothing(t, h.wire(t), c, hidden) })
	}
	t.Run("what comes to the app is one framing, whatever came in", func(t *testing.T) {
		h, a := headerHouse(t, "")
		w := h.wire(t)
		for _, request := range []string{
			"POST /open/x HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nabcde\r\n0\r\nT: x\r\n\r\n",
			"POST /open/x HTTP/1.1\r\nHost: " + h.host() + "\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
			"GET /open/x HTTP/1.1\r\nHost: " + h.host() + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		} {
			if res := w.ask(request); res.StatusCode != 200 {
				t.Fatalf("%q: %s", request, res.Status)
			}
			raw := a.last(t)
			if n := len(lines(raw, "content-length")) + len(lines(raw, "transfer-encoding")); n > 1 {
				t.Errorf("two framings reached the app:\n%s", raw)
			}
			if strings.Contains(raw, "ext=1") || strings.Contains(raw, "T: x") {
				t.Errorf("extensions or trailers reached the app:\n%s", raw)
			}
		}
	})
	t.Run("an upgrade with a body is refused", func(t *testing.T) {
		for _, headers := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
			before := len(h.User.requests())
			w := h.wire(t)
			res := w.ask("GET /gradio/user/ws HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + headers + "\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
			if res.StatusCode != 400 || len(h.User.requests()) != before {
				t.Errorf("%s: got %s", headers, res.Status)
			}
		}
	})
	t.Run("an upgrade to another protocol is none: h2c would be a tunnel past every check", func(t *testing.T) {
		tunnel := newTunnelApp(t)
		h := newHouse(t, build{routes: "\n  - {path: /app, upstream: \"" + tunnel.URL + "\", allow: authenticated}\n"})
		bob := h.as("bob").cookies()
		for _, upgrade := range []string{"h2c", "H2C", "TLS/1.0", "websocket, h2c", "h2c, websocket", "websocket\r\nUpgrade: h2c", "h2c\r\nUpgrade: websocket", "websocket/1", "foo"} {
			w := h.wire(t)
			res := w.ask("GET /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + upgrade + "\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
			if res.StatusCode != 200 || res.Text != "plain" {
				t.Errorf("Upgrade: %q: got %s %q, want an ordinary answer", upgrade, res.Status, res.Text)
			}
		}
		// A plain-text client that offers h2c, as curl --http2 does, must be served.
		w := h.wire(t)
		if res := w.ask("POST /app/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi"); res.StatusCode != 200 {
			t.Errorf("a POST that offers h2c: %s", res.Status)
		}
	})
	t.Run("after a refusal with an unread body the next request is its own, or the connection is closed", func(t *testing.T) {
		for _, size := range []int{len(hidden), 200 << 10, 2 << 20} {
			body := hidden + strings.Repeat("x", max(0, size-len(hidden)))
			w := h.wire(t)
			res := w.ask("POST /gradio/admin/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
			if res.StatusCode != 403 {
				t.Fatalf("got %s", res.Status)
			}
			if w.conn != nil {
				if next := w.ask(h.get("/gradio/user/next", bob)); next.StatusCode != 200 || next.Text != "user app: GET /next" {
					t.Errorf("after %d bytes the next answer is %s %q", size, next.Status, next.Text)
				}
			}
		}
	})
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the admin app", n)
	}
}

// An app may answer before it has read its upload. Whatever comes of the upload
// after that answer is still the upload, or nothing: no request.
func TestAttack10TheRestOfAnUploadIsNoRequest(t *testing.T) {
	h := newHouse(t, build{routes: tutorialRoutes + `
  - {path: /early, upstream: "` + newEarlyApp(t) + `", allow: authenticated}
`})
	bob, ada := h.as("bob").cookies(), h.as("ada").cookies()
	hidden := h.smuggled(ada)
	post := func(headers, body string) string {
		return "POST /early/x HTTP/1.1\r\nHost: " + h.host() + "\r\nCookie: " + bob + "\r\n" + headers + "\r\n\r\n" + body
	}
	for _, c := range []struct{ what, first, then string }{
		{"a length that is not reached", post("Content-Length: 5000", "abc"), hidden},
		{"a length that hides it", post("Content-Length: "+strconv.Itoa(5000+len(hidden)), strings.Repeat("x", 5000)), hidden},
		{"all of it at once", post("Content-Length: 5000", "abc"+hidden), ""},
		{"a length that was waited for", post("Content-Length: 5000\r\nExpect: 100-continue", ""), hidden},
		{"a chunk that does not end", post("Transfer-Encoding: chunked", "ffff\r\nabc"), hidden},
		{"chunks that do not end", post("Transfer-Encoding: chunked", "3\r\nabc\r\n"), hidden},
		{"a chunk that is none", post("Transfer-Encoding: chunked", "3\r\nabc\r\n"), "zz\r\n" + hidden},
		{"a chunk longer than it says", post("Transfer-Encoding: chunked", "3\r\nabc\r\n"), "1\r\nabc\r\n" + hidden},
		{"the end that is none", post("Transfer-Encoding: chunked", "3\r\nabc\r\n"), "0\r\nX\r\n\r\n" + hidden},
		{"a megabyte, and then", post("Content-Length: 9000000", strings.Repeat("x", 1<<20)), hidden},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := h.wire(t)
			conn := w.dial()
			go func() { _, _ = io.WriteString(conn, c.first) }() // more than a socket takes must not hold the reading up
			res, err := w.read("POST")
			for err == nil && res.StatusCode < 200 {
				res, err = w.read("POST")
			}
			if err != nil {
				return // an answer that nobody gets is the sender's loss
			}
			_, _ = io.WriteString(conn, c.then)
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			for {
				next, err := w.read("GET")
				if err != nil {
					break
				}
				if next.StatusCode < 400 {
					t.Errorf("after %s there was one more answer: %s %q", res.Status, next.Status, next.Text)
				}
			}
		})
	}
	t.Cleanup(func() { // behind the parallel ones
		for _, seen := range h.Admin.requests() {
			t.Errorf("the hidden request reached the admin app: %s", seen.Target)
		}
	})
}

// newEarlyApp answers every request as soon as it has seen its head, and returns
// its address.
func newEarlyApp(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
				_, _ = io.Copy(io.Discard, r)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// newTunnelApp switches to whatever protocol it is offered.
func newTunnelApp(t *testing.T) *bareApp {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if offered := r.Header.Get("Upgrade"); offered != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", offered)
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "plain")
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return &bareApp{URL: "http://" + listener.Addr().String()}
}
