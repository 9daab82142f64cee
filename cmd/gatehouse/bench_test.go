package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// A terse app answers every request with the same 1 KB and allocates nothing for
// it, so that what is measured is the proxy.
func terseApp(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nServer: uvicorn\r\n" +
		"Content-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(bytes.TrimSpace(line)) == 0 {
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// silence is a client that takes the answer and says nothing of it.
type silence struct {
	header http.Header
	status int
	size   int
}

func (s *silence) Header() http.Header         { return s.header }
func (s *silence) WriteHeader(status int)      { s.status = status }
func (s *silence) Write(p []byte) (int, error) { s.size += len(p); return len(p), nil }
func (s *silence) Flush()                      {}

// asked is a request as the server hands it over. Its context can end, as every
// client can.
func asked(t testing.TB, target, cookie string) *http.Request {
	raw := "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nAccept-Language: en\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nReferer: http://localhost/gradio/user/\r\n" +
		"Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: empty\r\nCookie: theme=dark; " + cookie + "\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "127.0.0.1:50000"
	return req.WithContext(t.Context())
}

// bareProxy is what Gatehouse is measured beside.
func bareProxy(app string) *httputil.ReverseProxy {
	target, _ := url.Parse(app)
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(target) },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256, DisableCompression: true,
		},
		FlushInterval: -1,
	}
}

func TestAWarmRequestAllocatesLittle(t *testing.T) {
	const most = 12 // more than a bare proxy
	app := terseApp(t)
	h := newHouse(t, build{replace: []string{"level: debug", "level: error"}, routes: manyRoutes(app, 1)})
	count := func(handler http.Handler, req *http.Request) float64 {
		w := &silence{header: make(http.Header)}
		return testing.AllocsPerRun(2000, func() {
			clear(w.header)
			handler.ServeHTTP(w, req)
			if w.status != http.StatusOK {
				t.Fatal(w.status)
			}
		})
	}
	bare := count(bareProxy(app), asked(t, "/gradio/user/info", ""))
	ours := count(h.instance.handler, asked(t, "/gradio/user/info", h.as("bob").cookies()))
	t.Logf("%.0f, and %.0f without sign-in and policy", ours, bare)
	if ours > bare+most {
		t.Errorf("%.0f allocations, %.0f of a bare proxy: %d more are too many", ours, bare, most)
	}
}

// BenchmarkRequest is a signed-in member's request through everything, beside
// the same through a bare httputil.ReverseProxy with a tuned http.Transport. The
// goal is in allocations: at most 12 over the bare one.
func BenchmarkRequest(b *testing.B) {
	app := terseApp(b)
	b.Run("bare", func(b *testing.B) {
		measure(b, bareProxy(app), asked(b, "/gradio/user/info", ""))
	})
	for _, routes := range []int{1, 10_000} {
		h := newHouse(b, build{replace: []string{"level: debug", "level: error"}, routes: manyRoutes(app, routes)})
		cookie := h.as("bob").cookies()
		b.Run(fmt.Sprintf("gatehouse/routes=%d", routes), func(b *testing.B) {
			measure(b, h.instance.handler, asked(b, "/gradio/user/info", cookie))
		})
	}
}

// manyRoutes is /gradio/user among others.
func manyRoutes(app string, n int) string {
	var y strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&y, "\n  - path: /apps/%d\n    upstream: %s\n    allow: [{roles: [Role %d]}]", i, app, i)
	}
	fmt.Fprintf(&y, "\n  - path: /gradio/user\n    upstream: %s\n    allow: authenticated\n", app)
	return y.String()
}

func measure(b *testing.B, h http.Handler, req *http.Request) {
	b.ReportAllocs()
	w := &silence{header: make(http.Header)}
	for b.Loop() {
		clear(w.header)
		w.size = 0
		h.ServeHTTP(w, req)
		if w.status != http.StatusOK || w.size != 1024 {
			b.Fatalf("%d, %d bytes", w.status, w.size)
		}
	}
}
