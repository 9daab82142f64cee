package stream

import (
	"hash/maphash"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// After is the age at which any request counts as a stream.
const After = 2 * time.Second

const shards = 32

// Config holds what the owner of a registry is asked and told. Every field may
// be nil. The functions may call the registry and the stream, except End, and
// must not wait for anything that a stream does.
type Config struct {
	// Recheck decides anew when a request turns into a stream: a cause other
	// than "" closes it. It runs after the stream can be found by events, so
	// that none falls between the request's decision and its registration.
	Recheck func(*Stream) Cause

	// Opened and Closed tell of a request that became a stream and of its end,
	// once each and in this order.
	Opened func(*Stream)
	Closed func(*Stream, Cause)
}

// About is what the registry knows of a request.
type About struct {
	Key   string // session; "" is nobody's: reached by CloseIf and CloseAll alone
	Route string // name, for Count
	Data  any    // the owner's: what is needed to decide it again

	// Expires, when set, ends the stream then with the cause BearerExpired.
	Expires time.Time

	// Active is called when bytes come from a WebSocket's client, at most once
	// a second, on the path of those bytes: it must be quick.
	Active func()
}

// Registry holds all requests in flight, by session. Its methods may be called
// from any goroutine and do not wait for a stream to close.
type Registry struct {
	config  Config
	seed    maphash.Seed
	turn    atomic.Uint32 // deals requests without a session out to the shards
	shards  [shards]shard
	flying  atomic.Int64 // requests between Begin and End
	armed   atomic.Bool  // a sweep is due
	buffers sync.Pool    // *[largeBuffer]byte, for upgraded connections

	mu       sync.Mutex
	counts   map[label]int
	draining Cause           // set by CloseAll: what becomes a stream later is closed too
	waiting  []chan struct{} // closed when nothing is in flight
}

type label struct {
	route string
	kind  Kind
}

// NewRegistry returns an empty registry. It starts no goroutine.
func NewRegistry(config Config) *Registry {
	r := &Registry{config: config, seed: maphash.MakeSeed(), counts: make(map[label]int)}
	r.buffers.New = func() any { return new([largeBuffer]byte) }
	for i := range r.shards {
		r.shards[i].init()
	}
	return r
}

// Begin registers a request. The caller must defer End.
func (r *Registry) Begin(w http.ResponseWriter, req *http.Request, about About) *Stream {
	s := newStream(r, w, req, about)
	sh := r.shardOf(about.Key)
	s.shard.Store(sh)
	r.flying.Add(1)
	sh.mu.Lock()
	sh.join(s)
	sh.grow(s)
	sh.mu.Unlock()
	r.arm()
	return s
}

func (r *Registry) shardOf(key string) *shard {
	if key == "" {
		return &r.shards[r.turn.Add(1)%shards]
	}
	return &r.shards[maphash.String(r.seed, key)%shards]
}

// lock locks the shard that s lives in, which Move may change meanwhile.
func (r *Registry) lock(s *Stream) *shard {
	for {
		sh := s.shard.Load()
		sh.mu.Lock()
		if s.shard.Load() == sh {
			return sh
		}
		sh.mu.Unlock()
	}
}

// CloseSession closes the streams of one session and returns how many there
// were. Its young requests are condemned: they are cut when they turn into
// streams. It does nothing for "".
func (r *Registry) CloseSession(key string, cause Cause) int {
	return r.CloseSessionIf(key, func(*Stream) Cause { return cause })
}

// CloseSessionIf closes those streams of one session for which verdict returns
// a cause, as when a role was lost that only some of its routes need. It does
// nothing for "".
func (r *Registry) CloseSessionIf(key string, verdict func(*Stream) Cause) int {
	if key == "" {
		return 0
	}
	var few [8]*Stream
	sh := r.shardOf(key)
	sh.mu.Lock()
	found := sh.collect(few[:0], key)
	sh.mu.Unlock()
	return r.judge(found, verdict)
}

// CloseIf closes all streams for which verdict returns a cause, as after a
// change of the policy.
func (r *Registry) CloseIf(verdict func(*Stream) Cause) int {
	closed := 0
	for i := range r.shards {
		sh := &r.shards[i]
		var found []*Stream
		sh.mu.Lock()
		for key := range sh.sessions {
			found = sh.collect(found, key)
		}
		sh.mu.Unlock()
		closed += r.judge(found, verdict)
	}
	return closed
}

// CloseAll closes all streams, and from then on whatever becomes one.
func (r *Registry) CloseAll(cause Cause) int {
	r.mu.Lock()
	r.draining = cause
	r.mu.Unlock()
	return r.CloseIf(func(*Stream) Cause { return cause })
}

func (sh *shard) collect(found []*Stream, key string) []*Stream {
	root := sh.sessions[key]
	if root == nil {
		return found
	}
	for n := root.next; n != root; n = n.next {
		found = append(found, n.stream)
	}
	return found
}

// judge runs without a lock, so that a verdict may take the owner's.
func (r *Registry) judge(found []*Stream, verdict func(*Stream) Cause) int {
	closed := 0
	for _, s := range found {
		cause := verdict(s)
		if cause == "" {
			continue
		}
		sh := r.lock(s)
		young := s.Kind() == Request
		if young && s.condemned == "" {
			s.condemned = cause
		}
		sh.mu.Unlock()
		if !young {
			s.Close(cause)
			closed++
		}
	}
	return closed
}

// Move puts the streams and requests of one session under another, as when the
// same person signs in again. renew, when not nil, turns the data of each into
// what the new session needs; it must not call the registry. An event about
// either key finds each stream exactly once. It returns how many there were.
func (r *Registry) Move(from, to string, renew func(data any) any) int {
	if from == "" || to == "" || from == to {
		return 0
	}
	src, dst := r.shardOf(from), r.shardOf(to)
	defer r.lockBoth(src, dst)()
	moved := src.collect(nil, from)
	for _, s := range moved {
		src.leave(s)
		s.meta.Lock()
		s.key = to
		if renew != nil {
			s.data = renew(s.data)
		}
		s.meta.Unlock()
		dst.join(s)
		if src != dst && s.Kind() == Request {
			s.age.unlink()
			dst.grow(s)
		}
		s.shard.Store(dst)
	}
	return len(moved)
}

// lockBoth locks two shards in the order of their place, so that two moves in
// opposite directions cannot wait for each other.
func (r *Registry) lockBoth(a, b *shard) (unlock func()) {
	if a == b {
		a.mu.Lock()
		return a.mu.Unlock
	}
	for i := range r.shards {
		if sh := &r.shards[i]; sh == a || sh == b {
			sh.mu.Lock()
		}
	}
	return func() { a.mu.Unlock(); b.mu.Unlock() }
}

// Has reports whether a session has an open stream.
func (r *Registry) Has(key string) bool {
	if key == "" {
		return false
	}
	sh := r.shardOf(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	root := sh.sessions[key]
	if root == nil {
		return false
	}
	for n := root.next; n != root; n = n.next {
		if n.stream.Kind() != Request {
			return true
		}
	}
	return false
}

// remove forgets a request. It returns what it was.
func (r *Registry) remove(s *Stream) Kind {
	sh := r.lock(s)
	sh.leave(s)
	kind := s.Kind()
	if kind == Request {
		s.age.unlink()
	} else {
		r.recount(s.route, kind, Request)
	}
	sh.mu.Unlock()
	return kind
}
