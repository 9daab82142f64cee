package http1

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A saying is what an upstream answers to one request, and what is to come of it.
type saying struct {
	name   string
	bytes  string
	method string // GET
	status int    // 0: no response
	body   string
	torn   bool // the body must not look whole
	reuse  bool // another request may go over the connection

	differs bool // http.Transport takes it, or keeps the connection
}

const ok = "HTTP/1.1 200 OK\r\n"

var sayings = []saying{
	{name: "a length", bytes: ok + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "length zero", bytes: ok + "Content-Length: 0\r\n\r\n", status: 200, reuse: true},
	{name: "the same length twice", bytes: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "two lengths", bytes: ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
	{name: "a list of lengths", bytes: ok + "Content-Length: 5, 5\r\n\r\nhello"},
	{name: "a negative length", bytes: ok + "Content-Length: -5\r\n\r\nhello"},
	{name: "a length with a plus", bytes: ok + "Content-Length: +5\r\n\r\nhello"},
	{name: "a hexadecimal length", bytes: ok + "Content-Length: 0x5\r\n\r\nhello"},
	{name: "a length beyond 63 bits", bytes: ok + "Content-Length: 9223372036854775808\r\n\r\nhello"},
	{name: "an empty length", bytes: ok + "Content-Length: \r\n\r\nhello"},
	{name: "a short body", bytes: ok + "Content-Length: 50\r\n\r\nhello", status: 200, body: "hello", torn: true},
	{name: "more than the length", bytes: ok + "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", status: 200, body: "hello"},
	{name: "chunks", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", status: 200, body: "hello world", reuse: true},
	{name: "chunks with an extension", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", status: 200, body: "hello", reuse: true},
	{name: "chunks without an end", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", status: 200, body: "hello", torn: true},
	{name: "chunks without the last line", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", status: 200, body: "hello", torn: true},
	{name: "a chunk of no size", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", status: 200, torn: true},
	{name: "a chunk of a negative size", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", status: 200, torn: true},
	{name: "a chunk of 65 bits", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", status: 200, torn: true},
	{name: "a chunk longer than said", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n", status: 200, body: "hello", torn: true},
	{name: "chunks after a bare LF", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", status: 200, torn: true},
	{name: "bytes after the last chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", status: 200, body: "hello"},
	{name: "trailers", bytes: ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", status: 200, body: "hello", reuse: true},
	{name: "a trailer that frames", bytes: ok + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n"},
	{name: "chunks twice over", bytes: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	{name: "chunks in gzip", bytes: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	{name: "identity", bytes: ok + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "chunks spelled otherwise", bytes: ok + "Transfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	{name: "chunks and a length", bytes: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", status: 200, body: "hello", differs: true},
	{name: "chunks from HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", differs: true},
	{name: "until the end", bytes: ok + "\r\nhello", status: 200, body: "hello"},
	{name: "Connection: close", bytes: ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
	{name: "Connection: Close among others", bytes: ok + "Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
	{name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
	{name: "HTTP/1.0 that keeps alive", bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, reuse: true},
	{name: "204 with a length", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", status: 204, differs: true},
	{name: "204 with a body", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", status: 204},
	{name: "204 in chunks", bytes: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", status: 204, differs: true},
	{name: "304 with a length", bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304, reuse: true},
	{name: "304 with a body", bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", status: 304},
	{name: "HEAD", method: "HEAD", bytes: ok + "Content-Length: 5\r\n\r\n", status: 200, differs: true},
	{name: "HEAD with a body", method: "HEAD", bytes: ok + "Content-Length: 5\r\n\r\nhello", status: 200},
	{name: "HEAD in chunks", method: "HEAD", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n", status: 200, differs: true},
	{name: "100 first", bytes: "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", differs: true},
	{name: "103 first", bytes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", differs: true},
	{name: "103 with a length", bytes: "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", differs: true},
	{name: "103 alone", bytes: "HTTP/1.1 103 Early Hints\r\n\r\n"},
	{name: "101 unasked", bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", differs: true},
	{name: "status 000", bytes: "HTTP/1.1 000 Nothing\r\nContent-Length: 5\r\n\r\nhello", differs: true},
	{name: "status 99", bytes: "HTTP/1.1 99 Little\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "status +20", bytes: "HTTP/1.1 +20 Plus\r\nContent-Length: 5\r\n\r\nhello", differs: true},
	{name: "status 2000", bytes: "HTTP/1.1 2000 Much\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "status 999", bytes: "HTTP/1.1 999 Odd\r\nContent-Length: 5\r\n\r\nhello", status: 999, body: "hello", reuse: true},
	{name: "no reason", bytes: "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "HTTP/2.0", bytes: "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", differs: true},
	{name: "HTTP/1.2", bytes: "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "HTTP/11", bytes: "HTTP/11 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "no HTTP", bytes: "220 mail.example.com ESMTP\r\n\r\n"},
	{name: "the preface of HTTP/2", bytes: "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff"},
	{name: "TLS", bytes: "\x15\x03\x01\x00\x02\x02\x16"},
	{name: "nothing", bytes: ""},
	{name: "a name with a space", bytes: ok + "Content Length: 5\r\n\r\nhello", differs: true},
	{name: "a space before the colon", bytes: ok + "Content-Length : 5\r\n\r\nhello", differs: true},
	{name: "a field without a colon", bytes: ok + "Content-Length 5\r\n\r\nhello"},
	{name: "a field without a name", bytes: ok + ": 5\r\n\r\nhello"},
	{name: "a NUL in a value", bytes: ok + "X-A: a\x00b\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "a CR in a value", bytes: ok + "X-A: a\rContent-Length: 5\r\n\r\nhello"},
	{name: "a first line that begins with a space", bytes: ok + " X-A: b\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "a folded line", bytes: ok + "X-A: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", differs: true},
	{name: "a folded length", bytes: ok + "Content-Length:\r\n 5\r\n\r\nhello", differs: true},
	{name: "bare LF", bytes: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", status: 200, body: "hello", reuse: true},
	{name: "an answer of 1,000 fields", bytes: ok + strings.Repeat("X-A: b\r\n", 1000) + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "a field of 64 KB", bytes: ok + "X-A: " + strings.Repeat("b", 64<<10) + "\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "bytes above ASCII", bytes: ok + "X-A: caf\xc3\xa9\xff\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", reuse: true},
	{name: "a large body", bytes: ok + "Content-Length: 100000\r\n\r\n" + strings.Repeat("0123456789", 10000), status: 200, body: strings.Repeat("0123456789", 10000), reuse: true},
	{name: "many small chunks", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 3000) + "0\r\n\r\n", status: 200, body: strings.Repeat("x", 3000), reuse: true},
	{name: "one large chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n18000\r\n" + strings.Repeat("x", 0x18000) + "\r\n0\r\n\r\n", status: 200, body: strings.Repeat("x", 0x18000), reuse: true},
}

func (s saying) request(t *testing.T, u *upstream) *http.Request {
	method := s.method
	if method == "" {
		method = "GET"
	}
	return request(t, method, u.url("/"), nil)
}

// check compares an outcome with what was to come.
func (s saying) check(t *testing.T, k kind, got outcome) {
	t.Helper()
	if s.status == 0 {
		if got.err == nil && (k.lean || !s.differs) {
			t.Fatalf("got %d %q, want an error", got.Status, got.Body)
		}
		return
	}
	if got.Status != s.status || got.Body != s.body || got.Whole == s.torn {
		t.Fatalf("got %d, %d bytes of body, whole %v (%v); want %d, %d bytes, whole %v",
			got.Status, len(got.Body), got.Whole, got.err, s.status, len(s.body), !s.torn)
	}
}

// A response is what it is however it was split on the way, and a connection is
// kept for exactly those that leave nothing open.
func TestWhateverAnUpstreamAnswers(t *testing.T) {
	for _, s := range sayings {
		t.Run(s.name, func(t *testing.T) {
			for _, split := range []string{"at once", "byte by byte"} {
				if split == "byte by byte" && len(s.bytes) > 1000 {
					continue
				}
				t.Run(split, func(t *testing.T) {
					both(t, func(t *testing.T, k kind) {
						said := make(chan struct{}, 3)
						u := newUpstream(t, func(p *peer) {
							if p.number > 0 {
								echo(p)
								return
							}
							if p.request() == nil {
								return
							}
							if split == "at once" {
								p.say(s.bytes)
							} else {
								p.spell(s.bytes)
							}
							said <- struct{}{}
							if s.status != 0 && (s.reuse || s.differs) {
								echo(p)
							}
						})
						rt := k.start(t, u.limits())
						s.check(t, k, ask(rt, s.request(t, u)))
						within(t, "the upstream's last word", said)
						if second := get(t, rt, u.url("/second")); (k.lean || s.reuse) && second.Body != "GET /second " {
							t.Fatalf("the second request got %+v", second)
						}
						if reused := u.connections() == 1; reused != s.reuse && k.lean { // net/http notices some of it only later
							t.Errorf("the connection was kept: %v", reused)
						}
					})
				})
			}
		})
	}
}

// However early an upstream breaks off, nothing half looks whole.
func TestAnAnswerCutAtEveryByte(t *testing.T) {
	for _, s := range sayings {
		if s.status == 0 || s.torn || len(s.bytes) > 300 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				n := 0
				u := newUpstream(t, func(p *peer) {
					if p.request() == nil {
						return
					}
					p.say(s.bytes[:p.number])
					if p.number%2 == 1 {
						_ = p.CloseWrite()
						p.hang()
					}
				})
				l := u.limits()
				for n = range len(s.bytes) {
					// A transport each, so that the number of the connection is
					// that of the byte.
					got := ask(k.start(t, l), s.request(t, u))
					if err := s.half(n, got); err != nil {
						t.Errorf("after %d bytes %q: %v", n, s.bytes[:n], err)
					}
				}
			})
		})
	}
}

// half says what is wrong with the outcome of the first n bytes.
func (s saying) half(n int, got outcome) error {
	head := strings.LastIndex(s.bytes, "\r\n\r\n") + 4
	if i := strings.Index(s.bytes, "200 OK\r\n"); i >= 0 {
		head = i + strings.Index(s.bytes[i:], "\r\n\r\n") + 4
	}
	if strings.Contains(s.bytes, "\n\n") {
		head = strings.Index(s.bytes, "\n\n") + 2
	}
	endless := !strings.Contains(s.bytes, "Content-Length") && (!strings.Contains(s.bytes, "chunked") || strings.HasPrefix(s.bytes, "HTTP/1.0"))
	bodiless := s.body == ""
	switch {
	case n < head && got.Status != 0:
		return fmt.Errorf("status %d before the header's end", got.Status)
	case n < head || endless:
		return nil
	case bodiless && !got.Whole && s.method != "HEAD":
		return fmt.Errorf("the whole of nothing: %v", got.err)
	case !bodiless && got.Whole && got.Body != s.body:
		return fmt.Errorf("%q looks whole", got.Body)
	case !strings.HasPrefix(s.body, got.Body):
		return fmt.Errorf("got %q", got.Body)
	}
	return nil
}

// Where both transports take a response they make the same of it.
func TestBothTransportsReadTheSame(t *testing.T) {
	for _, s := range sayings {
		t.Run(s.name, func(t *testing.T) {
			u := newUpstream(t, func(p *peer) {
				if p.request() != nil {
					p.say(s.bytes)
				}
			})
			var got []outcome
			for _, k := range kinds {
				got = append(got, ask(k.start(t, u.limits()), s.request(t, u)))
			}
			for _, o := range got {
				delete(o.Header, "Connection") // net/http drops it where it says close, and what else it names
			}
			if got[0].err != nil && (s.differs || got[1].err != nil) {
				return
			}
			if diff := cmp.Diff(got[1], got[0], cmpopts.IgnoreUnexported(outcome{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-net/http +http1\n%s", diff)
			}
		})
	}
}

func TestATrailerIsThereAfterTheBody(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say(ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Unsaid: 2\r\n\r\n")
		})
		got := get(t, k.start(t, u.limits()), u.url("/"))
		if diff := cmp.Diff(http.Header{"X-Sum": {"1"}, "X-Unsaid": {"2"}}, got.Trailer); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin string
		more  string
	}{
		{"in one line", ok + "X-A: ", strings.Repeat("b", 1000)},
		{"in many", ok, strings.Repeat("X-A: b\r\n", 100)},
		{"in the status line", "HTTP/1.1 200 ", strings.Repeat("b", 1000)},
		{"in a folded line", ok + "X-A: b\r\n", strings.Repeat(" b\r\n", 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				u := newUpstream(t, func(p *peer) {
					p.request()
					p.say(c.begin)
					for {
						if _, err := io.WriteString(p, c.more); err != nil {
							return
						}
					}
				})
				if got := get(t, k.start(t, u.limits()), u.url("/")); got.err == nil {
					t.Error("it was taken")
				}
			})
		})
	}
}

func TestInterimResponsesCannotGoOnForEver(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			p.request()
			for {
				if _, err := io.WriteString(p, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"); err != nil {
					return
				}
			}
		})
		if got := get(t, k.start(t, u.limits()), u.url("/")); got.err == nil {
			t.Error("an answer came of it")
		}
	})
}
