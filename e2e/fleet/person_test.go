package fleet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A person is signed in, in a browser that keeps cookies.
type person struct {
	town   *town
	client *http.Client
}

// signIn signs somebody in at the address that browsers come to.
func (tn *town) signIn(who string) *person {
	tn.t.Helper()
	p := &person{town: tn, client: &http.Client{
		Jar: newJar(tn.t), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: tn.dialer()},
	}}
	tn.t.Cleanup(p.client.CloseIdleConnections)
	res := p.get(tn.t, "/auth/login")
	callback, err := tn.Provider.Authorize(context.Background(), p.client, res.Header.Get("Location"), who)
	if err != nil {
		tn.t.Fatal(err)
	}
	if res := p.get(tn.t, strings.TrimPrefix(callback, tn.URL)); res.StatusCode != http.StatusFound {
		tn.t.Fatalf("the sign-in of %s: %s", who, res.Status)
	}
	return p
}

// dialer leads what is asked of public_url to where that is served now; other
// places stay themselves.
func (tn *town) dialer() func(context.Context, string, string) (net.Conn, error) {
	listening := tn.listening
	return func(ctx context.Context, network, asked string) (net.Conn, error) {
		if strings.HasSuffix(tn.URL, asked[strings.LastIndexByte(asked, ':'):]) {
			asked = listening
		}
		return (&net.Dialer{}).DialContext(ctx, network, asked)
	}
}

// ask sends a request as a script of the page does.
func (p *person) ask(method, path string) (*http.Response, error) {
	req, err := http.NewRequest(method, p.town.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.client.Do(req)
}

func (p *person) get(t *testing.T, path string) *http.Response {
	t.Helper()
	res, err := p.ask("GET", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

// at has the person ask the one instance, whatever public_url leads to.
func (p *person) at(in *instance, do func(*person)) {
	direct := &person{town: p.town, client: &http.Client{
		Jar: p.client.Jar, Transport: &http.Transport{DialContext: through(in.listen)}, CheckRedirect: p.client.CheckRedirect,
	}}
	defer direct.client.CloseIdleConnections()
	do(direct)
}

// wantIn wants the person signed in at the one instance.
func (p *person) wantIn(t *testing.T, in *instance) {
	t.Helper()
	p.at(in, func(p *person) {
		await(t, "an answer that is not 503", func() bool {
			res := p.get(t, "/app/x")
			if res.StatusCode != http.StatusOK && !stalled(res) {
				t.Errorf("at %s: %s", in.listen, res.Status)
			}
			return res.StatusCode != http.StatusServiceUnavailable
		})
	})
}

// through dials the one address, whatever is asked for.
func through(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// A tally counts what befell people, and keeps the first few bad things.
type tally struct {
	mu    sync.Mutex
	count map[string]int
	bad   []string
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = make(map[string]int)
	}
	c.count[what]++
}

func (c *tally) fail(format string, args ...any) {
	c.add("bad")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) < 10 {
		c.bad = append(c.bad, fmt.Sprintf(format, args...))
	}
}

// of returns how often it happened.
func (c *tally) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[what]
}
