package descopetest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// signingKey is one RSA key as zitadel/oidc wants to see it, both as the
// private key it signs with and as an entry of the JWKS.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.private }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

func newSigningKey() (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	return nameKey(private), nil
}

// nameKey gives the key an ID in Descope's form: SK and 25 characters.
func nameKey(private *rsa.PrivateKey) signingKey {
	return signingKey{id: "SK" + rand.Text()[:25], private: private}
}

// RotateKeys makes a new signing key, as Descope does daily. Tokens signed
// before stay good: the JWKS holds the old keys too, unless forget is set.
func (p *Provider) RotateKeys(forget bool) error {
	key, err := newSigningKey()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if forget {
		p.keys = nil
	}
	p.keys = append([]signingKey{key}, p.keys...)
	return nil
}

func (p *Provider) signingKey() signingKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0]
}

func (p *Provider) publicKeys() []op.Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := make([]op.Key, len(p.keys))
	for i, key := range p.keys {
		keys[i] = publicKey{key}
	}
	return keys
}

// SignJWT signs claims with the current key, as a token that a test makes up.
// headers stand beside alg and kid and may replace typ.
func (p *Provider) SignJWT(claims map[string]any, headers map[string]any) (string, error) {
	return sign(p.signingKey(), claims, headers)
}

func sign(key signingKey, claims map[string]any, headers map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range headers {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256,
		Key:       jose.JSONWebKey{Key: key.private, KeyID: key.id},
	}, options)
	if err != nil {
		return "", err
	}
	return serialize(signer, claims)
}

func serialize(signer jose.Signer, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
