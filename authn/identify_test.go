package authn

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/session"
	"gatehouse/authz"
)

func TestWhatTheOperatorShouldKnowIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	whole := func(id *authz.Identity) (*authz.Identity, string) { return id, "" }
	i := NewIdentifier(whole, slog.New(slog.NewTextHandler(&log, nil)))
	i.Refreshing = true
	now := time.Unix(1_700_000_000, 0)
	for range 3 {
		rec, err := i.fill(&session.Record{}, "https://idp.example", []byte(`{"sub":"U2ada"}`), now.Add(time.Hour), now)
		if err != nil || !rec.FreshUntil.IsZero() {
			t.Errorf("without a refresh token: fresh until %s, %v", rec.FreshUntil, err)
		}
	}
	for _, said := range []string{"no refresh token", "descope.claims"} {
		if n := strings.Count(log.String(), said); n != 1 {
			t.Errorf("%q was said %d times:\n%s", said, n, log.String())
		}
	}
	for claims, said := range map[string]int{`{"sub":"u1","roles":["Admin"]}`: 0, `{"sub":"u1"}`: 1} {
		log.Reset()
		elsewhere := NewIdentifier(whole, slog.New(slog.NewTextHandler(&log, nil)))
		elsewhere.Elsewhere = true
		if _, err := elsewhere.fill(&session.Record{}, "https://idp.example", []byte(claims), now, now); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "without any tenant"); n != said {
			t.Errorf("another provider, %s: said %q", claims, log.String())
		}
	}
	log.Reset()
	rec, err := i.fill(&session.Record{Refresh: "token"}, "https://idp.example", []byte(`{"sub":"U2ada"}`), now.Add(time.Hour), now)
	if err != nil || !rec.FreshUntil.Equal(now.Add(time.Hour)) || log.Len() > 0 {
		t.Errorf("with one: fresh until %s, %v, said %q", rec.FreshUntil, err, log.String())
	}
}
