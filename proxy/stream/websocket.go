package stream

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// conn is the client's connection of an upgrade, between it and the reverse
// proxy's two copies. Closing it needs no byte from either side: whoever comes
// to the end of the app's frame, the writing copy or cut itself, says goodbye.
type conn struct {
	net.Conn
	websocket bool
	cancel    context.CancelFunc // of the upstream
	active    func()
	buffers   *sync.Pool

	// Of the reading copy alone.
	early     []byte // sent before the 101, read by the server
	in        frames
	began     time.Time
	lastHeard time.Duration

	writing sync.Mutex
	out     outbound
	broken  bool // a write failed: what the client has is unknown

	why     Cause // set before cutting
	cutting atomic.Bool
	sealed  atomic.Bool // nothing of the app's passes any more
	said    atomic.Bool // the client has a close frame, the app's or ours
	heard   atomic.Bool // the client has sent one

	natural atomic.Pointer[Cause] // what ended it first, if nobody closes it

	timing sync.Mutex
	timer  *time.Timer
	over   bool

	once sync.Once
	done chan struct{}
}

func newConn(raw net.Conn, s *Stream) *conn {
	return &conn{
		Conn:      raw,
		websocket: s.Kind() == WebSocket,
		cancel:    s.cancel,
		active:    s.active,
		buffers:   &s.registry.buffers,
		began:     time.Now(),
		lastHeard: -activePause,
		done:      make(chan struct{}),
	}
}

// activePause is how often a client's bytes are reported at most.
const activePause = time.Second

// lingering is how long a WebSocket may stay half closed. The protocol has no
// half: a side that closes its TCP is gone, but for a close frame on its way.
const lingering = 2 * time.Second

// Write passes the upstream's bytes to the client.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	n, err := c.pass(p)
	c.writing.Unlock()
	c.settle()
	return n, err
}

// pass writes p, or when the stream is being cut, what belongs to the frame
// under way. c.writing is held.
func (c *conn) pass(p []byte) (int, error) {
	whole := len(p)
	if c.sealed.Load() || c.broken {
		return 0, net.ErrClosed
	}
	if c.cutting.Load() {
		if !c.websocket || c.out.between() {
			return 0, net.ErrClosed
		}
		probe := c.out
		p = p[:probe.next(p)]
	}
	n, err := c.Conn.Write(p)
	if c.websocket {
		c.out.scan(p[:n])
		if c.out.closed {
			c.note(Ended)
		}
	}
	if err != nil {
		c.broken = true
		c.note(ClientGone)
		return n, err
	}
	if n < whole {
		return n, net.ErrClosed
	}
	return n, nil
}

// cut begins to close the connection. It takes what a write to the kernel takes.
func (c *conn) cut(cause Cause) {
	c.why = cause
	c.cutting.Store(true)
	if !c.websocket {
		c.finish(reset)
		return
	}
	c.Conn.SetWriteDeadline(time.Now().Add(frameWait))
	c.arm(frameWait)
	c.settle()
}

// settle says goodbye once the stream is being cut and the app's frame has
// ended. Whoever writes at the moment settles after it, so nobody waits here.
func (c *conn) settle() {
	if !c.cutting.Load() || !c.websocket || !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	switch {
	case c.sealed.Load():
	case c.broken:
		c.sealed.Store(true)
		c.finish(reset)
	case c.out.between():
		c.sealed.Store(true)
		c.sayGoodbye()
	}
}

func (c *conn) sayGoodbye() {
	if !c.out.closed {
		c.writeWithin(sayClose)
		if _, err := c.Conn.Write(closeFrame(c.why)); err != nil {
			c.finish(reset)
			return
		}
	}
	c.said.Store(true)
	if c.heard.Load() {
		c.finish(closeConn)
		return
	}
	c.writeWithin(replyWait + closeWait)
	c.arm(replyWait)
	c.cancel()
}

// writeWithin bounds the next step of the close, however little time the step
// before has left. c.writing is held.
func (c *conn) writeWithin(d time.Duration) {
	c.Conn.SetWriteDeadline(time.Time{}) // see FirmDeadlines
	c.Conn.SetWriteDeadline(time.Now().Add(d))
}

// Read passes the client's bytes to the upstream. Once the stream is being cut
// it only looks for the client's close frame.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.receive(p)
		if !c.cutting.Load() {
			return n, err
		}
		if err != nil || c.said.Load() && c.heard.Load() {
			c.depart()
			return 0, net.ErrClosed
		}
	}
}

// depart closes a connection that has nothing more to say to us.
func (c *conn) depart() {
	if c.said.Load() {
		c.finish(closeConn)
	} else {
		c.finish(reset)
	}
}

func (c *conn) receive(p []byte) (n int, err error) {
	if len(c.early) > 0 {
		n = copy(p, c.early)
		c.early = c.early[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	if err != nil {
		c.note(ClientGone)
	}
	if !c.websocket {
		return n, err
	}
	if n > 0 {
		c.in.scan(p[:n])
		if c.in.closed && !c.heard.Load() {
			c.heard.Store(true)
			c.note(Ended)
		}
		c.stir()
	}
	if err == io.EOF {
		c.linger()
	}
	return n, err
}

// stir reports activity.
func (c *conn) stir() {
	if c.active == nil || c.cutting.Load() {
		return
	}
	if now := time.Since(c.began); now-c.lastHeard >= activePause {
		c.lastHeard = now
		c.active()
	}
}

// CloseWrite is called when the upstream has sent its last byte.
func (c *conn) CloseWrite() error {
	c.note(UpstreamGone)
	if c.cutting.Load() {
		return nil
	}
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return http.ErrNotSupported
	}
	err := half.CloseWrite()
	if c.websocket {
		c.linger()
	}
	return err
}

// Close is called when the reverse proxy is done. A goodbye that is under way
// ends by itself.
func (c *conn) Close() error {
	if !c.cutting.Load() {
		c.finish(closeConn)
	}
	return nil
}

// leave closes the connection and waits until it is closed.
func (c *conn) leave() {
	c.Close()
	<-c.done
}

// linger bounds how long the connection stays half closed.
func (c *conn) linger() {
	c.timing.Lock()
	defer c.timing.Unlock()
	if !c.cutting.Load() {
		c.setTimer(lingering)
	}
}

// arm bounds a step of the close.
func (c *conn) arm(after time.Duration) {
	c.timing.Lock()
	defer c.timing.Unlock()
	c.setTimer(after)
}

func (c *conn) setTimer(after time.Duration) {
	switch {
	case c.over:
	case c.timer == nil:
		c.timer = time.AfterFunc(after, c.timeUp)
	default:
		c.timer.Reset(after)
	}
}

func (c *conn) timeUp() {
	if c.cutting.Load() {
		c.depart()
	} else {
		c.finish(closeConn)
	}
}

// finish closes the connection for good, and the upstream's with it.
func (c *conn) finish(end func(net.Conn)) {
	c.once.Do(func() {
		c.timing.Lock()
		c.over = true
		if c.timer != nil {
			c.timer.Stop()
		}
		c.timing.Unlock()
		c.cancel()
		end(c.Conn)
		close(c.done)
	})
}

// note keeps the first thing that ended the stream.
func (c *conn) note(cause Cause) {
	if c.natural.Load() == nil {
		c.natural.CompareAndSwap(nil, &cause)
	}
}

func (c *conn) outcome() Cause {
	if cause := c.natural.Load(); cause != nil {
		return *cause
	}
	return UpstreamGone // it ended with an error of the upstream's connection
}
