package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Both transports send the same request, but for the order of its fields.
func TestBothTransportsSendTheSame(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(req *http.Request)
	}{
		{"a plain GET", func(req *http.Request) {}},
		{"a path as it was sent", func(req *http.Request) { req.URL.Path, req.URL.RawPath = "/a/b c", "/a%2Fb%20c" }},
		{"a query as it was sent", func(req *http.Request) { req.URL.RawQuery = "a=%zz&b;c=|^\"" }},
		{"an empty query", func(req *http.Request) { req.URL.ForceQuery = true }},
		{"no path", func(req *http.Request) { req.URL.Path = "" }},
		{"two slashes", func(req *http.Request) { req.URL.Path = "//a" }},
		{"OPTIONS *", func(req *http.Request) { req.Method, req.URL.Path = "OPTIONS", "*" }},
		{"another host", func(req *http.Request) { req.Host = "app.example.com:8080" }},
		{"values with spaces around", func(req *http.Request) { req.Header["X-A"] = []string{" b\t", "c"} }},
		{"an empty value", func(req *http.Request) { req.Header["X-A"] = []string{""} }},
		{"a name in lower case", func(req *http.Request) { req.Header["x-a"] = []string{"b"} }},
		{"framing in the header", func(req *http.Request) {
			req.Header["Content-Length"], req.Header["Transfer-Encoding"], req.Header["Trailer"], req.Header["Host"] = []string{"7"}, []string{"chunked"}, []string{"X"}, []string{"evil"}
		}},
		{"a User-Agent", func(req *http.Request) { req.Header.Set("User-Agent", "curl") }},
		{"Close", func(req *http.Request) { req.Close = true }},
		{"Connection: close", func(req *http.Request) { req.Header.Set("Connection", "close") }},
		{"an upgrade", func(req *http.Request) {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "websocket")
		}},
		{"a POST without a body", func(req *http.Request) { req.Method = "POST" }},
		{"a DELETE without a body", func(req *http.Request) { req.Method = "DELETE" }},
		{"no method", func(req *http.Request) { req.Method = "" }},
		{"NoBody", func(req *http.Request) { req.Method, req.Body = "PUT", http.NoBody }},
		{"a small body", withBody("POST", "hello", 5)},
		{"a body of 4,096 bytes", withBody("POST", strings.Repeat("x", 4096), 4096)},
		{"a body of 4,097 bytes", withBody("POST", strings.Repeat("x", 4097), 4097)},
		{"a large body", withBody("POST", strings.Repeat("0123456789", 20000), 200000)},
		{"a GET with a body", withBody("GET", "hello", 5)},
		{"a body of unknown length", withBody("POST", strings.Repeat("0123456789", 20000), -1)},
		{"a body of unknown length that is empty", withBody("POST", "", -1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan []string, 2)
			u := newUpstream(t, func(p *peer) {
				var raw strings.Builder
				p.in.Reset(io.TeeReader(p.TCPConn, &raw))
				if req, _ := p.whole(); req == nil {
					got <- nil
					return
				}
				got <- parts(raw.String())
				p.say("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			})
			var sent [2][]string
			for i, k := range kinds {
				req := request(t, "GET", u.url("/a"), nil)
				req.Header.Set("User-Agent", "")
				c.make(req)
				if o := ask(k.start(t, u.limits()), req); o.err != nil {
					t.Fatalf("%s: %v", k.name, o.err)
				}
				sent[i] = <-got
			}
			if sent[0] == nil || !slices.Equal(sent[0], sent[1]) {
				t.Errorf("http1 sent\n%q\nnet/http sent\n%q", sent[0], sent[1])
			}
		})
	}
}

func withBody(method, text string, length int64) func(*http.Request) {
	return func(req *http.Request) {
		req.Method, req.Body, req.ContentLength = method, io.NopCloser(strings.NewReader(text)), length
	}
}

// parts are the request line, the fields in order, and the body without chunks.
func parts(raw string) []string {
	head, rest, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.Sort(lines[1:])
	if strings.Contains(head, "chunked") {
		n := strings.Count(rest, "0123456789") // net/http's chunks are of other sizes
		return append(lines, itoa(n), rest[max(0, len(rest)-5):])
	}
	return append(lines, rest)
}

