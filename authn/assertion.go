package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"

	"gatehouse/authz"
)

const (
	// assertionLife is how long an assertion is good, from its iat.
	assertionLife = 5 * time.Minute
	// assertionAged is how old one is when it is made: an upstream's clock may be
	// behind, and verifiers such as PyJWT refuse an iat of the next second.
	assertionAged = 10 * time.Second
	// assertionRenew is when one is made anew: an upstream always gets at least
	// two minutes, for its queue and for clocks that differ.
	assertionRenew = 150 * time.Second
	// cachedAssertions bounds those kept in memory: one a person, route and
	// tenant, about 2 KB each.
	cachedAssertions = 4096
)

// Assertions are signed statements about who a request speaks for: a JWT
// (ES256) for upstreams that do not want to trust a header alone.
type Assertions struct {
	issuer string
	signer jose.Signer
	jwks   []byte
	now    func() time.Time
	cache  *lru.Cache[assertionFor, assertion]
}

// assertionFor is all that an assertion depends on. An identity is immutable,
// and each record of a session and each bearer token has one of its own, so its
// address stands for all that it says; nobody else's can be at the same address
// while this one is kept.
type assertionFor struct {
	id         *authz.Identity
	audience   string
	tenant     string
	unverified bool
}

type assertion struct {
	token string
	until time.Time
}

// NewAssertions returns a signer for the issuer, public_url. keys are PEM files:
// the first key signs, all are published, so that a new one can be known to the
// upstreams before it signs. It fails where a file holds no EC P-256 key.
func NewAssertions(issuer string, keys [][]byte, now func() time.Time) (*Assertions, error) {
	a := &Assertions{issuer: issuer, now: now}
	a.cache, _ = lru.New[assertionFor, assertion](cachedAssertions) // fails only for a size of 0
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for i, content := range keys {
		key, err := signingKey(content)
		if err != nil {
			return nil, fmt.Errorf("assertion key %d: %w", i+1, err)
		}
		if i == 0 {
			options := (&jose.SignerOptions{}).WithType("JWT")
			if a.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options); err != nil {
				return nil, fmt.Errorf("assertion key: %w", err)
			}
		}
		set.Keys = append(set.Keys, key.Public())
	}
	var err error
	a.jwks, err = json.Marshal(set)
	return a, err
}

// signingKey is the EC P-256 key in a PEM file, in PKCS#8 or SEC1. OpenSSL writes
// the curve's parameters before a SEC1 key. Its kid is its thumbprint (RFC 7638).
func signingKey(content []byte) (jose.JSONWebKey, error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		var found any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			found, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			found, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		private, ok := found.(*ecdsa.PrivateKey)
		if err != nil || !ok || private.Curve != elliptic.P256() {
			continue
		}
		key := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}
		thumbprint, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
		return key, nil
	}
	return jose.JSONWebKey{}, errors.New("no EC P-256 private key; want PEM, as gatehouse keygen --assertion writes it")
}

// JWKS are the public keys (RFC 7517). Without a key the list is empty.
func (a *Assertions) JWKS() []byte { return a.jwks }

// Signing reports whether there is a key to sign with.
func (a *Assertions) Signing() bool { return a.signer != nil }

// assertionClaims is the payload. Roles are those of X-Forwarded-Groups, and the
// address follows the rule of X-Forwarded-Email.
type assertionClaims struct {
	Issuer    string                     `json:"iss"`
	Audience  string                     `json:"aud"`
	Subject   string                     `json:"sub"`
	IssuedAt  int64                      `json:"iat"`
	Expires   int64                      `json:"exp"`
	Email     string                     `json:"email,omitempty"`
	Name      string                     `json:"name,omitempty"`
	Roles     []string                   `json:"roles"`
	Tenant    string                     `json:"tenant,omitempty"` // that decided
	Tenants   map[string]assertionGrants `json:"tenants"`
	Truncated bool                       `json:"tenants_truncated,omitempty"`
}

type assertionGrants struct {
	Roles       []string `json:"roles"`
	Permissions []string `json:"permissions"`
}

// About returns the assertion about a person for the route of that name, where
// tenant decided. unverified passes an address on that the provider has not
// verified. The same assertion serves for two and a half minutes.
func (a *Assertions) About(id *authz.Identity, route, tenant string, unverified bool) (string, error) {
	key := assertionFor{id, route, tenant, unverified}
	now := a.now()
	if have, ok := a.cache.Get(key); ok && now.Before(have.until) {
		return have.token, nil
	}
	issued := now.Add(-assertionAged)
	claims := assertionClaims{
		Issuer: a.issuer, Audience: route, Subject: id.Subject,
		IssuedAt: issued.Unix(), Expires: issued.Add(assertionLife).Unix(),
		Name: id.Name, Roles: orNone(id.EffectiveRoles(tenant)), Tenant: tenant,
		Tenants: make(map[string]assertionGrants, len(id.Tenants)), Truncated: id.TenantsTruncated,
	}
	if id.EmailVerified || unverified {
		claims.Email = id.Email
	}
	for tenant, g := range id.Tenants {
		claims.Tenants[tenant] = assertionGrants{orNone(g.Roles), orNone(g.Permissions)}
	}
	token, err := a.sign(claims)
	if err != nil {
		return "", fmt.Errorf("assertion: %w", err)
	}
	a.cache.Add(key, assertion{token, now.Add(assertionRenew)})
	return token, nil
}

func (a *Assertions) sign(claims assertionClaims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := a.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// orNone makes an absent list an empty one, as readers in other languages want it.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
