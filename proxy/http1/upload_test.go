package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func uploading(t *testing.T, u *upstream, body io.Reader, length int64) *http.Request {
	req := request(t, "POST", u.url("/"), io.MultiReader(body))
	req.ContentLength = length
	return req
}

// An answer that comes before the upload is over is the answer, and the end of
// the connection.
func TestAnAnswerWhileTheUploadGoesOn(t *testing.T) {
	for name, length := range map[string]int64{"of unknown length": -1, "of 1 GB": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				ended := make(chan struct{})
				u := newUpstream(t, func(p *peer) {
					p.request()
					p.say("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
					p.hang()
					close(ended)
				})
				rt := k.start(t, u.limits())
				closed := &closing{Reader: endless(), closed: make(chan struct{})}
				req := uploading(t, u, nil, length)
				req.Body = closed
				if got := ask(rt, req); got.Status != 413 || got.Body != "large" || !got.Whole {
					t.Errorf("got %+v %v", got, got.err)
				}
				within(t, "the end of the connection", ended)
				within(t, "the closing of the body", closed.closed)
				if k.lean && len(rt.(*Transport).idle.idle) > 0 {
					t.Error("the connection was kept")
				}
			})
		})
	}
}

// The upstream answers, closes, and resets what still comes.
func TestAnAnswerAndAResetWhileTheUploadGoesOn(t *testing.T) {
	k := kinds[0] // net/http loses the answer now and then
	for range 20 {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
		})
		if got := ask(k.start(t, u.limits()), uploading(t, u, endless(), -1)); got.Status != 413 && got.Status != 0 {
			t.Fatalf("got %+v %v", got, got.err)
		}
	}
}

func TestABodyThatGoesBothWays(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			req := p.request()
			p.say(ok + "Transfer-Encoding: chunked\r\n\r\n")
			lines := bufio.NewScanner(req.Body)
			for lines.Scan() {
				p.say("2\r\n" + lines.Text() + "\n\r\n")
			}
			p.say("0\r\n\r\n")
			echo(p)
		})
		rt := k.start(t, u.limits())
		r, w := io.Pipe()
		req := uploading(t, u, nil, -1)
		req.Body = r
		res, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		answer := bufio.NewReader(res.Body)
		for _, word := range []string{"a\n", "b\n", "c\n"} {
			_, _ = io.WriteString(w, word)
			if got, err := answer.ReadString('\n'); got != word || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		_ = w.Close()
		if rest, err := io.ReadAll(answer); len(rest) > 0 || err != nil {
			t.Errorf("got %q, %v", rest, err)
		}
		get(t, rt, u.url("/"))
		if n := u.connections(); k.lean && n != 2 {
			t.Errorf("%d connections, want 2: the answer began before the upload was over", n)
		}
	})
}