// A request that could be read as something else is not sent at all.
func TestARequestThatCouldBeReadOtherwiseIsRefused(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(req *http.Request) { req.Header[name] = []string{value} }
	}
	for _, c := range []struct {
		name    string
		make    func(req *http.Request)
		differs bool // http.Transport sends something
	}{
		{"CR LF in a value", header("X-A", "b\r\nX-Evil: 1"), false},
		{"LF in a value", header("X-A", "b\nX-Evil: 1"), false},
		{"CR in a value", header("X-A", "b\rX-Evil: 1"), false},
		{"NUL in a value", header("X-A", "b\x00"), false},
		{"CR LF in a name", header("X-A: b\r\nX-Evil", "1"), false},
		{"a space in a name", header("X A", "1"), false},
		{"a colon in a name", header("X-A:", "1"), false},
		{"an empty name", header("", "1"), false},
		{"CR LF in User-Agent", header("User-Agent", "a\r\nX-Evil: 1"), false},
		{"CR LF in the method", func(req *http.Request) { req.Method = "GET / HTTP/1.1\r\nX: y" }, false},
		{"CONNECT", func(req *http.Request) { req.Method = "CONNECT" }, true},
		{"CR LF in the host", func(req *http.Request) { req.Host = "a\r\nX-Evil: 1" }, true},
		{"a space in the host", func(req *http.Request) { req.Host = "a b" }, true},
		{"a zone in the host", func(req *http.Request) { req.Host = "[fe80::1%eth0]" }, true},
		{"a host outside ASCII", func(req *http.Request) { req.Host = "bücher.example" }, true},
		{"CR LF in the query", func(req *http.Request) { req.URL.RawQuery = "a HTTP/1.1\r\nX-Evil: 1" }, false},
		{"a space in the query", func(req *http.Request) { req.URL.RawQuery = "a HTTP/1.1" }, true},
		{"an opaque target", func(req *http.Request) { req.URL.Opaque = "//evil/ HTTP/1.1" }, true},
		{"a target that is no path", func(req *http.Request) { req.URL.Path = "a" }, true},
		{"https", func(req *http.Request) { req.URL.Scheme = "https" }, true},
		{"ftp", func(req *http.Request) { req.URL.Scheme = "ftp" }, false},
		{"no host", func(req *http.Request) { req.URL.Host = "" }, false},
		{"no header", func(req *http.Request) { req.Header = nil }, false},
		{"no URL", func(req *http.Request) { req.URL = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				if !k.lean && c.differs {
					return
				}
				u := newUpstream(t, func(p *peer) {
					if _, err := p.in.ReadByte(); err == nil {
						t.Error("a part of it was sent")
					}
				})
				req := request(t, "POST", u.url("/"), nil)
				closed := &closing{Reader: strings.NewReader("body"), closed: make(chan struct{})}
				req.Body, req.ContentLength = closed, 4
				c.make(req)
				if o := ask(k.start(t, u.limits()), req); o.err == nil {
					t.Error("it was sent")
				}
				within(t, "the closing of the body", closed.closed)
			})
		})
	}
}

// closing tells when a body is closed.
type closing struct {
	io.Reader
	closed chan struct{}
}

func (c *closing) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}

func TestAUnixSocket(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		path := socketPath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		})}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
		rt := k.start(t, limits{network: "unix", address: path, size: 1 << 20})
		for range 3 {
			req := request(t, "POST", "http://unix/", strings.NewReader("hello"))
			if got := ask(rt, req); got.Body != "hello" || got.err != nil {
				t.Fatalf("got %+v", got)
			}
		}
		if k.lean {
			if n := len(rt.(*Transport).idle.idle); n != 1 {
				t.Errorf("%d connections idle, want 1", n)
			}
		}
	})
}

func TestAnUpstreamThatIsNotThere(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		closed := &closing{Reader: strings.NewReader("body"), closed: make(chan struct{})}
		req := request(t, "POST", (&url.URL{Scheme: "http", Host: address, Path: "/"}).String(), closed)
		if got := ask(k.start(t, limits{network: "tcp", address: address}), req); got.err == nil {
			t.Error("there was an answer")
		}
		within(t, "the closing of the body", closed.closed)
	})
}

func TestARequestThatWasGivenUpBeforeItBegan(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) { t.Error("a connection was made") })
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(io.ErrNoProgress)
		closed := &closing{Reader: strings.NewReader("body"), closed: make(chan struct{})}
		req, _ := http.NewRequestWithContext(ctx, "POST", u.url("/"), closed)
		if got := ask(k.start(t, u.limits()), req); got.err != io.ErrNoProgress {
			t.Errorf("got %v, want the cause", got.err)
		}
		within(t, "the closing of the body", closed.closed)
	})
}
