package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The attacks once more where TLS ends here: on the real listener, by HTTP/1.1
// and by HTTP/2, whose framing is not that of the app's connection.

// A tlsHouse is a house that ends TLS itself.
type tlsHouse struct {
	*house
	conf *tls.Config // a client's
}

func newTLSHouse(t *testing.T, b build) *tlsHouse {
	t.Helper()
	dir, pair := t.TempDir(), newKeyPair(t, 1)
	writer := &house{t: t}
	writer.write(filepath.Join(dir, "cert.pem"), string(pair.cert))
	writer.write(filepath.Join(dir, "key.pem"), string(pair.key))
	if b.public == "" {
		b.public = "https://localhost:PORT"
	}
	b.extra += fmt.Sprintf("\ntls: {cert_file: %s, key_file: %s}\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	return &tlsHouse{house: newHouse(t, b), conf: &tls.Config{RootCAs: pair.pool, ServerName: "localhost"}}
}

// signedIn are the cookies of a person.
func (h *tlsHouse) signedIn(person string) string {
	h.t.Helper()
	b := h.browser()
	b.client.Transport = &http.Transport{TLSClientConfig: h.conf, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if _, port, _ := net.SplitHostPort(addr); strings.HasSuffix(h.Addr, ":"+port) {
			addr = h.Addr
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	defer b.client.CloseIdleConnections()
	if res := b.signIn(person, ""); res.StatusCode != http.StatusFound {
		h.t.Fatalf("sign-in of %s: %s %s", person, res.Status, res.Text)
	}
	return b.cookies()
}

// secureWire is a connection for HTTP/1.1 in bytes, under the name of a server.
func (h *tlsHouse) secureWire(t *testing.T, serverName string) *wire {
	w := h.wire(t)
	w.tls = h.named(serverName)
	w.tls.NextProtos = []string{"http/1.1"}
	return w
}

func (h *tlsHouse) frames(t *testing.T) *framesClient {
	t.Helper()
	return dialFrames(t, h.Addr, h.conf)
}

// named is a client that asks for the certificate of any name, and takes the one
// there is.
func (h *tlsHouse) named(serverName string) *tls.Config {
	conf := h.conf.Clone()
	if serverName != "localhost" {
		conf.ServerName, conf.InsecureSkipVerify = serverName, true
	}
	return conf
}

// over are the headers of a request by HTTP/2, with more behind them.
func over(h *house, method, path, cookies string, more ...string) []string {
	fields := []string{":method", method, ":scheme", "https", ":authority", h.host(), ":path", path}
	if cookies != "" {
		fields = append(fields, "cookie", cookies)
	}
	return append(fields, more...)
}

func TestAttack10SmugglingOverTLS(t *testing.T) {
	h := newTLSHouse(t, build{})
	bob, ada := h.signedIn("bob"), h.signedIn("ada")
	hidden := h.smuggled(ada)
	for _, c := range h.framingAttacks(bob, hidden) {
		t.Run(c.what, func(t *testing.T) { h.hidesNothing(t, h.secureWire(t, "localhost"), c, hidden) })
	}
	t.Run("HTTP/2 where HTTP/1.1 was agreed on, and the other way", func(t *testing.T) {
		w := h.secureWire(t, "localhost")
		if res := w.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\x00", 30)); res.StatusCode < 400 {
			t.Errorf("the preface of HTTP/2: %s", res.Status)
		}
		conf := h.named("localhost")
		conf.NextProtos = []string{"h2"}
		conn, err := tls.Dial("tcp", h.Addr, conf)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(hidden))
		rest := make([]byte, 4096)
		n, _ := conn.Read(rest)
		if strings.Contains(string(rest[:n]), "admin app") {
			t.Errorf("a request of HTTP/1.1 where HTTP/2 was agreed on: %q", rest[:n])
		}
	})
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the admin app", n)
	}
}

