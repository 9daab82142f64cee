package authn

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/authn/session"
)

func fuzzStates(t testing.TB) (*states, *session.Sealer) {
	t.Helper()
	sealer, err := session.NewSealer(session.StatePurpose, [][]byte{[]byte(strings.Repeat("k", session.MinSecretLen))})
	if err != nil {
		t.Fatal(err)
	}
	return newStates(false, "/auth", func() *session.Sealer { return sealer }, nil), sealer
}

// FuzzStateCookies holds that cookies that were not sealed here never stand for a
// sign-in, and that whatever a browser sends makes no crash and few cookies.
func FuzzStateCookies(f *testing.F) {
	s, sealer := fuzzStates(f)
	other, err := session.NewSealer(session.SessionPurpose, [][]byte{[]byte(strings.Repeat("k", session.MinSecretLen))})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	plain, _ := json.Marshal(signInState{State: "aaaaaaaaaaaabbbb", Begun: now.Unix()})
	good, err := sealer.Seal(plain)
	if err != nil {
		f.Fatal(err)
	}
	foreign, err := other.Seal(plain)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "gatehouse-state-aaaaaaaaaaaa=x", "gatehouse-state-aaaaaaaaaaaa=" + foreign, "gatehouse-state-aaaaaaaaaaaa=" + good[:40], "gatehouse-state-cccccccccccc=" + good, "gatehouse-state-=x", "gatehouse-state-a b=x", "gatehouse-state-;x",
		strings.Repeat("gatehouse-state-aaaaaaaaaaaa=x; ", 100), "gatehouse-state-aaaaaaaaaaaa=\"x\"", "gatehouse-state-\xff=x", "gatehouse-state-" + strings.Repeat("a", 5000) + "=x",
	} {
		f.Add(seed, "aaaaaaaaaaaabbbb")
	}
	f.Add("gatehouse-state-x=1", "short")
	f.Fuzz(func(t *testing.T, cookies, state string) {
		r := &http.Request{Header: http.Header{"Cookie": {cookies}}}
		response := http.Header{}
		if _, ok := s.take(response, r, state, now); ok && !strings.Contains(cookies, good) {
			t.Fatalf("%q signed in with state %q", cookies, state)
		}
		if n := len(response["Set-Cookie"]); n > 1 {
			t.Fatalf("%d cookies", n)
		}
		if err := s.put(response, r, signInState{State: "ddddddddddddeeee", Begun: now.Unix()}, now); err != nil {
			t.Fatal(err)
		}
		if n := len(response["Set-Cookie"]); n > 2+2*maxStates+maxStates {
			t.Fatalf("%d cookies", n)
		}
		for _, line := range response["Set-Cookie"] {
			if !strings.HasPrefix(line, s.prefix) || strings.ContainsAny(line, "\r\n\x00") || !strings.Contains(line, "Path=/auth") {
				t.Fatalf("%q", line)
			}
		}
	})
}

// FuzzStatePlain holds that what a sealed cookie says is taken for a sign-in only
// under its own name, whole, and in its time: an older version's cookies are
// sealed too.
func FuzzStatePlain(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"s":"aaaaaaaaaaaabbbb","t":1800000000}`, `{"s":"aaaaaaaaaaaabbbb","t":1799990000}`, `{"s":"aaaaaaaaaaaabbbb","t":9e18}`, `{"s":"short","t":1800000000}`, `{"s":"aaaaaaaaaaaabbbb","t":-1}`, `{"s":"aaaaaaaaaaaabbbb","t":1800000000,"r":"//evil.example"}`, `{"s":5}`, `{"S":"aaaaaaaaaaaabbbb","t":1800000000}`,
	} {
		f.Add([]byte(seed), "aaaaaaaaaaaabbbb")
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, plain []byte, state string) {
		s, sealer := fuzzStates(t)
		value, err := sealer.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Header: http.Header{"Cookie": {"gatehouse-state-aaaaaaaaaaaa=" + value}}}
		st, ok := s.take(http.Header{}, r, state, now)
		if !ok {
			return
		}
		if st.State != state || !strings.HasPrefix(state, "aaaaaaaaaaaa") || !now.Before(time.Unix(st.Begun, 0).Add(stateLife)) {
			t.Fatalf("%q signed in as %+v with state %q", plain, st, state)
		}
		if _, again := s.take(http.Header{}, r, state, now); again {
			t.Fatalf("%q signed in twice", plain)
		}
	})
}
