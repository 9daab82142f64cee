package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A replica is an app that can die and come back at its address.
type replica struct {
	*app
	t      *testing.T
	addr   string
	server *http.Server

	connections atomic.Int64 // that were opened to it
}

func newReplica(t *testing.T, name string) *replica {
	r := &replica{t: t, addr: "127.0.0.1:0", app: &app{Name: name}}
	r.start()
	r.URL = "http://" + r.addr
	t.Cleanup(func() { _ = r.server.Close() })
	return r
}

func (r *replica) start() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = listener.Addr().String()
	r.server = &http.Server{Handler: r.app, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}}
	go func() { _ = r.server.Serve(listener) }()
}

// kill ends it as a process ends: connections and all.
func (r *replica) kill() { _ = r.server.Close() }

// replicated is a house whose /app has three replicas.
func replicated(t *testing.T, more string) (*house, []*replica) {
	t.Helper()
	replicas := []*replica{newReplica(t, "a"), newReplica(t, "b"), newReplica(t, "c")}
	h := newHouse(t, build{extra: "trusted_proxies: [127.0.0.1]", routes: replicaRoutes("authenticated", replicas...) + more})
	return h, replicas
}

func replicaRoutes(allow string, replicas ...*replica) string {
	var urls []string
	for _, r := range replicas {
		urls = append(urls, r.URL)
	}
	return "\n  - path: /app\n    upstream: [" + strings.Join(urls, ", ") + "]\n    allow: " + allow + "\n"
}

// served returns the name of the replica that answers the browser.
func served(b *browser) string {
	b.t.Helper()
	res := b.fetch("GET", "/app/where", "")
	if res.StatusCode != 200 {
		return res.Status
	}
	name, _, _ := strings.Cut(res.Text, " ")
	return name
}

// peopleOn signs people in until each of the replicas serves two of them.
func peopleOn(t *testing.T, h *house, names ...string) map[string][]*browser {
	t.Helper()
	on := map[string][]*browser{}
	for range 60 {
		b := h.as("bob")
		name := served(b)
		if len(on[name]) < 2 {
			on[name] = append(on[name], b)
		}
		if !slices.ContainsFunc(names, func(n string) bool { return len(on[n]) < 2 }) {
			return on
		}
	}
	t.Fatalf("60 people do not spread over %v: %v", names, on)
	return nil
}

func TestPeopleStayOnTheirReplica(t *testing.T) {
	h, _ := replicated(t, "")
	for name, people := range peopleOn(t, h, "a", "b", "c") {
		for _, b := range people {
			for range 5 {
				if got := served(b); got != name {
					t.Fatalf("somebody of replica %s came to %s", name, got)
				}
			}
			if c := b.cookies(); strings.Count(c, ";") > 0 {
				t.Errorf("another cookie was needed: %s", c)
			}
		}
	}
}

