package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A breaking connection fails its second write after so many bytes.
type breaking struct {
	*net.TCPConn
	after  int
	writes int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.writes++; b.writes != 2 {
		return b.TCPConn.Write(p)
	}
	n := min(b.after, len(p))
	_, _ = b.TCPConn.Write(p[:n])
	return n, syscall.EPIPE
}

// What a write that failed says of how much was taken decides whether the
// request may be sent anew.
func TestAWriteThatFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		body   string
		after  int
		again  bool
	}{
		{"of a GET, nothing sent", "GET", "", 0, true},
		{"of a GET, a part sent", "GET", "", 5, true},
		{"of a POST, nothing sent", "POST", "hello", 0, true},
		{"of a POST, a byte sent", "POST", "hello", 1, false},
		{"of a DELETE, nothing sent", "DELETE", "", 0, true},
		{"of a DELETE, a part sent", "DELETE", "", 5, false},
		{"of an upload, nothing sent", "POST", strings.Repeat("x", 5000), 0, true},
		{"of an upload, a part sent", "POST", strings.Repeat("x", 5000), 9, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUpstream(t, echo)
			dialled := 0
			rt := New(Options{Dial: func(ctx context.Context) (net.Conn, error) {
				raw, err := u.limits().dial(ctx)
				if dialled++; err != nil || dialled > 1 {
					return raw, err
				}
				return &breaking{TCPConn: raw.(*net.TCPConn), after: c.after}, nil
			}, IdleTimeout: time.Minute})
			t.Cleanup(rt.CloseIdleConnections)
			if first := get(t, rt, u.url("/1")); first.err != nil {
				t.Fatal(first.err)
			}
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			got := ask(rt, request(t, c.method, u.url("/2"), body))
			if again := got.Body == c.method+" /2 "+c.body; again != c.again || again != (got.err == nil) {
				t.Errorf("got %.40q %v", got.Body, got.err)
			}
			if n := u.connections(); n != map[bool]int{true: 2, false: 1}[c.again] {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A client may take longer over its few bytes than an upstream keeps an idle
// connection: the request finds one that lives.
func TestASmallBodyThatComesLate(t *testing.T) {
	gone := make(chan struct{})
	u := newUpstream(t, func(p *peer) {
		if p.number == 0 {
			p.serve(1)
			_ = p.Close()
			close(gone)
			return
		}
		echo(p)
	})
	rt := kinds[0].start(t, u.limits())
	c, err := net.Dial("tcp", u.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// An idle connection, still open as the request takes it.
	idle := newConn(c)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	rt.(*Transport).idle.put(idle)
	req := request(t, "POST", u.url("/late"), nil)
	req.ContentLength = 5
	req.Body = io.NopCloser(&late{Reader: small(), until: gone})
	if got := ask(rt, req); got.Body != "POST /late hello" {
		t.Errorf("got %+v %v", got, got.err)
	}
}

// late is a body that begins only then.
type late struct {
	io.Reader
	until chan struct{}
}

func (l *late) Read(p []byte) (int, error) {
	<-l.until
	return l.Reader.Read(p)
}

// Nobody has to wait for a client that says nothing when the upstream is gone,
// as http.Transport does.
func TestAnUpstreamThatGoesWhileTheClientIsSilent(t *testing.T) {
	u := newUpstream(t, func(p *peer) { p.request() })
	rt := kinds[0].start(t, u.limits())
	silent := make(chan struct{})
	defer close(silent)
	req := request(t, "POST", u.url("/"), nil)
	req.Body, req.ContentLength = io.NopCloser(&late{Reader: small(), until: silent}), 5000
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if got := ask(rt, req); got.err == nil {
			t.Errorf("got %+v", got)
		}
	}()
	within(t, "the error", ended)
}

// An upstream that has answered may take the rest of an upload for another
// request: nobody else's may follow it on that connection.
func TestAnEarlyAnswerEndsTheConnectionThoughAllWasSent(t *testing.T) {
	answered := make(chan struct{})
	u := newUpstream(t, func(p *peer) {
		req := p.request()
		if p.number == 0 {
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
			<-answered
			_, _ = io.Copy(io.Discard, req.Body)
			p.say("0\r\n\r\n")
			echo(p)
			return
		}
		p.say(ok + "Content-Length: 3\r\n\r\nnew")
	})
	rt := kinds[0].start(t, u.limits())
	rest := make(chan struct{})
	req := request(t, "POST", u.url("/"), nil)
	req.Body, req.ContentLength = io.NopCloser(io.MultiReader(small(), &late{Reader: small(), until: rest})), -1
	res, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	close(rest)
	close(answered)
	if text, err := io.ReadAll(res.Body); string(text) != "ok" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if got := get(t, rt, u.url("/")); got.Body != "new" {
		t.Errorf("the next request got %+v %v", got, got.err)
	}
}

// An upgrade with a body leaves open where the new protocol begins.
func TestAnUpgradeWithABodyIsNone(t *testing.T) {
	for _, length := range []int64{5, -1} {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			p.hang()
		})
		req := request(t, "POST", u.url("/"), nil)
		req.Body, req.ContentLength = io.NopCloser(small()), length
		req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
		if got := ask(kinds[0].start(t, u.limits()), req); got.err == nil {
			t.Errorf("length %d: got %+v", length, got)
		}
	}
}
