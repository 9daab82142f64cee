package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxReads is how often the keys of an issuer are read in readsWindow at
	// most, whoever asks: a storm of tokens with made-up kids must not become a
	// storm at the provider.
	maxReads    = 3
	readsWindow = 10 * time.Second
	// keysAge is how old keys get before they are read again while they go on
	// serving, so that a key that the provider withdrew does not live on here.
	// keysRetry is how soon that is tried again where it failed.
	keysAge   = time.Hour
	keysRetry = time.Minute
	// maxKeys bounds the keys that one issuer may have.
	maxKeys = 100
	// minModulus is the least size of an RSA key, in bits (RFC 7518, section 3.3).
	minModulus = 2048
)

// errUnknownKey says that the issuer has no such key, as of a moment ago.
var errUnknownKey = errors.New("its kid is none of the issuer's keys")

// A KeysUnavailableError says that a token could not be judged, because the keys
// of its issuer could not be read. It says nothing about the token.
type KeysUnavailableError struct {
	RetryAfter time.Duration
	Err        error
}

func (e *KeysUnavailableError) Error() string {
	return "the issuer's keys cannot be read: " + e.Err.Error()
}

func (e *KeysUnavailableError) Unwrap() error { return e.Err }

// publicKey is one key of an issuer. The same key keeps its pointer when the
// keys are read again.
type publicKey struct{ public crypto.PublicKey }

// keyName tells keys apart. The algorithm is part of it and is bound to the
// kind of key, so that a token cannot choose how its signature is checked
// (attack: HS256 with the public key).
type keyName struct{ kid, alg string }

// keySet is the keys of one issuer. Each is asked for by name, and an unknown
// name has them read again: the first time at once, then as often as maxReads
// allows. Whether the issuer may say anything is for others to check.
type keySet struct {
	issuer string
	locate func(context.Context) (jwksURI string, err error)
	http   *http.Client
	log    *slog.Logger
	now    func() time.Time

	known atomic.Pointer[knownKeys]

	mu     sync.Mutex
	begun  [maxReads]time.Time // of the last reads, a ring
	next   int
	call   *keyRead // under way, or nil
	failed error    // why the last read failed, nil where it did not
}

type knownKeys struct {
	keys map[keyName]*publicKey
	at   time.Time
}

// keyRead is one reading of the keys, which any number of requests wait for.
type keyRead struct {
	done chan struct{}
	err  error // once done
}

// holds reports whether the key is still one of the issuer's.
func (s *keySet) holds(name keyName, key *publicKey) bool {
	known := s.known.Load()
	return known != nil && known.keys[name] == key
}

// find returns the key of that name. It fails with errUnknownKey where the
// issuer has none, with a *KeysUnavailableError where that cannot be said, or
// with the context's error.
func (s *keySet) find(ctx context.Context, kid, alg string) (*publicKey, error) {
	name := keyName{kid, alg}
	if key, ok := s.look(name); ok {
		return key, nil
	}
	// A reading that was under way may have begun before the key was made, so
	// joining one is not enough; one begun later is.
	for {
		call, joined, err := s.read(name)
		if call == nil {
			return nil, err
		}
		select {
		case <-call.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if key, ok := s.look(name); ok {
			return key, nil
		}
		if call.err != nil {
			return nil, s.unavailable(call.err)
		}
		if !joined {
			return nil, errUnknownKey
		}
	}
}

func (s *keySet) look(name keyName) (*publicKey, bool) {
	known := s.known.Load()
	if known == nil {
		return nil, false
	}
	key, ok := known.keys[name]
	if now := s.now(); ok && now.Sub(known.at) > keysAge {
		s.mu.Lock()
		last := s.begun[(s.next+maxReads-1)%maxReads]
		if s.call == nil && now.Sub(last) > keysRetry {
			s.begin() // nobody waits for it
		}
		s.mu.Unlock()
	}
	return key, ok
}

// read joins a reading under way or begins one. Without a call the error says
// what is known in place of it.
func (s *keySet) read(name keyName) (call *keyRead, joined bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.call != nil {
		return s.call, true, nil
	}
	if s.pause() > 0 {
		if s.failed != nil {
			return nil, false, s.unavailableLocked(s.failed)
		}
		return nil, false, errUnknownKey
	}
	return s.begin(), false, nil
}

// pause is how long the next reading has to wait. The caller holds s.mu.
func (s *keySet) pause() time.Duration {
	oldest := s.begun[s.next]
	if oldest.IsZero() {
		return 0
	}
	return max(0, readsWindow-s.now().Sub(oldest))
}

func (s *keySet) unavailable(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailableLocked(err)
}

func (s *keySet) unavailableLocked(err error) error {
	return &KeysUnavailableError{RetryAfter: max(s.pause(), time.Second), Err: err}
}

// begin starts a reading, which outlives the request that it is for: others
// wait for it too. The caller holds s.mu.
func (s *keySet) begin() *keyRead {
	s.begun[s.next] = s.now()
	s.next = (s.next + 1) % maxReads
	call := &keyRead{done: make(chan struct{})}
	s.call = call
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		keys, err := s.fetch(ctx)
		if err != nil {
			s.log.Warn("the keys of an issuer could not be read", "issuer", s.issuer, "error", err.Error())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.take(keys)
		}
		s.call, s.failed, call.err = nil, err, err
		close(call.done)
	}()
	return call
}

// take publishes what was read. A key that was known keeps its pointer, so that
// tokens verified with it need not be verified again. The caller holds s.mu.
func (s *keySet) take(keys map[keyName]*publicKey) {
	if old := s.known.Load(); old != nil {
		for name, key := range keys {
			before, ok := old.keys[name]
			if same, can := key.public.(interface{ Equal(crypto.PublicKey) bool }); ok && can && same.Equal(before.public) {
				keys[name] = before
			}
		}
	}
	s.known.Store(&knownKeys{keys: keys, at: s.now()})
}

func (s *keySet) fetch(ctx context.Context) (map[keyName]*publicKey, error) {
	uri, err := s.locate(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("jwks: %s answered %s", uri, res.Status)
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	keys := usableKeys(doc.Keys)
	if len(keys) == 0 {
		return nil, fmt.Errorf("jwks: no usable key among the %d at %s", len(doc.Keys), uri)
	}
	return keys, nil
}

// usableKeys are the signing keys of a JWKS (RFC 7517, section 5) that there is
// a use for here. What is of another kind, or malformed, is passed over.
func usableKeys(raw []json.RawMessage) map[keyName]*publicKey {
	keys := make(map[keyName]*publicKey)
	for _, one := range raw[:min(len(raw), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) != nil || key.KeyID == "" || key.Use != "" && key.Use != "sig" {
			continue
		}
		alg := algorithmOf(key.Key)
		name := keyName{key.KeyID, string(alg)}
		if _, twice := keys[name]; twice || alg == "" || key.Algorithm != "" && key.Algorithm != string(alg) {
			continue
		}
		keys[name] = &publicKey{key.Key}
	}
	return keys
}

// algorithmOf is the one algorithm that a public key verifies here, "" for
// none.
func algorithmOf(key any) jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minModulus {
			return jose.RS256
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256
		}
	}
	return ""
}
