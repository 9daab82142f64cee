package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/e2e/rig"
)

// An attack is what one hostile client does.
type attack struct {
	name   string
	happen func(ctx context.Context, s *siege) (sent string)
	calls  func(took time.Duration) int // to the provider, at most; nil: none
	judge  func(s *siege)
}

var attacks = []attack{
	{name: "slowloris", happen: slowloris, judge: func(s *siege) {
		s.expect(s.ends.n.Load() == slowClients, "only %d of %d slow clients were given up", s.ends.n.Load(), slowClients)
	}},
	{name: "headers", happen: hugeHeaders, judge: func(s *siege) {
		s.expect(s.answers.of(0, 400, 431) == s.answers.all(), "some were taken")
	}},
	{name: "bodies", happen: endlessBodies, judge: func(s *siege) {
		s.expect(s.answers.of(400, 401, 405, 413, 429) == s.answers.all(), "some were answered otherwise")
	}},
	{name: "cookies", happen: strangeCookies, judge: allRefused},
	{name: "sign-ins", happen: signInsNeverEnded, judge: func(s *siege) {
		s.expect(s.answers.of(302, 400) == s.answers.all(), "some were answered otherwise")
	}},
	{name: "kids", happen: unknownKids, judge: allRefused, calls: func(took time.Duration) int {
		return 3 * (int(took/(10*time.Second)) + 1) // three readings of the keys in ten seconds
	}},
	{name: "names", happen: collidingNames, judge: func(s *siege) {
		s.expect(s.answers.of(200, 302, 401) == s.answers.all(), "some were answered otherwise")
	}},
}

func allRefused(s *siege) {
	s.expect(s.answers.of(401) == s.answers.all(), "some were answered otherwise")
}

func names() (all []string) {
	for _, a := range attacks {
		all = append(all, a.name)
	}
	return all
}

// slowClients are the connections of Slowloris.
const slowClients = 2000

// slowloris opens connections that say next to nothing: no byte, headers letter by
// letter, the headers of a second request letter by letter, a body letter by letter.
func slowloris(ctx context.Context, s *siege) string {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	var all sync.WaitGroup
	letters := func(int) []byte {
		if !rig.Pause(ctx, 3*time.Second) {
			return nil
		}
		return []byte("x")
	}
	head := "GET /app/ HTTP/1.1\r\nHost: " + s.h.address + "\r\n"
	for i := range slowClients {
		all.Go(func() {
			switch i % 4 {
			case 0:
				s.one(ctx, "", nil)
			case 1:
				s.one(ctx, head+"X-"+strconv.Itoa(i)+": ", letters)
			case 2:
				s.one(ctx, head+"\r\n"+head+"X-"+strconv.Itoa(i)+": ", letters)
			case 3:
				s.one(ctx, strings.Replace(head, "GET", "POST", 1)+"Content-Length: 1000000\r\n\r\n", letters)
			}
		})
		if i%100 == 0 { // the kernel's queue is shorter than 2,000
			rig.Pause(ctx, 10*time.Millisecond)
		}
	}
	all.Wait()
	return fmt.Sprintf("%d connections, a byte every 3 s", slowClients)
}

// hugeHeaders sends requests whose headers have 2 MB.
func hugeHeaders(ctx context.Context, s *siege) string {
	const requests, size = 300, 2 << 20
	head := "GET /app/ HTTP/1.1\r\nHost: " + s.h.address + "\r\n"
	long := strings.Repeat("y", size)
	var many, cookies strings.Builder
	for i := 0; many.Len() < size; i++ {
		fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	for i := 0; cookies.Len() < size; i++ {
		fmt.Fprintf(&cookies, "Cookie: c%d=%d\r\n", i, i)
	}
	kinds := []string{
		head + "X: " + long + "\r\n\r\n",
		head + long + ": x\r\n\r\n",
		head + many.String() + "\r\n",
		head + cookies.String() + "\r\n",
		"GET /app/" + long + " HTTP/1.1\r\nHost: " + s.h.address + "\r\n\r\n",
		strings.Repeat("\r\n", size/2) + head + "\r\n",
	}
	each(ctx, requests, 30, func(i int) { s.one(ctx, kinds[i%len(kinds)], nil) })
	return fmt.Sprintf("%d requests with headers of 2 MB", requests)
}

// each calls do for 0 to n-1, some at a time.
func each(ctx context.Context, n, atATime int, do func(i int)) {
	turn := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i := range n {
		turn <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-turn }()
			do(i)
		})
	}
	all.Wait()
}

