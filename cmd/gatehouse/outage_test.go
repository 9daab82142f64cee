package main

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/authn/session"
)

// grace is how long a session serves after its tokens' end while the provider is
// away.
const grace = 5 * time.Minute

// agedAs returns a browser of the person whose tokens ended so long ago.
func (h *house) agedAs(person string, ago time.Duration) *browser {
	h.t.Helper()
	b := h.as(person)
	found, err := h.instance.sessions.Find(h.t.Context(), http.Header{"Cookie": {b.cookies()}})
	if err != nil || found.Session == nil {
		h.t.Fatal(found, err)
	}
	rec := *found.Session.Record()
	rec.ID = session.NewID()
	rec.FreshUntil = time.Now().Add(-ago)
	rec.RefreshedAt = rec.FreshUntil.Add(-10 * time.Minute)
	rec.SignedInAt = rec.RefreshedAt
	_, value, err := h.instance.sessions.Begin(h.t.Context(), &rec, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := url.Parse(h.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	b.jar.SetCookies(u, []*http.Cookie{{Name: "gatehouse", Value: value, Path: "/"}})
	return b
}

func TestAnOutageEndsNoSession(t *testing.T) {
	for name, failure := range map[string]descopetest.Failure{
		"while the provider answers 503":   descopetest.Status(503),
		"while it answers 429":             descopetest.RateLimit(time.Second),
		"while its connections break":      descopetest.ResetConnection(),
		"while it takes no client at all":  descopetest.OAuthError(401, "invalid_client", "x"),
		"while it answers with other JSON": {Status: 200, Body: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, build{})
			h.User.on(streamer)
			h.Provider.Fail(descopetest.Refresh, failure)
			const left = 6 * time.Second
			earliest := time.Now().Add(left)
			bob := h.agedAs("bob", grace-left)
			over := time.Now().Add(left)
			bob.wants("in the grace", 200)
			ends := bob.followAll("/gradio/user")
			for kind, how := range kinds {
				cut(t, "the "+kind, ends[kind], how, over)
			}
			if early := time.Until(earliest); early > 10*time.Millisecond {
				t.Errorf("its streams ended %v before the grace", early)
			}
			h.await("the audit events", func() bool { return len(h.events("stream_closed")) == len(kinds) })
			for _, e := range h.events("stream_closed") {
				if e["cause"] != "unavailable" {
					t.Errorf("closed %v", e)
				}
			}
			for what, res := range map[string]reply{"a script": bob.fetch("GET", "/gradio/user/", ""), "a person": bob.open("/gradio/user/")} {
				if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header["Set-Cookie"] != nil {
					t.Errorf("%s after the grace: %s %v", what, res.Status, res.Header)
				}
			}
			h.Provider.Recover()
			back := time.Now()
			for bob.fetch("GET", "/gradio/user/", "").StatusCode != http.StatusOK {
				if time.Since(back) > 20*time.Second {
					t.Fatal("the session did not go on when the provider was back")
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
}

// With SIGTERM the instance is not ready for drain_delay and still accepts, then
// accepts nothing, and what streams may finish until 2 s before drain_timeout.
func TestStreamsMayFinishUntilTwoSecondsBeforeTheDrainEnds(t *testing.T) {
	t.Parallel()
	const delay, timeout = 2 * time.Second, 6 * time.Second
	h := newHouse(t, build{replace: []string{"drain_timeout: 5s", "drain_delay: 2s\ndrain_timeout: 6s"}})
	h.User.on(streamer)
	bob := h.as("bob")
	ends := bob.followAll("/gradio/user")
	h.await("three streams", func() bool { return h.instance.handler.Streams().Open() == 3 })

	begun := time.Now()
	h.stop()
	h.await("draining", h.instance.handler.Draining)
	for path, want := range map[string]int{"/auth/health": http.StatusServiceUnavailable, "/auth/": http.StatusOK} {
		res, err := h.browser().client.Get(h.URL + path)
		switch {
		case err == nil && res.StatusCode == want:
			_ = res.Body.Close()
		case time.Since(begun) < delay:
			t.Errorf("%s in drain_delay: %v, %v", path, res, err)
		}
	}
	for kind, how := range map[string]string{"events": "clean end", "ws": "closed 1001", "file": "aborted"} {
		cut(t, "the "+kind, ends[kind], how, begun.Add(delay+timeout-streamsBefore))
	}
	if took := time.Since(begun); took < delay+timeout-streamsBefore {
		t.Errorf("they were closed after %v", took)
	}
	<-h.done
	for _, e := range h.events("stream_closed") {
		if e["cause"] != "shutdown" {
			t.Errorf("closed %v", e)
		}
	}
}
