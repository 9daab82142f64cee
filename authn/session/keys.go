package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/gorilla/securecookie"
)

// MinSecretLen is the least length of a session secret, in bytes: as much
// entropy as the AES-256 and HMAC-SHA256 keys derived from it can use.
const MinSecretLen = 32

// A Purpose separates what Gatehouse seals: every purpose has keys of its
// own (HKDF-SHA256, RFC 5869, the purpose is the info), so that a value sealed
// for one never opens as another. Attack: a cookie of one purpose replayed as
// another (Envoy GHSA-7mhv-gr67-hq55).
type Purpose string

const (
	// SessionPurpose seals session cookies.
	SessionPurpose Purpose = "gatehouse/session/v1"
	// StatePurpose seals the cookie of a sign-in that has begun.
	StatePurpose Purpose = "gatehouse/sign-in-state/v1"
	// TicketPurpose seals the cookie that points to a record in Redis.
	TicketPurpose Purpose = "gatehouse/ticket/v1"
	// RecordPurpose seals the records themselves.
	RecordPurpose Purpose = "gatehouse/record/v1"
	// StateFilePurpose seals the state file of the cookie store.
	StateFilePurpose Purpose = "gatehouse/state-file/v1"
)

// A Sealer encrypts and authenticates values of one purpose. The first secret
// writes; all of them are read, so that rotating a secret signs nobody out.
type Sealer struct {
	name   string
	codecs []securecookie.Codec
}

// NewSealer derives the purpose's keys from the secrets, the first of which
// writes. It fails where there is none, or one is shorter than MinSecretLen.
func NewSealer(purpose Purpose, secrets [][]byte) (*Sealer, error) {
	if err := checkSecrets(secrets); err != nil {
		return nil, err
	}
	s := &Sealer{name: string(purpose)}
	for _, secret := range secrets {
		mac, err := hkdf.Key(sha256.New, secret, nil, string(purpose)+" hmac-sha256", 64)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		block, err := hkdf.Key(sha256.New, secret, nil, string(purpose)+" aes-256", 32)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		codec := securecookie.New(mac, block)
		codec.SetSerializer(securecookie.NopEncoder{})
		codec.MaxAge(0)    // Gatehouse's own times decide; they are inside
		codec.MaxLength(0) // the caller bounds what it reads and writes
		s.codecs = append(s.codecs, codec)
	}
	return s, nil
}

func checkSecrets(secrets [][]byte) error {
	if len(secrets) == 0 {
		return errors.New("no session secret given")
	}
	for i, secret := range secrets {
		if len(secret) < MinSecretLen {
			return fmt.Errorf("session secret %d is shorter than %d bytes: make one with `gatehouse keygen`", i+1, MinSecretLen)
		}
	}
	return nil
}

// errNotSealed says that a value was not sealed with the secrets at hand, or not
// for this purpose, or was changed since; which of them is nobody's business.
var errNotSealed = errors.New("not sealed with these secrets for this purpose")

// Seal returns plain encrypted and authenticated, in the URL-safe base64
// alphabet, which needs no quoting in a cookie.
func (s *Sealer) Seal(plain []byte) (string, error) {
	sealed, err := s.codecs[0].Encode(s.name, plain)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open returns what was sealed with any of the secrets. It fails on anything
// that this Sealer's purpose and secrets did not write.
func (s *Sealer) Open(sealed string) ([]byte, error) {
	var plain []byte
	if err := securecookie.DecodeMulti(s.name, sealed, &plain, s.codecs...); err != nil {
		return nil, errNotSealed
	}
	return plain, nil
}

// A ticketKey is the part of a record's key that only the session's cookie
// holds: neither Redis nor the secret alone opens a record.
type ticketKey [32]byte

// A RecordSealer encrypts and authenticates the records of one session each
// (AES-256-GCM). Their key is derived from a session secret and from the key in
// the session's ticket, and each is bound to its session's ID: a record put in
// another's place does not open. The first secret writes; all of them are read.
type RecordSealer struct{ secrets [][]byte }

// NewRecordSealer returns a sealer for records. It fails like NewSealer.
func NewRecordSealer(secrets [][]byte) (*RecordSealer, error) {
	if err := checkSecrets(secrets); err != nil {
		return nil, err
	}
	return &RecordSealer{secrets}, nil
}

func (r *RecordSealer) seal(id string, key ticketKey, plain []byte) ([]byte, error) {
	aead, err := recordAEAD(r.secrets[0], key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, []byte(id)), nil
}

func (r *RecordSealer) open(id string, key ticketKey, sealed []byte) ([]byte, error) {
	for _, secret := range r.secrets {
		aead, err := recordAEAD(secret, key)
		if err != nil {
			return nil, err
		}
		if plain, err := aead.Open(nil, nil, sealed, []byte(id)); err == nil {
			return plain, nil
		}
	}
	return nil, errNotSealed
}

func recordAEAD(secret []byte, key ticketKey) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, secret, key[:], string(RecordPurpose)+" aes-256-gcm", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
