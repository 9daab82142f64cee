package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// A request can be given up at every point; the error says so, and the
// connection is closed.
func TestARequestIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name string
		talk func(p *peer, reached func())
		make func(req *http.Request)
	}{
		{"while the header is awaited", func(p *peer, reached func()) { p.request(); reached() }, nil},
		{"in the middle of the header", func(p *peer, reached func()) { p.request(); p.say(ok + "X-A"); reached() }, nil},
		{"between an interim response and the final one", func(p *peer, reached func()) { p.request(); p.say("HTTP/1.1 103 Early\r\n\r\n"); reached() }, nil},
		{"in the middle of the body", func(p *peer, reached func()) { p.request(); p.say(ok + "Content-Length: 50\r\n\r\nhello"); reached() }, nil},
		{"in the middle of a chunk", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello")
			reached()
		}, nil},
		{"in the middle of the trailer", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: ")
			reached()
		}, nil},
		{"while an upload is not read", func(p *peer, reached func()) { p.request(); reached() },
			func(req *http.Request) { req.Method, req.Body = "POST", io.NopCloser(endless()) }},
		{"while an upload goes on and the answer comes", func(p *peer, reached func()) {
			p.request()
			p.say(ok + "Content-Length: 50\r\n\r\nhello")
			reached()
		}, func(req *http.Request) { req.Method, req.Body = "POST", io.NopCloser(endless()) }},
		{"while the 100 is awaited", func(p *peer, reached func()) { p.request(); reached() },
			func(req *http.Request) {
				req.Method, req.Body = "POST", io.NopCloser(endless())
				req.Header.Set("Expect", "100-continue")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				reached, ended := make(chan struct{}), make(chan struct{})
				u := newUpstream(t, func(p *peer) {
					c.talk(p, func() { close(reached) })
					if strings.Contains(c.name, "not read") {
						<-ended
						return
					}
					p.hang()
				})
				ctx, cancel := context.WithCancelCause(context.Background())
				req, _ := http.NewRequestWithContext(ctx, "GET", u.url("/"), nil)
				if c.make != nil {
					c.make(req)
				}
				rt := k.start(t, u.limits())
				var got outcome
				go func() {
					got = ask(rt, req)
					close(ended)
				}()
				within(t, "the point", reached)
				cancel(errGivenUp)
				within(t, "the end", ended)
				if !errors.Is(got.err, errGivenUp) {
					t.Errorf("got %v", got.err)
				}
				if k.lean && len(rt.(*Transport).idle.idle) > 0 {
					t.Error("the connection was kept")
				}
			})
		})
	}
}

func TestADialIsGivenUp(t *testing.T) {
	dialing := make(chan struct{})
	rt := New(Options{Dial: func(ctx context.Context) (net.Conn, error) {
		close(dialing)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancelCause(context.Background())
	closed := &closing{Reader: strings.NewReader("x"), closed: make(chan struct{})}
	req, _ := http.NewRequestWithContext(ctx, "POST", "http://a/", closed)
	go func() {
		<-dialing
		cancel(errGivenUp)
	}()
	if _, err := rt.RoundTrip(req); err != errGivenUp {
		t.Errorf("got %v", err)
	}
	within(t, "the closing of the body", closed.closed)
}

func TestAHeaderThatDoesNotComeInTime(t *testing.T) {
	const limit = 100 * time.Millisecond
	for _, c := range []struct {
		name string
		talk func(p *peer)
		body func() io.Reader
		late bool
	}{
		{"nothing", func(p *peer) { p.request(); p.hang() }, nil, true},
		{"half of it", func(p *peer) { p.request(); p.say(ok); p.hang() }, nil, true},
		{"an interim response", func(p *peer) { p.request(); p.say("HTTP/1.1 103 Early\r\n\r\n"); p.hang() }, nil, true},
		{"nothing, after a small upload", func(p *peer) { p.whole(); p.hang() }, small, true},
		{"nothing, after an upload", func(p *peer) { p.whole(); p.hang() }, func() io.Reader { return io.MultiReader(small()) }, true},
		{"the header in time and the body late", func(p *peer) {
			p.request()
			p.say(ok + "Content-Length: 5\r\n\r\n")
			time.Sleep(2 * limit)
			p.say("hello")
		}, nil, false},
		{"an upload that takes longer than the limit", func(p *peer) {
			p.whole()
			p.say(ok + "Content-Length: 5\r\n\r\nhello")
		}, func() io.Reader { return io.MultiReader(small(), slow(2*limit), small()) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				u := newUpstream(t, c.talk)
				l := u.limits()
				l.header = limit
				req := request(t, "GET", u.url("/"), nil)
				if c.body != nil {
					req = request(t, "POST", u.url("/"), c.body())
				}
				got := ask(k.start(t, l), req)
				var timeout net.Error
				if late := errors.As(got.err, &timeout) && timeout.Timeout(); late != c.late || !late && got.Body != "hello" {
					t.Errorf("got %+v %v", got, got.err)
				}
			})
		})
	}
}

// slow is a reader that takes its time for nothing.
type slow time.Duration

func (d slow) Read([]byte) (int, error) {
	time.Sleep(time.Duration(d))
	return 0, io.EOF
}

// A connection that carried a request with a limit has none left over.
func TestALimitDoesNotOutliveItsRequest(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, echo)
		l := u.limits()
		l.header = 100 * time.Millisecond
		rt := k.start(t, l)
		for range 3 {
			if got := ask(rt, request(t, "POST", u.url("/"), io.MultiReader(small()))); got.err != nil {
				t.Fatal(got.err)
			}
			time.Sleep(60 * time.Millisecond)
		}
		if n := u.connections(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestInterimResponsesAreTold(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello")
		})
		var told []string
		req := request(t, "GET", u.url("/"), nil)
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				told = append(told, itoa(code)+h.Get("Link"))
				return nil
			},
		}))
		if got := ask(k.start(t, u.limits()), req); got.Body != "hello" || strings.Join(told, " ") != "103</a> 102" {
			t.Errorf("got %+v, told %q", got, told)
		}
	})
}