func TestOnAPublicRouteTheClientsAddressDecides(t *testing.T) {
	replicas := []*replica{newReplica(t, "a"), newReplica(t, "b"), newReplica(t, "c")}
	h := newHouse(t, build{extra: "trusted_proxies: [127.0.0.1]", routes: replicaRoutes("public", replicas...)})
	on := map[string]bool{}
	for i := range 40 {
		first := ""
		for range 3 {
			res := h.browser().do("GET", "/app/", "", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
			if first == "" {
				first = res.Text
			}
			if res.Text != first {
				t.Fatalf("one client came to %q and to %q", first, res.Text)
			}
		}
		on[first] = true
	}
	if len(on) != 3 {
		t.Errorf("40 clients came to %d replicas of 3", len(on))
	}
}

func TestADeadReplicasPeopleMoveAndComeBack(t *testing.T) {
	t.Parallel()
	h, replicas := replicated(t, "")
	dead := replicas[0]
	on := peopleOn(t, h, "a", "b", "c")

	running := make(chan struct{})
	dead.on(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/long") {
			close(running)
			<-r.Context().Done()
			return true
		}
		return false
	})
	answer := make(chan reply, 1)
	go func() { answer <- on["a"][0].fetch("POST", "/app/long", "{}") }()
	<-running
	dead.kill()

	t.Run("its running request fails with 502, in words", func(t *testing.T) {
		res := <-answer
		if res.StatusCode != 502 || !strings.HasPrefix(res.Text, `{"detail":`) || strings.Contains(res.Text, "127.0.0.1") {
			t.Errorf("got %s %q", res.Status, res.Text)
		}
	})
	moved := map[*browser]string{}
	t.Run("its people are served elsewhere at once, uploads whole", func(t *testing.T) {
		upload := strings.Repeat("0123456789abcdef", 64<<10)
		for _, b := range on["a"] {
			res := b.fetch("POST", "/app/upload", upload)
			name, _, _ := strings.Cut(res.Text, " ")
			moved[b] = name
			if res.StatusCode != 200 || name != "b" && name != "c" {
				t.Fatalf("got %s %q", res.Status, res.Text)
			}
			i := slices.IndexFunc(replicas, func(r *replica) bool { return r.Name == name })
			if got := replicas[i].last(t); got.Body != upload || got.Target != "/upload" {
				t.Errorf("%d bytes of the upload came to %s", len(got.Body), got.Target)
			}
			if again := served(b); again != name {
				t.Errorf("moved to %s and then to %s", name, again)
			}
		}
	})
	t.Run("nobody else notices", func(t *testing.T) {
		for _, name := range []string{"b", "c"} {
			for _, b := range on[name] {
				if got := served(b); got != name {
					t.Errorf("somebody of %s came to %s", name, got)
				}
			}
		}
	})
	t.Run("operators see it", func(t *testing.T) {
		if got := upstreamsUp(t, h); got["app "+dead.URL] != 0 || got["app "+replicas[1].URL] != 1 || len(got) != 3 {
			t.Errorf("gatehouse_upstream_up: %v", got)
		}
	})
	t.Run("back within 10 s, it has its own people and nobody else's", func(t *testing.T) {
		dead.start()
		h.await("the replica", func() bool { return served(on["a"][0]) == "a" })
		for name, people := range on {
			for _, b := range people {
				if got := served(b); got != name {
					t.Errorf("somebody of %s came to %s", name, got)
				}
			}
		}
	})
}

// upstreamsUp is gatehouse_upstream_up by route and address.
func upstreamsUp(t *testing.T, h *house) map[string]float64 {
	t.Helper()
	families, err := h.instance.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	up := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "gatehouse_upstream_up" {
			continue
		}
		for _, m := range f.GetMetric() {
			up[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return up
}

func TestAllReplicasDown(t *testing.T) {
	single := newReplica(t, "single")
	h, replicas := replicated(t, "  - path: /one\n    upstream: "+single.URL+"\n    allow: authenticated\n")
	for _, r := range append(replicas, single) {
		r.kill()
	}
	b := h.as("bob")
	for range 3 {
		for _, path := range []string{"/app/", "/one/"} {
			if res := b.open(path); res.StatusCode != 502 || !strings.Contains(res.Text, "<h1") {
				t.Errorf("%s: a page: %s %q", path, res.Status, res.Text)
			}
			if res := b.fetch("POST", path, "x"); res.StatusCode != 502 || !strings.HasPrefix(res.Text, `{"detail":"The app is not answering`) {
				t.Errorf("%s: a script: %s %q", path, res.Status, res.Text)
			}
		}
	}
	t.Run("the first that is back serves the very next request", func(t *testing.T) {
		replicas[1].start()
		if got := served(b); got != "b" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("and so does a single upstream", func(t *testing.T) {
		single.start()
		if res := b.open("/one/"); res.StatusCode != 200 {
			t.Errorf("got %s", res.Status)
		}
	})
}

func TestAReplicaWhoseCertificateIsNotItsOwnIsPassedOver(t *testing.T) {
	good := newReplica(t, "good")
	bad := newTLSApp(t)
	h := newHouse(t, build{routes: "\n  - path: /app\n    upstream: [" + bad + ", " + good.URL + "]\n    allow: authenticated\n"})
	for range 6 {
		began := time.Now()
		if got := served(h.as("bob")); got != "good" {
			t.Fatalf("came to %s", got)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	}
}

// newTLSApp returns the address of a server whose certificate nobody knows.
func newTLSApp(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
