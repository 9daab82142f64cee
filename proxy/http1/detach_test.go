package http1

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// leave sends a request to u, and has the body of its answer.
func leave(t *testing.T, u *upstream) (b *body, giveUp context.CancelFunc) {
	t.Helper()
	ctx, giveUp := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, u.url("/"), nil)
	res, err := kinds[0].start(t, u.limits()).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return res.Body.(*body), giveUp
}

func TestABodyIsWaitedForWithoutLosingAByte(t *testing.T) {
	for _, c := range []struct{ name, bytes string }{
		{"by length", "Content-Length: 11\r\n\r\nhello world"},
		{"in chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
		{"in chunks, with a trailer", "Transfer-Encoding: chunked\r\n\r\nb;x=y\r\nhello world\r\n0\r\nX-A: b\r\n\r\n"},
		{"until the end", "\r\nhello world"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, func(p *peer) {
				p.request()
				p.say(ok + c.bytes[:len(c.bytes)-len("world")])
				time.Sleep(30 * time.Millisecond) // so that it is waited for
				p.spell(c.bytes[len(c.bytes)-len("world"):])
			})
			b, giveUp := leave(t, u)
			defer giveUp()
			defer b.Close()
			var got []byte
			waits := 0
			for {
				for !b.Ready(time.Millisecond) {
					waits++
				}
				buf := make([]byte, 3)
				n, err := b.Read(buf)
				got = append(got, buf[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != "hello world" || c.name == "by length" && waits == 0 {
				t.Errorf("got %q after %d waits", got, waits)
			}
		})
	}
}

func TestADetachedBodyOutlivesItsRequest(t *testing.T) {
	more, gone := make(chan struct{}), make(chan struct{})
	u := newUpstream(t, func(p *peer) {
		defer close(gone)
		p.request()
		p.say(ok + "Content-Length: 100\r\n\r\nhello")
		<-more
		p.say("world")
		p.hang()
	})
	b, giveUp := leave(t, u)
	b.Detach()
	giveUp()
	close(more)
	got := make([]byte, len("helloworld"))
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "helloworld" {
		t.Fatalf("got %q, %v", got, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := b.Read(got)
		ended <- err
	}()
	_ = b.Close()
	if err := <-ended; err == nil || err == io.EOF {
		t.Errorf("a read of a closed body: %v", err)
	}
	<-gone
}
