package http1

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A script is a connection to an upstream that answers the first request with
// bytes, a few at a time, and closes.
type script struct {
	mu    sync.Mutex
	asked chan struct{}
	once  sync.Once
	rest  []byte
	step  int
}

func (s *script) Read(p []byte) (int, error) {
	<-s.asked
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.asked) })
	return len(p), nil
}

func (s *script) Close() error {
	s.once.Do(func() { close(s.asked) })
	return nil
}

func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// hear returns what a transport makes of an upstream's bytes.
func hear(k kind, method string, said []byte, step int) outcome {
	dial := func() (net.Conn, error) {
		return &script{asked: make(chan struct{}), rest: bytes.Clone(said), step: step}, nil
	}
	var rt http.RoundTripper = New(Options{Dial: func(context.Context) (net.Conn, error) { return dial() }})
	if !k.lean {
		rt = &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: 1 << 20,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	}
	req, _ := http.NewRequest(method, "http://a/", nil)
	got := ask(rt, req)
	if strings.EqualFold(got.Header.Get("Pragma"), "no-cache") {
		delete(got.Header, "Cache-Control") // net/http adds it
	}
	delete(got.Header, "Connection") // net/http drops it where it says close
	if method == http.MethodHead || got.Status == http.StatusNoContent || got.Status == http.StatusNotModified {
		delete(got.Header, "Content-Length") // without a body, http1 drops it beside Transfer-Encoding
	}
	return got
}

// Whatever an upstream says, and however it is split: http1 takes nothing that
// http.Transport refuses, and makes the same of what it takes.
func FuzzResponse(f *testing.F) {
	for _, s := range sayings {
		if len(s.bytes) < 2000 {
			f.Add([]byte(s.bytes), uint8(len(s.method)), uint8(200))
		}
	}
	f.Add([]byte(ok+"Pragma: no-cache\r\n\r\n"), uint8(0), uint8(1))
	f.Add([]byte(ok+"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n"), uint8(0), uint8(3))
	f.Add([]byte(ok+"X-A: "+strings.Repeat("b", 3000)+"\r\nContent-Length: 1\r\n\r\nx"), uint8(0), uint8(7))
	f.Add([]byte("HTTP/1.1 200 \nTrAnsfer-EnCoding:Chunked\n\n0\r\n\n"), uint8(0), uint8(200))
	f.Add([]byte(ok+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5"), uint8(1), uint8(200))
	f.Add([]byte(ok+"Transfer-Encoding: chunked\r\nTrailer:\r\n\r\n"), uint8(1), uint8(200))
	f.Add([]byte("HTTP/1.1 204 \nContent-Length:0\nTransfer-Encoding:Chunked\n\n"), uint8(';'), uint8(200))
	f.Fuzz(func(t *testing.T, said []byte, method, step uint8) {
		m := [...]string{"GET", "HEAD", "POST", "OPTIONS"}[method%4]
		lean := hear(kinds[0], m, said, int(step)+1)
		if again := hear(kinds[0], m, said, 1<<20); again.Whole != lean.Whole || again.Status != lean.Status || lean.Whole && again.Body != lean.Body {
			t.Fatalf("split: %+v\nnot split: %+v", lean, again)
		}
		if lean.Status == 0 {
			return
		}
		if lean.Status < 100 || lean.Status > 999 {
			t.Fatalf("status %d", lean.Status)
		}
		stock := hear(kinds[1], m, said, int(step)+1)
		if !lean.Whole {
			lean.Body, stock.Body, lean.Trailer, stock.Trailer, stock.Whole = "", "", nil, nil, false
		}
		if stock.Trailer != nil && lean.Whole && !stock.Whole {
			t.Logf("a trailer that net/http refuses: %v", stock.err)
		}
		if diff := cmp.Diff(stock, lean, cmpopts.IgnoreUnexported(outcome{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-net/http (%v) +http1 (%v)\n%s", stock.err, lean.err, diff)
		}
	})
}

// Whatever stands in a request, it is refused or read by net/http's server as
// exactly one request that says the same.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "a.example", "/a%2Fb", "c=d", "X-A", "b", "", int64(0))
	f.Add("POST", "a", "/", "", "Content-Length", "7", "hello", int64(5))
	f.Add("POST", "a", "/", "", "Transfer-Encoding", "chunked", "hello", int64(-1))
	f.Add("GET /x HTTP/1.1\r\nX: y", "a\r\nb", "/a b", "c d", "X: A", "b\r\nc", "", int64(0))
	f.Add("PUT", "a:80", "//", "?", "transfer-encoding", " chunked", "0\r\n\r\n", int64(5))
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, text string, length int64) {
		req, _ := http.NewRequest("GET", "http://a/", nil)
		req.Method, req.Host, req.URL.RawPath, req.URL.Path, req.URL.RawQuery = method, host, "", path, query
		req.Header[name] = []string{value}
		if text != "" {
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(text)), length
		}
		h, err := newHead(req)
		if err == nil {
			_, err = h.takeBody(req)
		}
		if err != nil {
			return
		}
		server := pipe(h.bytes)
		got, err := http.ReadRequest(server)
		if err != nil {
			return // the server refuses it; what matters is that it is not two
		}
		if strings.EqualFold(name, "Expect") || h.length != 0 {
			return
		}
		body, err := io.ReadAll(got.Body)
		if err != nil || string(body) != text || server.Buffered() > 0 {
			t.Errorf("%q was read as %q, %v, with %d bytes left", h.bytes, body, err, server.Buffered())
		}
		if want := req.URL.RequestURI(); path != "" && got.RequestURI != want {
			t.Errorf("target %q, want %q", got.RequestURI, want)
		}
		if n := len(got.Header) - len(req.Header); n > 2 {
			t.Errorf("%d fields more than were given: %q", n, h.bytes)
		}
	})
}
