package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/proxy/http1"
)

// limit is what the contract gives a close, 2 s, and as much again for a machine
// that has other things to do. crypto/tls alone would take 5.
const limit = 4 * time.Second

// ending is a line of the record of closed streams.
type ending struct {
	Key, Route string
	Kind       Kind
	Cause      Cause
}

// house is a registry behind a real reverse proxy and a real server. The client
// names its session in the header Session and its route in Route.
type house struct {
	*Registry
	t      *testing.T
	url    string
	front  *httptest.Server
	opened chan *Stream
	closed chan ending
	active chan struct{}
	stays  bool // event streams stay with their handler

	mu      sync.Mutex
	logged  strings.Builder
	expires time.Time
	recheck func(*Stream) Cause
}

type option func(*house, *httptest.Server)

// staying is an upstream that speaks TLS, say, whose streams stay with their handler.
func staying(h *house, _ *httptest.Server) { h.stays = true }

func overTLS(h *house, srv *httptest.Server) {
	srv.Listener = FirmDeadlines(srv.Listener)
	srv.StartTLS()
}

func overHTTP2(h *house, srv *httptest.Server) {
	srv.EnableHTTP2 = true
	overTLS(h, srv)
}

func newHouse(t *testing.T, upstream http.HandlerFunc, options ...option) *house {
	t.Helper()
	h := &house{
		t:      t,
		opened: make(chan *Stream, 1000),
		closed: make(chan ending, 1000),
		active: make(chan struct{}, 100),
	}
	h.Registry = NewRegistry(Config{
		Recheck: func(s *Stream) Cause {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.recheck == nil {
				return ""
			}
			return h.recheck(s)
		},
		Opened: func(s *Stream) { h.opened <- s },
		Closed: func(s *Stream, cause Cause) { h.closed <- ending{s.Key(), s.Route(), s.Kind(), cause} },
	})
	back := httptest.NewServer(upstream)
	h.front = httptest.NewUnstartedServer(h.handler(back.URL))
	h.front.Config.ErrorLog = log.New(h, "", 0)
	for _, o := range options {
		o(h, h.front)
	}
	if h.front.URL == "" {
		h.front.Start()
	}
	h.url = h.front.URL
	t.Cleanup(func() {
		h.front.CloseClientConnections()
		back.CloseClientConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := h.Wait(ctx); err != nil {
			t.Error("requests are left in the registry:", h.Counts())
		}
		h.front.Close()
		back.Close()
	})
	return h
}

func (h *house) handler(upstream string) http.Handler {
	target, _ := url.Parse(upstream)
	transport := http1.New(http1.Options{Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target.Host)
	}})
	h.t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite:       func(pr *httputil.ProxyRequest) { pr.SetURL(target) },
		ErrorLog:      log.New(h, "", 0),
		ModifyResponse: func(res *http.Response) error {
			if h.stays {
				res.Body = struct{ io.ReadCloser }{res.Body}
			}
			return From(res.Request.Context()).Respond(res)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if err == ErrLeft {
				return
			}
			if cause := From(r.Context()).Cause(); cause != "" {
				w.WriteHeader(cause.Status())
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := h.Begin(w, r, About{
			Key:     r.Header.Get("Session"),
			Route:   r.Header.Get("Route"),
			Expires: h.expires,
			Active:  func() { h.active <- struct{}{} },
		})
		defer s.End()
		proxy.ServeHTTP(s.ResponseWriter(), s.Request())
	})
}

// Write takes what the reverse proxy and the server log.
func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logged.Write(p)
}

func (h *house) log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logged.String()
}

// get opens a stream of a session through the house.
func (h *house) get(session, path string) *http.Response {
	h.t.Helper()
	req, _ := http.NewRequest("GET", h.url+path, nil)
	req.Header.Set("Session", session)
	res, err := h.front.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { res.Body.Close() })
	return res
}

// raw sends a request by hand.
func (h *house) raw(head string) net.Conn {
	h.t.Helper()
	var c net.Conn
	var err error
	address := h.front.Listener.Addr().String()
	if h.front.TLS != nil {
		c, err = tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	} else {
		c, err = net.Dial("tcp", address)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came:", what)
		panic("unreachable")
	}
}

func (h *house) waitOpened() *Stream {
	h.t.Helper()
	return receive(h.t, "a stream that opens", h.opened)
}

// waitCut waits until a close has taken hold of the stream: Close itself does
// not wait, and until then the app's bytes pass.
func (h *house) waitCut(s *Stream) {
	h.t.Helper()
	held := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.body.mu.Lock()
		defer s.body.mu.Unlock()
		return s.body.flow != flowing || s.conn != nil && s.conn.cutting.Load()
	}
	for deadline := time.Now().Add(5 * time.Second); !held(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("the close does not take hold")
		}
	}
}

func (h *house) wantClosed(want ending) {
	h.t.Helper()
	if got := receive(h.t, "a stream that closes", h.closed); got != want {
		h.t.Errorf("closed %+v, want %+v", got, want)
	}
}

// within fails the test when f takes longer than limit.
func within(t *testing.T, f func()) time.Duration {
	t.Helper()
	began := time.Now()
	f()
	took := time.Since(began)
	if took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
	return took
}

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("after %q: %v", line, err)
	}
	return strings.TrimRight(line, "\r\n")
}

// events answers with an event stream: the first event at once, then what is
// sent on more. It ends with the request.
func events(more <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, "data: hello\n\n")
		w.(http.Flusher).Flush()
		for {
			select {
			case text := <-more:
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}
