package stream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// alone opens an event stream and waits until it has left its handler.
func (h *house) alone() (*Stream, *http.Response, *bufio.Reader) {
	h.t.Helper()
	res := h.get("ada", "/events")
	s := h.waitOpened()
	body := bufio.NewReader(res.Body)
	for _, want := range []string{"data: hello", ""} {
		if got := readLine(h.t, body); got != want {
			h.t.Fatalf("got %q, want %q", got, want)
		}
	}
	for deadline := time.Now().Add(After + 10*time.Second); !s.Left(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("it stays")
		}
	}
	return s, res, body
}

func TestAnEventStreamThatHasLeftItsHandler(t *testing.T) {
	transports := map[string][]option{"plain": nil, "TLS": {overTLS}}
	cases := []struct {
		name string
		do   func(h *house, more chan<- string, s *Stream, res *http.Response) Cause
		rest string
		torn bool
	}{
		{"is closed cleanly while it is idle",
			func(h *house, _ chan<- string, s *Stream, _ *http.Response) Cause {
				h.CloseSession("ada", SignOut)
				return SignOut
			}, "", false},
		{"is closed after the event under way",
			func(h *house, more chan<- string, s *Stream, _ *http.Response) Cause {
				more <- "data: one\n\ndata: tw"
				time.Sleep(50 * time.Millisecond)
				s.Close(RoleLost)
				h.waitCut(s)
				more <- "o\n\ndata: three\n\n"
				return RoleLost
			}, "data: one\n\ndata: two\n\n", false},
		{"goes on, and ends when the app ends it",
			func(h *house, more chan<- string, _ *Stream, _ *http.Response) Cause {
				more <- "data: one\n\n"
				more <- "data: " + strings.Repeat("x", 3*aloneBuffer) + "\n\n"
				close(more)
				return Ended
			}, "data: one\n\ndata: " + strings.Repeat("x", 3*aloneBuffer) + "\n\n", false},
		{"is torn when the app breaks off",
			func(h *house, more chan<- string, _ *Stream, _ *http.Response) Cause {
				more <- "data: one\n\n"
				more <- "break"
				return UpstreamGone
			}, "data: one\n\n", true},
		{"ends with its client",
			func(h *house, _ chan<- string, _ *Stream, res *http.Response) Cause {
				_ = res.Body.Close()
				return ClientGone
			}, "", true},
	}
	for _, c := range cases {
		for name, options := range transports {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				more, gone := make(chan string), make(chan struct{})
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					defer close(gone)
					ended := false
					eventsUntil(more, &ended)(w, r)
					if !ended && r.Context().Err() == nil {
						panic(http.ErrAbortHandler)
					}
				}, options...)
				s, res, body := h.alone()
				cause := c.do(h, more, s, res)
				if cause != ClientGone {
					rest, err := io.ReadAll(body)
					if string(rest) != c.rest || (err != nil) != c.torn {
						t.Errorf("got %q and %v, want %q", rest, err, c.rest)
					}
				}
				h.wantClosed(ending{"ada", "", SSE, cause})
				receive(t, "the end of the upstream's request", gone)
			})
		}
	}
}

// eventsUntil is events, and ends when more is closed or says "break".
func eventsUntil(more <-chan string, ended *bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: hello\n\n")
		w.(http.Flusher).Flush()
		for {
			select {
			case text, ok := <-more:
				if !ok || text == "break" {
					*ended = !ok
					return
				}
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestNoByteIsLostWhenAStreamLeaves(t *testing.T) {
	t.Parallel()
	const events = 1000
	want := new(strings.Builder)
	want.WriteString("data: hello\n\n")
	for i := range events {
		fmt.Fprintf(want, "data: %d %s\n\n", i, strings.Repeat("y", i%97))
	}
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		text := want.String()
		step := len(text) / events
		pause := time.NewTicker(After * 3 / 2 / events)
		defer pause.Stop()
		for len(text) > 0 {
			n := min(step, len(text))
			io.WriteString(w, text[:n])
			w.(http.Flusher).Flush()
			text = text[n:]
			<-pause.C
		}
	})
	res := h.get("ada", "/")
	s := h.waitOpened()
	got, err := io.ReadAll(res.Body)
	if err != nil || string(got) != want.String() {
		t.Errorf("%d bytes of %d, %v", len(got), want.Len(), err)
	}
	h.wantClosed(ending{"ada", "", SSE, Ended})
	if !s.Left() || s.Carried() == 0 || s.Carried() > int64(want.Len()) {
		t.Errorf("left: %t, with %d bytes to come", s.Left(), s.Carried())
	}
}

func TestAStreamThatHasLeftIsNotHeldByAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := make(chan struct{})
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.(http.Flusher).Flush()
				<-full
				flood("text/event-stream")(w, r)
			}, options...)
			h.raw("GET / HTTP/1.1\nHost: x\nSession: ada\n\n")
			s := h.waitOpened()
			for !s.Left() {
				time.Sleep(10 * time.Millisecond)
			}
			close(full)
			time.Sleep(200 * time.Millisecond) // until the sockets are full
			within(t, func() {
				s.Close(SignOut)
				h.wantClosed(ending{"ada", "", SSE, SignOut})
			})
		})
	}
}

