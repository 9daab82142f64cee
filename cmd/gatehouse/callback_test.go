package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

func TestASignInCannotBeForged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})

	t.Run("several tabs sign in at once", func(t *testing.T) {
		b := h.browser()
		var callbacks []string
		for i := range 4 {
			callbacks = append(callbacks, b.authorize("ada", fmt.Sprintf("/gradio/admin/%d", i)))
		}
		for i, callback := range callbacks {
			res := b.open(callback)
			if want := fmt.Sprintf("/gradio/admin/%d", i); res.StatusCode != 302 || res.Header.Get("Location") != want {
				t.Errorf("tab %d: %s to %q", i, res.Status, res.Header.Get("Location"))
			}
		}
	})
	t.Run("of six sign-ins under way the oldest is dropped", func(t *testing.T) {
		b := h.browser()
		var callbacks []string
		for range 6 {
			callbacks = append(callbacks, b.authorize("ada", ""))
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // states are dated by the second
		}
		if n := strings.Count(b.cookiesAt("/auth/callback"), "gatehouse-state-"); n != 5 {
			t.Errorf("%d state cookies, want 5", n)
		}
		if res := b.open(callbacks[0]); res.StatusCode != 400 {
			t.Errorf("the oldest: %s", res.Status)
		}
		if res := b.open(callbacks[5]); res.StatusCode != 302 {
			t.Errorf("the newest: %s", res.Status)
		}
	})

	good := func() (*browser, url.Values) {
		b := h.browser()
		u, err := url.Parse(b.authorize("ada", "/gradio/admin/"))
		if err != nil {
			t.Fatal(err)
		}
		return b, u.Query()
	}
	for _, c := range []struct {
		what   string
		change func(b *browser, q url.Values) (*browser, string)
		status int
	}{
		{"a callback in another browser is refused", func(_ *browser, q url.Values) (*browser, string) { return h.browser(), q.Encode() }, 400},
		{"a callback without state is refused", func(b *browser, q url.Values) (*browser, string) { q.Del("state"); return b, q.Encode() }, 400},
		{"two states are refused", func(b *browser, q url.Values) (*browser, string) { return b, q.Encode() + "&state=" + q.Get("state") }, 400},
		{"a state that differs in its last letter is refused", func(b *browser, q url.Values) (*browser, string) {
			q.Set("state", q.Get("state")[:42]+"!")
			return b, q.Encode()
		}, 400},
		{"a malformed query is refused", func(b *browser, q url.Values) (*browser, string) { return b, q.Encode() + "&x=%zz" }, 400},
		{"two codes are the provider's fault", func(b *browser, q url.Values) (*browser, string) { return b, q.Encode() + "&code=x" }, 502},
		{"no code too", func(b *browser, q url.Values) (*browser, string) { q.Del("code"); return b, q.Encode() }, 502},
		{"another issuer's callback is refused (RFC 9207)", func(b *browser, q url.Values) (*browser, string) {
			q.Set("iss", "https://evil.example")
			return b, q.Encode()
		}, 502},
		{"two issuers are refused", func(b *browser, q url.Values) (*browser, string) {
			q["iss"] = []string{h.Issuer, "https://evil.example"}
			return b, q.Encode()
		}, 502},
		{"an issuer with a slash is another", func(b *browser, q url.Values) (*browser, string) {
			q.Set("iss", h.Issuer+"/")
			return b, q.Encode()
		}, 502},
		{"an empty issuer is another too", func(b *browser, q url.Values) (*browser, string) { return b, q.Encode() + "&iss" }, 502},
		{"a wrong code is refused by the provider", func(b *browser, q url.Values) (*browser, string) { q.Set("code", "stolen"); return b, q.Encode() }, 502},
		{"a refusal at the provider is a denial", func(b *browser, q url.Values) (*browser, string) {
			q.Del("code")
			q.Set("error", "access_denied")
			q.Set("error_description", "<script>alert(1)</script>")
			return b, q.Encode()
		}, 403},
	} {
		t.Run(c.what, func(t *testing.T) {
			b, q := good()
			b, query := c.change(b, q)
			res := b.open("/auth/callback?" + query)
			if res.StatusCode == 302 {
				res = b.open(res.Header.Get("Location"))
			}
			if res.StatusCode != c.status || strings.Contains(res.Text, "<script>alert") || strings.Contains(b.cookies(), "gatehouse=") {
				t.Errorf("got %s, want %d:\n%s", res.Status, c.status, res.Text)
			}
			if !strings.Contains(res.Text, "/auth/login") {
				t.Error("the page shows no way on")
			}
		})
	}
	t.Run("a state is used once, and a second use finds the living session", func(t *testing.T) {
		b := h.browser()
		callback := b.authorize("ada", "/gradio/admin/")
		stolen := b.cookiesAt("/auth/callback")
		if res := b.open(callback); res.StatusCode != 302 {
			t.Fatalf("first use: %s", res.Status)
		}
		if res := b.open(callback); res.StatusCode != 302 || res.Header.Get("Location") != "/" {
			t.Errorf("again with the session: %s to %q", res.Status, res.Header.Get("Location"))
		}
		if res := h.browser().do("GET", callback, "", "Cookie", stolen, "Accept", "text/html"); res.StatusCode != 400 {
			t.Errorf("again with a copy of the state cookie: %s", res.Status)
		}
	})
}

