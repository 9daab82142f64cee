package fleet

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// One instance with the cookie store, replaced and put back. The state file takes
// along what no cookie holds: tokens that rotated while only a stream was open, and
// who signed out.
func TestAnUpgradeAndItsRollbackSignNobodyOutOfCookies(t *testing.T) {
	ports := freePorts(t, 2)
	tn := newTown(t, ports[0], descopetest.Options{SessionTTL: 4 * time.Second, RotateRefresh: true},
		"  state_file: "+filepath.Join(t.TempDir(), "state"))
	in := tn.start(older, ports[0], ports[1])
	bob, ada, gone := tn.signIn("bob"), tn.signIn("ada"), tn.signIn("carol")

	stolen := newJar(t)
	here, err := url.Parse(tn.URL)
	if err != nil {
		t.Fatal(err)
	}
	stolen.SetCookies(here, gone.client.Jar.Cookies(here))
	res, err := gone.ask("POST", "/auth/logout")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	thief := &person{town: tn, client: &http.Client{Jar: stolen}}
	defer thief.client.CloseIdleConnections()

	var late *person
	for _, binary := range []string{newer, older} {
		// Ada only watches: her token rotates, and her cookie does not learn of it.
		refreshes := tn.Provider.Requests()[descopetest.Refresh]
		req, err := http.NewRequestWithContext(t.Context(), "GET", tn.URL+"/app/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		watching, err := ada.client.Do(req)
		if err != nil || watching.StatusCode != http.StatusOK {
			t.Fatalf("the stream: %v %v", watching, err)
		}
		await(t, "a refresh for the stream", func() bool { return tn.Provider.Requests()[descopetest.Refresh] > refreshes })
		in.stop()
		if err := events(watching.Body); err != nil {
			t.Errorf("the stream: %v", err)
		}
		_ = watching.Body.Close()

		in = tn.start(binary, ports[0], ports[1])
		bob.wantIn(t, in)
		ada.wantIn(t, in)
		if late != nil {
			late.wantIn(t, in)
		}
		if res := thief.get(t, "/app/x"); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a copy of a cookie that was signed out: %s", res.Status)
		}
		late = tn.signIn("oscar") // at the newer one; the older one must know him
	}
	if n := tn.Provider.Reuses(); n > 0 {
		t.Errorf("%d used refresh tokens were sent", n)
	}
}

// Two versions on one Redis, as in the middle of an upgrade or of a rollback: each
// reads, refreshes and revokes what the other wrote.
func TestTwoVersionsShareTheSessionsInRedis(t *testing.T) {
	redis, ports := startRedis(t), freePorts(t, 5)
	members := []member{{ports[0], ports[1]}, {ports[2], ports[3]}}
	tn := newTown(t, ports[4], descopetest.Options{SessionTTL: 4 * time.Second, RotateRefresh: true},
		"  store: redis\n  redis_url: redis://"+redis+"/0")
	both := []*instance{tn.start(older, members[0].listen, members[0].admin), tn.start(newer, members[1].listen, members[1].admin)}
	for i, writes := range both {
		reads := both[1-i]
		tn.listening = writes.listen
		bob := tn.signIn("bob")
		bob.wantIn(t, reads)
		refreshes := tn.Provider.Requests()[descopetest.Refresh]
		await(t, "a refresh by the other", func() bool {
			bob.wantIn(t, reads)
			time.Sleep(100 * time.Millisecond)
			return tn.Provider.Requests()[descopetest.Refresh] > refreshes
		})
		bob.wantIn(t, writes)

		here, err := url.Parse(tn.URL)
		if err != nil {
			t.Fatal(err)
		}
		stolen := newJar(t)
		stolen.SetCookies(here, bob.client.Jar.Cookies(here))
		bob.at(reads, func(p *person) {
			res, err := p.ask("POST", "/auth/logout")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		})
		thief := &person{town: tn, client: &http.Client{Jar: stolen}}
		await(t, "the sign-out at the other", func() (out bool) {
			thief.at(writes, func(p *person) { out = p.get(t, "/app/x").StatusCode == http.StatusUnauthorized })
			return out
		})
	}
	if n := tn.Provider.Reuses(); n > 0 {
		t.Errorf("%d used refresh tokens were sent", n)
	}
}
