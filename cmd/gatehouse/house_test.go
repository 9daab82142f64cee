package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/config"
)

// A house is Gatehouse on a real port, with a stand-in Descope and two apps that
// tell what reached them.
type house struct {
	t        testing.TB
	URL      string // public_url
	Addr     string // host:port that it listens on
	Provider *descopetest.Provider
	Issuer   string
	Admin    *app
	User     *app
	Log      *syncBuffer
	instance *instance
	env      []string
	hangup   chan os.Signal
	stop     context.CancelFunc
	done     chan struct{}
}

// build says what a house is like. The zero value is the tutorial's.
type build struct {
	provider descopetest.Options
	extra    string   // more YAML at the top level
	session  string   // more YAML lines of session, indented by two
	descope  string   // more YAML lines of descope, indented by two
	routes   string   // in place of the two dashboards; %[1]s and %[2]s are the apps
	file     string   // where the configuration is written, and followed; "": nowhere
	env      []string // more of the environment
	replace  []string // old, new: of the YAML's text
	public   string   // in place of http://localhost:<port>
}

const tutorialRoutes = `
  - path: /gradio/admin
    upstream: %[1]s
    allow:
      - roles: [Tenant Admin]
  - path: /gradio/user
    upstream: %[2]s
    allow: authenticated
`

// newHouse builds and starts a house, and takes it down with the test.
func newHouse(t testing.TB, b build) *house {
	t.Helper()
	provider, err := descopetest.New(b.provider)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseAt(t, b, provider)
	h.await("discovery", h.instance.provider().Ready)
	return h
}

