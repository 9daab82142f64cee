package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnIdleEventStreamEndsCleanly(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{
		"over HTTP/1": nil, "over HTTP/1 and TLS": {overTLS}, "over HTTP/2": {overHTTP2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{}, 1)
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				events(nil)(w, r)
				gone <- struct{}{}
			}, options...)
			res := h.get("ada", "/")
			lines := bufio.NewReader(res.Body)
			readLine(t, lines)
			readLine(t, lines)
			if n := h.CloseSession("ada", SignOut); n != 1 {
				t.Fatalf("closed %d streams, want 1", n)
			}
			within(t, func() {
				if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
					t.Errorf("read %q, %v; want a clean end", rest, err)
				}
			})
			h.wantClosed(ending{"ada", "", SSE, SignOut})
			receive(t, "the upstream's request ends", gone)
			if h.log() != "" {
				t.Errorf("logged %q", h.log())
			}
		})
	}
}

// The server's connection survives a clean end of a stream with its handler: the deadlines that a close sets
// must not reach the next request on it.
func TestAConnectionServesOnAfterItsEventStreamWasClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			events(nil)(w, r)
			return
		}
		time.Sleep(cleanEnd + 100*time.Millisecond) // past the deadline of the close
		io.WriteString(w, "served")
	}, staying)
	c := h.raw("GET /events HTTP/1.1\nHost: x\nSession: ada\n\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.waitOpened()
	h.CloseSession("ada", Expired)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if res, err = http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "served" {
		t.Errorf("second request: %q, %v", body, err)
	}
}

func TestAnEventIsNotTorn(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	h := newHouse(t, events(more))
	res := h.get("ada", "/")
	lines := bufio.NewReader(res.Body)
	readLine(t, lines)
	readLine(t, lines)
	more <- "data: the first half, "
	if _, err := lines.Peek(22); err != nil {
		t.Fatal(err)
	}
	s := h.waitOpened()
	h.CloseSession("ada", SignOut)
	h.waitCut(s)
	more <- "the second half\n\ndata: an event after the end\n\n"
	rest, err := io.ReadAll(lines)
	if want := "data: the first half, the second half\n\n"; err != nil || string(rest) != want {
		t.Errorf("read %q, %v; want %q", rest, err, want)
	}
}

func TestAnEventThatNeverEndsDoesNotHoldTheStream(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	h := newHouse(t, events(more))
	res := h.get("ada", "/")
	more <- "data: half"
	lines := bufio.NewReader(res.Body)
	if _, err := lines.Peek(len("data: hello\n\ndata: half")); err != nil {
		t.Fatal(err)
	}
	h.CloseSession("ada", SignOut)
	within(t, func() {
		if _, err := io.ReadAll(lines); err != nil {
			t.Errorf("read error %v, want a clean end", err)
		}
	})
}

// download sends a first piece and then waits for the request to end.
func download(length string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, "piece\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func TestADownloadIsAborted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, length string
		options      []option
	}{
		{"with Content-Length", "1000", nil},
		{"in chunks", "", nil},
		{"with Content-Length over TLS", "1000", []option{overTLS}},
		{"in chunks over TLS", "", []option{overTLS}},
		{"with Content-Length over HTTP/2", "1000", []option{overHTTP2}},
		{"without Content-Length over HTTP/2", "", []option{overHTTP2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, download(test.length), test.options...)
			res := h.get("ada", "/")
			body := bufio.NewReader(res.Body)
			readLine(t, body)
			if n := h.CloseSession("ada", SignOut); n != 0 {
				t.Errorf("closed %d streams before the mark, want 0", n)
			}
			if s := h.waitOpened(); time.Since(s.Began()) < After {
				t.Errorf("became a stream after %v", time.Since(s.Began()))
			}
			within(t, func() {
				if _, err := io.ReadAll(body); err == nil {
					t.Error("the cut download looks whole")
				} else {
					t.Log("the client sees:", err)
				}
			})
			h.wantClosed(ending{"ada", "", Long, SignOut})
			if h.log() != "" {
				t.Errorf("logged %q", h.log())
			}
		})
	}
}

