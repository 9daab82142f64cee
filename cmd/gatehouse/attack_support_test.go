package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// The attack tests, one for each class of docs/security.md. They go over the
// wire, with bytes where a client library would tidy up, and look at what came
// out on the other side.

// A wire is a connection to the house on which requests are bytes.
type wire struct {
	t    *testing.T
	addr string
	tls  *tls.Config // nil: in the clear
	conn net.Conn
	r    *bufio.Reader
}

func (h *house) wire(t *testing.T) *wire {
	w := &wire{t: t, addr: h.Addr}
	t.Cleanup(w.close)
	return w
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// ask sends bytes that make one request and reads one answer, on the connection
// of the last request where that is still open.
func (w *wire) ask(request string) reply {
	w.t.Helper()
	_, _ = io.WriteString(w.dial(), request) // a server that refuses early may have closed
	method, _, _ := strings.Cut(request, " ")
	res, err := w.read(method)
	if err != nil {
		w.t.Fatalf("no answer to %.200q: %v", request, err)
	}
	if res.Close || !strings.HasPrefix(res.Proto, "HTTP/1.1") {
		w.close()
	}
	return res
}

// dial returns the connection, a new one where the last was closed.
func (w *wire) dial() net.Conn {
	w.t.Helper()
	if w.conn == nil {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			w.t.Fatal(err)
		}
		if w.tls != nil {
			conn = tls.Client(conn, w.tls)
		}
		w.conn, w.r = conn, bufio.NewReader(conn)
	}
	_ = w.conn.SetDeadline(time.Now().Add(20 * time.Second))
	return w.conn
}

// read reads the next answer.
func (w *wire) read(method string) (reply, error) {
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", res.Status, err)
	}
	return reply{res, string(body)}, nil
}

// host is the authority that the house is asked under.
func (h *house) host() string {
	_, host, _ := strings.Cut(h.URL, "://")
	return host
}

// get writes a GET request; headers are lines.
func (h *house) get(target, cookies string, headers ...string) string {
	return h.request("GET", target, cookies, headers...)
}

func (h *house) request(method, target, cookies string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, h.host())
	if cookies != "" {
		fmt.Fprintf(&b, "Cookie: %s\r\n", cookies)
	}
	for _, line := range headers {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// A bareApp is an app that keeps the bytes that reach it, which Go's server
// would tidy up.
type bareApp struct {
	URL string

	mu     sync.Mutex
	seen   []string
	answer string
}

func newBareApp(t *testing.T) *bareApp {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &bareApp{
		URL:    "http://" + listener.Addr().String(),
		answer: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbare",
	}
	var open sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close() })
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	})
	return a
}

func (a *bareApp) serve(conn net.Conn) {
	defer conn.Close()
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		a.mu.Lock()
		a.seen = append(a.seen, raw.String())
		answer := a.answer
		a.mu.Unlock()
		raw.Reset()
		if head, _, ok := strings.Cut(answer, "\r\n\r\n"); ok && req.Method == http.MethodHead {
			answer = head + "\r\n\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (a *bareApp) say(answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *bareApp) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.seen...)
}

// last returns the bytes of the last request.
func (a *bareApp) last(t *testing.T) string {
	t.Helper()
	all := a.requests()
	if len(all) == 0 {
		t.Fatal("nothing reached the app")
	}
	return all[len(all)-1]
}

// lines returns the header lines of a request whose name, as the most lenient
// server reads it, is the given one in lower case.
func lines(raw, name string) []string {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	var out []string
	for i, line := range strings.Split(head, "\r\n") {
		n, _, ok := strings.Cut(line, ":")
		n = strings.Map(func(c rune) rune {
			if strings.ContainsRune("_.!#$%&'*+^`|~", c) {
				return '-'
			}
			return c
		}, strings.ToLower(strings.TrimSpace(n)))
		if i > 0 && ok && n == name {
			out = append(out, line)
		}
	}
	return out
}

// reset forgets what was logged.
func (s *syncBuffer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = bytes.Buffer{}
}
