package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/config"
	"gatehouse/proxy"
)

// onlineTimeout bounds everything that check --online asks.
const onlineTimeout = 15 * time.Second

// A probe is what somebody on the network answered.
type probe struct {
	Name    string `json:"name"` // key of the configuration
	Address string `json:"address"`
	OK      bool   `json:"ok"`
	Said    string `json:"said"`
}

func (b probe) because(err error) probe {
	b.Said = err.Error()
	return b
}

func (b probe) good(said string) probe {
	b.OK, b.Said = true, said
	return b
}

// askAround asks everybody at the same time and tells the answers in the order
// of the configuration, each as soon as it and those before it are there.
func (p *program) askAround(ctx context.Context, c *config.Config, policy *proxy.Policy, out io.Writer) []probe {
	ctx, cancel := context.WithTimeout(ctx, onlineTimeout)
	defer cancel()
	asks := []func(context.Context) []probe{func(ctx context.Context) []probe { return askProvider(ctx, c) }}
	if c.TLS.ACME.Directory != "" {
		asks = append(asks, func(ctx context.Context) []probe { return askACME(ctx, c) })
	}
	if c.Session.Store == "redis" {
		asks = append(asks, func(ctx context.Context) []probe { return askRedis(ctx, c) })
	}
	for i, rt := range policy.Routes {
		asks = append(asks, func(ctx context.Context) []probe { return askUpstream(ctx, i, rt) })
	}
	answers := make([]chan []probe, len(asks))
	for i, ask := range asks {
		answers[i] = make(chan []probe, 1)
		go func() { answers[i] <- ask(ctx) }()
	}
	colour := p.painter(out)
	var all []probe
	for _, answer := range answers {
		for _, b := range <-answer {
			all = append(all, b)
			mark := colour.paint(green, "ok  ")
			if !b.OK {
				mark = colour.paint(red, "FAIL")
			}
			fmt.Fprintf(out, "%s %s: %s: %s\n", mark, b.Name, b.Address, b.Said)
		}
	}
	return all
}

// askProvider asks for what a sign-in needs, as far as nobody has to sign in
// for it.
func askProvider(ctx context.Context, c *config.Config) []probe {
	discovery := probe{Name: "descope.issuer", Address: c.Descope.Issuer}
	var f fitting
	if err := f.call(c, nil); err != nil {
		return []probe{discovery.because(err)}
	}
	provider := authn.NewProvider(providerConfig(c, f.caller, slog.New(slog.DiscardHandler)))
	if err := provider.Discover(ctx); err != nil {
		return []probe{discovery.because(err)}
	}
	all := []probe{discovery.good("its discovery document was read")}
	keys := probe{Name: "descope.issuer", Address: c.Descope.Issuer}
	if n, err := provider.ProbeKeys(ctx); err != nil {
		all = append(all, keys.because(err))
	} else {
		all = append(all, keys.good(count(n, "signing key")))
	}
	client := probe{Name: cmp.Or(map[bool]string{true: "descope.client_secret_file"}[c.Descope.ClientSecretFile != ""], "descope.client_secret"), Address: c.Descope.ClientID}
	err := provider.ProbeClient(ctx)
	switch {
	case err == nil:
		client = client.good("client ID and secret are accepted")
	case errors.Is(err, authn.ErrUndecided):
		client = client.good("could not be checked without a sign-in: " + err.Error())
	default:
		client = client.because(err)
	}
	return append(all, client)
}

func askACME(ctx context.Context, c *config.Config) []probe {
	b := probe{Name: "tls.acme.directory", Address: c.TLS.ACME.Directory}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.TLS.ACME.Directory, nil)
	if err != nil {
		return []probe{b.because(err)}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return []probe{b.because(err)}
	}
	_ = res.Body.Close() // nothing of it was read
	if res.StatusCode != http.StatusOK {
		return []probe{b.because(errors.New("it answered " + res.Status))}
	}
	return []probe{b.good("its directory was read")}
}

// askRedis never says the whole address, which holds the password.
func askRedis(ctx context.Context, c *config.Config) []probe {
	b := probe{Name: "session.redis_url", Address: redisHost(c.Session.RedisURL.Reveal())}
	if err := session.ProbeRedis(ctx, c.Session.RedisURL.Reveal()); err != nil {
		return []probe{b.because(err)}
	}
	return []probe{b.good("it answered a ping")}
}

// redisHost is the host of a Redis address; addresses that url.Parse would not
// take show nothing.
func redisHost(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

func askUpstream(ctx context.Context, index int, rt *proxy.Route) []probe {
	var all []probe
	for _, found := range rt.Upstream.Probe(ctx) {
		b := probe{Name: "routes[" + strconv.Itoa(index) + "].upstream", Address: found.Address}
		if found.Err != nil {
			all = append(all, b.because(found.Err))
		} else {
			all = append(all, b.good("it took the connection"))
		}
	}
	return slices.Clip(all)
}
