package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve answers n requests of a connection as echo does.
func (p *peer) serve(n int) bool {
	for range n {
		req, body := p.whole()
		if req == nil {
			return false
		}
		answer := req.Method + " " + req.RequestURI + " " + body
		p.say(ok + "Content-Length: " + itoa(len(answer)) + "\r\n\r\n" + answer)
	}
	return true
}

// A connection that the upstream gave up, at whatever moment, costs a request
// only where sending it again could do something twice.
func TestAConnectionThatHadIdledFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		then    func(p *peer) // after the first request
		method  string
		body    func() io.Reader
		fails   bool
		differs bool // http.Transport
	}{
		{name: "closed before a GET", then: func(p *peer) {}, method: "GET"},
		{name: "closed before a POST", then: func(p *peer) {}, method: "POST", differs: true},
		{name: "closed before an upload", then: func(p *peer) {}, method: "POST", body: endless, differs: true},
		{name: "reset before a POST", then: (*peer).reset, method: "POST", differs: true},
		{name: "half closed before a POST", then: func(p *peer) { _ = p.CloseWrite(); p.hang() }, method: "POST", differs: true},
		{name: "a 408 before a POST", then: func(p *peer) { p.say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); p.hang() }, method: "POST", differs: true},
		{name: "a byte before a GET", then: func(p *peer) { p.say("H"); p.hang() }, method: "GET", differs: true},
		{name: "an answer before a GET", then: func(p *peer) { p.say(ok + "Content-Length: 4\r\n\r\nevil"); p.hang() }, method: "GET", differs: true},
		{name: "closed on a GET", then: func(p *peer) { p.request() }, method: "GET"},
		{name: "closed on a HEAD", then: func(p *peer) { p.request() }, method: "HEAD"},
		{name: "reset on a GET", then: func(p *peer) { p.request(); p.reset() }, method: "GET"},
		{name: "closed on a POST", then: func(p *peer) { p.request() }, method: "POST", fails: true, differs: true},
		{name: "closed on a small upload", then: func(p *peer) { p.request() }, method: "POST", body: small, fails: true},
		{name: "closed on a GET with a body", then: func(p *peer) { p.request() }, method: "GET", body: small, fails: true, differs: true},
		{name: "closed on a PUT", then: func(p *peer) { p.request() }, method: "PUT", fails: true},
		{name: "closed on a DELETE", then: func(p *peer) { p.request() }, method: "DELETE", fails: true},
		{name: "closed after a byte of the answer to a GET", then: func(p *peer) { p.request(); p.say("H") }, method: "GET", fails: true},
		{name: "closed after an interim answer to a GET", then: func(p *peer) { p.request(); p.say("HTTP/1.1 103 Early\r\n\r\n") }, method: "GET", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				if c.differs && !k.lean {
					return
				}
				gone := make(chan struct{})
				u := newUpstream(t, func(p *peer) {
					switch {
					case p.number > 0 && c.body != nil:
						p.request()
						p.say(ok + "Content-Length: 2\r\n\r\nok")
					case p.number > 0:
						p.serve(1)
					case p.serve(1):
						switch {
						case strings.Contains(c.name, "before"):
							time.AfterFunc(50*time.Millisecond, func() { close(gone) })
						default:
							close(gone)
						}
						c.then(p)
					}
				})
				rt := k.start(t, u.limits())
				if first := get(t, rt, u.url("/1")); first.err != nil {
					t.Fatal(first.err)
				}
				within(t, "the first answer", gone)
				var body io.Reader
				if c.body != nil {
					body = c.body()
				}
				got := ask(rt, request(t, c.method, u.url("/2"), body))
				if (got.err != nil) != c.fails || got.Body == "evil" {
					t.Errorf("got %+v %v", got, got.err)
				}
				if n := u.connections(); n != map[bool]int{true: 1, false: 2}[c.fails] {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

func small() io.Reader { return strings.NewReader("hello") }

// What fails on a new connection failed: to try for ever would hammer an
// upstream that is starting.
func TestANewConnectionIsTriedOnce(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			if p.number == 0 {
				p.serve(1)
			}
			p.request()
		})
		rt := k.start(t, u.limits())
		get(t, rt, u.url("/"))
		if got := get(t, rt, u.url("/")); got.err == nil {
			t.Error("an answer came")
		}
		if n := u.connections(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

func TestABodyThatIsNotReadToItsEndEndsTheConnection(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		closed := make(chan struct{})
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say(ok + "Content-Length: 1000000\r\n\r\nhello")
			p.hang()
			close(closed)
		})
		res, err := k.start(t, u.limits()).RoundTrip(request(t, "GET", u.url("/"), nil))
		if err != nil {
			t.Fatal(err)
		}
		var b [2]byte
		_, _ = io.ReadFull(res.Body, b[:])
		_ = res.Body.Close()
		within(t, "the end of the connection", closed)
		if n, err := res.Body.Read(b[:]); err == nil || n > 0 {
			t.Errorf("read %d bytes after Close", n)
		}
		_ = res.Body.Close()
	})
}

