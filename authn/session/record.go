package session

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"gatehouse/authz"
)

// A Token is a refresh token. It never shows itself in logs or errors.
type Token string

// String hides the token.
func (Token) String() string { return "[redacted]" }

// GoString hides the token from %#v.
func (Token) GoString() string { return "[redacted]" }

// LogValue hides the token from slog.
func (Token) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// A Record is one version of a session: what the cookie, or the record in
// Redis, holds. It is not changed once it is published; a new version replaces
// it. Sealed, it keeps its times to the millisecond: a back-channel logout refuses
// the sessions begun before it, and tokens may live for seconds only.
type Record struct {
	ID          string          // 128 random bits, base64url
	Version     int64           // grows with each change; the higher one is newer
	Identity    *authz.Identity // trimmed to what the policy needs
	ProviderSID string          // the provider's `sid`, for back-channel logout; "" if it sends none
	SignedInAt  time.Time       // max_age counts from here
	RefreshedAt time.Time       // when the provider last confirmed the identity
	FreshUntil  time.Time       // end of life of the provider's tokens; zero: the provider gave no refresh token
	ActiveAt    time.Time       // last activity known when the record was written, for idle_timeout
	Refresh     Token           // refresh token; "" if the provider gave none
	Needs       string          // digest of the policy's needs that the identity was trimmed for

	key ticketKey // of the record in Redis; only the cookie and live instances have it
}

// NewID returns a fresh session ID.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// wireRecord is a Record in as few bytes as JSON allows.
type wireRecord struct {
	ID        string                 `json:"i"`
	Version   int64                  `json:"v,omitempty"`
	Issuer    string                 `json:"s"`
	Subject   string                 `json:"u"`
	Email     string                 `json:"e,omitempty"`
	Verified  bool                   `json:"f,omitempty"`
	Name      string                 `json:"n,omitempty"`
	Current   string                 `json:"d,omitempty"`
	Tenants   map[string][2][]string `json:"t,omitempty"`
	Roles     []string               `json:"r,omitempty"`
	Perms     []string               `json:"p,omitempty"`
	AMR       []string               `json:"a,omitempty"`
	Claims    map[string][]string    `json:"c,omitempty"`
	Truncated bool                   `json:"x,omitempty"`
	SID       string                 `json:"b,omitempty"`
	SignedIn  int64                  `json:"g"` // this and the next three: Unix milliseconds
	Refreshed int64                  `json:"h,omitempty"`
	Fresh     int64                  `json:"j,omitempty"`
	Active    int64                  `json:"k,omitempty"`
	Refresh   string                 `json:"o,omitempty"`
	Needs     string                 `json:"w,omitempty"`
}

// maxRecord bounds a record once inflated: a small cookie must not unfold into
// a large piece of memory. It is only reached by values that Gatehouse sealed.
const maxRecord = 1 << 20

// A codec turns records into bytes and back. The compressors are large and are
// used again; a codec must not be copied.
type codec struct{ writers, readers sync.Pool }

// encode returns the record deflated.
func (c *codec) encode(r *Record) ([]byte, error) {
	plain, err := json.Marshal(r.wire())
	if err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}
	return c.deflate(plain)
}

func (c *codec) deflate(plain []byte) (_ []byte, err error) {
	var buf bytes.Buffer
	z, _ := c.writers.Get().(*flate.Writer)
	if z == nil {
		z, err = flate.NewWriterDict(&buf, flate.BestCompression, []byte(dictionary))
		if err != nil {
			return nil, fmt.Errorf("encode session: %w", err)
		}
	} else {
		z.Reset(&buf) // with the dictionary that it was made with
	}
	_, err = z.Write(plain)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}
	c.writers.Put(z)
	return buf.Bytes(), nil
}

func (r *Record) wire() wireRecord {
	id := r.Identity
	w := wireRecord{
		ID: r.ID, Version: r.Version, Issuer: id.Issuer, Subject: id.Subject,
		Email: id.Email, Verified: id.EmailVerified, Name: id.Name, Current: id.CurrentTenant,
		Roles: id.Project.Roles, Perms: id.Project.Permissions, AMR: id.AMR, Claims: id.Claims,
		Truncated: id.TenantsTruncated, SID: r.ProviderSID,
		SignedIn: millis(r.SignedInAt), Refreshed: millis(r.RefreshedAt), Fresh: millis(r.FreshUntil), Active: millis(r.ActiveAt),
		Refresh: string(r.Refresh), Needs: r.Needs,
	}
	if len(id.Tenants) > 0 {
		w.Tenants = make(map[string][2][]string, len(id.Tenants))
		for t, g := range id.Tenants {
			w.Tenants[t] = [2][]string{g.Roles, g.Permissions}
		}
	}
	return w
}

// decode is the inverse of encode.
func (c *codec) decode(deflated []byte) (*Record, error) {
	z, _ := c.readers.Get().(io.ReadCloser)
	if z == nil {
		z = flate.NewReaderDict(bytes.NewReader(deflated), []byte(dictionary))
	} else if err := z.(flate.Resetter).Reset(bytes.NewReader(deflated), []byte(dictionary)); err != nil {
		return nil, fmt.Errorf("decode session: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxRecord+1))
	if err != nil {
		return nil, fmt.Errorf("decode session: %w", err)
	}
	c.readers.Put(z)
	if len(plain) > maxRecord {
		return nil, errors.New("decode session: too large")
	}
	var w wireRecord
	if err := json.Unmarshal(plain, &w); err != nil {
		return nil, fmt.Errorf("decode session: %w", err)
	}
	if w.ID == "" || w.Subject == "" || w.SignedIn <= 0 {
		return nil, errors.New("decode session: incomplete")
	}
	id := &authz.Identity{
		Issuer: w.Issuer, Subject: w.Subject, Email: w.Email, EmailVerified: w.Verified,
		Name: w.Name, CurrentTenant: w.Current, AMR: w.AMR, Claims: w.Claims,
		Project:          authz.Grants{Roles: w.Roles, Permissions: w.Perms},
		TenantsTruncated: w.Truncated,
	}
	if len(w.Tenants) > 0 {
		id.Tenants = make(map[string]authz.Grants, len(w.Tenants))
		for t, g := range w.Tenants {
			id.Tenants[t] = authz.Grants{Roles: g[0], Permissions: g[1]}
		}
	}
	return &Record{
		ID: w.ID, Version: w.Version, Identity: id, ProviderSID: w.SID,
		SignedInAt: fromMillis(w.SignedIn), RefreshedAt: fromMillis(w.Refreshed),
		FreshUntil: fromMillis(w.Fresh), ActiveAt: fromMillis(w.Active),
		Refresh: Token(w.Refresh), Needs: w.Needs,
	}, nil
}

// dictionary primes the compressor with what most sessions hold, the likeliest
// last. Changing it makes the cookies of earlier versions unreadable.
const dictionary = `"c":{"permissions":"roles":["Tenant Admin","User Admin","SSO Admin","Impersonate"` +
	`"a":["pwd","mfa","oauth","fed","email"],"g":17"t":{"T2[["Member"],null],"f":true,"n":"` +
	`"i":"","v":1,"s":"https://api.descope.com/P2","u":"U2","e":"`

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
