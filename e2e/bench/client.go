package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A client asks one contestant. It writes requests as they stand, so that it
// computes little itself.
type client struct {
	address    string
	path       string // of the app at this contestant
	credential string // the header line that says who asks
}

func (c client) head(method, target string, more ...string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n",
		method, c.path, target, c.address)
	if c.credential != "" {
		s.WriteString(c.credential + "\r\n")
	}
	for _, m := range more {
		s.WriteString(m + "\r\n")
	}
	s.WriteString("\r\n")
	return s.String()
}

func (c client) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", c.address)
}

// load sends n requests over so many connections and reads the answers.
func (c client) load(ctx context.Context, conns, n int) error {
	var group sync.WaitGroup
	failed := make(chan error, conns)
	for range conns {
		group.Go(func() {
			if err := c.ask(ctx, n/conns); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	close(failed)
	return <-failed
}

func (c client) ask(ctx context.Context, n int) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request := []byte(c.head("GET", "/info"))
	in := bufio.NewReaderSize(conn, 8<<10)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAnswer(in, 1024); err != nil {
			return err
		}
	}
	return nil
}

// readAnswer reads a 200 with its length in bytes.
func readAnswer(in *bufio.Reader, want int64) error {
	length := int64(-1)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 200"):
			return fmt.Errorf("answered %q", line)
		case len(line) == 2:
			if want >= 0 && length != want {
				return fmt.Errorf("%d bytes, want %d", length, want)
			}
			if length > 0 {
				_, err = in.Discard(int(length))
			}
			return err
		case len(line) > 16 && strings.EqualFold(string(line[:15]), "content-length:"):
			length, _ = strconv.ParseInt(strings.TrimSpace(string(line[15:])), 10, 64)
		}
	}
}

// streams opens n streams and returns them open, each with its first bytes read.
func (c client) streams(ctx context.Context, n int, head string, status string) ([]*stream, error) {
	all := make([]*stream, 0, n)
	for range n {
		s, err := c.stream(ctx, head, status)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("stream %d: %w", len(all), err)
		}
		all = append(all, s)
	}
	return all, nil
}

type stream struct {
	net.Conn
	in *bufio.Reader
}

func (c client) stream(ctx context.Context, head, status string) (*stream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	s := &stream{conn, bufio.NewReaderSize(conn, 1<<10)}
	if _, err := io.WriteString(conn, head); err != nil {
		_ = conn.Close()
		return nil, err
	}
	line, err := s.in.ReadString('\n')
	if err != nil || !strings.Contains(line, status) {
		_ = conn.Close()
		return nil, fmt.Errorf("answered %q, %v", line, err)
	}
	for line != "\r\n" {
		if line, err = s.in.ReadString('\n'); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if _, err := s.in.Peek(1); err != nil { // an event, or a message
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return s, nil
}

func closeAll(all []*stream) {
	for _, s := range all {
		_ = s.Close()
	}
}

// delays returns how long the events of some seconds were under way, sorted.
func delays(all []*stream, seconds int) ([]time.Duration, error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	var took []time.Duration
	var failed error
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	for _, s := range all {
		group.Go(func() {
			_ = s.SetReadDeadline(until)
			for {
				line, err := s.in.ReadString('\n')
				now := time.Now().UnixNano()
				var timeout net.Error
				if errors.As(err, &timeout) && timeout.Timeout() {
					return
				}
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				if _, stamp, ok := strings.Cut(line, "data: "); ok {
					if at, err := strconv.ParseInt(strings.TrimSpace(stamp), 10, 64); err == nil {
						mu.Lock()
						took = append(took, time.Duration(now-at))
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	return took, failed
}

// transfer moves bytes down or up and returns how long it took.
func (c client) transfer(ctx context.Context, up bool, bytes int64) (time.Duration, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	in := bufio.NewReaderSize(conn, 64<<10)
	began := time.Now()
	if up {
		if _, err := io.WriteString(conn, c.head("POST", "/upload", "Content-Type: application/octet-stream", fmt.Sprintf("Content-Length: %d", bytes))); err != nil {
			return 0, err
		}
		part := make([]byte, 64<<10)
		for left := bytes; left > 0; {
			n, err := conn.Write(part[:min(left, int64(len(part)))])
			if err != nil {
				return 0, err
			}
			left -= int64(n)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || string(text) != strconv.FormatInt(bytes, 10) {
			return 0, fmt.Errorf("uploaded %d bytes, %q arrived: %v", bytes, text, err)
		}
		return time.Since(began), nil
	}
	if _, err := io.WriteString(conn, c.head("GET", fmt.Sprintf("/download?bytes=%d", bytes))); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{res.Body}, make([]byte, 64<<10))
	if err != nil || n != bytes {
		return 0, fmt.Errorf("%d of %d bytes: %v", n, bytes, err)
	}
	return time.Since(began), nil
}
