package authn

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/authn/descopetest"
)

// logoutClaims are those of a good logout token about Ada, with changes.
func (d *desk) logoutClaims(over map[string]any) map[string]any {
	now := d.clock.Now()
	claims := map[string]any{
		"iss": d.Descope.Issuer(), "aud": d.Descope.ClientID(), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(), "events": map[string]any{logoutEvent: map[string]any{}}, "sub": "U2ada",
	}
	maps.Copy(claims, over)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func (d *desk) logoutToken(over, header map[string]any) string {
	d.t.Helper()
	if header == nil {
		header = map[string]any{"typ": "logout+jwt"}
	}
	token, err := d.Descope.SignJWT(d.logoutClaims(over), header)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

func TestGoodLogoutTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{ClientID: "C2named"})
	now := d.clock.Now()
	for _, tc := range []struct {
		name     string
		over     map[string]any
		header   map[string]any
		sub, sid string
	}{
		{"by subject", nil, nil, "U2ada", ""},
		{"by session", map[string]any{"sub": nil, "sid": "s1"}, nil, "", "s1"},
		{"by both, where sessions are known by sid: that one session", map[string]any{"sid": "s1"}, nil, "", "s1"},
		{"for the project", map[string]any{"aud": []string{"x", d.Descope.ProjectID()}}, nil, "U2ada", ""},
		{"typed as media types are", nil, map[string]any{"typ": "application/Logout+JWT"}, "U2ada", ""},
		{"typed as JWT, as drafts had it", nil, map[string]any{"typ": "JWT"}, "U2ada", ""},
		{"without exp, as drafts had it", map[string]any{"exp": nil}, nil, "U2ada", ""},
		{"ten minutes old", map[string]any{"iat": now.Add(-maxLogoutAge).Unix()}, nil, "U2ada", ""},
		{"issued 29 s in the future", map[string]any{"iat": now.Add(29 * time.Second).Unix()}, nil, "U2ada", ""},
		{"with another event beside it", map[string]any{"events": map[string]any{"x": 1, logoutEvent: map[string]any{"why": "x"}}}, nil, "U2ada", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := NewLogoutTokens(d.Keys, nil).Verify(context.Background(), d.logoutToken(tc.over, tc.header))
			if err != nil {
				t.Fatal(err)
			}
			if got.Issuer != d.Descope.Issuer() || got.Subject != tc.sub || got.SID != tc.sid {
				t.Errorf("got %+v", got)
			}
			if got.Before.After(now) {
				t.Errorf("ends sessions begun up to %v, later than now", got.Before.Sub(now))
			}
		})
	}
}

