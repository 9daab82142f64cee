package main

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A body that the client breaks is the client's fault: it is answered so, and is
// no error of the operator's. What the upstream breaks stays the upstream's. Of a
// client that goes in the middle there is nobody left to answer, but for the log.
func TestABrokenUploadIsTheClientsFault(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/break" {
			panic(http.ErrAbortHandler)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "took it")
	})
	secure := httptest.NewTLSServer(answer)
	defer secure.Close()
	plain := httptest.NewServer(answer)
	defer plain.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, build{routes: `
  - {path: /plain, upstream: "` + plain.URL + `", allow: authenticated, max_body: 200000}
  - {path: /secure, upstream: "` + secure.URL + `", ca_file: "` + ca + `", allow: authenticated}
  - {path: /two, upstream: ["` + plain.URL + `", "http://localhost:1"], allow: authenticated}
`})
	bob := h.as("bob").cookies()
	const chunked = "Transfer-Encoding: chunked"
	for _, path := range []string{"/plain", "/secure", "/two"} {
		for _, c := range []struct {
			what, target, framing, body string
			status                      int
		}{
			{"whole", "/x", chunked, "3\r\nabc\r\n0\r\n\r\n", 200},
			{"a chunk size that is none", "/x", chunked, "zz\r\nabc", 400},
			{"a chunk longer than it says", "/x", chunked, "1\r\nabc\r\n0\r\n\r\n", 400},
			{"chunks that end early", "/x", chunked, "3\r\nabc\r\n", 499},
			{"a chunk that ends early", "/x", chunked, "ffff\r\nabc", 499},
			{"an extension without an end", "/x", chunked, "3" + strings.Repeat(";x=y", 20_000), 400},
			{"a trailer without an end", "/x", chunked, "3\r\nabc\r\n0\r\n" + strings.Repeat("X: y\r\n", 5_000), 400},
			{"a small length that is not reached", "/x", "Content-Length: 10", "abc", 499},
			{"a large length that is not reached", "/x", "Content-Length: 100000", strings.Repeat("x", 50_000), 499},
			{"an app that breaks off", "/break", "Content-Length: 3", "abc", 502},
		} {
			t.Run(path[1:]+", "+c.what, func(t *testing.T) {
				h.Log.reset()
				w := h.wire(t)
				conn := w.dial()
				_, _ = io.WriteString(conn, "POST "+path+c.target+" HTTP/1.1\r\nHost: "+h.host()+"\r\nCookie: "+bob+"\r\n"+c.framing+"\r\n\r\n"+c.body)
				if c.status == 499 {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
				res, err := w.read("POST")
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != c.status {
					t.Errorf("got %s %q", res.Status, res.Text)
				}
				if logged := strings.Contains(h.Log.String(), `"level":"ERROR"`); logged != (c.status >= 500) {
					t.Errorf("an error was logged: %v", logged)
				}
				if c.status == 400 && (!res.Close || !strings.HasPrefix(res.Text, `{"detail":"The upload`)) {
					t.Errorf("connection closed: %v; %q", res.Close, res.Text)
				}
			})
		}
	}
}
