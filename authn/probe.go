package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"gatehouse/authn/descope"
)

// ErrUndecided says that the provider's answer leaves open what was asked.
var ErrUndecided = errors.New("the provider's answer leaves it open")

// ProbeKeys reads the provider's keys, once it has been discovered, and returns
// how many of them can verify a token.
func (p *Provider) ProbeKeys(ctx context.Context) (int, error) {
	keys, err := NewKeys(p).own.fetch(ctx)
	return len(keys), err
}

// ProbeClient finds out whether the provider takes the client's ID and secret
// without anybody signing in: it asks for tokens with a refresh token, and then a
// code, that was never given out. A server has to authenticate the client before
// it looks at either (RFC 6749, section 3.2.1), but not each one does; so it is
// asked with a wrong secret too, and only where that makes a difference "your
// token is bad" means that the secret was good.
//
// It returns nil for a good secret, an error that wraps ErrUndecided where the
// answers may mean either, and else one that says how the client was refused.
func (p *Provider) ProbeClient(ctx context.Context) error {
	known := p.known.Load()
	if known == nil {
		return errNotDiscovered
	}
	ctx, cancel := p.context(ctx)
	defer cancel()
	wrong := known.oauth
	wrong.ClientSecret = "not-the-secret-" + random(8)
	var said *descope.TokenError
	for _, ask := range []func(oauth2.Config) error{
		func(c oauth2.Config) error {
			_, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: "gatehouse-check"}).Token()
			return err
		},
		func(c oauth2.Config) error {
			_, err := c.Exchange(ctx, "gatehouse-check", oauth2.VerifierOption(oauth2.GenerateVerifier()))
			return err
		},
	} {
		err := ask(known.oauth)
		if err == nil {
			return errors.New("the token endpoint gave tokens for a made-up grant")
		}
		said = descope.ClassifyTokenError(err)
		switch {
		case refusesClient(err):
			return said
		case said.Kind == descope.Unreachable, said.Kind == descope.RateLimited:
			return said
		}
		if other := descope.ClassifyTokenError(ask(wrong)); other.Kind != said.Kind || other.Status != said.Status || other.Code != said.Code {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrUndecided, said)
}

// refusesClient reports whether a token endpoint's error says that the client is
// unknown or its secret wrong (RFC 6749, section 5.2). unauthorized_client does not:
// it is about a client that is known, and a grant that is not for it.
func refusesClient(err error) bool {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return false
	}
	if refused.ErrorCode != "" {
		return refused.ErrorCode == "invalid_client"
	}
	return refused.Response != nil && refused.Response.StatusCode == http.StatusUnauthorized
}
