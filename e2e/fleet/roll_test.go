package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/authn/descopetest"
)

// Tokens are short and good for one use, so that sessions are refreshed all the
// while: a refresh that an ending instance loses would sign somebody out.
func TestARollingRestartIsFeltByNobody(t *testing.T) {
	redis := startRedis(t)
	ports := freePorts(t, 6)
	var members []member
	for i := range 3 {
		members = append(members, member{ports[2*i], ports[2*i+1]})
	}
	front := newBalancer(t, members)
	tn := newTown(t, front.address(), descopetest.Options{SessionTTL: 10 * time.Second, RotateRefresh: true},
		"  store: redis\n  redis_url: redis://"+redis+"/0")
	var before, running []*instance
	for _, m := range members {
		running = append(running, tn.start(newer, m.listen, m.admin))
	}
	await(t, "three ready members", func() bool {
		front.mu.Lock()
		defer front.mu.Unlock()
		return front.ready[0] && front.ready[1] && front.ready[2]
	})
	var people []*person
	for i := range 12 {
		people = append(people, tn.signIn([]string{"ada", "bob", "carol", "oscar"}[i%4]))
	}
	var saw tally
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	for i, p := range people {
		work.Go(func() { p.click(ctx, &saw) })
		switch i % 3 {
		case 0:
			work.Go(func() { p.listen(ctx, &saw) })
		case 1:
			work.Go(func() { p.talk(ctx, &saw) })
		}
	}
	await(t, "eight streams", func() bool { return saw.of("stream opened") >= 8 })
	for i, m := range members {
		running[i].stop()
		if n := len(running[i].events("sign_in_failed")); n > 0 {
			t.Errorf("%d sign-ins failed", n)
		}
		before = append(before, running[i])
		running[i] = tn.start(newer, m.listen, m.admin)
		await(t, "the balancer's look", func() bool {
			front.mu.Lock()
			defer front.mu.Unlock()
			return front.ready[i]
		})
	}
	clicks := saw.of("click")
	await(t, "a click of everybody", func() bool { return saw.of("click") > clicks+len(people) })
	cancel()
	work.Wait()
	for _, p := range people {
		for _, in := range running {
			p.wantIn(t, in)
		}
	}
	stood := false
	for _, in := range running {
		in.stop()
		if _, after, ok := strings.Cut(in.log.String(), `"msg":"stopped"`); !ok || strings.Contains(after, `"level"`) {
			t.Errorf("the log goes on after the end: %s", after)
		}
	}
	for _, in := range append(before, running...) {
		stood = stood || strings.Contains(in.log.String(), "i/o timeout")
	}
	if saw.of("503") > 0 && !stood {
		t.Errorf("%d answers 503, and Redis always answered", saw.of("503"))
	}
	if n := tn.Provider.Reuses(); n > 0 {
		t.Errorf("%d used refresh tokens were sent", n)
	}
	t.Logf("%v, %d refreshes", saw.count, tn.Provider.Requests()[descopetest.Refresh])
	for _, what := range saw.bad {
		t.Error(what)
	}
	if saw.of("clean end") < 3 || saw.of("close 1001") < 3 {
		t.Error("hardly a stream was open where an instance ended")
	}
}

// click asks again and again. A GET that met a connection which was closing is
// repeated by the transport, as browsers do; a POST is repeated here, and only
// where the connection was closed before a byte of an answer.
func (p *person) click(ctx context.Context, saw *tally) {
	for n := 0; ctx.Err() == nil; n++ {
		method := []string{"GET", "POST"}[n%2]
		res, err := p.ask(method, "/app/x")
		if method == "POST" && closing(err) {
			saw.add("POST on a closing connection")
			res, err = p.ask(method, "/app/x")
		}
		if err != nil {
			saw.fail("%s: %v", method, err)
			continue
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if stalled(res) {
			saw.add("503")
			continue
		}
		if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), "served U2") {
			saw.fail("%s: %s %q %v", method, res.Status, text, err)
		}
		saw.add("click")
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stalled reports an answer that says to come back, which Gatehouse gives when
// Redis has not answered for a second. The test forgives it, and takes the time
// that it lasts, where an instance says in its log that this was so: a busy
// machine can stand still for that long.
func stalled(res *http.Response) bool {
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		return false
	}
	time.Sleep(200 * time.Millisecond)
	return true
}

// closing reports whether the connection was closed before an answer began.
func closing(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		err != nil && strings.Contains(err.Error(), "server closed idle connection")
}

// listen follows an event stream, and opens it anew when it ended cleanly.
func (p *person) listen(ctx context.Context, saw *tally) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, "GET", p.town.URL+"/app/events", nil)
		if err != nil {
			saw.fail("events: %v", err)
			return
		}
		res, err := p.client.Do(req)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			saw.fail("events: %v", err)
			continue
		}
		if res.StatusCode != http.StatusOK {
			_ = res.Body.Close()
			if stalled(res) {
				saw.add("503")
			} else {
				saw.fail("events: %s", res.Status)
			}
			continue
		}
		saw.add("stream opened")
		err = events(res.Body)
		_ = res.Body.Close()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			saw.fail("an event stream broke: %v", err)
		default:
			saw.add("clean end")
		}
	}
}

// events reads whole events to the stream's end.
func events(body io.Reader) error {
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		if line != "\n" && !strings.HasPrefix(line, "data: ") {
			return fmt.Errorf("read %q", line)
		}
	}
}

// talk keeps a WebSocket open, and opens it anew when its instance went away.
func (p *person) talk(ctx context.Context, saw *tally) {
	for ctx.Err() == nil {
		ws, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.town.URL, "http")+"/app/ws", &websocket.DialOptions{
			HTTPClient: p.client, HTTPHeader: http.Header{"Origin": {p.town.URL}},
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil && res != nil && stalled(res) {
			saw.add("503")
			continue
		}
		if err != nil {
			saw.fail("WebSocket: %v", err)
			continue
		}
		saw.add("stream opened")
		for err == nil {
			_, _, err = ws.Read(ctx)
		}
		_ = ws.CloseNow()
		switch code := websocket.CloseStatus(err); {
		case ctx.Err() != nil:
		case code == websocket.StatusGoingAway:
			saw.add("close 1001")
		default:
			saw.fail("a WebSocket broke: %v", err)
		}
	}
}