func TestAClientThatTalksIntoItsStreamIsHungUpOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, events(nil))
	c := h.raw("GET / HTTP/1.1\nHost: x\nSession: ada\n\n")
	s := h.waitOpened()
	for !s.Left() {
		time.Sleep(10 * time.Millisecond)
	}
	// The beginning of a next request is no offence.
	if _, err := io.WriteString(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<10)
	for range 2 * mostUnasked / len(line) {
		if _, err := io.WriteString(c, line); err != nil {
			break // it is gone already
		}
	}
	h.wantClosed(ending{"ada", "", SSE, ClientGone})
	said, _ := io.ReadAll(c)
	if n := strings.Count(string(said), "HTTP/1.1"); n != 1 {
		t.Errorf("%d answers on the connection: %q", n, said)
	}
}

func TestAConnectionGoesBackToTheServerAfterItsStream(t *testing.T) {
	t.Parallel()
	const again = "GET /again HTTP/1.1\r\nHost: x\r\nSession: bob\r\n\r\n"
	cases := []struct {
		name, head string
		during     func(h *house, s *Stream, c net.Conn)
		back       bool
	}{
		{"the app ends it", "", nil, true},
		{"the client asked for no more", "Connection: close\n", nil, false},
		{"the client has begun its next request, which is lost", "",
			func(h *house, s *Stream, c net.Conn) {
				if _, err := io.WriteString(c, again); err != nil {
					h.t.Fatal(err)
				}
				for !s.alone.spoke.Load() {
					time.Sleep(time.Millisecond)
				}
			}, false},
		{"the session ends it", "", func(h *house, s *Stream, _ net.Conn) {
			h.CloseSession("ada", SignOut)
			h.waitCut(s)
		}, false},
		{"the server is closing", "", func(h *house, _ *Stream, _ net.Conn) {
			if err := h.front.Config.Shutdown(t.Context()); err != nil {
				h.t.Error(err)
			}
		}, false},
	}
	for _, c := range cases {
		for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				more, ended := make(chan string), false
				stream := eventsUntil(more, &ended)
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/again" {
						io.WriteString(w, "once more")
						return
					}
					stream(w, r)
				}, options...)
				client := h.raw("GET / HTTP/1.1\nHost: x\nSession: ada\n" + c.head + "\n")
				s := h.waitOpened()
				for deadline := time.Now().Add(10 * time.Second); !s.Left(); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("it stays")
					}
				}
				if c.during != nil {
					c.during(h, s, client)
				}
				close(more)
				_ = client.SetDeadline(time.Now().Add(10 * time.Second))
				r := bufio.NewReader(client)
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(res.Body); err != nil || string(text) != "data: hello\n\n" {
					t.Fatalf("%q, %v", text, err)
				}
				_, werr := io.WriteString(client, again)
				res, err = http.ReadResponse(r, nil)
				if back := werr == nil && err == nil; back != c.back {
					t.Fatalf("the next request is answered: %v, want %v (%v, %v)", back, c.back, werr, err)
				}
				if c.back {
					if text, err := io.ReadAll(res.Body); err != nil || string(text) != "once more" {
						t.Errorf("the next answer is %q, %v", text, err)
					}
				}
			})
		}
	}
}

// What the server frames otherwise, or on a connection that others share, stays.
func TestWhatDoesNotLeave(t *testing.T) {
	t.Parallel()
	idle := func(header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			io.WriteString(w, "data: hello\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}
	cases := []struct {
		name     string
		upstream http.HandlerFunc
		head     string // of a request by hand; else one of the client's
		options  []option
	}{
		{"a stream over HTTP/2", idle(), "", []option{overHTTP2}},
		{"a stream for a client of HTTP/1.0", idle(), "GET / HTTP/1.0\nSession: ada\n\n", nil},
		{"a stream with a length", idle("Content-Length", "1000"), "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, c.upstream, c.options...)
			if c.head == "" {
				h.get("ada", "/")
			} else {
				h.raw(c.head)
			}
			s := h.waitOpened()
			time.Sleep(After + 300*time.Millisecond)
			if s.Left() {
				t.Error("it left")
			}
			s.Close(SignOut)
			h.wantClosed(ending{"ada", "", SSE, SignOut})
		})
	}
}
