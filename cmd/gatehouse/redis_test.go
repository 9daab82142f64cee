package main

import (
	"bufio"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// redisAt runs a redis-server on the port until the returned function, or the
// test's end, kills it.
func redisAt(t *testing.T, port string) (kill func()) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: store: redis is tested against a real one (apt install redis-server)")
	}
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return kill
		}
	}
	t.Fatal("redis-server did not get ready")
	return nil
}

func TestTwoInstancesOnRedis(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	kill := redisAt(t, port)
	build := shortLived()
	build.session = "  store: redis\n  redis_url: redis://127.0.0.1:" + port
	a := newHouse(t, build)
	b := a.twin(build)
	a.User.on(streamer)
	a.Admin.on(streamer)

	t.Run("a sign-in at one is good at the other, and its cookie is small", func(t *testing.T) {
		bob := a.as("bob")
		bob.at(b).wants("at b", 200)
		if n := len(bob.cookies()); n > 400 {
			t.Errorf("%d bytes of cookies", n)
		}
	})
	t.Run("a sign-in and a logout token that were used at one are used up at the other", func(t *testing.T) {
		there := a.browser().at(b)
		callback := there.authorize("carol", "")
		state := there.cookiesAt("/auth/callback") // somebody has a copy
		if res := there.open(callback); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/" {
			t.Fatalf("at b: %s to %q", res.Status, res.Header.Get("Location"))
		}
		before := a.Provider.Requests()[descopetest.Token]
		if res := a.browser().do("GET", callback, "", "Cookie", state); res.StatusCode != http.StatusBadRequest {
			t.Errorf("again at a: %s", res.Status)
		}
		if n := a.Provider.Requests()[descopetest.Token] - before; n != 0 {
			t.Errorf("the code was sent %d times more", n)
		}
		token, err := a.Provider.LogoutToken(descopetest.Logout{Subject: "U2nobody"})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			*house
			want int
		}{{b, http.StatusOK}, {a, http.StatusBadRequest}} {
			res := a.browser().at(at.house).do("POST", "/auth/backchannel-logout", "logout_token="+token, "Content-Type", "application/x-www-form-urlencoded")
			if res.StatusCode != at.want {
				t.Errorf("the logout token: %s, want %d", res.Status, at.want)
			}
		}
	})
	t.Run("requests and streams at both make one refresh at a time", func(t *testing.T) {
		a.Provider.ResetRecord()
		ada := a.as("ada")
		here, there := ada.follow("/gradio/user/events"), ada.at(b).follow("/gradio/user/events")
		began := time.Now()
		for time.Since(began) < 5*time.Second {
			ada.wants("at a", 200)
			ada.at(b).wants("at b", 200)
			time.Sleep(50 * time.Millisecond)
		}
		most := int(time.Since(began)/(1500*time.Millisecond)) + 2 // each instance on its own would make twice as many
		if o, r, n := a.Provider.Overlap(), a.Provider.Reuses(), a.Provider.Requests()[descopetest.Refresh]; o > 1 || r != 0 || n < 2 || n > most {
			t.Errorf("%d refreshes, %d at a time with one token, %d with a used one", n, o, r)
		}
		goesOn(t, "the stream at a", here)
		goesOn(t, "the stream at b", there)
	})
	t.Run("a role lost is felt at the instance that did not refresh", func(t *testing.T) {
		ada := a.as("ada")
		here, there := ada.follow("/gradio/admin/events"), ada.at(b).follow("/gradio/admin/ws")
		if err := a.Provider.SetRoles("ada", descopetest.Acme, "Member"); err != nil {
			t.Fatal(err)
		}
		defer a.Provider.SetRoles("ada", descopetest.Acme, "Tenant Admin") //nolint:errcheck // there is an ada
		outlive()
		expect(t, "the stream at a", here, "clean end")
		expect(t, "the WebSocket at b", there, "closed 1008")
		ada.at(b).wants("what she still may", 200)
	})
	t.Run("a sign-out at one cuts the streams at the other at once", func(t *testing.T) {
		bob := a.as("bob")
		stolen := bob.cookies()
		events := bob.at(b).follow("/gradio/user/events")
		bob.do("POST", "/auth/logout", "", "Origin", a.URL)
		expect(t, "the stream at b", events, "clean end")
		if res := a.browser().at(b).do("GET", "/gradio/user/", "", "Cookie", stolen); res.StatusCode != 401 {
			t.Errorf("the stolen cookie at b: %s", res.Status)
		}
	})
	t.Run("a second sign-in at one takes over the streams at the other", func(t *testing.T) {
		bob := a.as("bob")
		events := bob.at(b).follow("/gradio/user/events")
		bob.signIn("bob", "")
		time.Sleep(500 * time.Millisecond)
		goesOn(t, "the stream at b", events)
		bob.do("POST", "/auth/logout", "", "Origin", a.URL)
		expect(t, "the stream at b, once the second session is over", events, "clean end")
	})
	t.Run("while Redis is away people who were here go on, others get 503, and nobody is signed out", func(t *testing.T) {
		bob, carol, leaving := a.as("bob"), a.browser().at(b), a.as("ada")
		carol.signIn("carol", "")
		bob.wants("before", 200)
		kill()
		for range 5 {
			bob.wants("was just here", 200)
			res := carol.at(a).open("/gradio/user/")
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header["Set-Cookie"] != nil {
				t.Errorf("never seen at a: %s %v", res.Status, res.Header)
			}
		}
		late := a.browser()
		res := late.signIn("carol", "")
		if place := res.Header.Get("Location"); res.StatusCode < 300 || !strings.Contains(place+res.Text, "no_session_store") && res.StatusCode != 503 {
			t.Errorf("a sign-in: %s to %q", res.Status, place)
		}
		if late.cookies() != "" {
			t.Errorf("cookies of a sign-in that failed: %s", late.cookies())
		}
		stolen := leaving.cookies()
		if res := leaving.do("POST", "/auth/logout", "", "Origin", a.URL); res.StatusCode != http.StatusSeeOther || leaving.cookies() != "" {
			t.Errorf("a sign-out: %s, cookies %q", res.Status, leaving.cookies())
		}
		kill = redisAt(t, port)
		a.await("bob at b", func() bool { return bob.at(b).fetch("GET", "/gradio/user/", "").StatusCode == 200 })
		a.await("carol at a", func() bool { return carol.at(a).fetch("GET", "/gradio/user/", "").StatusCode == 200 })
		a.await("the sign-out at b", func() bool {
			return a.browser().at(b).do("GET", "/gradio/user/", "", "Cookie", stolen).StatusCode == 401
		})
		if r := a.Provider.Reuses(); r != 0 {
			t.Errorf("%d used tokens were sent", r)
		}
	})
}
