package stream

import "sync"

// ring is a node of a doubly linked list that lives inside the stream it links,
// so that joining and leaving cost no allocation and no search. A list is a ring
// around a root whose stream is nil.
type ring struct {
	next, prev *ring
	stream     *Stream
}

func (root *ring) init() { root.next, root.prev = root, root }

func (root *ring) empty() bool { return root.next == root }

// insertAfter links n behind at.
func (n *ring) insertAfter(at *ring) {
	n.prev, n.next = at, at.next
	at.next.prev = n
	at.next = n
}

func (n *ring) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
	n.next, n.prev = nil, nil
}

// shard is a part of the registry with a lock of its own. A session lives in
// one shard; requests without a session are spread over all.
type shard struct {
	mu       sync.Mutex
	sessions map[string]*ring
	young    ring     // requests that are no streams yet, the oldest first
	_        [64]byte // keeps the locks of two shards off one cache line
}

func (sh *shard) init() {
	sh.sessions = make(map[string]*ring)
	sh.young.init()
}

// join puts s under its key. sh.mu is held.
func (sh *shard) join(s *Stream) {
	root := sh.sessions[s.key]
	if root == nil {
		root = new(ring)
		root.init()
		sh.sessions[s.key] = root
	}
	s.peers.insertAfter(root.prev)
}

// leave takes s from under its key. sh.mu is held.
func (sh *shard) leave(s *Stream) {
	s.peers.unlink()
	if root := sh.sessions[s.key]; root.empty() {
		delete(sh.sessions, s.key)
	}
}

// grow puts s among the young where its age belongs: at the end, unless it came
// from another shard. sh.mu is held.
func (sh *shard) grow(s *Stream) {
	at := sh.young.prev
	for at != &sh.young && at.stream.began.After(s.began) {
		at = at.prev
	}
	s.age.insertAfter(at)
}
