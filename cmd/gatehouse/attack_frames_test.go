package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A frames client speaks HTTP/2 frame by frame, so that it can say what no
// client library would.
type framesClient struct {
	t      *testing.T
	framer *http2.Framer
	conn   *tls.Conn
	enc    *hpack.Encoder
	buf    bytes.Buffer
	next   uint32
}

// An h2Answer is what came on a stream. Where the server reset the stream or
// ended the connection, status is "" and body says how.
type h2Answer struct {
	status string
	header map[string][]string
	body   string
}

// overHTTP2 serves the house's handler over TLS and HTTP/2.
func (h *house) overHTTP2(t *testing.T) *httptest.Server {
	server := httptest.NewUnstartedServer(h.instance.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func newFrames(t *testing.T, server *httptest.Server) *framesClient {
	t.Helper()
	return dialFrames(t, server.Listener.Addr().String(), server.Client().Transport.(*http.Transport).TLSClientConfig)
}

// dialFrames opens a connection and says no more on it than one must.
func dialFrames(t *testing.T, addr string, conf *tls.Config, settings ...http2.Setting) *framesClient {
	t.Helper()
	conf = conf.Clone()
	conf.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(40 * time.Second))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c := &framesClient{t: t, framer: http2.NewFramer(conn, conn), conn: conn, next: 1}
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.buf)
	if err := c.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return c
}

// block encodes name, value pairs as they are.
func (c *framesClient) block(fields ...string) []byte {
	c.buf.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(c.buf.Bytes())
}

// begin opens a stream with these headers; end says that there is no body. What
// fails in writing shows when the answer is read.
func (c *framesClient) begin(end bool, fields ...string) (stream uint32) {
	stream = c.next
	c.next += 2
	c.headers(stream, end, fields...)
	return stream
}

// headers sends a block of headers, or of trailers, on a stream.
func (c *framesClient) headers(stream uint32, end bool, fields ...string) {
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block(fields...), EndHeaders: true, EndStream: end})
}

// ask sends a request of name, value pairs as they are and returns its status,
// headers and body. A stream or connection that the server resets has status "".
func (c *framesClient) ask(fields ...string) (status string, header map[string][]string, body string) {
	c.t.Helper()
	a := c.answer(c.begin(true, fields...))
	return a.status, a.header, a.body
}

// answer reads frames until the stream has its answer.
func (c *framesClient) answer(stream uint32) h2Answer {
	a := h2Answer{header: map[string][]string{}}
	var text strings.Builder
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return h2Answer{body: err.Error()}
		}
		ended := false
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.framer.WriteSettingsAck()
			}
		case *http2.GoAwayFrame:
			return h2Answer{body: "GOAWAY " + f.ErrCode.String()}
		case *http2.RSTStreamFrame:
			if f.StreamID != stream {
				continue
			}
			if a.status != "" && f.ErrCode == http2.ErrCodeNo { // answered, and the rest is not wanted
				a.body = text.String()
				return a
			}
			return h2Answer{body: f.ErrCode.String()}
		case *http2.MetaHeadersFrame:
			if f.StreamID != stream {
				continue
			}
			for _, field := range f.Fields {
				if field.Name == ":status" {
					a.status = field.Value
				} else {
					a.header[field.Name] = append(a.header[field.Name], field.Value)
				}
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			if f.StreamID != stream {
				continue
			}
			text.Write(f.Data())
			ended = f.StreamEnded()
		}
		if ended {
			a.body = text.String()
			return a
		}
	}
}

// Servers differ on which host counts where a :path brings one along.
func TestAPathThatIsAWholeAddressIsRefusedOverHTTP2(t *testing.T) {
	h := newHouse(t, build{})
	server := h.overHTTP2(t)
	for path, want := range map[string]string{"/auth/health": "200", "http://evil.example/auth/health": "400", "https://" + h.host() + "/auth/health": "400"} {
		if status, _, _ := newFrames(t, server).ask(":method", "GET", ":scheme", "https", ":authority", h.host(), ":path", path); status != want {
			t.Errorf("%s: %s, want %s", path, status, want)
		}
	}
}
