package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/config"
)

// shortLived is a provider whose tokens last two seconds, and whose refresh
// tokens are good for one use.
func shortLived() build {
	return build{provider: descopetest.Options{SessionTTL: 2 * time.Second, RotateRefresh: true}}
}

// outlive waits until the tokens of everybody signed in by now have ended.
func outlive() { time.Sleep(2100 * time.Millisecond) }

// dueIn is how many refreshes may come in the time that it took to see one: the
// tokens last two seconds, and a busy machine may take longer.
func dueIn(took time.Duration) int { return 1 + int(took/(1600*time.Millisecond)) }

// twin starts one more instance of the same configuration, as a second one
// behind a balancer or the same one after a restart.
func (h *house) twin(b build) *house {
	h.t.Helper()
	next := *h
	next.done = make(chan struct{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	next.Addr = listener.Addr().String()
	c, err := config.Parse("gatehouse.yaml", []byte(h.yaml(b)), []string{
		"DESCOPE_CLIENT_SECRET=" + h.Provider.ClientSecret(),
		"GATEHOUSE_SESSION_SECRET=" + h.instance.config().Session.Secret.Reveal(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if next.instance, err = assemble(c, h.Log); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	next.stop = cancel
	go func() {
		defer close(next.done)
		if err := next.instance.serveOn(ctx, listener); err != nil {
			h.t.Errorf("serve: %v", err)
		}
	}()
	h.t.Cleanup(next.close)
	next.await("discovery", next.instance.provider().Ready)
	return &next
}

// restart ends this instance and starts the next one.
func (h *house) restart(b build) *house {
	h.t.Helper()
	h.stop()
	<-h.done
	return h.twin(b)
}

// at is the same browser, its requests sent to another instance.
func (b *browser) at(h *house) *browser {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasSuffix(b.house.URL, addr[strings.LastIndex(addr, ":"):]) {
			addr = h.Addr
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: b.t, house: h, jar: b.jar, client: &http.Client{Jar: b.jar, Transport: transport, CheckRedirect: b.client.CheckRedirect}}
}

func (b *browser) wants(what string, status int) {
	b.t.Helper()
	if res := b.fetch("GET", "/gradio/user/", ""); res.StatusCode != status {
		b.t.Errorf("%s: got %s %s, want %d", what, res.Status, res.Text, status)
	}
}

func TestTwentyRequestsMakeOneRefresh(t *testing.T) {
	for name, rotating := range map[string]bool{"with rotation": true, "without rotation": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := shortLived()
			b.provider.RotateRefresh = rotating
			h := newHouse(t, b)
			bob := h.as("bob")
			for round := range 2 {
				outlive()
				h.Provider.ResetRecord()
				began := time.Now()
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() { bob.wants("in parallel", 200) })
				}
				all.Wait()
				if n := h.Provider.Requests()[descopetest.Refresh]; n < 1 || n > dueIn(time.Since(began)) {
					t.Errorf("%d refreshes in round %d, want 1", n, round)
				}
				if o, r := h.Provider.Overlap(), h.Provider.Reuses(); o > 1 || r != 0 {
					t.Errorf("%d requests at a time with one token, %d with a used one", o, r)
				}
			}
		})
	}
}

func TestRolesAreFeltWithinATokensLife(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	ada, bob := h.as("ada"), h.as("bob")
	if got := [2]int{ada.open("/gradio/admin/").StatusCode, bob.open("/gradio/admin/").StatusCode}; got != [2]int{200, 403} {
		t.Fatalf("at first: %v", got)
	}
	for person, role := range map[string]string{"ada": "Member", "bob": "Tenant Admin"} {
		if err := h.Provider.SetRoles(person, descopetest.Acme, role); err != nil {
			t.Fatal(err)
		}
	}
	outlive()
	if got := [2]int{ada.open("/gradio/admin/").StatusCode, bob.open("/gradio/admin/").StatusCode}; got != [2]int{403, 200} {
		t.Errorf("a token's life later: %v", got)
	}
}

func TestWhatARefreshSays(t *testing.T) {
	for _, c := range []struct {
		name     string
		fail     *descopetest.Failure
		userinfo *descopetest.Failure
		revoked  bool
		want     int
	}{
		{"the provider ended the session: so it ends here", nil, nil, true, 401},
		{"invalid_grant in RFC 6749's form ends it", ptr(descopetest.OAuthError(400, "invalid_grant", "x")), nil, false, 401},
		{"invalid_client is the operator's mistake, and nobody's end", ptr(descopetest.OAuthError(401, "invalid_client", "x")), nil, false, 200},
		{"500 ends nothing", ptr(descopetest.Status(500)), nil, false, 200},
		{"a connection that breaks ends nothing", ptr(descopetest.ResetConnection()), nil, false, 200},
		{"half an answer ends nothing", ptr(descopetest.Malformed()), nil, false, 200},
		{"an answer without end ends nothing", ptr(descopetest.Oversized(64 << 20)), nil, false, 200},
		{"somebody else's ID token ends it", ptr(descopetest.BadIDToken(descopetest.OtherSubject)), nil, false, 401},
		{"another issuer's ends it", ptr(descopetest.BadIDToken(descopetest.WrongIssuer)), nil, false, 401},
		{"an unsigned one ends it", ptr(descopetest.BadIDToken(descopetest.AlgNone)), nil, false, 401},
		{"none at all: userinfo says who it is", ptr(descopetest.BadIDToken(descopetest.NoIDToken)), nil, false, 200},
		{"none at all, and userinfo of somebody else: it ends", ptr(descopetest.BadIDToken(descopetest.NoIDToken)), ptr(userinfo(`{"sub":"U2eve","email":"eve@evil.example"}`)), false, 401},
		{"none at all, and userinfo of nobody: it ends", ptr(descopetest.BadIDToken(descopetest.NoIDToken)), ptr(userinfo(`{"email":"bob@acme.example"}`)), false, 401},
		{"none at all, and userinfo refuses the access token: it ends", ptr(descopetest.BadIDToken(descopetest.NoIDToken)), ptr(descopetest.Status(401)), false, 401},
		{"none at all, and userinfo is away: that ends nothing", ptr(descopetest.BadIDToken(descopetest.NoIDToken)), ptr(descopetest.Status(502)), false, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, shortLived())
			b := h.as("bob")
			if c.fail != nil {
				h.Provider.Fail(descopetest.Refresh, *c.fail)
			}
			if c.userinfo != nil {
				h.Provider.Fail(descopetest.Userinfo, *c.userinfo)
			}
			if c.revoked {
				h.Provider.RevokeSessions("bob")
			}
			outlive()
			began := time.Now()
			b.wants("after the tokens' end", c.want)
			b.wants("and again", c.want)
			if n := h.Provider.Requests()[descopetest.Refresh]; n < 1 || n > dueIn(time.Since(began)) {
				t.Errorf("%d refreshes, want 1", n)
			}
			if c.fail != nil && c.fail.IDToken == descopetest.NoIDToken && h.Provider.Requests()[descopetest.Userinfo] == 0 {
				t.Error("userinfo was not asked")
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// userinfo answers with claims of its own.
func userinfo(claims string) descopetest.Failure {
	return descopetest.Failure{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: claims}
}

func TestUserinfoStandsInForTheIDToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	ada := h.as("ada")
	h.Provider.Fail(descopetest.Refresh, descopetest.BadIDToken(descopetest.NoIDToken))
	if err := h.Provider.SetRoles("ada", descopetest.Acme, "Member"); err != nil {
		t.Fatal(err)
	}
	outlive()
	if res := ada.open("/gradio/admin/"); res.StatusCode != 403 {
		t.Errorf("the role that userinfo does not name still counts: %s", res.Status)
	}
	h.Provider.Fail(descopetest.Userinfo, descopetest.Status(502).Once())
	outlive()
	ada.wants("while userinfo is away", 200)
	time.Sleep(10 * time.Second) // the longest wait between two attempts
	ada.wants("afterwards", 200)
	if r := h.Provider.Reuses(); r != 0 {
		t.Errorf("%d used tokens were sent: the one that came without an identity was lost", r)
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	ada, bob := h.as("ada"), h.as("bob")
	h.Provider.Fail(descopetest.Refresh, descopetest.RateLimit(4*time.Second).Once())
	outlive()
	ada.wants("the first", 200)
	told := time.Now()
	for time.Since(told) < 3*time.Second {
		ada.wants("the first again", 200)
		bob.wants("somebody else", 200)
		time.Sleep(200 * time.Millisecond)
	}
	if n := h.Provider.Requests()[descopetest.Refresh]; n != 1 {
		t.Errorf("%d refreshes while the provider wanted none", n)
	}
	h.await("the next refreshes", func() bool {
		ada.wants("later", 200)
		bob.wants("later", 200)
		return h.Provider.Requests()[descopetest.Refresh] >= 3
	})
}

// Without an ID token userinfo is asked, and may have had enough too.
func TestALimitOfUserinfoIsObeyed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shortLived())
	ada, bob := h.as("ada"), h.as("bob")
	h.Provider.Fail(descopetest.Refresh, descopetest.BadIDToken(descopetest.NoIDToken))
	h.Provider.Fail(descopetest.Userinfo, descopetest.RateLimit(30*time.Second))
	outlive()
	ada.wants("the first", 200)
	for told := time.Now(); time.Since(told) < 4*time.Second; time.Sleep(200 * time.Millisecond) {
		ada.wants("the first again", 200)
		bob.wants("somebody else", 200)
	}
	if n := h.Provider.Requests(); n[descopetest.Refresh] != 1 || n[descopetest.Userinfo] != 1 {
		t.Errorf("%v while the provider wanted none", n)
	}
}

func TestIdleTimeoutOverTheWire(t *testing.T) {
	t.Parallel()
	b := build{session: "  idle_timeout: 3s"}
	h := newHouse(t, b)
	h.User.on(streamer)
	active, quiet := h.as("bob"), h.as("ada")
	events := quiet.follow("/gradio/user/events")
	for range 8 {
		time.Sleep(500 * time.Millisecond)
		active.wants("active", 200)
		if res := quiet.fetch("GET", "/auth/me", ""); res.StatusCode == 401 {
			break // looking is no activity
		}
	}
	expect(t, "the stream of somebody who does nothing", events, "clean end")
	quiet.wants("idle", 401)
	h = h.restart(b)
	active = active.at(h)
	time.Sleep(2500 * time.Millisecond)
	active.wants("after a restart, and 2.5 s without a request", 200)
}
