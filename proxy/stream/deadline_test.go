package stream

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

func TestAWriteDeadlineIsBroughtForwardAndLiftedButNotPutOff(t *testing.T) {
	t.Parallel()
	now := time.Now()
	soon, later := now.Add(time.Hour), now.Add(2*time.Hour)
	for _, test := range []struct {
		name string
		set  []time.Time
		want time.Time
	}{
		{"the first one counts", []time.Time{later}, later},
		{"an earlier one counts", []time.Time{later, soon}, soon},
		{"a later one does not", []time.Time{soon, later}, soon},
		{"one that has passed is not put off", []time.Time{aLongTimeAgo, soon}, aLongTimeAgo},
		{"once lifted, a later one counts", []time.Time{soon, {}, later}, later},
		{"lifted is lifted", []time.Time{soon, {}}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			under := &noted{}
			c := &firmConn{Conn: under}
			for _, at := range test.set {
				c.SetWriteDeadline(at)
			}
			if !under.write.Equal(test.want) {
				t.Errorf("the write deadline is %v, want %v", under.write, test.want)
			}
			c.SetDeadline(time.Time{})
			c.SetDeadline(later)
			if !under.write.Equal(later) || !under.read.Equal(later) {
				t.Errorf("SetDeadline sets %v and %v, want both", under.read, under.write)
			}
		})
	}
}

// noted is a connection that notes its deadlines.
type noted struct {
	net.Conn
	read, write time.Time
}

func (n *noted) SetReadDeadline(t time.Time) error  { n.read = t; return nil }
func (n *noted) SetWriteDeadline(t time.Time) error { n.write = t; return nil }

// The regression behind FirmDeadlines: crypto/tls waits up to 5 s for its
// close_notify to be taken, also on a connection that is cut because nobody reads.
func TestClosingTLSDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	took := make(chan time.Duration, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		for block := make([]byte, 64<<10); err == nil; {
			_, err = c.Write(block)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		began := time.Now()
		c.Close()
		took <- time.Since(began)
	}))
	h := &house{t: t, front: server}
	overTLS(h, server)
	t.Cleanup(server.Close)
	h.raw("GET / HTTP/1.1\nHost: x\n\n")
	if d := receive(t, "the end", took); d > limit {
		t.Errorf("closing took %v, want at most %v", d, limit)
	}
}
