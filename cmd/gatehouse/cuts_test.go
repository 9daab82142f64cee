package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

// patience is the contract's 2 s for a cut, and as much again for a machine that
// has other things to do.
const patience = 4 * time.Second

// kinds are the paths of streamer's streams, with how each is cut.
var kinds = map[string]string{"events": "clean end", "ws": "closed 1008", "file": "aborted"}

// followAll opens a stream of each kind below the path.
func (b *browser) followAll(path string) map[string]<-chan ending {
	b.t.Helper()
	all := make(map[string]<-chan ending)
	for kind := range kinds {
		all[kind] = b.follow(path + "/" + kind)
	}
	return all
}

// Whatever ends a right ends every kind of stream that it had let in, each in its
// own way, and nobody else's.
func TestEveryEndCutsEveryKindOfStreamAndNoOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		build  func(t *testing.T) build
		end    func(t *testing.T, h *house, b build, ada *browser) (since time.Time)
		cause  string
		spares bool // what else the person may goes on
	}{
		{"a sign-out", plainBuild, func(_ *testing.T, h *house, _ build, ada *browser) time.Time {
			ada.do("POST", "/auth/logout", "", "Origin", h.URL)
			return time.Now()
		}, "sign_out", false},
		{"a back-channel logout by sub", plainBuild, func(t *testing.T, h *house, _ build, _ *browser) time.Time {
			if code := h.logout(descopetest.Logout{Subject: "U2ada"}); code != 200 {
				t.Fatal(code)
			}
			return time.Now()
		}, "revoked", false},
		{"a back-channel logout by sid", plainBuild, func(t *testing.T, h *house, _ build, _ *browser) time.Time {
			if code := h.logout(descopetest.Logout{SID: "S2ada"}); code != 200 {
				t.Fatal(code)
			}
			return time.Now()
		}, "revoked", false},
		{"invalid_grant at a refresh that no request asked for", shortBuild, func(_ *testing.T, h *house, _ build, _ *browser) time.Time {
			h.Provider.RevokeSessions("ada")
			return time.Now().Add(2 * time.Second) // the token's life
		}, "revoked", false},
		{"a role that is taken away", shortBuild, func(t *testing.T, h *house, _ build, _ *browser) time.Time {
			if err := h.Provider.SetRoles("ada", descopetest.Acme, "Member"); err != nil {
				t.Fatal(err)
			}
			return time.Now().Add(2 * time.Second)
		}, "role_lost", true},
		{"a reloaded policy", func(t *testing.T) build { return filed(t, build{}) }, func(_ *testing.T, h *house, b build, _ *browser) time.Time {
			h.edit(b.file, "[Tenant Admin]", "[Somebody Else]")
			return time.Now().Add(2 * time.Second) // a reload's own time
		}, "policy_changed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := c.build(t)
			h := newHouse(t, b)
			h.Admin.on(streamer)
			h.User.on(streamer)
			ada, bob := h.withSID("ada", "S2ada"), h.as("bob")
			concerned, more, others := ada.followAll("/gradio/admin"), ada.followAll("/gradio/user"), bob.followAll("/gradio/user")
			open := h.instance.handler.Streams().Open
			h.await("all to be streams", func() bool { return open() == 9 })

			since := c.end(t, h, b, ada)
			for kind, how := range kinds {
				cut(t, "the admin's "+kind, concerned[kind], how, since)
				if !c.spares {
					cut(t, "her other "+kind, more[kind], how, since)
				}
			}
			left := 3
			if c.spares {
				left = 6
			}
			h.await("the rest alone", func() bool { return open() <= left })
			for kind := range kinds {
				goesOn(t, "somebody else's "+kind, others[kind])
				if c.spares {
					goesOn(t, "her other "+kind, more[kind])
				}
			}
			if n := open(); n != left {
				t.Errorf("%d streams are left, want %d", n, left)
			}
			h.await("the audit events", func() bool { return len(h.events("stream_closed")) == 9-left })
			for _, e := range h.events("stream_closed") {
				if e["cause"] != c.cause || e["sub"] != "U2ada" {
					t.Errorf("closed %v", e)
				}
			}
		})
	}
}

func plainBuild(*testing.T) build { return build{} }
func shortBuild(*testing.T) build { return shortLived() }

// cut waits for a stream's end, which may take for patience from a moment on.
func cut(t *testing.T, what string, ended <-chan ending, how string, since time.Time) {
	t.Helper()
	select {
	case e := <-ended:
		if e.how != how {
			t.Errorf("%s: %s, want %s", what, e.how, how)
		}
	case <-time.After(time.Until(since.Add(patience))):
		t.Errorf("%s is still open", what)
	}
}

