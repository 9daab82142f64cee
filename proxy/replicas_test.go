package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/authn/session"
	"gatehouse/authz"
)

func upstreamOf(t *testing.T, u *Upstreams, addresses ...string) *Upstream {
	t.Helper()
	options := make([]UpstreamOptions, len(addresses))
	for i, a := range addresses {
		parsed, err := url.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		options[i] = UpstreamOptions{URL: parsed}
	}
	up, err := u.Upstream(options...)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRendezvous(t *testing.T) {
	const people = 30000
	u := NewUpstreams(discard())
	five := upstreamOf(t, u, "http://a:1", "http://b:1", "http://c:1", "http://d:1", "http://e:1")
	// The same replicas, in another order and with one less.
	four := upstreamOf(t, u, "http://e:1", "http://c:1", "http://b:1", "http://a:1")
	own := make([]*Replica, people)
	count := map[*Replica]int{}
	for i := range own {
		own[i] = five.rank(fmt.Sprintf("session-%d", i))[0]
		count[own[i]]++
	}
	t.Run("people are spread evenly", func(t *testing.T) {
		for r, n := range count {
			if n < people/5*95/100 || n > people/5*105/100 {
				t.Errorf("%s has %d of %d", r.address, n, people)
			}
		}
	})
	t.Run("without one, only its own people move, evenly, wherever it stood in the list", func(t *testing.T) {
		gone := five.replicas[3]
		moved := map[*Replica]int{}
		for i := range own {
			now := four.rank(fmt.Sprintf("session-%d", i))[0]
			if own[i] != gone && now != own[i] {
				t.Fatalf("person %d moved from %s to %s", i, own[i].address, now.address)
			}
			if own[i] == gone {
				moved[now]++
			}
		}
		for r, n := range moved {
			if n < count[gone]/4*90/100 || n > count[gone]/4*110/100 {
				t.Errorf("%s took %d of %d", r.address, n, count[gone])
			}
		}
	})
	t.Run("with one down likewise, and it is tried last", func(t *testing.T) {
		dead := five.replicas[0]
		dead.health.down(errors.New("refused"))
		defer dead.health.up()
		for i := range own {
			ranked := five.rank(fmt.Sprintf("session-%d", i))
			if ranked[4] != dead || own[i] != dead && ranked[0] != own[i] {
				t.Fatalf("person %d of %s goes to %s", i, own[i].address, ranked[0].address)
			}
		}
	})
	t.Run("another instance and another version send people the same way", func(t *testing.T) {
		if got := five.rank("session-1")[0].address; got != "http://d:1" {
			t.Errorf("session-1 goes to %s", got)
		}
	})
}

func TestAffinityKeys(t *testing.T) {
	address := netip.MustParseAddr
	for _, c := range []struct {
		name string
		x    exchange
		want string
	}{
		{"a session", exchange{session: &session.Session{ID: "s1"}, identity: &authz.Identity{Subject: "U1"}, client: address("192.0.2.1")}, "s1"},
		{"a bearer", exchange{identity: &authz.Identity{Subject: "U1"}, client: address("192.0.2.1")}, "U1"},
		{"a public route", exchange{client: address("192.0.2.1")}, "192.0.2.1"},
		{"an IPv6 host by its network", exchange{client: address("2001:db8:1:2:3:4:5:6")}, "2001:db8:1:2::/64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.x.affinityKey(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func refused(context.Context) (net.Conn, error) { return nil, &connectError{syscall.ECONNREFUSED} }

func TestOnlyWhatWasNeverSentIsTriedElsewhere(t *testing.T) {
	// A server that takes the request and hangs up.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 10))
			taken <- struct{}{}
			_ = conn.Close()
		}
	}()
	u := NewUpstreams(discard())
	up := upstreamOf(t, u, "http://"+listener.Addr().String(), "http://127.0.0.1:1")
	key := ""
	for i := 0; key == ""; i++ { // one whose first is the server
		if k := fmt.Sprint(i); up.rank(k)[0] == up.replicas[0] {
			key = k
		}
	}
	up.replicas[1].dial = refused
	req, _ := http.NewRequest("POST", "http://x/", io.NopCloser(&io.LimitedReader{R: zeros{}, N: 100}))
	res, err := (&balanced{up, key}).RoundTrip(req)
	if err == nil {
		_ = res.Body.Close()
		t.Fatal("an answer came")
	}
	<-taken
	var failed *connectError
	if errors.As(err, &failed) || up.replicas[0].health.isDown() || up.replicas[1].health.isDown() {
		t.Errorf("the next one was tried after %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		u := NewUpstreams(discard())
		up := upstreamOf(t, u, "http://a:1", "http://b:1")
		var count atomic.Int32
		var fails atomic.Pointer[syscall.Errno]
		dials := func() int { return int(count.Load()) }
		fail := func(err syscall.Errno) { fails.Store(&err) }
		r := up.replicas[0]
		for _, each := range up.replicas {
			each.dial = func(context.Context) (net.Conn, error) {
				if each != r {
					return refused(t.Context())
				}
				count.Add(1)
				if err := fails.Load(); err != nil {
					return nil, &connectError{*err}
				}
				c, _ := net.Pipe()
				return c, nil
			}
		}
		policy := &Policy{Routes: []*Route{{Name: "r", Upstream: up}, {Name: "other", Upstream: up}}}
		pass(time.Minute)
		if dials() != 0 {
			t.Error("checked before any policy uses it")
		}
		u.Use(policy)
		pass(checkEvery*10 + time.Second)
		if dials() != 11 {
			t.Errorf("%d checks in 51 s, want 11", dials())
		}
		if r.health.isDown() || !up.replicas[1].health.isDown() {
			t.Error("up is down, or down is up")
		}
		fail(syscall.ECONNREFUSED)
		pass(checkEvery)
		if !r.health.isDown() {
			t.Error("a failure was not noticed")
		}
		fails.Store(nil)
		pass(checkEvery)
		if r.health.isDown() {
			t.Error("it is not seen to be back")
		}
		fail(syscall.EMFILE)
		pass(checkEvery)
		if r.health.isDown() {
			t.Error("this machine's own lack of descriptors was taken for the replica's failure")
		}
		fails.Store(nil)
		// A new policy with the same upstream: health and checks go on.
		same := upstreamOf(t, u, "http://b:1", "http://a:1")
		if same.replicas[1] != r || same.replicas[0] != up.replicas[1] {
			t.Fatal("the replicas were made anew")
		}
		u.Use(&Policy{Routes: []*Route{{Upstream: same}}})
		before := dials()
		pass(checkEvery * 4)
		if dials() != before+4 {
			t.Errorf("%d checks in 20 s", dials()-before)
		}
		// One without it: its checks stop, and a later one begins afresh.
		u.Use(&Policy{Routes: []*Route{{Upstream: upstreamOf(t, u, "http://b:1")}}})
		before = dials()
		pass(time.Minute)
		if dials() != before {
			t.Errorf("%d checks of what nobody uses", dials()-before)
		}
		if upstreamOf(t, u, "http://a:1").replicas[0] == r {
			t.Error("it was kept")
		}
		u.Close()
		synctest.Wait()
	})
}

func TestAddressesThatStandTwiceCountOnce(t *testing.T) {
	up := upstreamOf(t, NewUpstreams(discard()), "http://a:1", "http://b:1", "http://a:1")
	if len(up.replicas) != 2 {
		t.Errorf("%d replicas", len(up.replicas))
	}
}

func TestUpstreamsAreSharedOnlyWhereTheyAreReachedAlike(t *testing.T) {
	u := NewUpstreams(discard())
	a := &url.URL{Scheme: "http", Host: "a:1"}
	one, _ := u.Upstream(UpstreamOptions{URL: a})
	for name, o := range map[string]UpstreamOptions{
		"another timeout": {URL: a, Timeout: time.Second},
		"another scheme":  {URL: &url.URL{Scheme: "https", Host: "a:1"}},
		"a socket":        {URL: a, Socket: "/run/a.sock"},
	} {
		if up, err := u.Upstream(o); err != nil || up.replicas[0] == one.replicas[0] {
			t.Errorf("%s: shared, or %v", name, err)
		}
	}
	if _, err := u.Upstream(UpstreamOptions{URL: a, Roots: []byte("not PEM")}); err == nil {
		t.Error("certificates that are none were taken")
	}
}