// downgrades are what a request by HTTP/2 could say that ends, or adds to, the
// head of the request that an app gets by HTTP/1.1.
func downgrades(h *house, bob, hidden string) map[string][]string {
	const evil = "x\r\n\r\n"
	req := func(more ...string) []string { return over(h, "GET", "/app/x", bob, more...) }
	with := func(name, value string) []string {
		fields := req()
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				fields[i+1] = value
			}
		}
		return fields
	}
	return map[string][]string{
		"a value that ends the head":            req("x", evil+hidden),
		"a value with a line in it":             req("x", "a\r\nX-Forwarded-User: forged"),
		"a value with a bare LF":                req("x", "a\nX-Forwarded-User: forged"),
		"a value with a bare CR":                req("x", "a\rX-Forwarded-User: forged"),
		"a value with a NUL":                    req("x", "a\x00b"),
		"a name with a line in it":              req("x: y\r\nx-forwarded-user", "forged"),
		"a name with a colon":                   req("x-forwarded-user: forged\r\nx", "y"),
		"a name with a space":                   req("x-forwarded-user ", "forged"),
		"a name with a colon before":            req(":x-forwarded-user", "forged"),
		"an empty name":                         req("", "forged"),
		"a name in capitals":                    req("X-Forwarded-User", "forged"),
		"a path that ends the line":             with(":path", "/app/x HTTP/1.1\r\nX-Forwarded-User: forged\r\nx: y"),
		"a path with a request in it":           with(":path", "/app/x HTTP/1.1\r\n\r\n"+hidden),
		"a path with a space":                   with(":path", "/app/x y"),
		"a query with a space":                  with(":path", "/app/x?a HTTP/1.1"),
		"a path with a tab":                     with(":path", "/app/x\ty"),
		"a path that is a URL":                  with(":path", "https://evil.example/app/x"),
		"a path without a slash":                with(":path", "app/x"),
		"an asterisk":                           with(":path", "*"),
		"a method that ends the line":           with(":method", "GET /app/admin HTTP/1.1\r\nx: y\r\n\r\nGET"),
		"a method with a space":                 with(":method", "GET /app/admin"),
		"a method of nothing":                   with(":method", ""),
		"a scheme with a line in it":            with(":scheme", "https\r\nx: y"),
		"a scheme that is a URL":                with(":scheme", "https://evil.example/x?"),
		"an authority with a line in it":        with(":authority", h.host()+"\r\nX-Forwarded-User: forged"),
		"an authority with a path":              with(":authority", h.host()+"/app/admin?"),
		"chunked":                               req("transfer-encoding", "chunked"),
		"chunked beside a length":               req("transfer-encoding", "chunked", "content-length", "3"),
		"an alias of chunked":                   req("transfer_encoding", "chunked", "content-length", "0"),
		"a connection to be closed":             req("connection", "close, x-forwarded-user"),
		"a connection kept alive":               req("keep-alive", "timeout=5"),
		"a proxy's connection":                  req("proxy-connection", "x-forwarded-user"),
		"an upgrade":                            req("upgrade", "websocket", "sec-websocket-version", "13", "sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
		"an upgrade with its connection":        req("connection", "upgrade", "upgrade", "h2c", "http2-settings", "AAMAAABk"),
		"two paths":                             req(":path", "/app/y"),
		"two methods":                           req(":method", "POST"),
		"two authorities":                       req(":authority", "evil.example"),
		"a pseudo-header that is none":          req(":x-forwarded-user", "forged"),
		"a pseudo-header of answers":            req(":status", "200"),
		"a pseudo-header behind the others":     append(req("x", "y"), ":authority", "evil.example"),
		"a WebSocket by extended CONNECT":       append(with(":method", "CONNECT"), ":protocol", "websocket"),
		"a CONNECT":                             {":method", "CONNECT", ":authority", "127.0.0.1:22", "cookie", bob},
		"a CONNECT with a path":                 with(":method", "CONNECT"),
		"a TE that wants more than trailers":    req("te", "gzip, chunked"),
		"two lengths":                           req("content-length", "0", "content-length", "5"),
		"a length with a sign":                  req("content-length", "+0"),
		"a length that is none":                 req("content-length", "0x0"),
		"a length in a list":                    req("content-length", "0, 5"),
		"more length than there is":             req("content-length", "100"),
		"a Host that contradicts the authority": req("host", "evil.example\r\nX-Forwarded-User: forged"),
	}
}