// uploads are those of endlessBodies.
const uploads = 240

// endlessBodies uploads without end, as a stranger and as a member where uploads
// are bounded, and as a member to an app that does not read.
func endlessBodies(ctx context.Context, s *siege) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	const size = 64 << 20 // of each, at most
	begin := func(target string) string {
		return "POST " + target + " HTTP/1.1\r\nHost: " + s.h.address + "\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
	}
	asMember := func(target string) string {
		return strings.Replace(begin(target), "\r\n\r\n", "\r\nCookie: "+s.h.member.cookie()+"\r\n\r\n", 1)
	}
	block := []byte("10000\r\n" + strings.Repeat("z", 1<<16) + "\r\n")
	letters := []byte(strings.Repeat("1\r\nz\r\n", 10_000))
	extension := []byte(strings.Repeat(";x=y", 16_000))
	trailer := []byte(strings.Repeat("X: y\r\n", 10_000))
	endless := func(first string, block []byte) func(int) []byte {
		n := 0
		return func(i int) []byte {
			if i == 0 && first != "" {
				return []byte(first)
			}
			if n += len(block); n > size || ctx.Err() != nil {
				return nil
			}
			return block
		}
	}
	kinds := []struct {
		head, first string
		block       []byte
	}{
		{begin("/app/x"), "", block},
		{begin("/auth/backchannel-logout"), "", block},
		{begin("/auth/callback"), "", block},
		{asMember("/small/x"), "", block},
		{asMember("/small/x"), "", letters},
		{asMember("/small/x"), "1", extension},
		{asMember("/small/x"), "0\r\n", trailer},
		{asMember("/app/stall"), "", block},
	}
	each(ctx, uploads, 40, func(i int) {
		kind := kinds[i%len(kinds)]
		s.one(ctx, kind.head, endless(kind.first, kind.block))
	})
	return fmt.Sprintf("%d chunked uploads without end, %d MB", uploads, s.bytes.Load()>>20)
}

// strangeCookies sends session cookies that nobody sealed, no two the same.
func strangeCookies(ctx context.Context, s *siege) string {
	real := s.h.member.cookies["gatehouse"]
	value := func(buf []byte, i int) []byte {
		buf = append(buf, real[:len(real)-16]...)
		return fmt.Appendf(buf, "%016x", i)
	}
	const several = 8 // in a request, every eighth time
	count := func(i int) int { return i + i/8*(several-1) }
	requests := s.h.million * 8 / (7 + several)
	s.pipeline(ctx, requests, func(buf []byte, i int) []byte {
		buf = append(buf, "GET /app/x HTTP/1.1\r\nHost: "+s.h.address+"\r\nCookie: "...)
		n := 1
		if i%8 == 7 {
			n = several
		}
		for j := range n {
			if j > 0 {
				buf = append(buf, "; "...)
			}
			buf = append(buf, "gatehouse="...)
			buf = value(buf, i*several+j)
		}
		return append(buf, "\r\n\r\n"...)
	})
	return fmt.Sprintf("%d session cookies in %d requests", count(int(s.sent.Load())), s.sent.Load())
}

