package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// saying answers with a stream that says hello and then what is told to it or to another
// that was given the same channel, and that ends by itself once the channel is closed.
func saying(more <-chan string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		say, end := func(event string) error {
			fmt.Fprintf(w, "data: %s\n\n", event)
			return http.NewResponseController(w).Flush()
		}, func() {}
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Content-Type", "text/event-stream")
		} else {
			ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			defer ws.CloseNow()
			say = func(event string) error { return ws.Write(r.Context(), websocket.MessageText, []byte(event)) }
			end = func() { _ = ws.Close(websocket.StatusNormalClosure, "") }
		}
		_ = say("hello")
		for event := range more {
			if say(event) != nil {
				return
			}
		}
		end()
	}
}

// reads fails the test unless exactly this comes next.
func reads(t *testing.T, from io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("got %q (%v), want %q", got[:n], err, want)
	}
}

// hears fails the test unless exactly this message comes next.
func hears(t *testing.T, from *websocket.Conn, want string) {
	t.Helper()
	if _, got, err := from.Read(t.Context()); string(got) != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func TestTakingAReplicaOutLetsItsStreamsEnd(t *testing.T) {
	leaving, other := newReplica(t, "leaving"), newReplica(t, "other")
	b := filed(t, build{routes: replicaRoutes("authenticated", leaving, other)})
	h := newHouse(t, b)
	on := peopleOn(t, h, "leaving", "other")
	bob := on["leaving"][0]
	events, messages := make(chan string), make(chan string)
	leaving.on(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/data"):
			saying(events)(w, r)
		case strings.HasSuffix(r.URL.Path, "/ws"):
			saying(messages)(w, r)
		default:
			return false
		}
		return true
	})
	other.on(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/data") && hold(nil)(w, r)
	})
	stream, ws := bob.stream("/app/data"), bob.webSocket("/app/ws")
	reads(t, stream.Body, "data: hello\n\n")
	hears(t, ws, "hello")
	before := len(leaving.requests())

	h.edit(b.file, leaving.URL+", ", "")
	h.await("the reload", func() bool { return len(h.events("config_reloaded")) == 1 })

	t.Run("what is new goes elsewhere, streams too", func(t *testing.T) {
		if got := served(bob); got != "other" {
			t.Errorf("a request came to %s", got)
		}
		reads(t, bob.stream("/app/data").Body, "data: first\n\n")
		for _, somebody := range on["other"] {
			if got := served(somebody); got != "other" {
				t.Errorf("somebody of the other came to %s", got)
			}
		}
		if got := leaving.requests()[before:]; len(got) > 0 {
			t.Errorf("after the reload came %v", got)
		}
		if up := upstreamsUp(t, h); len(up) != 1 || up["app "+other.URL] != 1 {
			t.Errorf("gatehouse_upstream_up: %v", up)
		}
	})
	t.Run("what is open goes on, and ends when the app ends it", func(t *testing.T) {
		for i := range 3 {
			events <- fmt.Sprint("after ", i)
			reads(t, stream.Body, fmt.Sprintf("data: after %d\n\n", i))
			messages <- fmt.Sprint("after ", i)
			hears(t, ws, fmt.Sprint("after ", i))
		}
		close(events)
		if rest, err := io.ReadAll(stream.Body); err != nil || len(rest) > 0 {
			t.Errorf("the event stream ended with %q, %v", rest, err)
		}
		close(messages)
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the WebSocket ended with %v", err)
		}
		h.await("both ends", func() bool { return len(h.events("stream_closed")) == 2 })
		for _, e := range h.events("stream_closed") {
			if e["cause"] != "ended" {
				t.Errorf("%v ended by %v", e["path"], e["cause"])
			}
		}
	})
}

// A replica that has just come back has much to load: it gets its own people, each as
// they ask for something new, and nobody else.
func TestAReplicaThatComesBackGetsNoStampede(t *testing.T) {
	t.Parallel()
	const each = 10 // requests of everybody at the same time
	h, replicas := replicated(t, "")
	back := replicas[0]
	people := map[string][]*browser{}
	for range 24 {
		b := h.as("bob")
		people[served(b)] = append(people[served(b)], b)
	}
	own := people["a"]
	if len(own) == 0 {
		t.Fatalf("24 people do not spread: %v", people)
	}
	events := make(chan string)
	for _, r := range replicas {
		r.on(func(w http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, "/data") {
				saying(events)(w, req)
				return true
			}
			return false
		})
	}
	everybody := slices.Concat(people["a"], people["b"], people["c"])

	back.kill()
	// All have a stream, those whose replica is gone at another one.
	var open []*http.Response
	for _, b := range everybody {
		stream := b.stream("/app/data")
		reads(t, stream.Body, "data: hello\n\n")
		open = append(open, stream)
	}
	before, began := len(back.requests()), time.Now()
	connections := back.connections.Load()
	back.start()
	h.await("the replica", func() bool { return upstreamsUp(t, h)["app "+back.URL] == 1 })

	t.Run("nobody is sent to it who did not ask for anything", func(t *testing.T) {
		if got := back.requests()[before:]; len(got) > 0 {
			t.Errorf("%v", got)
		}
		checks := int64(time.Since(began)/(5*time.Second)) + 2
		if got := back.connections.Load() - connections; got > checks {
			t.Errorf("%d connections, for %d health checks", got, checks)
		}
	})
	t.Run("of everybody's requests at once it gets its own people's alone", func(t *testing.T) {
		var all sync.WaitGroup
		for name, these := range people {
			for _, b := range these {
				all.Go(func() {
					for range each {
						if res := b.fetch("GET", "/app/of-"+name, ""); res.StatusCode != 200 || !strings.HasPrefix(res.Text, name+" ") {
							t.Errorf("somebody of %s got %s %q", name, res.Status, res.Text)
						}
					}
				})
			}
		}
		all.Wait()
		if got := len(back.requests()) - before; got != each*len(own) {
			t.Errorf("%d requests came, want %d times %d", got, each, len(own))
		}
	})
	t.Run("the streams that were opened elsewhere meanwhile stay where they are", func(t *testing.T) {
		for range everybody {
			events <- "still here"
		}
		close(events)
		heard := 0
		for _, stream := range open {
			text, err := io.ReadAll(stream.Body)
			if err != nil {
				t.Error(err)
			}
			heard += strings.Count(string(text), "data: still here\n\n")
		}
		if heard != len(everybody) {
			t.Errorf("%d of %d events came", heard, len(everybody))
		}
	})
}
