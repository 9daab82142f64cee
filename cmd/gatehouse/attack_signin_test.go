package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/descopetest"
)

// twoBearerApps are two apps that take bearer tokens, and one that does not.
const twoBearerApps = `
  - {path: /one, upstream: "%[1]s", allow: authenticated, bearer: true}
  - {path: /two, upstream: "%[2]s", allow: authenticated, bearer: true}
  - {path: /cookie, upstream: "%[2]s", allow: authenticated}
`

func TestAttack12PresenceTakenForValidity(t *testing.T) {
	h := newHouse(t, build{routes: twoBearerApps})
	now := time.Now().Unix()
	claims := func(over map[string]any) map[string]any {
		c := map[string]any{"iss": h.Issuer, "aud": h.Provider.ClientID(), "sub": "U2ada", "iat": now, "exp": now + 300}
		for k, v := range over {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		return c
	}
	sign := func(over map[string]any) string {
		token, err := h.Provider.SignJWT(claims(over), nil)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := sign(nil)
	parts := strings.Split(good, ".")
	header := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	w := h.wire(t)
	if res := w.ask(h.get("/one/x", "", "Authorization: Bearer "+good)); res.StatusCode != 200 {
		t.Fatalf("a good token: %s %s", res.Status, res.Text)
	}
	reached := len(h.Admin.requests())
	ada := h.as("ada").cookies()
	for what, value := range map[string]string{
		"alg none":                        "Bearer " + header(`{"alg":"none"}`) + "." + parts[1] + ".",
		"alg None":                        "Bearer " + header(`{"alg":"None","typ":"JWT"}`) + "." + parts[1] + ".",
		"alg none with the signature":     "Bearer " + header(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"alg HS256":                       "Bearer " + header(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2],
		"two algs":                        "Bearer " + header(`{"alg":"none","alg":"RS256"}`) + "." + parts[1] + "." + parts[2],
		"a key in the header":             "Bearer " + header(`{"alg":"RS256","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}`) + "." + parts[1] + "." + parts[2],
		"a key's address in the header":   "Bearer " + header(`{"alg":"RS256","jku":"https://evil.example/jwks"}`) + "." + parts[1] + "." + parts[2],
		"a kid that is a path":            "Bearer " + header(`{"alg":"RS256","kid":"../../../dev/null"}`) + "." + parts[1] + "." + parts[2],
		"no signature":                    "Bearer " + parts[0] + "." + parts[1] + ".",
		"another payload":                 "Bearer " + parts[0] + "." + header(`{"iss":"`+h.Issuer+`","sub":"U2oscar"}`) + "." + parts[2],
		"another issuer":                  "Bearer " + sign(map[string]any{"iss": "https://evil.example"}),
		"an issuer with a slash":          "Bearer " + sign(map[string]any{"iss": h.Issuer + "/"}),
		"no issuer":                       "Bearer " + sign(map[string]any{"iss": nil}),
		"another audience":                "Bearer " + sign(map[string]any{"aud": "P2somebodyelse"}),
		"no audience":                     "Bearer " + sign(map[string]any{"aud": nil}),
		"an empty audience":               "Bearer " + sign(map[string]any{"aud": []string{}}),
		"the neighbour's audience":        "Bearer " + sign(map[string]any{"aud": h.URL + "/two/"}),
		"an audience on another host":     "Bearer " + sign(map[string]any{"aud": "http://evil.example/one/"}),
		"an audience that climbs":         "Bearer " + sign(map[string]any{"aud": h.URL + "/two/../one/"}),
		"expired":                         "Bearer " + sign(map[string]any{"exp": now - 60}),
		"no expiry":                       "Bearer " + sign(map[string]any{"exp": nil}),
		"an expiry that is text":          "Bearer " + sign(map[string]any{"exp": "9999999999"}),
		"not yet valid":                   "Bearer " + sign(map[string]any{"nbf": now + 600}),
		"issued in the future":            "Bearer " + sign(map[string]any{"iat": now + 600}),
		"no subject":                      "Bearer " + sign(map[string]any{"sub": nil}),
		"an empty subject":                "Bearer " + sign(map[string]any{"sub": ""}),
		"a logout token":                  "Bearer " + sign(map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, "jti": "x"}),
		"two tokens":                      "Bearer " + good + "\r\nAuthorization: Bearer " + good,
		"two, of which one is bad":        "Bearer x\r\nAuthorization: Bearer " + good,
		"a token and more":                "Bearer " + good + ", Bearer x",
		"no token":                        "Bearer",
		"an empty token":                  "Bearer ",
		"a word":                          "Bearer undefined",
		"four parts":                      "Bearer " + good + ".x",
		"a token of 50 KB":                "Bearer " + good + strings.Repeat("A", 50<<10),
		"the session cookie's value":      "Bearer " + strings.TrimPrefix(ada, "gatehouse="),
		"an opaque string in base64":      "Bearer AAAA====",
		"a scheme that looks like Bearer": "Bearer\t" + good,
	} {
		t.Run(what, func(t *testing.T) {
			// Beside a good cookie: a bearer decides alone.
			for _, cookies := range []string{"", ada} {
				res := w.ask(h.get("/one/x", cookies, "Authorization: "+value))
				if res.StatusCode != 401 || !strings.Contains(res.Header.Get("Www-Authenticate"), `error="invalid_token"`) {
					t.Errorf("got %s, WWW-Authenticate %q", res.Status, res.Header.Get("Www-Authenticate"))
				}
			}
		})
	}
	t.Run("a token without its scheme is none", func(t *testing.T) {
		if res := w.ask(h.get("/one/x", "", "Authorization: "+good)); res.StatusCode != 401 {
			t.Errorf("got %s", res.Status)
		}
	})
	if n := len(h.Admin.requests()) - reached; n != 0 {
		t.Errorf("%d refused requests reached the app", n)
	}
	t.Run("where bearers are not taken they sign nobody in", func(t *testing.T) {
		if res := w.ask(h.get("/cookie/x", "", "Authorization: Bearer "+good)); res.StatusCode != 401 {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("a consumed bearer does not reach the app", func(t *testing.T) {
		w.ask(h.get("/one/x", "", "Authorization: Bearer "+good))
		if got := h.Admin.last(t).Header.Get("Authorization"); got != "" {
			t.Errorf("the app saw %q", got)
		}
	})
}

func TestAttack13CookieOfOnePurposeReplayed(t *testing.T) {
	h := newHouse(t, build{})
	ada := h.as("ada")
	session := strings.TrimPrefix(ada.cookies(), "gatehouse=")
	b := h.browser()
	callback, err := url.Parse(b.authorize("bob", ""))
	if err != nil {
		t.Fatal(err)
	}
	name, state, _ := strings.Cut(b.cookiesAt("/auth/callback"), "=")
	w := h.wire(t)
	for what, cookies := range map[string]string{
		"a sign-in's cookie as session":    "gatehouse=" + state,
		"in chunks":                        "gatehouse.0=" + state[:20] + "; gatehouse.1=" + state[20:],
		"two sessions glued":               "gatehouse=" + session + session,
		"a session and a sign-in glued":    "gatehouse.0=" + session + "; gatehouse.1=" + state,
		"the chunks exchanged":             "gatehouse.1=" + session[:20] + "; gatehouse.0=" + session[20:],
		"the session under the other name": name + "=" + session,
		"without its last letter":          "gatehouse=" + session[:len(session)-1],
		"with one more":                    "gatehouse=" + session + "A",
	} {
		if res := w.ask(h.get("/gradio/user/x", cookies)); res.StatusCode != 401 {
			t.Errorf("%s: %s", what, res.Status)
		}
	}
	before := h.Provider.Requests()["token"]
	for what, cookies := range map[string]string{
		"a session's cookie as the sign-in's": name + "=" + session,
		"a sign-in's cookie of another name":  "gatehouse-state-aaaaaaaaaaaa=" + state,
		"the sign-in's cookie cut short":      name + "=" + state[:len(state)-4],
		"in the session's name":               "gatehouse=" + state,
	} {
		if res := w.ask(h.get(callback.RequestURI(), cookies)); res.StatusCode != 400 {
			t.Errorf("%s: %s", what, res.Status)
		}
	}
	if n := h.Provider.Requests()["token"] - before; n != 0 {
		t.Errorf("%d codes were redeemed", n)
	}
	t.Run("no change of any letter counts", func(t *testing.T) {
		for i := 0; i < len(session)-2; i += 3 {
			c := byte('A')
			if session[i] == c {
				c = 'B'
			}
			if res := w.ask(h.get("/gradio/user/x", "gatehouse="+session[:i]+string(c)+session[i+1:])); res.StatusCode != 401 {
				t.Fatalf("letter %d: %s", i, res.Status)
			}
		}
	})
}

func TestAttack14CacheKeyLacksTenantScopeIssuer(t *testing.T) {
	h, at := newHosts(t)
	ada, oscar := h.as("ada"), h.as("oscar")
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 60 {
				who, mine, other := ada, "acme", "globex"
				if (i+worker)%2 == 1 {
					who, mine, other = oscar, "globex", "acme"
				}
				if res := who.do("GET", at(mine+".desk.example.test", "/x"), ""); res.StatusCode != 200 {
					t.Errorf("%s's own: %s", mine, res.Status)
				}
				if res := who.do("GET", at(other+".desk.example.test", "/x"), ""); res.StatusCode != 403 {
					t.Errorf("%s for %s: %s", other, mine, res.Status)
				}
			}
		})
	}
	wait.Wait()
	for _, seen := range h.User.requests() {
		want := map[string]string{"U2ada": "T2acme", "U2oscar": "T2globex"}[seen.Header.Get("X-Forwarded-User")]
		if got := seen.Header.Get("X-Forwarded-Tenant"); got != want || !strings.HasPrefix(seen.Host, map[string]string{"T2acme": "acme.", "T2globex": "globex."}[want]) {
			t.Errorf("%s on %s came as of %s", seen.Header.Get("X-Forwarded-User"), seen.Host, got)
		}
	}
	t.Run("a token that was good for one app is not remembered for the next", func(t *testing.T) {
		h := newHouse(t, build{routes: twoBearerApps})
		now := time.Now().Unix()
		token, err := h.Provider.SignJWT(map[string]any{"iss": h.Issuer, "aud": h.URL + "/one/mcp", "sub": "U2ada", "iat": now, "exp": now + 300}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := h.wire(t)
		for range 3 {
			if res := w.ask(h.get("/one/mcp", "", "Authorization: Bearer "+token)); res.StatusCode != 200 {
				t.Fatalf("its own: %s %s", res.Status, res.Text)
			}
			if res := w.ask(h.get("/two/mcp", "", "Authorization: Bearer "+token)); res.StatusCode != 401 {
				t.Fatalf("the next: %s", res.Status)
			}
		}
	})
}

func TestAttack15HomographAndMultiAtEmails(t *testing.T) {
	addresses := map[string]bool{
		"eva@acme.example": true, "EVA@ACME.EXAMPLE": true, "boss@other.example": true, "BOSS@other.example": true,
		"eva@evil.example@acme.example": false, "eva@acme.example@evil.example": false, `"eva@evil.example"@acme.example`: false,
		"eva@evil-acme.example": false, "eva@evilacme.example": false, "eva@sub.acme.example": false, "eva@acme.example.evil.example": false,
		"eva@acme.example.": false, "eva@acme.example ": false, "eva@аcme.example": false, "eva@acme｡example": false,
		"eva@ACME.EXAMPLE\u212a": false, "eva@acme.example\x00.evil.example": false, "eva@acme.example\n": false, "@acme.example": false,
		"acme.example": false, "eva@": false, "": false, "bos\u017f@other.example": false, "boss@other.example,eva@evil.example": false,
		"Eva <eva@acme.example>": false, "eva@evil.example?@acme.example": false, "boss@other.example\u200b": false,
	}
	var people []descopetest.Person
	var wants []bool
	for address, want := range addresses {
		people = append(people, descopetest.Person{ID: fmt.Sprintf("p%d", len(people)), Email: address})
		wants = append(wants, want)
	}
	people = append(people, descopetest.Person{ID: fmt.Sprintf("p%d", len(people)), Email: "eva@acme.example", EmailUnverified: true})
	wants = append(wants, false)
	h := newHouse(t, build{provider: descopetest.Options{People: people}, routes: `
  - path: /app
    upstream: "%[1]s"
    allow: [{email_domains: [acme.example]}, {emails: [boss@other.example]}]
`})
	for i, p := range people {
		res := h.as(p.ID).fetch("GET", "/app/x", "")
		if passed := res.StatusCode == 200; passed != wants[i] {
			t.Errorf("%q (unverified: %v): %s", p.Email, p.EmailUnverified, res.Status)
		}
	}
}

func TestAttack17LoginCSRFAndStates(t *testing.T) {
	h := newHouse(t, build{})
	t.Run("no code is redeemed before its state was checked", func(t *testing.T) {
		before := h.Provider.Requests()["token"]
		w := h.wire(t)
		for _, query := range []string{
			"", "?", "?code=x", "?code=x&state=", "?code=x&state=aaaaaaaaaaaa", "?code=x&state=a&state=b", "?state=aaaaaaaaaaaab&code=x&code=y",
			"?code=x&state=%00%00%00%00%00%00%00%00%00%00%00%00%00", "?code=x&state=" + strings.Repeat("a", 60000), "?code=x&state[]=aaaaaaaaaaaaa",
			"?error=access_denied", "?code=x;state=aaaaaaaaaaaaaaa", "?code=x&state=aaaaaaaaaaaa;Path=/", "?code=x&state=aaa%0d%0aSet-Cookie:%20x=1",
		} {
			res := w.ask(h.get("/auth/callback"+query, "", "Accept: text/html"))
			if res.StatusCode != 400 || len(res.Header["Set-Cookie"]) != 0 {
				t.Errorf("%.60s: %s, cookies %q", query, res.Status, res.Header["Set-Cookie"])
			}
		}
		if n := h.Provider.Requests()["token"] - before; n != 0 {
			t.Errorf("%d codes were redeemed", n)
		}
	})
	t.Run("the callback is no form's target", func(t *testing.T) {
		b := h.browser()
		callback := b.authorize("ada", "")
		for _, method := range []string{"POST", "PUT", "HEAD", "OPTIONS"} {
			if res := b.do(method, callback, ""); res.StatusCode != 405 {
				t.Errorf("%s: %s", method, res.Status)
			}
		}
		if res := b.open(callback); res.StatusCode != 302 {
			t.Errorf("the state was used up by them: %s", res.Status)
		}
	})
	t.Run("an attacker's callback in the victim's browser signs nobody in", func(t *testing.T) {
		mallory, victim := h.browser(), h.browser()
		victim.authorize("ada", "") // a sign-in of their own under way
		if res := victim.open(mallory.authorize("oscar", "")); res.StatusCode != 400 || strings.Contains(victim.cookies(), "gatehouse=") {
			t.Errorf("got %s", res.Status)
		}
	})
	t.Run("a sign-in leaves a session planted before it behind", func(t *testing.T) {
		mallory := h.as("oscar")
		planted := mallory.cookies()
		res := h.browser().do("GET", func() string { b := h.browser(); return b.authorize("ada", "") }(), "", "Cookie", planted)
		if res.StatusCode != 302 { // no state cookie: leads home, as Oscar still
			t.Errorf("got %s", res.Status)
		}
		victim := h.browser()
		callback := victim.authorize("ada", "")
		state := victim.cookiesAt("/auth/callback")
		signed := h.wire(t).ask(h.get(mustPath(t, callback), state+"; "+planted))
		fresh := ""
		for _, c := range signed.Cookies() {
			if c.Name == "gatehouse" && c.Value != "" {
				fresh = c.Name + "=" + c.Value
			}
		}
		if signed.StatusCode != 302 || fresh == "" || fresh == planted {
			t.Fatalf("got %s with %q", signed.Status, fresh)
		}
		h.wire(t).ask(h.get("/gradio/user/x", fresh))
		if got := h.User.last(t).Header.Get("X-Forwarded-User"); got != "U2ada" {
			t.Errorf("signed in as %q", got)
		}
		// The planted one is over: Mallory does not watch on.
		if res := h.wire(t).ask(h.get("/gradio/user/x", planted)); res.StatusCode != 401 {
			t.Errorf("the planted session still passes: %s", res.Status)
		}
	})
	t.Run("another site starts no sign-in over a living session", func(t *testing.T) {
		ada := h.as("ada")
		res := ada.do("GET", "/auth/login?return_to=/gradio/user/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
		if res.StatusCode != 200 || res.Header.Get("Location") != "" || strings.Contains(ada.cookiesAt("/auth/callback"), "gatehouse-state-") {
			t.Errorf("got %s to %q", res.Status, res.Header.Get("Location"))
		}
	})
	t.Run("two different sessions at once are none, and go", func(t *testing.T) {
		ada, oscar := h.as("ada").cookies(), h.as("oscar").cookies()
		for _, cookies := range []string{ada + "; " + oscar, oscar + "; " + ada, ada + "\r\nCookie: " + oscar} {
			res := h.wire(t).ask(h.get("/gradio/user/x", cookies))
			if res.StatusCode != 401 {
				t.Errorf("got %s", res.Status)
			}
			gone := map[string]bool{}
			for _, c := range res.Cookies() {
				gone[c.Name] = c.MaxAge < 0
			}
			if !gone["gatehouse"] || !gone["gatehouse.0"] || !gone["gatehouse.1"] {
				t.Errorf("the answer leaves %q", res.Header["Set-Cookie"])
			}
		}
		// One of them twice is one.
		if res := h.wire(t).ask(h.get("/gradio/user/x", ada+"; "+ada)); res.StatusCode != 200 {
			t.Errorf("the same session twice: %s", res.Status)
		}
	})
	t.Run("a planted sign-in does not drop the browser's own", func(t *testing.T) {
		b := h.browser()
		callback := b.authorize("ada", "")
		own := b.cookiesAt("/auth/callback")
		var junk strings.Builder
		for i := range 200 {
			fmt.Fprintf(&junk, "gatehouse-state-%012d=junk; ", i)
		}
		if res := h.wire(t).ask(h.get(mustPath(t, callback), junk.String()+own)); res.StatusCode != 302 {
			t.Errorf("got %s", res.Status)
		}
	})
}

func mustPath(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

func TestAttack18MalformedCookies(t *testing.T) {
	h := newHouse(t, build{})
	good := h.as("bob").cookies()
	value := strings.TrimPrefix(good, "gatehouse=")
	w := h.wire(t)
	for what, cookies := range map[string]string{
		"empty": "gatehouse=", "no value": "gatehouse", "spaces": "gatehouse=   ", "a quote": `gatehouse="`, "in quotes": `gatehouse="` + value + `"`,
		"binary": "gatehouse=\xff\xfe\x80", "not base64": "gatehouse=%%%%", "base64 of nothing": "gatehouse=AAAA", "truncated": "gatehouse=" + value[:50],
		"of 50 KB": "gatehouse=" + strings.Repeat("A", 50<<10), "chunks of 20 KB": "gatehouse.0=" + strings.Repeat("A", 20<<10) + "; gatehouse.1=" + strings.Repeat("B", 20<<10),
		"one chunk alone": "gatehouse.0=" + value, "the other alone": "gatehouse.1=" + value, "a third chunk": "gatehouse.2=" + value, "in another case": "Gatehouse=" + value,
		"separators only": ";;;;===;;;", "a deflate bomb": "gatehouse=" + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0x78}, 3000)), "a JWT": "gatehouse=e30.e30.e30",
		"in front of a comma": "gatehouse=" + value + ",x", "with attributes": "$Version=1; gatehouse=" + value[:9] + "; $Path=/",
	} {
		if res := w.ask(h.get("/gradio/user/x", cookies)); res.StatusCode != 401 || len(res.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s: %s with %q", what, res.Status, res.Header["Set-Cookie"])
		}
		if res := w.ask(h.get("/gradio/user/x", cookies, "Accept: text/html")); res.StatusCode != 302 || !strings.HasPrefix(res.Header.Get("Location"), h.URL+"/auth/?return_to=") {
			t.Errorf("%s, a page: %s to %q", what, res.Status, res.Header.Get("Location"))
		}
		if res := w.ask(h.get("/auth/", cookies, "Accept: text/html")); res.StatusCode != 200 || !strings.Contains(res.Text, "Login") {
			t.Errorf("%s, the sign-in page: %s", what, res.Status)
		}
	}
	for what, cookies := range map[string]string{
		"a stale chunk beside the whole": "gatehouse.0=" + strings.Repeat("A", 300) + "; " + good, "two stale chunks": "gatehouse.0=AAAA; gatehouse.1=BBBB; " + good,
		"a foreign cookie of the name before": "gatehouse=AAAA; " + good, "and behind": good + "; gatehouse=AAAA", "much else": strings.Repeat("a=b; ", 500) + good,
		"no spaces": "a=b;" + good + ";c=d", "a stale second chunk": good + "; gatehouse.1=" + value,
	} {
		if res := w.ask(h.get("/gradio/user/x", cookies)); res.StatusCode != 200 {
			t.Errorf("%s: %s", what, res.Status)
		}
	}
}

func TestAttack24StormsAndBombs(t *testing.T) {
	t.Run("unknown key IDs do not storm the provider", func(t *testing.T) {
		h := newHouse(t, build{routes: twoBearerApps})
		now := time.Now().Unix()
		before := h.Provider.Requests()[descopetest.Keys]
		var wait sync.WaitGroup
		for worker := range 8 {
			wait.Go(func() {
				b := h.browser()
				for i := range 60 {
					header, _ := json.Marshal(map[string]string{"alg": "RS256", "kid": fmt.Sprintf("k%d-%d", worker, i)})
					claims, _ := json.Marshal(map[string]any{"iss": h.Issuer, "aud": h.Provider.ClientID(), "sub": "U2ada", "iat": now, "exp": now + 300})
					token := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + strings.Repeat("A", 342)
					if res := b.do("GET", "/one/x", "", "Authorization", "Bearer "+token); res.StatusCode != 401 && res.StatusCode != 503 {
						t.Errorf("got %s", res.Status)
					}
				}
			})
		}
		wait.Wait()
		if n := h.Provider.Requests()[descopetest.Keys] - before; n > 4 {
			t.Errorf("480 unknown keys made %d requests for keys", n)
		}
	})
	t.Run("an answer that unfolds is given up after a megabyte", func(t *testing.T) {
		var bomb bytes.Buffer
		z := gzip.NewWriter(&bomb)
		fmt.Fprint(z, `{"issuer":"`)
		for range 16 {
			_, _ = z.Write(make([]byte, 1<<20))
		}
		_ = z.Close()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}))
		defer server.Close()
		heap := liveHeap()
		p := authn.NewProvider(authn.ProviderConfig{
			Issuer: server.URL, ClientID: "x", HTTP: authn.NewHTTPClient(nil), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		})
		if err := p.Discover(context.Background()); err == nil {
			t.Error("it was taken")
		}
		if grown := int64(liveHeap()) - int64(heap); grown > 8<<20 {
			t.Errorf("the heap grew by %d MB", grown>>20)
		}
	})
	t.Run("a token endpoint that redirects gets no secret sent after it", func(t *testing.T) {
		var asked int
		thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked++; _, _ = io.Copy(io.Discard, r.Body) }))
		defer thief.Close()
		h := newHouse(t, build{})
		b := h.browser()
		callback := b.authorize("ada", "")
		h.Provider.Fail("token", descopetest.Failure{Status: 307, Header: http.Header{"Location": {thief.URL}}})
		defer h.Provider.Recover("token")
		if res := b.open(callback); res.StatusCode != 302 || asked != 0 {
			t.Errorf("%s, the thief was asked %d times", res.Status, asked)
		}
	})
}

// A provider that never answers is given up, and the rest of the house goes on.
func TestAttack24ASilentProviderIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, build{})
	bob := h.as("bob")
	b := h.browser()
	callback := b.authorize("ada", "")
	h.Provider.Fail("token", descopetest.Hang())
	done := make(chan reply, 1)
	began := time.Now()
	go func() { done <- b.open(callback) }()
	if res := bob.fetch("GET", "/gradio/user/x", ""); res.StatusCode != 200 || time.Since(began) > 3*time.Second {
		t.Errorf("meanwhile: %s after %s", res.Status, time.Since(began))
	}
	res := <-done
	if took := time.Since(began); took > 12*time.Second || !strings.Contains(res.Header.Get("Location"), "provider_unavailable") {
		t.Errorf("%s to %q after %s", res.Status, res.Header.Get("Location"), took)
	}
	h.Provider.Recover("token")
}