// To an HTTP/1.0 client the end of the connection is the end of the file.
func TestADownloadWithoutFramingIsAborted(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "TLS": {overTLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, download(""), options...)
			c := h.raw("GET / HTTP/1.0\nSession: ada\n\n")
			body := bufio.NewReader(c)
			for readLine(t, body) != "piece" {
			}
			h.waitOpened().Close(Revoked)
			within(t, func() {
				if _, err := io.ReadAll(body); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the client sees %v, want a reset", err)
				}
			})
			h.wantClosed(ending{"ada", "", Long, Revoked})
		})
	}
}

// flood writes without end.
func flood(contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		block := []byte("data: " + strings.Repeat("x", 64<<10) + "\n\n")
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
}

func TestAClientThatDoesNotReadHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		kind          Kind
		options       []option
	}{
		{"download", "video/mp4", Long, nil},
		{"download over HTTP/2", "video/mp4", Long, []option{overHTTP2}},
		{"event stream", "text/event-stream", SSE, nil},
		{"download over TLS", "video/mp4", Long, []option{overTLS}},
		{"event stream over TLS", "text/event-stream", SSE, []option{overTLS}},
		{"event stream over HTTP/2", "text/event-stream", SSE, []option{overHTTP2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, flood(test.content), test.options...)
			h.get("ada", "/") // its body is not read
			s := h.waitOpened()
			time.Sleep(time.Until(s.Began().Add(After))) // the pipes fill
			h.CloseSession("ada", Expired)
			within(t, func() { h.wantClosed(ending{"ada", "", test.kind, Expired}) })
		})
	}
}

func TestBeforeTheHeaderTheErrorHandlerAnswers(t *testing.T) {
	t.Parallel()
	stall := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for cause, want := range map[Cause]int{SignOut: 401, Expired: 401, RoleLost: 403, PolicyChanged: 403, Shutdown: 503} {
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, stall)
			answer := make(chan *http.Response)
			go func() { answer <- h.get("ada", "/") }()
			h.waitOpened()
			h.CloseSession("ada", cause)
			within(t, func() {
				if res := receive(t, "an answer", answer); res.StatusCode != want {
					t.Errorf("status %d, want %d", res.StatusCode, want)
				}
			})
			h.wantClosed(ending{"ada", "", Long, cause})
		})
	}
}

func TestAStalledUploadIsAnswered(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"HTTP/1": nil, "TLS": {overTLS}, "HTTP/2": {overHTTP2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, options...)
			body, feed := io.Pipe()
			defer feed.Close()
			req, _ := http.NewRequest("POST", h.url, body)
			req.Header.Set("Session", "ada")
			answer := make(chan *http.Response, 1)
			go func() {
				res, err := h.front.Client().Do(req)
				if err != nil {
					t.Error("the client sees", err)
				}
				answer <- res
			}()
			io.WriteString(feed, "the first bytes of a file")
			h.waitOpened()
			h.CloseSession("ada", SignOut)
			within(t, func() {
				if res := receive(t, "an answer", answer); res != nil && res.StatusCode != http.StatusUnauthorized {
					t.Errorf("status %d, want 401", res.StatusCode)
				}
			})
		})
	}
}

func TestAnEventStreamThatIsDeniedAtOnceIsAnswered(t *testing.T) {
	t.Parallel()
	h := newHouse(t, events(nil))
	h.recheck = func(*Stream) Cause { return RoleLost }
	if res := h.get("ada", "/"); res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", res.StatusCode)
	}
	h.wantClosed(ending{"ada", "", SSE, RoleLost})
}

func TestABearersStreamEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	h := newHouse(t, events(nil))
	h.expires = time.Now().Add(200 * time.Millisecond)
	res := h.get("bearer", "/")
	within(t, func() {
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Errorf("read error %v, want a clean end", err)
		}
	})
	h.wantClosed(ending{"bearer", "", SSE, BearerExpired})
}

