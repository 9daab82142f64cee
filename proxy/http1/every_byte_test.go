package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// telling are answers of every framing, short enough to be tried byte by byte.
var telling = []string{
	ok + "Content-Length: 5\r\n\r\nhello",
	ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello",
	"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello",
	"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
}

// A byte that is wrong, missing or too much, wherever it stands: http1 takes
// nothing that http.Transport refuses, and makes the same of what it takes.
func TestAnAnswerSpoiledAtEveryByte(t *testing.T) {
	for _, said := range telling {
		for i := range said {
			spoiled := []string{said[:i] + said[i+1:]}
			for _, with := range []string{"\x00", "\r", "\n", " ", ":", "0", "\x80"} {
				spoiled = append(spoiled, said[:i]+with+said[i+1:], said[:i]+with+said[i:])
			}
			for _, s := range spoiled {
				lean := hear(kinds[0], "GET", []byte(s), 1<<20)
				if lean.Status == 0 {
					continue
				}
				stock := hear(kinds[1], "GET", []byte(s), 1<<20)
				if !lean.Whole {
					lean.Body, stock.Body, lean.Trailer, stock.Trailer, stock.Whole = "", "", nil, nil, false
				}
				if diff := cmp.Diff(stock, lean, cmpopts.IgnoreUnexported(outcome{}), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%q: -net/http (%v) +http1 (%v)\n%s", s, stock.err, lean.err, diff)
				}
			}
		}
	}
}

// Wherever an answer stops, the request can be given up, and nobody else meets
// what was left of it.
func TestARequestIsGivenUpAfterEveryByteOfTheAnswer(t *testing.T) {
	for _, said := range telling[:3] {
		both(t, func(t *testing.T, k kind) {
			for n := range len(said) {
				told := make(chan struct{})
				u := newUpstream(t, func(p *peer) {
					if p.number > 0 {
						echo(p)
						return
					}
					p.request()
					p.say(said[:n])
					close(told)
					p.hang()
				})
				rt := k.start(t, u.limits())
				ctx, cancel := context.WithCancelCause(context.Background())
				req, _ := http.NewRequestWithContext(ctx, "GET", u.url("/"), nil)
				var got outcome
				ended := make(chan struct{})
				go func() {
					got = ask(rt, req)
					close(ended)
				}()
				within(t, "the answer's part", told)
				cancel(errGivenUp)
				within(t, "the end", ended)
				if got.Whole || !errors.Is(got.err, errGivenUp) {
					t.Errorf("after %q: %+v %v", said[:n], got, got.err)
				}
				if next := get(t, rt, u.url("/next")); next.Body != "GET /next " {
					t.Errorf("after %q the next request got %+v %v", said[:n], next, next.err)
				}
				u.close()
			}
		})
	}
}

// However much of a request an upstream took before it broke off: what could do
// something twice is not sent twice, and what cannot is, once.
func TestARequestCutAtEveryByte(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, url string) *http.Request
		safe bool
	}{
		{"GET", func(t *testing.T, url string) *http.Request { return request(t, "GET", url, nil) }, true},
		{"POST", func(t *testing.T, url string) *http.Request { return request(t, "POST", url, small()) }, false},
		{"upload", func(t *testing.T, url string) *http.Request {
			req := request(t, "POST", url, nil)
			req.Body, req.ContentLength = io.NopCloser(io.MultiReader(small(), small())), -1
			return req
		}, false},
	} {
		for _, end := range []string{"closed", "reset"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				for n := range 40 { // the shortest of them has more
					u := newUpstream(t, func(p *peer) {
						if !p.serve(1) || p.number > 0 {
							return
						}
						_, _ = io.CopyN(io.Discard, p.in, int64(n+1))
						if end == "reset" {
							p.reset()
						}
					})
					rt := kinds[0].start(t, u.limits())
					get(t, rt, u.url("/first"))
					got := ask(rt, c.make(t, u.url("/second")))
					want, connections := "GET /second ", 2
					if !c.safe {
						want, connections = "", 1
					}
					if got.Body != want || u.connections() != connections {
						t.Errorf("after %d bytes: %+v %v on %d connections", n+1, got, got.err, u.connections())
					}
					u.close()
				}
			})
		}
	}
}

// A header that an upstream says twice, in two spellings or with two meanings,
// about where its answer ends.
func TestAnAnswerWithTwoOpinionsOfItsEnd(t *testing.T) {
	for _, fields := range []string{
		"Content-Length: 5\r\ncontent-length: 6\r\n", "Content-Length: 5\r\nContent-Length: 05\r\n",
		"Content-Length: 5\r\nContent-Length: \r\n", "Content-Length: 5,6\r\n", "Content-Length: 5 5\r\n",
		"Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", "Transfer-Encoding: identity, chunked\r\n",
		"Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: \"chunked\"\r\n",
		"Transfer-Encoding:\r\n", "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
	} {
		got := hear(kinds[0], "GET", []byte(ok+fields+"\r\n5\r\nhello\r\n0\r\n\r\n"), 1<<20)
		if got.Status != 0 {
			t.Errorf("%q was taken: %+v", strings.TrimSpace(fields), got)
		}
	}
}
