package authn

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"gatehouse/authn/session"
)

const (
	// stateLife is how long a sign-in may take: a magic link is opened on a
	// phone, after the mail has come.
	stateLife = 30 * time.Minute
	// maxStates is how many sign-ins one browser may have begun at a time.
	maxStates = 5
	// maxStateCookie bounds what is opened: it never holds more than a return
	// address of 2,000 bytes.
	maxStateCookie = 4096
)

// signInState is what a sign-in remembers between its start and its callback.
// It lives in an encrypted cookie of its own in the browser that began, so that
// several tabs may sign in at once and a callback in another browser is
// refused (attack: login CSRF).
type signInState struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // PKCE (RFC 7636)
	ReturnTo string `json:"r,omitempty"`
	Begun    int64  `json:"t"` // Unix seconds
	Provider string `json:"p"` // where it was begun, see providerMark; "" in an older version's
}

// providerMark names an issuer in as few bytes as will do: browsers drop a cookie
// that is too large.
func providerMark(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// states reads and writes the state cookies.
type states struct {
	prefix string // cookie name before the state's own ID
	path   string
	secure bool
	sealer func() *session.Sealer
	used   *usedOnce
}

func newStates(secure bool, authPath string, sealer func() *session.Sealer, everywhere FirstUse) *states {
	s := &states{prefix: "gatehouse-state-", path: authPath, sealer: sealer, secure: secure, used: newUsedOnce(everywhere)}
	if secure {
		// __Host- keeps a sibling host from planting a state (cookie tossing);
		// browsers accept it with Path=/ only.
		s.prefix, s.path = "__Host-gatehouse-state-", "/"
	}
	return s
}

// owns reports whether name is a state cookie's.
func (s *states) owns(name string) bool { return strings.HasPrefix(name, s.prefix) }

// random returns n random bytes, base64url.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

const stateIDLen = 12 // characters of the state that name its cookie

// put sets the cookie of a sign-in that begins, and drops the oldest of those
// that the browser has begun before where they would be too many.
func (s *states) put(response http.Header, r *http.Request, st signInState, now time.Time) error {
	// As it is: an & that becomes \u0026 is six bytes, and browsers drop a cookie
	// that is too large, so that a long address could not sign in.
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(st); err != nil {
		return err
	}
	sealed, err := s.sealer().Seal(plain.Bytes())
	if err != nil {
		return err
	}
	open := s.begun(r, now, response)
	for len(open) >= maxStates {
		oldest := 0
		for i := range open {
			if open[i].Begun < open[oldest].Begun {
				oldest = i
			}
		}
		s.set(response, open[oldest].State, "", -1)
		open = append(open[:oldest], open[oldest+1:]...)
	}
	s.set(response, st.State, sealed, int(stateLife/time.Second))
	return nil
}

// begun returns the sign-ins that the browser has begun and not ended. What is
// expired or was not written here is removed from the browser on the way.
func (s *states) begun(r *http.Request, now time.Time, response http.Header) []signInState {
	var open []signInState
	removed := 0
	for _, c := range r.Cookies() {
		id, ours := strings.CutPrefix(c.Name, s.prefix)
		if !ours {
			continue
		}
		st, ok := s.read(id, c.Value, now)
		if !ok || len(open) >= 2*maxStates {
			// Not all at once: a sibling host can plant hundreds, and as many
			// Set-Cookie lines would be more than a proxy in front takes.
			if removed++; removed <= 2*maxStates {
				s.set(response, id, "", -1)
			}
			continue
		}
		open = append(open, st)
	}
	return open
}

// take returns the sign-in that the callback's state belongs to, and ends it:
// a state is used once. ok is false for a state that is unknown in this
// browser, expired or used.
func (s *states) take(response http.Header, r *http.Request, state string, now time.Time) (st signInState, ok bool) {
	if len(state) < stateIDLen {
		return st, false
	}
	id, carried := state[:stateIDLen], false
	for _, c := range r.Cookies() {
		if c.Name != s.prefix+id {
			continue
		}
		found, good := s.read(id, c.Value, now)
		if good && subtle.ConstantTimeCompare([]byte(found.State), []byte(state)) == 1 {
			st, ok = found, true
		}
		carried = true
	}
	if carried {
		s.set(response, id, "", -1)
	}
	if !ok || !s.used.first(r.Context(), state, time.Unix(st.Begun, 0).Add(stateLife), now) {
		return signInState{}, false
	}
	return st, true
}

// read opens one state cookie.
func (s *states) read(id, value string, now time.Time) (signInState, bool) {
	var st signInState
	if len(value) > maxStateCookie {
		return st, false
	}
	plain, err := s.sealer().Open(value)
	if err != nil || json.Unmarshal(plain, &st) != nil {
		return st, false
	}
	fresh := now.Before(time.Unix(st.Begun, 0).Add(stateLife))
	return st, fresh && len(st.State) >= stateIDLen && st.State[:stateIDLen] == id
}

func (s *states) set(response http.Header, state, value string, maxAge int) {
	if len(state) > stateIDLen {
		state = state[:stateIDLen]
	}
	c := http.Cookie{
		Name: s.prefix + state, Value: value, Path: s.path, MaxAge: maxAge,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if text := c.String(); text != "" { // "" for a foreign name that is no token
		response.Add("Set-Cookie", text)
	}
}
