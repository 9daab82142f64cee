package proxy

import (
	"net/http"
	"testing"
)

// BenchmarkHeaderHygiene is what a browser's headers go through on their way to
// the app: what clients may not say goes, what Gatehouse says comes.
func BenchmarkHeaderHygiene(b *testing.B) {
	x := fuzzed(b)
	sent := http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "Content-Type": {"application/json"},
		"Cookie": {"theme=dark; gatehouse=" + "0123456789abcdef"}, "Referer": {"http://gate.example.test:8000/gradio/admin/"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, "X-Forwarded-User": {"forged"}, "X_forwarded_email": {"forged"},
		"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"empty"},
	}
	h := make(http.Header, len(sent)+16)
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		for name, values := range sent {
			h[name] = values
		}
		x.valued = 0
		stripRequest(h)
		stripConfigured(h, x.route.Headers)
		x.h.stripCookies(h)
		x.setForwarded(h)
		x.setIdentity(h)
		if h["X-Forwarded-User"][0] != "U2ada" || h["X_forwarded_email"] != nil {
			b.Fatal(h)
		}
	}
}