// What could not be read to its end never looks whole to the upstream.
func TestABodyThatBreaksOff(t *testing.T) {
	broken := errors.New("the client is gone")
	for _, c := range []struct {
		name   string
		body   func() io.Reader
		length int64
		want   error
	}{
		{"in chunks", func() io.Reader { return io.MultiReader(small(), failing{broken}) }, -1, broken},
		{"at once", func() io.Reader { return failing{broken} }, -1, broken},
		{"of known length", func() io.Reader { return io.MultiReader(small(), failing{broken}) }, 10, broken},
		{"large, of known length", func() io.Reader { return io.MultiReader(small(), failing{broken}) }, 10000, broken},
		{"shorter than announced", func() io.Reader { return small() }, 10, nil},
		{"shorter than announced, and large", func() io.Reader { return small() }, 10000, nil},
		{"longer than announced", func() io.Reader { return small() }, 4, nil},
		{"longer than announced, and large", func() io.Reader { return strings.NewReader(strings.Repeat("x", 10001)) }, 10000, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				got := make(chan error, 1)
				u := newUpstream(t, func(p *peer) {
					req := p.request()
					if req == nil {
						got <- io.ErrUnexpectedEOF
						return
					}
					_, err := io.ReadAll(req.Body)
					got <- err
				})
				req := uploading(t, u, nil, c.length)
				req.Body = io.NopCloser(c.body())
				o := ask(k.start(t, u.limits()), req)
				if o.err == nil || c.want != nil && !errors.Is(o.err, c.want) {
					t.Errorf("got %v, want %v", o.err, c.want)
				}
				if strings.Contains(c.name, "longer") || u.connections() == 0 {
					return // the upstream got what was announced, or nothing
				}
				if err := <-got; err == nil {
					t.Error("the upstream took it for whole")
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Expect: 100-continue (RFC 9110, section 10.1.1).
func TestABodyThatWaitsForA100(t *testing.T) {
	for _, c := range []struct {
		name   string
		talk   func(p *peer, req *http.Request)
		wait   time.Duration
		status int
		body   string
		sent   bool
	}{
		{"and gets it", func(p *peer, req *http.Request) {
			p.say("HTTP/1.1 100 Continue\r\n\r\n")
			text, _ := io.ReadAll(req.Body)
			p.say(ok + "Content-Length: 5\r\n\r\n" + string(text))
		}, 10 * time.Second, 200, "hello", true},
		{"and is refused", func(p *peer, req *http.Request) {
			p.say("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
		}, 10 * time.Second, 417, "no", false},
		{"in vain", func(p *peer, req *http.Request) {
			text, _ := io.ReadAll(req.Body)
			p.say(ok + "Content-Length: 5\r\n\r\n" + string(text))
		}, 50 * time.Millisecond, 200, "hello", true},
		{"and gets it twice", func(p *peer, req *http.Request) {
			p.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
			text, _ := io.ReadAll(req.Body)
			p.say(ok + "Content-Length: 5\r\n\r\n" + string(text))
		}, 10 * time.Second, 200, "hello", true},
		{"and another interim response first", func(p *peer, req *http.Request) {
			p.say("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
			text, _ := io.ReadAll(req.Body)
			p.say(ok + "Content-Length: 5\r\n\r\n" + string(text))
		}, 10 * time.Second, 200, "hello", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				u := newUpstream(t, func(p *peer) { c.talk(p, p.request()) })
				l := u.limits()
				l.expects = c.wait
				read := &noticed{Reader: small()}
				req := uploading(t, u, read, 5)
				req.Header.Set("Expect", "100-continue")
				got := ask(k.start(t, l), req)
				if got.Status != c.status || got.Body != c.body {
					t.Errorf("got %+v %v", got, got.err)
				}
				if k.lean && read.read.Load() != c.sent {
					t.Errorf("the body was read: %v", read.read.Load())
				}
			})
		})
	}
}

type noticed struct {
	io.Reader
	read atomic.Bool
}

func (n *noticed) Read(p []byte) (int, error) {
	n.read.Store(true)
	return n.Reader.Read(p)
}

// After a 101 the connection is the caller's: both ways, and half of it.
func TestAnUpgrade(t *testing.T) {
	for name, split := range map[string]bool{"the first bytes with the 101": false, "byte by byte": true} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, k kind) {
				ended := make(chan struct{})
				u := newUpstream(t, func(p *peer) {
					defer close(ended)
					p.request()
					text := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" + strings.Repeat("early", 1000)
					if split {
						p.spell(text[:200])
						text = text[200:]
					}
					p.say(text)
					_, _ = io.Copy(p, p.in)
				})
				req := request(t, "GET", u.url("/"), nil)
				req.Header.Set("Connection", "Upgrade")
				req.Header.Set("Upgrade", "echo")
				res, err := k.start(t, u.limits()).RoundTrip(req)
				if err != nil || res.StatusCode != 101 {
					t.Fatal(res, err)
				}
				tunnel := res.Body.(io.ReadWriteCloser)
				_, _ = io.WriteString(tunnel, "hello")
				if err := tunnel.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(tunnel)
				if want := strings.Repeat("early", 1000) + "hello"; string(text) != want || err != nil {
					t.Errorf("got %d bytes, want %d, %v", len(text), len(want), err)
				}
				_ = tunnel.Close()
				within(t, "the end", ended)
			})
		})
	}
}

func TestAnUpgradeThatIsRefused(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		u := newUpstream(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno")
			echo(p)
		})
		rt := k.start(t, u.limits())
		req := request(t, "GET", u.url("/"), nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		if got := ask(rt, req); got.Status != 426 || got.Body != "no" {
			t.Errorf("got %+v %v", got, got.err)
		}
		if got := get(t, rt, u.url("/2")); got.Body != "GET /2 " || u.connections() != 1 {
			t.Errorf("got %+v on %d connections", got, u.connections())
		}
	})
}
