package authn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"

	"gatehouse/authn/descope"
)

// Keys are the public keys of the issuers whose tokens this house takes. The
// issuers of one Descope project share the project's keys, read from where the
// provider's discovery document says; those of any other issuer are found by a
// discovery of its own, when its first token comes.
type Keys struct {
	provider *Provider
	own      *keySet

	mu     sync.Mutex
	others map[string]*keySet // by issuer; only those that an operator named
}

// NewKeys returns the keys of a provider and of the issuers beside it. Nothing
// is read before a token comes.
func NewKeys(p *Provider) *Keys {
	k := &Keys{provider: p, others: make(map[string]*keySet)}
	k.own = k.newSet(p.cfg.Issuer, func(context.Context) (string, error) {
		known := p.known.Load()
		if known == nil {
			return "", errNotDiscovered
		}
		return known.keysURL, nil
	})
	return k
}

var errNotDiscovered = errors.New("the provider's discovery document has not been read yet")

// Of reports whether they are the keys of a provider of that configuration too.
func (k *Keys) Of(cfg ProviderConfig) bool {
	c := k.provider.cfg
	return k.provider.Ready() && c.Issuer == cfg.Issuer && c.ProjectID == cfg.ProjectID && c.HTTP == cfg.HTTP
}

func (k *Keys) newSet(issuer string, locate func(context.Context) (string, error)) *keySet {
	c := k.provider.cfg
	return &keySet{issuer: issuer, locate: locate, http: c.HTTP, log: c.Log, now: c.Now}
}

// of returns the keys of an issuer that has been found acceptable: one that
// nobody named must never get here, or a token could have any address fetched.
// It fails with a *KeysUnavailableError while the provider is not known.
func (k *Keys) of(issuer string) (*keySet, error) {
	if k.shares(issuer) {
		if !k.provider.Ready() {
			return nil, &KeysUnavailableError{RetryAfter: discoveryRetry, Err: errNotDiscovered}
		}
		return k.own, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	set := k.others[issuer]
	if set == nil {
		set = k.newSet(issuer, k.discover(issuer))
		k.others[issuer] = set
	}
	return set, nil
}

// shares reports whether the issuer's tokens are signed with the provider's
// keys: its own, those of the other issuers of its project at the same address
// (a JWKS is the project's), and those whose issuer is the bare project ID.
func (k *Keys) shares(issuer string) bool {
	c := k.provider.cfg
	if issuer == c.Issuer || c.ProjectID != "" && issuer == c.ProjectID {
		return true
	}
	mine, ok := descope.ProjectOf(c.Issuer, c.ProjectID)
	theirs, same := descope.ProjectOf(issuer, c.ProjectID)
	return ok && same && mine == theirs
}

// discover finds an issuer's JWKS (OpenID Connect Discovery 1.0, section 4).
// Once found the place stays.
func (k *Keys) discover(issuer string) func(context.Context) (string, error) {
	found := "" // readings of one set never run at the same time
	return func(ctx context.Context) (string, error) {
		if found != "" {
			return found, nil
		}
		p, err := oidc.NewProvider(oidc.ClientContext(ctx, k.provider.cfg.HTTP), issuer)
		if err != nil {
			return "", fmt.Errorf("discovery: %w", err)
		}
		uri, err := keysURL(p, issuer)
		if err != nil {
			return "", err
		}
		found = uri
		return found, nil
	}
}

// keysURL is jwks_uri of a discovery document. Keys that come in the clear would
// make whoever is on the way the issuer.
func keysURL(p *oidc.Provider, issuer string) (string, error) {
	var doc struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := p.Claims(&doc); err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	if doc.JWKS == "" || inTheClear(issuer, doc.JWKS) {
		return "", errors.New("discovery: no jwks_uri in it, or one that is not https as the issuer is")
	}
	return doc.JWKS, nil
}

// inTheClear reports whether an endpoint of an https issuer is not https.
func inTheClear(issuer, endpoint string) bool {
	return endpoint != "" && strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(endpoint, "https:")
}