// newHouseAt is newHouse at a provider that may be away.
func newHouseAt(t testing.TB, b build, provider *descopetest.Provider) *house {
	t.Helper()
	h := &house{t: t, Provider: provider, Admin: newApp(t, "admin"), User: newApp(t, "user"), Log: &syncBuffer{}, hangup: make(chan os.Signal, 1), done: make(chan struct{})}
	descope, err := h.Provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = descope.Close() })
	h.Issuer = descope.Issuer
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.Addr = listener.Addr().String()
	_, port, _ := net.SplitHostPort(h.Addr)
	h.URL = "http://localhost:" + port
	if b.public != "" {
		h.URL = strings.ReplaceAll(b.public, "PORT", port)
	}
	h.env = append(demoSecrets(h.Provider), b.env...)
	c, f := h.load(b)
	if h.instance, err = assemble(c, h.Log); err != nil {
		t.Fatal(err)
	}
	h.instance.follow = f
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	go func() {
		defer close(h.done)
		if err := h.instance.serveOn(ctx, listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(h.close)
	return h
}

// load reads the configuration, from a file that is followed if there is to be one.
func (h *house) load(b build) (*config.Config, *follower) {
	h.t.Helper()
	if b.file == "" {
		c, err := config.Parse("gatehouse.yaml", []byte(h.yaml(b)), h.env)
		if err != nil {
			h.t.Fatal(err)
		}
		return c, nil
	}
	h.write(b.file, h.yaml(b))
	f := newFollower(b.file, h.env, h.hangup)
	c, err := f.load(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return c, f
}

// write replaces a file's content as editors do it, in place.
func (h *house) write(file, content string) {
	h.t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) yaml(b build) string {
	routes := b.routes
	if routes == "" {
		routes = tutorialRoutes
	}
	if strings.Contains(routes, "%[") {
		routes = fmt.Sprintf(routes+"%[1]s%[2]s", h.Admin.URL, h.User.URL)
		routes = strings.TrimSuffix(routes, h.Admin.URL+h.User.URL)
	}
	return strings.NewReplacer(b.replace...).Replace(fmt.Sprintf(`public_url: %s
admin: {listen: ""}
drain_timeout: 5s
log: {level: debug}
descope:
  project_id: %s
  issuer: %s
  client_secret: ${DESCOPE_CLIENT_SECRET}
%s
session:
  secret: ${GATEHOUSE_SESSION_SECRET}
%s
%s
routes:%s`, h.URL, h.Provider.ProjectID(), h.Issuer, b.descope, b.session, b.extra, routes))
}

func (h *house) close() {
	h.stop()
	<-h.done
	if h.t.Failed() {
		h.t.Logf("log:\n%s", h.Log.String())
	}
}

// await waits until the condition holds.
func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s did not come", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// events returns the audit events of the kind so far.
func (h *house) events(kind string) []map[string]any {
	var out []map[string]any
	for line := range strings.SplitSeq(h.Log.String(), "\n") {
		var e map[string]any
		if json.Unmarshal([]byte(line), &e) == nil && e["event"] == kind {
			out = append(out, e)
		}
	}
	return out
}

// A browser keeps cookies and asks as browsers do: it reaches every host at the
// house, and does not follow redirects unless told to.
type browser struct {
	t      testing.TB
	house  *house
	client *http.Client
	jar    *cookiejar.Jar
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if _, port, _ := net.SplitHostPort(addr); strings.HasSuffix(h.Addr, ":"+port) || port == "80" || port == "443" {
			addr = h.Addr
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: h.t, house: h, jar: jar, client: &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is a response read to its end.
type reply struct {
	*http.Response
	Text string
}

// do sends a request; headers are name, value pairs.
func (b *browser) do(method, target, body string, headers ...string) reply {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.house.URL + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return reply{res, string(text)}
}

// open asks for a page as a browser's address bar does.
func (b *browser) open(target string) reply {
	b.t.Helper()
	return b.do("GET", target, "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document")
}

// fetch asks as a script in the app's page does.
func (b *browser) fetch(method, target, body string) reply {
	b.t.Helper()
	return b.do(method, target, body, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
}

// signIn goes through the stand-in as the person, starting at target, and
// returns the answer to the callback.
func (b *browser) signIn(person, target string) reply {
	b.t.Helper()
	return b.open(b.authorize(person, target))
}

// authorize goes through the sign-in up to the callback's address, which it
// does not open.
func (b *browser) authorize(person, target string) string {
	b.t.Helper()
	login := "/auth/login"
	if target != "" {
		login += "?return_to=" + url.QueryEscape(target)
	}
	res := b.open(login)
	if res.StatusCode != http.StatusFound {
		b.t.Fatalf("login: %s %s", res.Status, res.Text)
	}
	callback, err := b.house.Provider.Authorize(context.Background(), b.client, res.Header.Get("Location"), person)
	if err != nil {
		b.t.Fatal(err)
	}
	return callback
}

// as returns a browser in which the person is signed in.
func (h *house) as(person string) *browser {
	h.t.Helper()
	b := h.browser()
	if res := b.signIn(person, ""); res.StatusCode != http.StatusFound {
		h.t.Fatalf("sign-in of %s: %s %s", person, res.Status, res.Text)
	}
	return b
}

// cookies returns the browser's cookies for the house, as a Cookie header.
func (b *browser) cookies() string { return b.cookiesAt("/") }

// raw sends bytes as they are and returns the answer's bytes until the server
// closes or a response is complete.
func (h *house) raw(request string) string {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.Addr)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		h.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "no response: " + err.Error()
	}
	var out bytes.Buffer
	_ = res.Write(&out)
	return out.String()
}

// An app tells what reached it: raw request line, headers and body.
type app struct {
	URL  string
	Name string

	mu     sync.Mutex
	seen   []seen
	handle func(w http.ResponseWriter, r *http.Request) bool // true: answered
}

type seen struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string
}

func newApp(t testing.TB, name string) *app {
	a := &app{Name: name}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	handle := a.handle
	a.mu.Unlock()
	if handle != nil && handle(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.seen = append(a.seen, seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)})
	a.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%s app: %s %s", a.Name, r.Method, r.RequestURI)
}

func (a *app) on(handle func(http.ResponseWriter, *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handle = handle
}

func (a *app) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// last returns what reached the app last.
func (a *app) last(t testing.TB) seen {
	t.Helper()
	all := a.requests()
	if len(all) == 0 {
		t.Fatalf("nothing reached the %s app", a.Name)
	}
	return all[len(all)-1]
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// cookiesAt returns the cookies that the browser would send to the path.
func (b *browser) cookiesAt(path string) string {
	u, _ := url.Parse(b.house.URL + path)
	var parts []string
	for _, c := range b.jar.Cookies(u) {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}