func TestAttack10DowngradesFromHTTP2(t *testing.T) {
	a := newBareApp(t)
	h := newTLSHouse(t, build{routes: `
  - {path: /app, upstream: "` + a.URL + `", allow: authenticated}
  - path: /app/admin
    upstream: "` + a.URL + `"
    allow: [{roles: [Tenant Admin]}]
`})
	bob, ada := h.signedIn("bob"), h.signedIn("ada")
	hidden := h.request("GET", "/app/admin/smuggled", ada)
	whole := func(t *testing.T, what string, before int) {
		t.Helper()
		for _, raw := range a.requests()[before:] {
			head, body, _ := strings.Cut(raw, "\r\n\r\n")
			line, _, _ := strings.Cut(head, "\r\n")
			words := strings.Split(line, " ")
			if len(words) != 3 || strings.Contains(head, "forged") || strings.Contains(words[1], "admin") || words[2] != "HTTP/1.1" {
				t.Errorf("%s: the app got\n%s", what, raw)
			}
			if strings.Contains(body, "smuggled") && !strings.HasPrefix(words[0], "POST") {
				t.Errorf("%s: the app got more than a head:\n%s", what, raw)
			}
			if n := len(lines(raw, "content-length")) + len(lines(raw, "transfer-encoding")); n > 1 {
				t.Errorf("%s: two framings reached the app:\n%s", what, raw)
			}
		}
	}
	for what, fields := range downgrades(h.house, bob, hidden) {
		t.Run(what, func(t *testing.T) {
			before := len(a.requests())
			c := h.frames(t)
			status, _, body := c.ask(fields...)
			if status != "" && status[0] != '4' && status != "200" {
				t.Errorf("%s %s", status, body)
			}
			whole(t, what, before)
			// Nobody else pays for it.
			if status, _, _ := h.frames(t).ask(over(h.house, "GET", "/app/x", bob)...); status != "200" {
				t.Errorf("the next connection got %q", status)
			}
		})
	}
	t.Run("a body is as long as its frames, whatever its length says", func(t *testing.T) {
		for i, c := range []struct {
			what, length string
			body         []string
			want         string // "": reset, or 4xx; "empty": as well an answer to a request without a body
		}{
			{"right", "3", []string{"abc"}, "200"},
			{"none said", "", []string{"abc"}, "200"},
			{"in parts", "3", []string{"a", "", "bc"}, "200"},
			{"more than said", "3", []string{"abc" + hidden}, ""},
			{"less than said", "500", []string{"abc"}, ""},
			{"nothing said, a request sent", "0", []string{hidden}, "empty"},
			{"chunks", "", []string{"0\r\n\r\n" + hidden}, "200"},
		} {
			before := len(a.requests())
			client := h.frames(t)
			more := []string{}
			if c.length != "" {
				more = []string{"content-length", c.length}
			}
			stream := client.begin(false, over(h.house, "POST", fmt.Sprintf("/app/x%d", i), bob, more...)...)
			for n, part := range c.body {
				_ = client.framer.WriteData(stream, n == len(c.body)-1, []byte(part))
			}
			got := client.answer(stream)
			want := strings.Join(c.body, "")
			switch c.want {
			case "":
				if got.status == "200" {
					t.Errorf("%s: it was taken", c.what)
				}
			case "empty":
				want = ""
			default:
				if got.status != c.want {
					t.Errorf("%s: %q %s, want %q", c.what, got.status, got.body, c.want)
				}
			}
			whole(t, c.what, before)
			for _, raw := range a.requests()[before:] {
				if !strings.HasPrefix(raw, fmt.Sprintf("POST /x%d ", i)) {
					continue // one that broke off is noted late
				}
				_, got, _ := strings.Cut(unchunk(raw), "\r\n\r\n")
				if c.want == "" && strings.HasPrefix("abc", got) {
					continue // it began to send, and broke off
				}
				if got != want {
					t.Errorf("%s: the app got\n%s", c.what, raw)
				}
			}
		}
	})
	t.Run("trailers say nothing once more", func(t *testing.T) {
		for _, trailer := range [][]string{{"x-forwarded-user", "forged"}, {"x_forwarded_user", "forged"}, {"cookie", ada}, {":path", "/app/admin"}, {"content-length", "500"}, {"transfer-encoding", "chunked"}, {"x", "a\r\nx-forwarded-user: forged"}} {
			before := len(a.requests())
			client := h.frames(t)
			stream := client.begin(false, over(h.house, "POST", "/app/x", bob, "trailer", trailer[0])...)
			_ = client.framer.WriteData(stream, false, []byte("abc"))
			client.headers(stream, true, trailer...)
			client.answer(stream)
			whole(t, "trailer "+trailer[0], before)
			for _, raw := range a.requests()[before:] {
				if got := lines(raw, "x-forwarded-user"); len(got) != 1 || got[0] != "X-Forwarded-User: U2bob" || len(lines(raw, "trailer")) != 0 {
					t.Errorf("trailer %q: the app got\n%s", trailer, raw)
				}
			}
		}
	})
}

