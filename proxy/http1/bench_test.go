package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkRoundTrip is one request and its answer of 1 KB over a connection
// that is kept, the upstream's own cost included.
func BenchmarkRoundTrip(b *testing.B) {
	answer := strings.Repeat("x", 1024)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, answer)
	}))
	defer upstream.Close()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", upstream.Listener.Addr().String())
	}
	for _, transport := range []struct {
		name string
		http.RoundTripper
	}{
		{"http1", New(Options{Dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, "", "") }})},
		{"net/http", &http.Transport{DialContext: dial, DisableCompression: true}},
	} {
		for _, body := range []string{"", `{"data": [1, 2, 3]}`} {
			b.Run(transport.name+map[bool]string{true: "/get", false: "/post"}[body == ""], func(b *testing.B) {
				b.ReportAllocs()
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				buf := make([]byte, 4<<10)
				for b.Loop() {
					req, _ := http.NewRequestWithContext(ctx, "GET", upstream.URL, nil)
					if body != "" {
						req, _ = http.NewRequestWithContext(ctx, "POST", upstream.URL, strings.NewReader(body))
					}
					res, err := transport.RoundTrip(req)
					if err != nil {
						b.Fatal(err)
					}
					for err == nil {
						_, err = res.Body.Read(buf)
					}
					if err != io.EOF {
						b.Fatal(err)
					}
					_ = res.Body.Close()
				}
			})
		}
	}
}
