package fleet

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"testing"
	"time"
)

// A balancer hands connections on in turn to the members that say they are ready,
// and looks every 100 ms. It knows nothing of HTTP, nor who comes.
type balancer struct {
	listener net.Listener
	members  []member

	mu    sync.Mutex
	ready []bool
	next  int
}

type member struct{ listen, admin string }

func newBalancer(t *testing.T, members []member) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: listener, members: members, ready: make([]bool, len(members))}
	done := make(chan struct{})
	t.Cleanup(func() {
		close(done)
		_ = listener.Close()
	})
	go b.look(done)
	go b.serve()
	return b
}

func (b *balancer) address() string { return b.listener.Addr().String() }

func (b *balancer) look(done <-chan struct{}) {
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		for i, m := range b.members {
			res, err := client.Get("http://" + m.admin + "/readyz")
			ready := err == nil && res.StatusCode == http.StatusOK
			if err == nil {
				_ = res.Body.Close()
			}
			b.mu.Lock()
			b.ready[i] = ready
			b.mu.Unlock()
		}
		select {
		case <-done:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pick returns the next ready member.
func (b *balancer) pick() (member, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.members {
		b.next = (b.next + 1) % len(b.members)
		if b.ready[b.next] {
			return b.members[b.next], true
		}
	}
	return member{}, false
}

func (b *balancer) serve() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.hand(conn)
	}
}

// hand connects the client to a member, half by half, so that an end in one
// direction is passed on as it is.
func (b *balancer) hand(client net.Conn) {
	defer client.Close()
	m, ok := b.pick()
	if !ok {
		return
	}
	server, err := net.Dial("tcp", m.listen)
	if err != nil {
		return
	}
	defer server.Close()
	var halves sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either may end at any time
		_ = to.(*net.TCPConn).CloseWrite()
	}
	halves.Go(func() { pass(server, client) })
	halves.Go(func() {
		pass(client, server)
		_ = client.(*net.TCPConn).CloseRead() // a server that is done reads no more
		_ = server.(*net.TCPConn).CloseRead()
	})
	halves.Wait()
}

func newJar(t *testing.T) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}
