package descopetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Where things are at the default federated app: the issuer's path is the
// project, the endpoints stand beside it at the root.
const (
	authorizePath  = "/oauth2/v1/authorize"
	tokenPath      = "/oauth2/v1/token"
	userinfoPath   = "/oauth2/v1/userinfo"
	logoutPath     = "/oauth2/v1/logout"
	revokePath     = "/oauth2/v1/revoke"
	registerPath   = "/oauth2/v1/register"
	accessKeyPath  = "/v1/auth/accesskey/exchange"
	discoveryPath  = "/.well-known/openid-configuration"
	keysPath       = "/.well-known/jwks.json"
	metadataPath   = "/.well-known/oauth-authorization-server"
	signInPath     = "/sign-in"
	ssoPath        = "/sso"
	callbackSuffix = "/callback"
)

// Provider is the stand-in. It is an [http.Handler], and safe for concurrent
// use, its tests' methods included.
type Provider struct {
	opts     Options
	protocol http.Handler // zitadel/oidc
	page     *pages
	stop     chan struct{}
	stopOnce sync.Once

	mu         sync.Mutex
	issuer     string
	ttl        time.Duration
	people     map[string]*Person
	order      []string // people as the sign-in page lists them
	clients    map[string]*client
	keys       []signingKey // the first signs
	signIns    map[string]*signIn
	codes      map[string]string // authorization code to sign-in
	refresh    map[string]*refreshToken
	access     map[string]*accessToken
	accessKeys map[string]*AccessKey

	faults faults
	seen   recorder
}

// New makes a provider. It fails when no key can be made.
func New(options Options) (*Provider, error) {
	opts := options.withDefaults()
	page, err := newPages()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		opts: opts, page: page, stop: make(chan struct{}),
		issuer: opts.Issuer, ttl: opts.SessionTTL,
		people:     make(map[string]*Person),
		clients:    make(map[string]*client),
		signIns:    make(map[string]*signIn),
		codes:      make(map[string]string),
		refresh:    make(map[string]*refreshToken),
		access:     make(map[string]*accessToken),
		accessKeys: make(map[string]*AccessKey),
	}
	for _, person := range opts.People {
		if p.people[person.ID] != nil || person.ID == "" {
			return nil, fmt.Errorf("people need an ID each, and %q is taken or empty", person.ID)
		}
		if person.SSO {
			// Fixed now: they keep their identity provider when a test puts
			// them into a second tenant.
			person.CurrentTenant = person.homeTenant()
		}
		p.people[person.ID] = person.clone()
		p.order = append(p.order, person.ID)
	}
	p.clients[opts.ClientID] = &client{
		id: opts.ClientID, secret: opts.ClientSecret, redirects: opts.RedirectURIs,
		login: "/" + opts.ProjectID + signInPath, ttl: opts.SessionTTL,
	}
	if opts.Key != nil {
		p.keys = []signingKey{nameKey(opts.Key)}
	} else if err := p.RotateKeys(false); err != nil {
		return nil, err
	}
	p.protocol, err = newProtocol(p)
	return p, err
}

// newProtocol sets up zitadel/oidc with the provider as its storage.
func newProtocol(p *Provider) (http.Handler, error) {
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true,
		SupportedScopes:            slices.Clone(scopes),
		BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true,
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	issuer := func(bool) (op.IssuerFromRequest, error) { return p.issuerOf, nil }
	return op.NewProvider(config, storage{p}, issuer,
		op.WithAllowInsecure(),
		op.WithCustomEndpoints(
			op.NewEndpoint(authorizePath), op.NewEndpoint(tokenPath), op.NewEndpoint(userinfoPath),
			op.NewEndpoint(revokePath), op.NewEndpoint(logoutPath), op.NewEndpoint(keysPath)))
}

// issuerOf is the fixed issuer, else the one at which r asks.
func (p *Provider) issuerOf(r *http.Request) string {
	if issuer := p.Issuer(); issuer != "" {
		return issuer
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/" + p.opts.ProjectID
}

// Issuer is the fixed issuer: that of the options or of Start, "" before.
func (p *Provider) Issuer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issuer
}