// What is used once is used once at the same moment too.
func TestWhatCountsOnceCountsOnceForManyAtOnce(t *testing.T) {
	h := newHouse(t, build{})
	// count sends the request many times at once and counts the answers with the status.
	count := func(request string, status int) int {
		var all sync.WaitGroup
		var n atomic.Int32
		for range 20 {
			all.Go(func() {
				if strings.HasPrefix(h.raw(request), fmt.Sprintf("HTTP/1.1 %d ", status)) {
					n.Add(1)
				}
			})
		}
		all.Wait()
		return int(n.Load())
	}
	t.Run("a callback", func(t *testing.T) {
		b, before := h.browser(), h.Provider.Requests()[descopetest.Token]
		callback := b.authorize("ada", "")
		if n := count(h.get(mustPath(t, callback), b.cookiesAt("/auth/callback"), "Accept: text/html"), 302); n != 1 {
			t.Errorf("%d signed in", n)
		}
		if n := h.Provider.Requests()[descopetest.Token] - before; n != 1 {
			t.Errorf("its code was redeemed %d times", n)
		}
	})
	t.Run("a logout token", func(t *testing.T) {
		token, err := h.Provider.LogoutToken(descopetest.Logout{Subject: "U2ada"})
		if err != nil {
			t.Fatal(err)
		}
		body := "logout_token=" + token
		if n := count(h.request("POST", "/auth/backchannel-logout", "", "Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body)))+body, 200); n != 1 {
			t.Errorf("it counted %d times", n)
		}
	})
}

// Without iss nobody could tell from whom a callback is (attack: mix-up).
func TestAnIssuerThatWasAnnouncedIsWanted(t *testing.T) {
	h := newHouse(t, build{provider: descopetest.Options{IssParameter: true}})
	for _, c := range []struct {
		what, iss string
		status    int
	}{
		{"a callback without it is refused", "", 502},
		{"an empty one too", "&iss=", 502},
		{"another one too", "&iss=https%3A%2F%2Fevil.example", 502},
		{"the right one twice too", "&iss=" + url.QueryEscape(h.Issuer) + "&iss=" + url.QueryEscape(h.Issuer), 502},
		{"the right one in other letters too", "&iss=" + url.QueryEscape(strings.ToUpper(h.Issuer)), 502},
		{"with the right one the person is in", "&iss=" + url.QueryEscape(h.Issuer), 200},
	} {
		t.Run(c.what, func(t *testing.T) {
			b, before := h.browser(), h.Provider.Requests()[descopetest.Token]
			res := b.open(b.authorize("ada", "/gradio/admin/") + c.iss)
			if res.StatusCode == 302 {
				res = b.open(res.Header.Get("Location"))
			}
			if res.StatusCode != c.status {
				t.Errorf("got %s", res.Status)
			}
			if redeemed := h.Provider.Requests()[descopetest.Token] != before; redeemed != (c.status == 200) {
				t.Errorf("the code was redeemed: %v", redeemed)
			}
		})
	}
}

func TestAProviderThatLiesSignsNobodyIn(t *testing.T) {
	h := newHouse(t, build{})
	for _, c := range []struct {
		what    string
		failure descopetest.Failure
		reason  string
	}{
		{"a wrong signature", descopetest.BadIDToken(descopetest.WrongSignature), "provider"},
		{"alg none", descopetest.BadIDToken(descopetest.AlgNone), "provider"},
		{"HS256 with the public key", descopetest.BadIDToken(descopetest.HS256Key), "provider"},
		{"a wrong nonce", descopetest.BadIDToken(descopetest.WrongNonce), "provider"},
		{"no nonce", descopetest.BadIDToken(descopetest.NoNonce), "provider"},
		{"another audience", descopetest.BadIDToken(descopetest.WrongAudience), "provider"},
		{"another issuer", descopetest.BadIDToken(descopetest.WrongIssuer), "provider"},
		{"an expired token", descopetest.BadIDToken(descopetest.Expired), "provider"},
		{"a token from the future", descopetest.BadIDToken(descopetest.FromTheFuture), "provider"},
		{"no audience", descopetest.BadIDToken(descopetest.NoAudience), "provider"},
		{"no issuer", descopetest.BadIDToken(descopetest.NoIssuer), "provider"},
		{"the issuer and a slash", descopetest.BadIDToken(descopetest.IssuerSlash), "provider"},
		{"no expiry", descopetest.BadIDToken(descopetest.NoExpiry), "provider"},
		{"an expiry that is text", descopetest.BadIDToken(descopetest.TextExpiry), "provider"},
		{"no time of issue", descopetest.BadIDToken(descopetest.NoIssuedAt), "provider"},
		{"another authorized party", descopetest.BadIDToken(descopetest.WrongParty), "provider"},
		{"somebody else's audience too, and no authorized party", descopetest.BadIDToken(descopetest.SharedNoParty), "provider"},
		{"the hash of another access token", descopetest.BadIDToken(descopetest.WrongAtHash), "provider"},
		{"an unknown key", descopetest.BadIDToken(descopetest.UnknownKey), "provider"},
		{"no JWT", descopetest.BadIDToken(descopetest.NotAJWT), "provider"},
		{"a redirect elsewhere", descopetest.Redirect("http://127.0.0.1:1/"), "provider_unavailable"},
		{"a page", descopetest.Failure{Status: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<p>access_token=a&id_token=b"}, "provider"},
		{"an empty answer", descopetest.Failure{Status: 200}, "provider"},
		{"null", descopetest.Failure{Status: 200, Body: "null"}, "provider"},
		{"a list", descopetest.Failure{Status: 200, Body: `[{"access_token":"a"}]`}, "provider"},
		{"tokens of another type", descopetest.Failure{Status: 200, Body: `{"access_token":1,"id_token":{}}`}, "provider"},
		{"HS256 with the client secret", descopetest.BadIDToken(descopetest.HS256Secret), "provider"},
		{"another key under the right kid", descopetest.BadIDToken(descopetest.ForeignKey), "provider"},
		{"a token without a subject", descopetest.BadIDToken(descopetest.NoSubject), "provider"},
		{"no ID token at all", descopetest.BadIDToken(descopetest.NoIDToken), "provider"},
		{"a malformed answer", descopetest.Malformed(), "provider"},
		{"an answer of 64 MB", descopetest.Oversized(64 << 20), "provider"},
		{"an error in Descope's own form", descopetest.DescopeError(401, "E061008", "wrong secret"), "provider"},
		{"an error in OAuth's form", descopetest.OAuthError(400, "invalid_grant", "used"), "provider"},
		{"a rate limit", descopetest.RateLimit(7 * time.Second), "provider_unavailable"},
		{"500", descopetest.Status(500), "provider_unavailable"},
		{"a connection that breaks", descopetest.ResetConnection(), "provider_unavailable"},
	} {
		t.Run(c.what+" is told as "+c.reason, func(t *testing.T) {
			b := h.browser()
			callback := b.authorize("ada", "")
			h.Provider.Fail("token", c.failure)
			defer h.Provider.Recover("token")
			res := b.open(callback)
			if want := "/auth/error?"; !strings.HasPrefix(res.Header.Get("Location"), want) || !strings.Contains(res.Header.Get("Location"), "reason="+c.reason) {
				t.Fatalf("got %s to %q", res.Status, res.Header.Get("Location"))
			}
			page := b.open(res.Header.Get("Location"))
			if want := map[string]int{"provider": 502, "provider_unavailable": 503}[c.reason]; page.StatusCode != want {
				t.Errorf("the page's status is %d, want %d", page.StatusCode, want)
			}
			if c.reason == "provider_unavailable" && page.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if strings.Contains(b.cookies(), "gatehouse=") {
				t.Error("a session cookie was set")
			}
		})
	}
}

func TestOnlyThePersonSignsOut(t *testing.T) {
	h := newHouse(t, build{})
	for _, c := range []struct {
		what    string
		method  string
		headers []string
		out     bool
		status  int
	}{
		{"a POST from another site is refused", "POST", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, false, 403},
		{"a POST from a sibling host too", "POST", []string{"Origin", "http://sibling.localhost", "Sec-Fetch-Site", "same-site"}, false, 403},
		{"a POST from a page here signs out", "POST", []string{"Sec-Fetch-Site", "same-origin"}, true, 303},
		{"a link here signs out", "GET", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"}, true, 303},
		{"a link on an app's own host of this site signs out", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"}, true, 303},
		{"the address bar signs out", "GET", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, true, 303},
		{"an old browser with a Referer from here signs out", "GET", []string{"Referer", "SELF/gradio/admin/"}, true, 303},
		{"a link on another site shows a button", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, false, 200},
		{"an old browser without a Referer shows a button", "GET", nil, false, 200},
		{"or with a foreign one", "GET", []string{"Referer", "https://evil.example/SELF"}, false, 200},
		{"HEAD changes nothing", "HEAD", []string{"Sec-Fetch-Site", "same-origin"}, false, 200},
		{"DELETE is not taken", "DELETE", []string{"Sec-Fetch-Site", "same-origin"}, false, 405},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := h.as("ada")
			headers := append([]string(nil), c.headers...)
			for i := range headers {
				headers[i] = strings.Replace(headers[i], "SELF", h.URL, 1)
			}
			cookie := b.cookies()
			if res := b.do(c.method, "/auth/logout", "", headers...); res.StatusCode != c.status {
				t.Errorf("got %s, want %d", res.Status, c.status)
			}
			res := h.browser().do("GET", "/gradio/admin/", "", "Cookie", cookie)
			if out := res.StatusCode == http.StatusUnauthorized; out != c.out {
				t.Errorf("signed out: %v, want %v", out, c.out)
			}
		})
	}
	t.Run("with Descope away the sign-out succeeds here and leads to the signed-out page", func(t *testing.T) {
		b := h.as("ada")
		h.Provider.Fail("revoke", descopetest.ResetConnection())
		defer h.Provider.Recover("revoke")
		res := b.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "same-origin")
		if res.StatusCode != 303 || res.Header.Get("Location") != h.URL+"/auth/?signed_out=1" {
			t.Errorf("got %s to %q", res.Status, res.Header.Get("Location"))
		}
	})
}