// unchunk writes a request in chunks as one with its body in one piece.
func unchunk(raw string) string {
	if len(lines(raw, "transfer-encoding")) == 0 {
		return raw
	}
	head, rest, _ := strings.Cut(raw, "\r\n\r\n")
	body := ""
	for {
		size, after, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil || n == 0 || int(n) > len(after) {
			return head + "\r\n\r\n" + body
		}
		body, rest = body+after[:n], strings.TrimPrefix(after[n:], "\r\n")
	}
}

// The name in the handshake says which certificate is shown. Browsers use one
// connection for all hosts of a certificate, so it cannot decide more than that.
func TestAttack03ServerNameDecidesNothing(t *testing.T) {
	h := newTLSHouse(t, build{public: "https://gate.example.test:PORT", session: "  cookie_domain: example.test", extra: "tenants: {acme: T2acme}", routes: hostRoutes})
	bob := h.signedIn("bob")
	_, port, _ := net.SplitHostPort(h.Addr)
	for _, name := range []string{"gate.example.test", "admin.example.test", "localhost", "evil.example", "ADMIN.example.test.", "xn--admin-.example.test", ""} {
		for host, want := range map[string]string{"gate.example.test": "200", "admin.example.test": "403", "ADMIN.EXAMPLE.TEST.": "403", "evil.example": "421"} {
			path := "/home/"
			if !strings.EqualFold(host, "gate.example.test") {
				path = "/x"
			}
			w := h.secureWire(t, name)
			res := w.ask("GET " + path + " HTTP/1.1\r\nHost: " + host + ":" + port + "\r\nCookie: " + bob + "\r\n\r\n")
			if fmt.Sprint(res.StatusCode) != want {
				t.Errorf("name %q, Host %s: %s, want %s", name, host, res.Status, want)
			}
			c := dialFrames(t, h.Addr, h.named(name))
			if status, _, body := c.ask(":method", "GET", ":scheme", "https", ":authority", host+":"+port, ":path", path, "cookie", bob); status != want {
				t.Errorf("name %q, :authority %s: %q %s, want %s", name, host, status, body, want)
			}
		}
	}
	t.Run("on one connection every request has its own host", func(t *testing.T) {
		c := dialFrames(t, h.Addr, h.named("gate.example.test"))
		for range 3 {
			for authority, want := range map[string]string{"gate.example.test": "404", "admin.example.test": "403", "evil.example": "421"} {
				if status, _, _ := c.ask(":method", "GET", ":scheme", "https", ":authority", authority, ":path", "/x", "cookie", bob); status != want {
					t.Errorf("%s: %q, want %s", authority, status, want)
				}
			}
		}
	})
	if n := len(h.Admin.requests()); n != 0 {
		t.Errorf("%d requests reached the admin app", n)
	}
}

// What a client says in pseudo-headers and names is held to the same as what it
// says in lines.
func TestAttack08HeaderAliasesOverHTTP2(t *testing.T) {
	a := newBareApp(t)
	h := newTLSHouse(t, build{routes: `
  - path: /app
    upstream: "` + a.URL + `"
    allow: authenticated
    headers: {X-Secret: ours}
`})
	ada := h.signedIn("ada")
	c := h.frames(t)
	taken := 0
	for _, line := range forgeries() {
		name, value, _ := strings.Cut(line, ": ")
		if strings.ToLower(name) != name {
			if status, _, _ := h.frames(t).ask(over(h.house, "GET", "/app/x", ada, name, value)...); status == "200" {
				t.Errorf("%q was taken", name)
			}
			continue
		}
		taken++
		if status, _, body := c.ask(over(h.house, "GET", "/app/x", ada, name, value, name, value)...); status != "200" {
			t.Fatalf("%s: %q %s", name, status, body)
		}
		raw := a.last(t)
		if strings.Contains(raw, "forged") {
			t.Errorf("%q reached the app:\n%s", name, raw)
		}
		for _, own := range append(identityNames, "x-secret", "x-request-id", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "host", "cookie") {
			if got := lines(raw, own); len(got) > 1 {
				t.Errorf("after %q the app saw %q", name, got)
			}
		}
	}
	if taken < 60 {
		t.Errorf("only %d spellings are lower case", taken)
	}
}