// signInsNeverEnded begins sign-ins, one a browser, and then as many in one
// browser; and ends some that nobody began.
func signInsNeverEnded(ctx context.Context, s *siege) string {
	const each = 10_000
	get := func(buf []byte, target, cookie string) []byte {
		buf = append(buf, "GET "+target+" HTTP/1.1\r\nHost: "+s.h.address+"\r\nAccept: text/html\r\n"...)
		if cookie != "" {
			buf = append(buf, "Cookie: "+cookie+"\r\n"...)
		}
		return append(buf, "\r\n"...)
	}
	s.pipeline(ctx, each, func(buf []byte, i int) []byte {
		return get(buf, "/auth/login?return_to=/app/"+strconv.Itoa(i), "")
	})
	var cookies strings.Builder
	for range 8 {
		b := newBrowser(s.h)
		if _, err := b.get("/auth/login"); err != nil {
			return err.Error()
		}
		cookies.WriteString(b.cookie() + "; ")
	}
	s.pipeline(ctx, each, func(buf []byte, i int) []byte {
		return get(buf, "/auth/login?return_to=/app/"+strconv.Itoa(i), strings.TrimSuffix(cookies.String(), "; "))
	})
	s.pipeline(ctx, each, func(buf []byte, i int) []byte {
		return get(buf, fmt.Sprintf("/auth/callback?code=%d&state=%032d", i, i), fmt.Sprintf("gatehouse-state-%012d=%s", 0, "AAAA"))
	})
	return fmt.Sprintf("%d sign-ins begun, as many in one browser, as many callbacks of none", each)
}

// unknownKids sends bearer tokens that are right in all but their key.
func unknownKids(ctx context.Context, s *siege) string {
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": s.h.issuer, "aud": s.h.provider.ClientID(), "sub": "U2eve", "iat": now, "exp": now + 3600})
	if err != nil {
		return err.Error()
	}
	rest := "." + base64.RawURLEncoding.EncodeToString(claims) + "." + strings.Repeat("A", 342) + "\r\n\r\n"
	s.pipeline(ctx, s.h.million, func(buf []byte, i int) []byte {
		buf = append(buf, "GET /app/x HTTP/1.1\r\nHost: "+s.h.address+"\r\nAuthorization: Bearer "...)
		buf = base64.RawURLEncoding.AppendEncode(buf, fmt.Appendf(nil, `{"alg":"RS256","typ":"JWT","kid":"k%d"}`, i))
		return append(buf, rest...)
	})
	return fmt.Sprintf("%d tokens of unknown keys", s.sent.Load())
}

// collidingNames sends 60 KB of cookies and of header fields whose names collide
// in hash functions without a seed, or look like Gatehouse's own.
func collidingNames(ctx context.Context, s *siege) string {
	const requests, size = 6000, 60_000
	cookies := func(name func(i int) string) string {
		var b strings.Builder
		b.WriteString("Cookie: a=b")
		for i := 0; b.Len() < size; i++ {
			b.WriteString(";" + name(i) + "=1")
		}
		return b.String() + "\r\n"
	}
	// Aa and BB have one hash in Java's and many another polynomial of 31.
	colliding := func(i int) string {
		var b strings.Builder
		for bit := range 14 {
			b.WriteString([2]string{"Aa", "BB"}[i>>bit&1])
		}
		return b.String()
	}
	var fields strings.Builder
	for i := 0; fields.Len() < size; i++ {
		fields.WriteString(colliding(i) + ": 1\r\n")
	}
	kinds := []string{
		cookies(colliding),
		cookies(func(i int) string { return "gatehouse." + strconv.Itoa(i) }),
		cookies(func(i int) string { return fmt.Sprintf("gatehouse-state-%012d", i) }),
		cookies(func(i int) string { return "gatehouse.0" }),
		cookies(func(i int) string { return "x" }),
		fields.String(),
	}
	for i := range kinds {
		kinds[i] = " HTTP/1.1\r\nHost: " + s.h.address + "\r\n" + kinds[i]
	}
	targets := []string{"GET /app/x", "GET /auth/login", "GET /app/x"}
	s.pipeline(ctx, requests, func(buf []byte, i int) []byte {
		buf = append(buf, targets[i%3]...)
		buf = append(buf, kinds[i/3%len(kinds)]...)
		if i%3 == 2 { // a member, whose cookies are looked through for the app as well
			buf = append(buf, "Cookie: "+s.h.member.cookie()+"\r\n"...)
		}
		return append(buf, "\r\n"...)
	})
	return fmt.Sprintf("%d requests with 60 KB of names that collide", s.sent.Load())
}
