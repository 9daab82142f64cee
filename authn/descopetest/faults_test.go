package descopetest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"gatehouse/authn/descope"
	"gatehouse/authn/descopetest"
)

func TestEveryWayToFail(t *testing.T) {
	p := meet(t, descopetest.Options{})
	token, _ := p.mustSignIn(t, "ada")
	for _, tc := range []struct {
		name    string
		failure descopetest.Failure
		kind    descope.Kind
		status  int
		wait    time.Duration
	}{
		{"a bare status", descopetest.Status(503), descope.Unreachable, 503, 0},
		{"the rate limit", descopetest.RateLimit(7 * time.Second), descope.RateLimited, 429, 7 * time.Second},
		{"Descope's form", descopetest.DescopeError(401, "E062901", "Access key is invalid"), descope.Rejected, 401, 0},
		{"RFC 6749's form", descopetest.OAuthError(400, "invalid_grant", "gone"), descope.InvalidGrant, 400, 0},
		{"cut JSON", descopetest.Malformed(), descope.Unreachable, 0, 0},
		{"a body without end", descopetest.Oversized(8 << 20), descope.Unreachable, 0, 0},
		{"a reset connection", descopetest.ResetConnection(), descope.Unreachable, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.Fail(descopetest.Refresh, tc.failure.Once())
			_, err := p.renew(token.RefreshToken)
			got := descope.ClassifyTokenError(err)
			if err == nil || got.Kind != tc.kind || got.Status != tc.status || got.RetryAfter != tc.wait {
				t.Errorf("got %v, wait %v", got, got.RetryAfter)
			}
			if _, err := p.renew(token.RefreshToken); err != nil {
				t.Errorf("it was to fail once: %v", err)
			}
		})
	}
}

func TestAnEndpointThatHangs(t *testing.T) {
	p := meet(t, descopetest.Options{})
	p.Fail(descopetest.Discovery, descopetest.Hang())
	ctx, cancel := context.WithTimeout(oidc.ClientContext(t.Context(), p.http), 100*time.Millisecond)
	defer cancel()
	if _, err := oidc.NewProvider(ctx, p.server.Issuer); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it did not hang: %v", err)
	}
	p.Recover()
	if _, err := oidc.NewProvider(p.ctx, p.server.Issuer); err != nil {
		t.Error(err)
	}
}

func TestClosingLetsGoOfWhatHangs(t *testing.T) {
	p := meet(t, descopetest.Options{})
	p.Fail(descopetest.Discovery, descopetest.Hang())
	hold := p.Hold(descopetest.Keys)
	defer hold.Release()
	failed := make(chan error)
	for _, path := range []string{"openid-configuration", "jwks.json"} {
		go func() {
			res, err := p.http.Get(p.server.Issuer + "/.well-known/" + path)
			if err == nil {
				_ = res.Body.Close()
			}
			failed <- err
		}()
	}
	<-hold.Arrived
	if err := p.server.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-failed; err == nil {
			t.Error("a closed provider answered")
		}
	}
}

func TestFailuresComeInTheirOrderAndCount(t *testing.T) {
	p := meet(t, descopetest.Options{})
	twice := descopetest.Status(503)
	twice.Times = 2
	p.Fail(descopetest.Userinfo, twice)
	p.Fail(descopetest.Userinfo, descopetest.Status(http.StatusTeapot))
	token, _ := p.mustSignIn(t, "ada")
	for i, want := range []int{503, 503, 418, 418} {
		if got := userinfo(t, p, token.AccessToken); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	p.Recover(descopetest.Userinfo)
	if got := userinfo(t, p, token.AccessToken); got != http.StatusOK {
		t.Errorf("recovered: %d", got)
	}
}

func TestBadIDTokensAreNoticed(t *testing.T) {
	p := meet(t, descopetest.Options{})
	for _, tc := range []struct {
		fault descopetest.IDTokenFault
		says  string
	}{
		{descopetest.WrongAudience, "audience"},
		{descopetest.WrongIssuer, "issued by a different provider"},
		{descopetest.WrongSignature, "signature"},
		{descopetest.ForeignKey, "signature"},
		{descopetest.UnknownKey, "signature"},
		{descopetest.AlgNone, "unexpected signature algorithm"},
		{descopetest.HS256Secret, "unexpected signature algorithm"},
		{descopetest.HS256Key, "unexpected signature algorithm"},
		{descopetest.Expired, "expired"},
		{descopetest.FromTheFuture, "before the nbf"},
		{descopetest.WrongNonce, "nonce"},
		{descopetest.NoIDToken, "malformed"},
		{descopetest.NotAJWT, "malformed"},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			p.Fail(descopetest.Token, descopetest.BadIDToken(tc.fault).Once())
			token, err := p.signIn("ada")
			if err != nil {
				t.Fatal(err)
			}
			if claims, err := p.claims(token); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, %v", claims, err)
			}
		})
	}
	for _, fault := range []descopetest.IDTokenFault{descopetest.NoNonce, descopetest.OtherSubject, descopetest.NoSubject} {
		t.Run(string(fault), func(t *testing.T) {
			p.Fail(descopetest.Token, descopetest.BadIDToken(fault).Once())
			_, claims := p.mustSignIn(t, "ada") // go-oidc leaves these to its caller
			if claims["nonce"] == "n-1" && claims["sub"] == "U2ada" {
				t.Errorf("nothing is wrong with %v", claims)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	p := meet(t, descopetest.Options{RotateRefresh: true})
	done := make(chan error)
	for i := range 8 {
		go func() {
			person := []string{"ada", "bob", "carol", "oscar"}[i%4]
			token, err := p.signIn(person)
			for range 3 {
				if err != nil {
					break
				}
				if err = p.SetRoles(person, "T2acme", "Member"); err == nil {
					token, err = p.renew(token.RefreshToken)
				}
			}
			p.Requests()
			p.Recorded(descopetest.Refresh)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if p.Overlap() != 1 || p.Reuses() != 0 {
		t.Errorf("overlap %d, reuses %d", p.Overlap(), p.Reuses())
	}
}
