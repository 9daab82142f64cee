package descopetest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// IDTokenFault is something wrong with an ID token that a relying party must
// notice (OpenID Connect Core 1.0 section 3.1.3.7).
type IDTokenFault string

const (
	WrongNonce     IDTokenFault = "wrong_nonce"
	NoNonce        IDTokenFault = "no_nonce"
	WrongAudience  IDTokenFault = "wrong_audience"
	WrongIssuer    IDTokenFault = "wrong_issuer"
	WrongSignature IDTokenFault = "wrong_signature" // a good one with a character changed
	ForeignKey     IDTokenFault = "foreign_key"     // another key under the right kid
	UnknownKey     IDTokenFault = "unknown_key"     // another key under its own kid
	AlgNone        IDTokenFault = "alg_none"
	HS256Secret    IDTokenFault = "hs256_secret" // the client secret as HMAC key
	HS256Key       IDTokenFault = "hs256_key"    // the public key as HMAC key
	Expired        IDTokenFault = "expired"
	FromTheFuture  IDTokenFault = "from_the_future"
	OtherSubject   IDTokenFault = "other_subject"
	NoSubject      IDTokenFault = "no_subject"
	NoAudience     IDTokenFault = "no_audience"
	NoIssuer       IDTokenFault = "no_issuer"
	IssuerSlash    IDTokenFault = "issuer_slash" // the right one and a slash
	NoExpiry       IDTokenFault = "no_expiry"
	TextExpiry     IDTokenFault = "text_expiry" // a year away, as a string
	NoIssuedAt     IDTokenFault = "no_issued_at"
	WrongParty     IDTokenFault = "wrong_party" // azp of somebody else
	SharedNoParty  IDTokenFault = "shared"      // a second audience, and no azp
	WrongAtHash    IDTokenFault = "wrong_at_hash"
	NoIDToken      IDTokenFault = "missing" // an answer without one
	NotAJWT        IDTokenFault = "not_a_jwt"
)

const faultKey contextKey = 100

// faultyIDToken signs claims, wrongly where the fault is of that kind, and ""
// for no token at all.
func (p *Provider) faultyIDToken(fault IDTokenFault, key signingKey, claims map[string]any) (string, error) {
	switch fault {
	case NoIDToken:
		return "", nil
	case NotAJWT:
		return "not.a.token", nil
	case AlgNone:
		return unsigned(claims)
	case HS256Secret:
		return hmacToken([]byte(p.opts.ClientSecret), key.id, claims)
	case HS256Key:
		public, err := publicPEM(&key.private.PublicKey)
		if err != nil {
			return "", err
		}
		return hmacToken(public, key.id, claims)
	case ForeignKey, UnknownKey:
		other, err := newSigningKey()
		if err != nil {
			return "", err
		}
		if fault == ForeignKey {
			other.id = key.id
		}
		return sign(other, claims, nil)
	case WrongSignature:
		token, err := sign(key, claims, nil)
		return flip(token), err
	}
	p.spoil(fault, claims)
	return sign(key, claims, nil)
}

// spoil changes the claims for the faults that a good signature covers.
func (p *Provider) spoil(fault IDTokenFault, claims map[string]any) {
	now := p.now()
	switch fault {
	case WrongNonce:
		claims["nonce"] = "another sign-in's"
	case NoNonce:
		delete(claims, "nonce")
	case WrongAudience:
		claims["aud"] = []string{"P2another"}
	case WrongIssuer:
		claims["iss"] = "https://api.descope.com/P2another"
	case NoAudience:
		delete(claims, "aud")
	case NoIssuer:
		delete(claims, "iss")
	case IssuerSlash:
		claims["iss"] = fmt.Sprint(claims["iss"], "/")
	case NoExpiry:
		delete(claims, "exp")
	case TextExpiry:
		claims["exp"] = fmt.Sprint(now.AddDate(1, 0, 0).Unix())
	case NoIssuedAt:
		delete(claims, "iat")
	case WrongParty:
		claims["azp"] = "P2another"
	case SharedNoParty:
		claims["aud"] = []string{p.opts.ClientID, "P2another"}
		delete(claims, "azp")
	case WrongAtHash:
		claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA"
	case Expired: // an hour ago: beyond any leeway for clocks
		claims["iat"], claims["exp"] = now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix()
	case FromTheFuture:
		claims["iat"], claims["nbf"] = now.Add(time.Hour).Unix(), now.Add(time.Hour).Unix()
		claims["exp"] = now.Add(2 * time.Hour).Unix()
	case OtherSubject:
		claims["sub"] = fmt.Sprint(claims["sub"], "x")
	case NoSubject:
		delete(claims, "sub")
	}
}

func unsigned(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(payload) + ".", nil
}

func hmacToken(secret []byte, kid string, claims map[string]any) (string, error) {
	// go-jose wants at least 32 bytes; the short secret's zeros change nothing,
	// since HMAC pads a key with zeros itself.
	for len(secret) < 32 {
		secret = append(secret, 0)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: kid}}, nil)
	if err != nil {
		return "", err
	}
	return serialize(signer, claims)
}

func publicPEM(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// flip changes the first character of the signature.
func flip(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	if at == 0 || at == len(token) {
		return token
	}
	other := byte('A')
	if token[at] == other {
		other = 'B'
	}
	return token[:at] + string(other) + token[at+1:]
}
