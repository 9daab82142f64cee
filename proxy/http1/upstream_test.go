package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An upstream is a server that says whatever a test wants, byte by byte.
type upstream struct {
	t        *testing.T
	listener net.Listener
	talk     func(p *peer)

	mu      sync.Mutex
	peers   []*peer
	talking sync.WaitGroup
}

// A peer is the upstream's end of one connection.
type peer struct {
	t *testing.T
	*net.TCPConn
	in     *bufio.Reader
	number int // of the connection, from 0
	gone   chan struct{}
}

// newUpstream listens, and has talk speak on every connection, which is closed
// when talk returns.
func newUpstream(t *testing.T, talk func(p *peer)) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, listener: l, talk: talk}
	u.talking.Add(1)
	go u.accept()
	t.Cleanup(u.close)
	return u
}

func (u *upstream) accept() {
	defer u.talking.Done()
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		p := &peer{t: u.t, TCPConn: c.(*net.TCPConn), in: bufio.NewReader(c), gone: make(chan struct{})}
		u.mu.Lock()
		p.number = len(u.peers)
		u.peers = append(u.peers, p)
		u.mu.Unlock()
		u.talking.Add(1)
		go func() {
			defer u.talking.Done()
			defer close(p.gone)
			defer p.Close()
			u.talk(p)
		}()
	}
}

func (u *upstream) close() {
	_ = u.listener.Close()
	u.mu.Lock()
	peers := u.peers
	u.mu.Unlock()
	for _, p := range peers {
		_ = p.Close()
	}
	u.talking.Wait()
}

// connections is how many there were.
func (u *upstream) connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.peers)
}

// url is where it listens.
func (u *upstream) url(path string) string { return "http://" + u.listener.Addr().String() + path }

// request reads a request without its body; nil at the connection's end.
func (p *peer) request() *http.Request {
	req, err := http.ReadRequest(p.in)
	if err != nil {
		return nil
	}
	return req
}

// whole reads a request and its body; nil at the connection's end.
func (p *peer) whole() (*http.Request, string) {
	req := p.request()
	if req == nil {
		return nil, ""
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, ""
	}
	return req, string(body)
}

func (p *peer) say(s string) { _, _ = io.WriteString(p, s) }

// spell says it a byte a segment, as far as the kernel lets it.
func (p *peer) spell(s string) {
	for i := range len(s) {
		p.say(s[i : i+1])
	}
}

// hang waits until the other side closes.
func (p *peer) hang() { _, _ = io.Copy(io.Discard, p.in) }

// reset closes the connection with an RST.
func (p *peer) reset() {
	_ = p.SetLinger(0)
	_ = p.Close()
}

// echo answers every request with its method, target and body.
func echo(p *peer) {
	for {
		req, body := p.whole()
		if req == nil {
			return
		}
		answer := req.Method + " " + req.RequestURI + " " + body
		p.say("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(answer)) + "\r\n\r\n")
		if req.Method != http.MethodHead {
			p.say(answer)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// limits are the options that both transports take.
type limits struct {
	header  time.Duration // until the response's header
	size    int64         // of the response's header
	expects time.Duration // until a body is sent without a 100
	network string        // tcp
	address string
}

// A kind is one of the transports that the suite holds to the same conduct.
type kind struct {
	name string
	lean bool
	new  func(l limits) http.RoundTripper
}

var kinds = []kind{
	{"http1", true, func(l limits) http.RoundTripper {
		return New(Options{
			Dial:          func(ctx context.Context) (net.Conn, error) { return l.dial(ctx) },
			HeaderTimeout: l.header, MaxHeaderBytes: int(l.size), ContinueTimeout: l.expects, IdleTimeout: time.Minute,
		})
	}},
	{"net/http", false, func(l limits) http.RoundTripper {
		return &http.Transport{
			DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) },
			ResponseHeaderTimeout: l.header, MaxResponseHeaderBytes: l.size, ExpectContinueTimeout: l.expects,
			DisableCompression: true, MaxIdleConnsPerHost: 256,
		}
	}},
}

func (l limits) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, l.network, l.address)
}

func (u *upstream) limits() limits {
	return limits{network: "tcp", address: u.listener.Addr().String(), size: 1 << 20, expects: 10 * time.Second}
}

// both runs a test on both transports.
func both(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// start returns the transport to the upstream.
func (k kind) start(t *testing.T, l limits) http.RoundTripper {
	rt := k.new(l)
	t.Cleanup(rt.(interface{ CloseIdleConnections() }).CloseIdleConnections)
	return rt
}

// An outcome is what became of a request.
type outcome struct {
	Status  int
	Header  http.Header
	Body    string
	Trailer http.Header
	Whole   bool  // the body came to its end
	err     error // of RoundTrip or of the body
}

func ask(rt http.RoundTripper, req *http.Request) outcome {
	res, err := rt.RoundTrip(req)
	if err != nil {
		return outcome{err: err}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		_ = res.Body.Close()
		return outcome{Status: res.StatusCode, Whole: true}
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return outcome{res.StatusCode, res.Header, string(body), res.Trailer, err == nil, err}
}

// get asks for a path, and gives up after 10 s.
func get(t *testing.T, rt http.RoundTripper, url string) outcome {
	t.Helper()
	return ask(rt, request(t, "GET", url, nil))
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// within fails the test if what it waits for does not come.
func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", what)
	}
}

func socketPath(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.sock")
	if len(path) > 100 {
		t.Fatalf("the path of the socket is too long: %s", path)
	}
	return path
}

// endless is a body that never ends.
func endless() io.Reader { return io.MultiReader(strings.NewReader("x"), forever{}) }

type forever struct{}

func (forever) Read(p []byte) (int, error) { return copy(p, "more of it, "), nil }

// pipe reads what is there.
func pipe(b []byte) *bufio.Reader {
	r := bufio.NewReaderSize(strings.NewReader(string(b)), len(b)+16)
	_, _ = r.Peek(1)
	return r
}