// Attack 27.
func TestBadLogoutTokens(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	now := d.clock.Now()
	for _, tc := range []struct {
		name   string
		over   map[string]any
		header map[string]any
	}{
		{"no iat", map[string]any{"iat": nil}, nil},
		{"an iat that is text", map[string]any{"iat": "1700000000"}, nil},
		{"an iat in the future", map[string]any{"iat": now.Add(time.Minute).Unix()}, nil},
		{"an iat of an hour ago, though exp is far", map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(time.Hour).Unix()}, nil},
		{"over", map[string]any{"exp": now.Add(-time.Minute).Unix()}, nil},
		{"not begun", map[string]any{"nbf": now.Add(time.Minute).Unix()}, nil},
		{"no jti", map[string]any{"jti": nil}, nil},
		{"an empty jti", map[string]any{"jti": ""}, nil},
		{"a jti that is a number", map[string]any{"jti": 7}, nil},
		{"no events", map[string]any{"events": nil}, nil},
		{"events without logout", map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-Logout": map[string]any{}}}, nil},
		{"events that are a list", map[string]any{"events": []string{logoutEvent}}, nil},
		{"a logout event that is no object", map[string]any{"events": map[string]any{logoutEvent: true}}, nil},
		{"a logout event that is null", map[string]any{"events": map[string]any{logoutEvent: nil}}, nil},
		{"a nonce", map[string]any{"nonce": "n"}, nil},
		{"a nonce that is null", map[string]any{"nonce": json.RawMessage("null")}, nil},
		{"neither sub nor sid", map[string]any{"sub": nil}, nil},
		{"an empty sub", map[string]any{"sub": ""}, nil},
		{"an empty sid beside a sub", map[string]any{"sid": ""}, nil},
		{"a sub that is a list", map[string]any{"sub": []string{"U2ada"}}, nil},
		{"a sid that is a number", map[string]any{"sid": 1}, nil},
		{"another issuer", map[string]any{"iss": "https://api.descope.com/P2another"}, nil},
		{"no issuer", map[string]any{"iss": nil}, nil},
		{"another audience", map[string]any{"aud": "P2another"}, nil},
		{"no audience", map[string]any{"aud": nil}, nil},
		{"typed as an access token", nil, map[string]any{"typ": "at+jwt"}},
		{"a critical extension", nil, map[string]any{"typ": "logout+jwt", "crit": []string{"exp"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := NewLogoutTokens(d.Keys, nil).Verify(context.Background(), d.logoutToken(tc.over, tc.header)); err == nil {
				t.Errorf("taken: %+v", got)
			}
		})
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kid := d.published().KeyID
	for name, token := range map[string]string{
		"signed with another key under the kid":     signWith(t, jose.RS256, other, kid, d.logoutClaims(nil), nil),
		"signed with a secret":                      signWith(t, jose.HS256, []byte(descopetest.DefaultClientSecret+"0123456789abcdef"), kid, d.logoutClaims(nil), nil),
		"signed with an algorithm that is not ours": signWith(t, jose.RS384, rsaKey(), kid, d.logoutClaims(nil), nil),
		"an access token":                           d.token(nil, nil),
		"an ID token":                               d.token(map[string]any{"nonce": "n", "sid": "s"}, nil),
		"nothing":                                   "",
	} {
		if got, err := NewLogoutTokens(d.Keys, nil).Verify(context.Background(), token); err == nil {
			t.Errorf("%s: taken: %+v", name, got)
		}
	}
}

func TestALogoutTokenCountsOnce(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	l := NewLogoutTokens(d.Keys, nil)
	token := d.logoutToken(nil, nil)
	t.Run("however many copies come at the same time", func(t *testing.T) {
		var taken atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := l.Verify(context.Background(), token); err == nil {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
	t.Run("also the same jti in another token", func(t *testing.T) {
		twin := map[string]any{"jti": "twin"}
		if _, err := l.Verify(context.Background(), d.logoutToken(twin, nil)); err != nil {
			t.Fatal(err)
		}
		twin["sub"] = "U2bob"
		if _, err := l.Verify(context.Background(), d.logoutToken(twin, nil)); err == nil {
			t.Error("taken")
		}
	})
	t.Run("as long as it could be used at all", func(t *testing.T) {
		lasting := d.logoutToken(map[string]any{"exp": nil}, nil)
		if _, err := l.Verify(context.Background(), lasting); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			d.clock.advance(time.Minute)
			_, _ = l.Verify(context.Background(), d.logoutToken(nil, nil)) // sweeps
			if _, err := l.Verify(context.Background(), lasting); err == nil {
				t.Error("taken again")
			}
		}
		if n := len(l.seen.until); n > 13 {
			t.Errorf("%d tokens are remembered that have no use any more", n)
		}
	})
	t.Run("and a token that could not be judged may come again", func(t *testing.T) {
		d := newDesk(t, descopetest.Options{})
		l := NewLogoutTokens(d.Keys, nil)
		token := d.logoutToken(nil, nil)
		d.Descope.Fail(descopetest.Keys, descopetest.Status(503))
		var away *KeysUnavailableError
		if _, err := l.Verify(context.Background(), token); !errors.As(err, &away) {
			t.Fatalf("got %v", err)
		}
		d.Descope.Recover()
		if _, err := l.Verify(context.Background(), token); err != nil {
			t.Error(err)
		}
	})
}

// A provider that sends sid in logout tokens but not in ID tokens would sign
// nobody out by it: then the subject has to do.
func TestASidThatNoSessionIsKnownBy(t *testing.T) {
	d := newDesk(t, descopetest.Options{})
	tells := false
	d.Provider.sid.Store(&tells)
	got, err := NewLogoutTokens(d.Keys, nil).Verify(context.Background(), d.logoutToken(map[string]any{"sid": "s1"}, nil))
	if err != nil || got.Subject != "U2ada" || got.SID != "s1" {
		t.Errorf("got %+v, %v", got, err)
	}
}