// ProjectID, ClientID and ClientSecret are what a relying party is configured with.
func (p *Provider) ProjectID() string    { return p.opts.ProjectID }
func (p *Provider) ClientID() string     { return p.opts.ClientID }
func (p *Provider) ClientSecret() string { return p.opts.ClientSecret }

// SetSessionTTL changes the life of the tokens to come.
func (p *Provider) SetSessionTTL(ttl time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ttl = ttl
}

func (p *Provider) now() time.Time { return p.opts.Now() }

// ServeHTTP notes the request, lets a fault that a test asked for have its way,
// and answers.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	handler, endpoints := p.route(r)
	for _, endpoint := range endpoints {
		p.seen.note(endpoint, r, p.now())
	}
	done := func() {}
	if endpoints[0] == Refresh {
		done = p.begin(r.PostFormValue("refresh_token"))
	}
	defer func() { done() }()
	if !p.faults.wait(r.Context(), p.stop, endpoints) {
		panic(http.ErrAbortHandler)
	}
	failure, ok := p.faults.next(endpoints)
	if !ok {
		handler(w, r)
		return
	}
	if failure.Hang || failure.Reset {
		// The client learns that it is over before the provider does, and may
		// ask again at once.
		done()
		done = func() {}
	}
	p.fail(failure, handler, w, r)
}

// route finds who answers, and under which names the request counts: the more
// particular one first.
func (p *Provider) route(r *http.Request) (http.HandlerFunc, []Endpoint) {
	project := "/" + p.opts.ProjectID
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case project + discoveryPath, discoveryPath + project, metadataPath + project:
		return p.discovery, []Endpoint{Discovery}
	case project + keysPath:
		return p.jwks, []Endpoint{Keys}
	case authorizePath:
		return p.authorize, []Endpoint{Authorization}
	case authorizePath + callbackSuffix:
		return p.protocol.ServeHTTP, []Endpoint{SignInPage}
	case project + signInPath:
		return p.signInPage, []Endpoint{SignInPage}
	case project + ssoPath:
		return p.ssoPage, []Endpoint{SignInPage}
	case tokenPath:
		if r.PostFormValue("grant_type") == "refresh_token" {
			return p.token, []Endpoint{Refresh, Token}
		}
		return p.token, []Endpoint{Token}
	case userinfoPath:
		return p.userinfo, []Endpoint{Userinfo}
	case revokePath:
		return p.protocol.ServeHTTP, []Endpoint{Revocation}
	case logoutPath:
		return p.endSession, []Endpoint{EndSession}
	case registerPath:
		return p.register, []Endpoint{Registration}
	case accessKeyPath:
		return p.exchangeAccessKey, []Endpoint{AccessKeys}
	}
	return http.NotFound, []Endpoint{Other}
}

// Server is a provider that listens.
type Server struct {
	Issuer string
	Addr   string // host and port

	provider *Provider
	http     *http.Server
}

// Start serves the provider at listen, 127.0.0.1:0 for a port of the system's
// choice, and fixes its issuer to http://<address>/<project>.
func (p *Provider) Start(listen string) (*Server, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("start the stand-in provider: %w", err)
	}
	addr := listener.Addr().String()
	p.mu.Lock()
	if p.issuer == "" {
		p.issuer = "http://" + addr + "/" + p.opts.ProjectID
	}
	s := &Server{Issuer: p.issuer, Addr: addr, provider: p,
		http: &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}}
	p.mu.Unlock()
	go func() {
		// Close ends it; a listener that fails shows in the next request.
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// Close stops listening, ends every connection and releases what hangs. The
// provider cannot be started again.
func (s *Server) Close() error {
	s.provider.Close()
	return s.http.Close()
}

// Shutdown is Close that lets requests end first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.provider.Close()
	return s.http.Shutdown(ctx)
}

// Close releases requests that a fault or a hold keeps. It is for providers
// served by others, as by httptest.
func (p *Provider) Close() { p.stopOnce.Do(func() { close(p.stop) }) }
