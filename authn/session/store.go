package session

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNoSession says that a cookie value stands for no session: it is
	// malformed, foreign, sealed with a forgotten secret, or its record is gone.
	ErrNoSession = errors.New("no session")
	// ErrUnavailable says that the store could not be asked. It never means
	// that there is no session.
	ErrUnavailable = errors.New("session store unavailable")

	// errRefused says that another instance has ended the session.
	errRefused = errors.New("the session was ended by another instance")
	// errOvertaken says that the store holds a newer record of the session.
	errOvertaken = errors.New("the store holds a newer record")
)

// A Store keeps sessions between requests. What it returns is authentic; whether
// it is still good (times, revocations) is for the Table to say.
type Store interface {
	// Open returns the record that a cookie value stands for, or ErrNoSession
	// or ErrUnavailable.
	Open(ctx context.Context, value string) (*Record, error)
	// Save keeps the record, the newest of its session, until the given time,
	// and returns the cookie value that stands for it. It fails with
	// ErrTooLarge or ErrUnavailable.
	Save(ctx context.Context, rec *Record, until time.Time) (value string, err error)
}

// CookieStore keeps each session in its own cookie; the server keeps nothing.
// The zero value is not usable: see NewCookieStore.
type CookieStore struct {
	sealer func() *Sealer
	codec  codec
}

// NewCookieStore returns a store that seals with what sealer returns at the
// time of use, so that rotated secrets are taken up.
func NewCookieStore(sealer func() *Sealer) *CookieStore { return &CookieStore{sealer: sealer} }

// Open returns the record inside the cookie value.
func (s *CookieStore) Open(_ context.Context, value string) (*Record, error) {
	plain, err := s.sealer().Open(value)
	if err != nil {
		return nil, ErrNoSession
	}
	rec, err := s.codec.decode(plain)
	if err != nil {
		return nil, ErrNoSession
	}
	return rec, nil
}

// Save returns the record as a cookie value. It fails with ErrTooLarge where
// two cookies do not hold it.
func (s *CookieStore) Save(_ context.Context, rec *Record, _ time.Time) (string, error) {
	plain, err := s.codec.encode(rec)
	if err != nil {
		return "", err
	}
	value, err := s.sealer().Seal(plain)
	if err != nil {
		return "", err
	}
	if len(value) > 2*chunkLen {
		return "", ErrTooLarge
	}
	return value, nil
}
