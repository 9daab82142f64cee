package stream

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

const goodbye = "data: goodbye\n\n"

// cutAfter is the body of an event stream that said something and was cut, as its
// copy reads it, byte by byte where small is set.
func cutAfter(said, rest string, header http.Header, small bool) string {
	s := &Stream{}
	s.Farewell([]byte(goodbye))
	res := &http.Response{Header: header, Body: io.NopCloser(io.MultiReader(strings.NewReader(said), strings.NewReader(rest)))}
	s.body.wrap(res, kindOf(res) == SSE)
	var got strings.Builder
	n, _ := s.body.Read(make([]byte, len(said)))
	got.WriteString(said[:n])
	s.body.finish(func() {})
	defer s.body.rest()
	var from io.Reader = &s.body
	if small {
		from = iotest.OneByteReader(from)
	}
	end, _ := io.ReadAll(from)
	return got.String() + string(end)
}

func TestTheFarewellIsAnEventOfItsOwn(t *testing.T) {
	events := http.Header{"Content-Type": {"text/event-stream"}}
	packed := http.Header{"Content-Type": {"text/event-stream"}, "Content-Encoding": {"gzip"}}
	for _, tc := range []struct {
		name, said, rest, want string
		header                 http.Header
	}{
		{"between two events", "data: 1\n\n", "data: 2\n\n", "data: 1\n\n" + goodbye, events},
		{"in an event, after its end", "data: 1\n\nda", "ta: 2\n\ndata: 3\n\n", "data: 1\n\ndata: 2\n\n" + goodbye, events},
		{"in an event that breaks off, not at all", "data: 1\n\nda", "ta: 2", "data: 1\n\ndata: 2", events},
		{"in a compressed stream, not at all", "\x1f\x8b", "\x08", "\x1f\x8b", packed},
		{"in a download, not at all", "data: 1\n\n", "data: 2\n\n", "data: 1\n\n", http.Header{"Content-Type": {"text/plain"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, small := range []bool{false, true} {
				if got := cutAfter(tc.said, tc.rest, tc.header, small); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}