// Time runs out for every kind of stream, at max_age whatever happens and at
// idle_timeout unless the person is there.
func TestTimeRunsOutForEveryKindOfStream(t *testing.T) {
	for _, limit := range []string{"max_age", "idle_timeout"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			const life = 8 * time.Second
			h := newHouse(t, build{session: "  " + limit + ": 8s"})
			h.User.on(streamer)
			earliest := time.Now().Add(life)
			ada := h.as("ada")
			first := ada.followAll("/gradio/user")
			latest := time.Now().Add(life)
			time.Sleep(time.Until(latest.Add(-life / 2)))
			next := time.Now().Add(life)
			later := h.as("bob").followAll("/gradio/user")
			for kind, how := range kinds {
				cut(t, "the first "+kind, first[kind], how, latest)
			}
			if early := time.Until(earliest); early > 10*time.Millisecond {
				t.Errorf("they ended %v before their time", early)
			}
			for kind := range kinds {
				if time.Now().Before(next) { // a machine that stood still has both at once
					goesOn(t, "the later "+kind, later[kind])
				}
			}
			for _, e := range h.events("stream_closed") {
				if e["cause"] != "expired" {
					t.Errorf("closed %v", e)
				}
			}
			if res := ada.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("a request afterwards: %s", res.Status)
			}
		})
	}
}

func TestWhatAWebSocketsClientSendsIsActivityAndWhatAnAppSendsIsNot(t *testing.T) {
	t.Parallel()
	const idle = 6 * time.Second
	h := newHouse(t, build{session: "  idle_timeout: 6s"})
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/ticker" && streams(w, with(r, "/events")) || streamer(w, r)
	})
	talks, listens := h.as("bob"), h.as("ada")
	begun := time.Now()
	ws, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(h.URL, "http")+"/gradio/user/ws", &websocket.DialOptions{HTTPClient: talks.client, HTTPHeader: http.Header{"Origin": {h.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ticker := listens.follow("/gradio/user/ticker")
	for time.Since(begun) < idle+idle/2 {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte("here")); err != nil {
			t.Fatalf("after %v: %v", time.Since(begun), err)
		}
		time.Sleep(idle / 20)
	}
	cut(t, "the stream of somebody who only listens", ticker, "clean end", begun.Add(idle))
	if res := listens.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("who only listens: %s", res.Status)
	}
	if res := talks.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("who talks: %s", res.Status)
	}
}

// with is the request under another path.
func with(r *http.Request, path string) *http.Request {
	r = r.Clone(r.Context())
	r.URL.Path = path
	return r
}

// On a public route nobody is asked for, so nobody's sign-out ends a stream.
func TestAPublicRoutesStreamIsNobodys(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{routes: tutorialRoutes + "  - {path: /open, upstream: \"%[2]s\", allow: public}\n"})
	h.User.on(streamer)
	bob := h.as("bob")
	his, public := bob.follow("/gradio/user/events"), bob.follow("/open/events")
	bob.do("POST", "/auth/logout", "", "Origin", h.URL)
	cut(t, "his stream", his, "clean end", time.Now())
	goesOn(t, "the public one", public)
	if n := h.instance.handler.Streams().Open(); n != 1 {
		t.Errorf("%d streams are left, want 1", n)
	}
}

// A session secret that leaked is taken out of the configuration: what came in by
// it is over, streams included.
func TestStreamsEndWithTheSecretThatLetThemIn(t *testing.T) {
	t.Parallel()
	b := filed(t, build{
		replace: []string{"secret: ${GATEHOUSE_SESSION_SECRET}", "secret: ${FIRST}"},
		env:     []string{"GATEHOUSE_SESSION_SECRET=", "FIRST=" + newSecret(), "SECOND=" + newSecret()},
	})
	h := newHouse(t, b)
	h.User.on(streamer)
	ends := h.as("bob").followAll("/gradio/user")
	h.await("three streams", func() bool { return h.instance.handler.Streams().Open() == 3 })
	h.edit(b.file, "secret: ${FIRST}", "secret: ${SECOND}\n  previous_secrets: [\"${FIRST}\"]")
	h.within2s("config_reloaded", 1)
	for kind := range kinds {
		goesOn(t, "while the old one is read, the "+kind, ends[kind])
	}
	h.edit(b.file, "\n  previous_secrets: [\"${FIRST}\"]", "")
	h.within2s("config_reloaded", 2)
	for kind, how := range kinds {
		cut(t, "the "+kind, ends[kind], how, time.Now())
	}
}