// A body that somebody holds on to reads nothing of the next response.
func TestABodyIsOverWhenItIsOver(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, echo)
		rt := k.start(t, u.limits())
		res, err := rt.RoundTrip(request(t, "GET", u.url("/1"), nil))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(res.Body)
		second, err := rt.RoundTrip(request(t, "GET", u.url("/2"), nil))
		if err != nil {
			t.Fatal(err)
		}
		var b [100]byte
		if n, err := res.Body.Read(b[:]); n > 0 || err == nil {
			t.Errorf("read %q of the second response", b[:n])
		}
		_ = res.Body.Close()
		text, err := io.ReadAll(second.Body)
		if string(text) != "GET /2 " || err != nil || u.connections() != 1 {
			t.Errorf("the second response is %q, %v, on %d connections", text, err, u.connections())
		}
	})
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say(ok + "\r\nhello")
			p.hang()
		})
		res, err := k.start(t, u.limits()).RoundTrip(request(t, "GET", u.url("/"), nil))
		if err != nil {
			t.Fatal(err)
		}
		var b [5]byte
		_, _ = io.ReadFull(res.Body, b[:])
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if n, err := res.Body.Read(b[:]); err == nil || err == io.EOF || n > 0 {
				t.Errorf("read %d bytes, %v", n, err)
			}
		}()
		_ = res.Body.Close()
		within(t, "the read", ended)
	})
}

// The idle pool is bounded in number and in time.
func TestIdleConnectionsRunOut(t *testing.T) {
	u := newUpstream(t, echo)
	dial := func(ctx context.Context) (net.Conn, error) { return u.limits().dial(ctx) }
	t.Run("in number", func(t *testing.T) {
		rt := New(Options{Dial: dial, MaxIdle: 2, IdleTimeout: time.Minute})
		t.Cleanup(rt.CloseIdleConnections)
		var bodies []io.ReadCloser
		for range 5 {
			res, err := rt.RoundTrip(request(t, "GET", u.url("/"), nil))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, res.Body)
		}
		for _, b := range bodies {
			_, _ = io.ReadAll(b)
		}
		if n := len(rt.idle.idle); n != 2 {
			t.Errorf("%d idle, want 2", n)
		}
	})
	t.Run("in time", func(t *testing.T) {
		ended := make(chan struct{})
		u := newUpstream(t, func(p *peer) {
			echo(p)
			close(ended)
		})
		rt := New(Options{Dial: func(ctx context.Context) (net.Conn, error) { return u.limits().dial(ctx) }, IdleTimeout: 30 * time.Millisecond})
		get(t, rt, u.url("/"))
		within(t, "the end of the idle connection", ended)
	})
	t.Run("on request", func(t *testing.T) {
		ended := make(chan struct{})
		u := newUpstream(t, func(p *peer) {
			echo(p)
			close(ended)
		})
		rt := New(Options{Dial: func(ctx context.Context) (net.Conn, error) { return u.limits().dial(ctx) }, IdleTimeout: time.Minute})
		get(t, rt, u.url("/"))
		rt.CloseIdleConnections()
		within(t, "the end of the idle connection", ended)
	})
	t.Run("and one too old is not taken though its timer is late", func(t *testing.T) {
		rt := New(Options{Dial: dial, IdleTimeout: time.Hour})
		get(t, rt, u.url("/"))
		c := rt.idle.idle[0]
		c.parked = c.parked.Add(-2 * time.Hour)
		if got := rt.idle.take(); got != nil {
			t.Error("it was taken")
		}
	})
}

// Whatever an upstream does, everybody gets their own answer or none.
func TestEverybodyGetsTheirOwnAnswer(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		var mu sync.Mutex
		turn := 0
		u := newUpstream(t, func(p *peer) {
			for {
				req, body := p.whole()
				if req == nil {
					return
				}
				mu.Lock()
				turn++
				what := turn % 11
				mu.Unlock()
				answer := req.RequestURI + " " + body
				if what == 9 && (!k.lean || len(answer) > 1000) {
					what = 0 // what comes behind has to come with it, or nobody can tell; http.Transport cannot always
				}
				switch what {
				case 3:
					return
				case 5:
					p.say(ok + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(answer)+10, answer))
					return
				case 7:
					p.say(ok + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(answer), answer))
				case 9:
					p.say(ok + fmt.Sprintf("Content-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", len(answer), answer))
				default:
					p.say(ok + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(answer), answer))
				}
			}
		})
		rt := k.start(t, u.limits())
		var people sync.WaitGroup
		for who := range 8 {
			people.Go(func() {
				for n := range 100 {
					ctx, cancel := context.WithCancel(context.Background())
					target, text := fmt.Sprintf("/%d/%d", who, n), strings.Repeat(fmt.Sprint(who, n), n*n)
					req, _ := http.NewRequestWithContext(ctx, "GET", u.url(target), nil)
					want := target + " "
					if n%3 == 0 {
						req, _ = http.NewRequestWithContext(ctx, "POST", u.url(target), strings.NewReader(text))
						want += text
					}
					if n%7 == 0 {
						time.AfterFunc(time.Duration(n)*time.Microsecond, cancel)
					}
					got := ask(rt, req)
					cancel()
					if got.Whole && got.Body != want {
						t.Errorf("%s got %.40q", target, got.Body)
					}
					if got.Status != 0 && !strings.HasPrefix(want, got.Body[:min(len(got.Body), len(want))]) {
						t.Errorf("%s got a part of another's: %.40q", target, got.Body)
					}
				}
			})
		}
		people.Wait()
	})
}

// A body that the caller cancels after its end does no harm to whoever has the
// connection by then.
func TestACancellationAfterTheEndConcernsNobody(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, echo)
		rt := k.start(t, u.limits())
		for n := range 50 {
			ctx, cancel := context.WithCancel(context.Background())
			req, _ := http.NewRequestWithContext(ctx, "GET", u.url("/"), nil)
			if got := ask(rt, req); got.err != nil {
				t.Fatalf("request %d: %v", n, got.err)
			}
			cancel()
		}
		if n := u.connections(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

var errGivenUp = errors.New("given up")
