package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/e2e/rig"
)

// answers counts answers by their status; 0 is a connection that ended without
// one.
type answers struct {
	mu sync.Mutex
	by map[int]int
}

func (a *answers) note(status, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = make(map[int]int)
	}
	a.by[status] += n
}

func (a *answers) of(statuses ...int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, status := range statuses {
		n += a.by[status]
	}
	return n
}

func (a *answers) all() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, one := range a.by {
		n += one
	}
	return n
}

func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(a.by)) {
		name := "none"
		if status != 0 {
			name = strconv.Itoa(status)
		}
		parts = append(parts, fmt.Sprintf("%d × %s", a.by[status], name))
	}
	return strings.Join(parts, ", ")
}

// ends are when connections were ended by the server.
type ends struct {
	n    atomic.Int64
	last atomic.Int64 // the longest, in nanoseconds
}

func (e *ends) note(after time.Duration) {
	e.n.Add(1)
	for {
		last := e.last.Load()
		if int64(after) <= last || e.last.CompareAndSwap(last, int64(after)) {
			return
		}
	}
}

const (
	// lanes are the connections that a flood of requests uses, and batch is how
	// many requests it sends on one before it reads the answers.
	lanes = 8
	batch = 32
)

// pipeline sends requests made by make, n of them, many at a time, until they are
// sent or the time is over.
func (s *siege) pipeline(ctx context.Context, n int, make func(buf []byte, i int) []byte) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range lanes {
		all.Go(func() {
			for ctx.Err() == nil {
				if !s.lane(ctx, n, &next, make) {
					return
				}
			}
		})
	}
	all.Wait()
}

// lane sends batches on one connection. It reports whether there is more to send
// when the connection has ended.
func (s *siege) lane(ctx context.Context, n int, next *atomic.Int64, make func(buf []byte, i int) []byte) bool {
	conn, err := net.DialTimeout("tcp", s.h.address, patience)
	if err != nil {
		s.answers.note(0, 1)
		return rig.Pause(ctx, 10*time.Millisecond)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var buf []byte
	for ctx.Err() == nil {
		from := int(next.Add(batch)) - batch
		if from >= n {
			return false
		}
		to := min(n, from+batch)
		buf = buf[:0]
		for i := from; i < to; i++ {
			buf = make(buf, i)
		}
		s.sent.Add(int64(to - from))
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write(buf) // what was not taken has no answer; the answers fit into the kernel's buffers
		for i := from; i < to; i++ {
			status, last, err := readAnswer(in)
			if err != nil {
				s.answers.note(0, to-i)
				return true
			}
			s.answers.note(status, 1)
			if last {
				s.answers.note(0, to-i-1)
				return true
			}
		}
	}
	return false
}

// readAnswer reads an answer and forgets all but its status, and whether it is
// the connection's last.
func readAnswer(in *bufio.Reader) (status int, last bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	fields := bytes.Fields(line)
	if len(fields) < 2 {
		return 0, false, fmt.Errorf("no status in %q", line)
	}
	if status, err = strconv.Atoi(string(fields[1])); err != nil {
		return 0, false, err
	}
	length, chunked := 0, false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(": "))
		if !ok {
			break
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if chunked {
		if _, err = io.Copy(io.Discard, httputil.NewChunkedReader(in)); err == nil {
			_, err = in.ReadSlice('\n') // no trailer
		}
		return status, last, err
	}
	_, err = in.Discard(length)
	return status, last, err
}

// one sends a request on a connection of its own, as far as the server takes it,
// and notes the answer. rest is asked for more of it until it has no more.
func (s *siege) one(ctx context.Context, head string, rest func(i int) []byte) {
	conn, err := net.DialTimeout("tcp", s.h.address, patience)
	if err != nil {
		s.answers.note(0, 1)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	began := time.Now()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		in := bufio.NewReader(conn)
		status, _, err := readAnswer(in)
		if err != nil {
			status = 0
		}
		s.answers.note(status, 1)
		if err == nil {
			_, _ = io.Copy(io.Discard, in)
		}
		if ctx.Err() == nil {
			s.ends.note(time.Since(began))
		}
		_ = conn.Close()
	}()
	s.sent.Add(1)
	if _, err := io.WriteString(conn, head); err == nil && rest != nil {
		for i := 0; ; i++ {
			more := rest(i)
			if more == nil {
				break
			}
			n, err := conn.Write(more)
			s.bytes.Add(int64(n))
			if err != nil {
				break
			}
		}
	}
	<-answered
}
