package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// discoveryRetry is how soon a discovery that failed is tried again, from the
// beginning of the one to that of the next.
const discoveryRetry = 5 * time.Second

// ProviderConfig names an OpenID provider and this relying party at it.
type ProviderConfig struct {
	Issuer       string
	ClientID     string
	ProjectID    string // Descope's project; also accepted as audience of ID tokens; "" for other providers
	ClientSecret string
	TokenAuth    string // basic, post or "" for what discovery says, basic first
	Scopes       []string
	RedirectURL  string       // absolute URL of the callback
	HTTP         *http.Client // see NewHTTPClient
	Log          *slog.Logger
	Now          func() time.Time
}

// A Provider is an OpenID provider, known once its discovery document has been
// read. Every endpoint comes from there.
type Provider struct {
	cfg   ProviderConfig
	known atomic.Pointer[endpoints]
	sid   atomic.Pointer[bool] // whether the last ID token had a sid; nil before the first
	first chan struct{}        // closed when discovery was tried once; nil: nobody tries
}

// endpoints is what discovery told.
type endpoints struct {
	provider    *oidc.Provider
	verifier    *oidc.IDTokenVerifier
	oauth       oauth2.Config
	authMethods []string // at the token endpoint
	keysURL     string
	endSession  string
	revocation  string
	issParam    bool // the callback carries iss (RFC 9207)
	logoutSID   bool // tokens carry sid (Back-Channel Logout 1.0, section 2.1)
}

// NewProvider returns a provider that is not yet known; Start makes it so.
func NewProvider(cfg ProviderConfig) *Provider { return &Provider{cfg: cfg} }

// With returns the provider with another configuration. Where issuer and HTTP
// client stay the same it knows what this one knows already; else it has to be
// discovered.
func (p *Provider) With(cfg ProviderConfig) *Provider {
	next := NewProvider(cfg)
	if cfg.Issuer != p.cfg.Issuer || cfg.HTTP != p.cfg.HTTP {
		return next
	}
	next.sid.Store(p.sid.Load())
	if known := p.known.Load(); known != nil {
		renewed := *known
		renewed.oauth = cfg.client(known.oauth.Endpoint, known.authMethods)
		next.known.Store(&renewed)
	}
	return next
}

// client is this relying party at the provider's endpoints.
func (c ProviderConfig) client(at oauth2.Endpoint, authMethods []string) oauth2.Config {
	at.AuthStyle = authStyle(c.TokenAuth, authMethods)
	return oauth2.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, Endpoint: at, RedirectURL: c.RedirectURL, Scopes: c.Scopes}
}

// Ready reports whether discovery has been read.
func (p *Provider) Ready() bool { return p.known.Load() != nil }

// Start reads the discovery document in the background, trying again every few
// seconds until it has been read or ctx ends. It is called once, before anybody
// signs in.
func (p *Provider) Start(ctx context.Context) {
	p.first = make(chan struct{})
	go p.run(ctx)
}

func (p *Provider) run(ctx context.Context) {
	for tried := false; ; tried = true {
		next := time.Now().Add(discoveryRetry)
		err := p.Discover(ctx)
		if !tried {
			close(p.first)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		p.cfg.Log.Error("the provider's discovery document could not be read; trying again",
			"issuer", p.cfg.Issuer, "retry_in", discoveryRetry.String(), "error", err.Error())
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)): // at once after one that hung
		}
	}
}

// firstWait is how long who comes right after the start waits for discovery.
const firstWait = 3 * time.Second

// await returns what discovery told, waiting for its first try if that is under way;
// nil where it has not been read.
func (p *Provider) await(ctx context.Context) *endpoints {
	if known := p.known.Load(); known != nil || p.first == nil {
		return known
	}
	timer := time.NewTimer(firstWait)
	defer timer.Stop()
	select {
	case <-p.first:
	case <-timer.C:
	case <-ctx.Done():
	}
	return p.known.Load()
}

// Discover reads the discovery document once (OpenID Connect Discovery 1.0,
// section 4). It fails where the issuer in it is not the one asked for.
func (p *Provider) Discover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.cfg.HTTP), callTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	var doc struct {
		EndSession  string   `json:"end_session_endpoint"`
		Revocation  string   `json:"revocation_endpoint"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
		IssParam    bool     `json:"authorization_response_iss_parameter_supported"`
		LogoutSID   bool     `json:"backchannel_logout_session_supported"`
	}
	if err := provider.Claims(&doc); err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	keys, err := keysURL(provider, p.cfg.Issuer)
	if err != nil {
		return err
	}
	endpoint := provider.Endpoint()
	if endpoint.AuthURL == "" || endpoint.TokenURL == "" {
		return errors.New("discovery: no authorization or token endpoint in it")
	}
	for _, there := range []string{endpoint.AuthURL, endpoint.TokenURL, provider.UserInfoEndpoint(), doc.Revocation} {
		if inTheClear(p.cfg.Issuer, there) { // codes, tokens and the client secret would go there
			return fmt.Errorf("discovery: %q is not https, as the issuer is", there)
		}
	}
	p.known.Store(&endpoints{
		provider: provider,
		// The checks that go-oidc is told to skip are those of checkIDToken,
		// which allows 30 s between clocks and knows Descope's audiences.
		verifier: provider.Verifier(&oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true}),
		oauth:    p.cfg.client(endpoint, doc.AuthMethods), authMethods: doc.AuthMethods,
		keysURL: keys, endSession: doc.EndSession, revocation: doc.Revocation, issParam: doc.IssParam, logoutSID: doc.LogoutSID,
	})
	return nil
}

// authStyle chooses how the client authenticates at the token endpoint.
// Without a list, client_secret_basic is the default (Discovery 1.0, section 3).
func authStyle(configured string, supported []string) oauth2.AuthStyle {
	switch {
	case configured == "post":
		return oauth2.AuthStyleInParams
	case configured == "basic", len(supported) == 0, slices.Contains(supported, "client_secret_basic"):
		return oauth2.AuthStyleInHeader
	case slices.Contains(supported, "client_secret_post"):
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// mine reports whether an audience is this relying party.
func (p *Provider) mine(audience string) bool {
	return audience != "" && (audience == p.cfg.ClientID || audience == p.cfg.ProjectID)
}

func (p *Provider) notMine(audience string) bool { return !p.mine(audience) }

// tellsSID reports whether sessions are known by the provider's sid: whether the
// last ID token had one, and before the first, what discovery says.
func (p *Provider) tellsSID() bool {
	if sid := p.sid.Load(); sid != nil {
		return *sid
	}
	known := p.known.Load()
	return known != nil && known.logoutSID
}

// context returns ctx with the provider's HTTP client and a deadline.
func (p *Provider) context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(oidc.ClientContext(ctx, p.cfg.HTTP), callTimeout)
}