func TestHowStreamsEndByThemselves(t *testing.T) {
	t.Parallel()
	t.Run("a client that goes", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, events(nil))
		res := h.get("ada", "/")
		h.waitOpened()
		res.Body.Close()
		h.wantClosed(ending{"ada", "", SSE, ClientGone})
		if h.Open() != 0 || h.Has("ada") {
			t.Errorf("left in the registry: %v", h.Counts())
		}
	})
	t.Run("an app that ends its stream", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: all\n\n")
		})
		if body, err := io.ReadAll(h.get("ada", "/").Body); err != nil || string(body) != "data: all\n\n" {
			t.Errorf("read %q, %v", body, err)
		}
		h.wantClosed(ending{"ada", "", SSE, Ended})
	})
	t.Run("an app that crashes", func(t *testing.T) {
		t.Parallel()
		crash := make(chan struct{})
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-crash
			panic(http.ErrAbortHandler)
		})
		res := h.get("ada", "/")
		close(crash)
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("the broken stream looks whole")
		}
		h.wantClosed(ending{"ada", "", SSE, UpstreamGone})
	})
}

func TestOtherSessionsGoOn(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Session") == "bob" {
			events(more)(w, r)
			return
		}
		events(nil)(w, r)
	})
	ada, bob := h.get("ada", "/"), bufio.NewReader(h.get("bob", "/").Body)
	h.CloseSession("ada", SignOut)
	if _, err := io.ReadAll(ada.Body); err != nil {
		t.Fatal(err)
	}
	readLine(t, bob)
	readLine(t, bob)
	more <- "data: still here\n\n"
	if got := readLine(t, bob); got != "data: still here" {
		t.Errorf("read %q", got)
	}
	if h.Has("ada") || !h.Has("bob") {
		t.Error("the registry holds the wrong session")
	}
}

func TestAFastAnswerIsNoStream(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fast") })
	if body, err := io.ReadAll(h.get("ada", "/").Body); err != nil || string(body) != "fast" {
		t.Errorf("read %q, %v", body, err)
	}
	select {
	case <-h.opened:
		t.Error("it was registered as a stream")
	default:
	}
}

func TestEventBoundaries(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want bool
	}{
		{"", true},
		{"data: x", false},
		{"data: x\n", false},
		{"data: x\r\n", false},
		{"data: x\r", false},
		{"data: x\n\n", true},
		{"data: x\r\n\r\n", true},
		{"data: x\r\r", true},
		{"data: x\n\r\n", true},
		{"data: x\r\n\n", true},
		{"data: x\r\n\r", true},
		{"data: x\n\ndata: y", false},
		{"\n", true},
		{": comment\n\n\n", true},
	} {
		for step := 1; step <= len(test.text)+1; step++ {
			var tail eventTail
			for rest := test.text; rest != ""; {
				n := min(step, len(rest))
				tail.note([]byte(rest[:n]))
				rest = rest[n:]
			}
			if got := tail.between(); got != test.want {
				t.Errorf("%q in steps of %d: between is %v, want %v", test.text, step, got, test.want)
			}
		}
	}
}

func TestACompressedEventStreamIsNotReadForItsEvents(t *testing.T) {
	t.Parallel()
	var b body
	res := &http.Response{Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(strings.NewReader("\x1f\x8b"))}
	b.wrap(res, true)
	b.Read(make([]byte, 10))
	cancelled := false
	b.finish(func() { cancelled = true })
	if _, err := b.Read(make([]byte, 10)); !cancelled || err != io.EOF {
		t.Errorf("cancelled %v, read %v; want an end at once", cancelled, err)
	}
}

func BenchmarkBody(b *testing.B) {
	r := NewRegistry(Config{})
	s := r.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), About{})
	defer s.End()
	chunk := []byte("data: 0123456789\n\n")
	res := &http.Response{Header: http.Header{}, Body: endless{chunk}}
	s.body.wrap(res, true)
	p := make([]byte, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		s.body.Read(p)
	}
}

type endless struct{ chunk []byte }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.chunk), nil }
func (e endless) Close() error               { return nil }
