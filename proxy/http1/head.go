package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// A head is a request up to its body, as it is sent, and a small body with it.
type head struct {
	bytes   []byte
	once    bool  // no further request on this connection
	upgrade bool  // another protocol was asked for, and there is no body before it
	expects bool  // the body waits for a 100
	small   bool  // the body is part of the head
	length  int64 // of the body still to be sent: 0 none, -1 in chunks
}

// largestKept is how large the buffer of a head may be to be used again.
const largestKept = 16 << 10

var heads = sync.Pool{New: func() any { return &head{bytes: make([]byte, 0, 2<<10)} }}

func (h *head) free() {
	if cap(h.bytes) <= largestKept {
		heads.Put(h)
	}
}

// newHead writes the head of a request, or says why it may not be sent: every
// part is checked for bytes that would end it early or begin another request
// (attack: smuggling by CR LF in what a client can choose).
func newHead(req *http.Request) (*head, error) {
	path, err := check(req)
	if err != nil {
		return nil, err
	}
	h := heads.Get().(*head)
	*h = head{bytes: h.bytes[:0]}
	h.line(req, path)
	if err := h.fields(req.Header); err != nil {
		h.free()
		return nil, err
	}
	h.framing(req)
	h.bytes = append(h.bytes, "\r\n"...)
	return h, nil
}

// check refuses what cannot be sent as it is, and returns the path to send.
func check(req *http.Request) (path string, err error) {
	switch {
	case req.URL == nil:
		return "", errors.New("http1: the request has no URL")
	case req.Header == nil:
		return "", errors.New("http1: the request has no header")
	case req.URL.Scheme != "http":
		return "", fmt.Errorf("http1: scheme %q is not http", req.URL.Scheme)
	case req.URL.Host == "":
		return "", errors.New("http1: the request's URL has no host")
	case req.Method == http.MethodConnect:
		return "", errors.New("http1: CONNECT is not supported")
	case req.Method != "" && !httpguts.ValidHeaderFieldName(req.Method): // both are tokens (RFC 9110, section 9.1)
		return "", fmt.Errorf("http1: invalid method %q", req.Method)
	case !validHost(host(req)):
		return "", errors.New("http1: invalid host")
	}
	return target(req)
}

// validHost takes what can stand in a Host field: no zone (RFC 6874), no name
// outside ASCII, which somebody would have to spell anew.
func validHost(host string) bool {
	for i := 0; i < len(host); i++ {
		if host[i] >= 0x80 || host[i] == '%' {
			return false
		}
	}
	return httpguts.ValidHostHeader(host)
}

func host(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}

// target lets no target pass that a server could split: the query is sent as it
// is.
func target(req *http.Request) (path string, err error) {
	path = req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if req.URL.Opaque != "" || path[0] != '/' && path != "*" {
		return "", errors.New("http1: the request's target is not a path")
	}
	if hasSpaceOrControl(path) || hasSpaceOrControl(req.URL.RawQuery) {
		return "", errors.New("http1: a space or control character in the request's target")
	}
	return path, nil
}

func hasSpaceOrControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// line writes the request line and Host, first of all fields (RFC 9110, section
// 7.2).
func (h *head) line(req *http.Request, path string) {
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	b := append(h.bytes, method...)
	b = append(b, ' ')
	b = append(b, path...)
	if req.URL.ForceQuery || req.URL.RawQuery != "" {
		b = append(b, '?')
		b = append(b, req.URL.RawQuery...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host(req)...)
	h.bytes = append(b, "\r\n"...)
}

// fields writes the header but for what framing says. Names are compared without
// case here: a second Content-Length in another spelling would be a second
// opinion about where the request ends.
func (h *head) fields(header http.Header) error {
	for name, values := range header {
		switch len(name) {
		case len("Host"), len("Trailer"), len("Content-Length"), len("Transfer-Encoding"):
			if strings.EqualFold(name, "Host") || strings.EqualFold(name, "Trailer") ||
				strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") {
				continue
			}
		case len("User-Agent"): // and of Connection
			if len(values) == 1 && values[0] == "" && name == "User-Agent" {
				continue // httputil.ReverseProxy's way to say: none
			}
			if strings.EqualFold(name, "Connection") && httpguts.HeaderValuesContainsToken(values, "close") {
				h.once = true
			}
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("http1: invalid header field name %q", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("http1: invalid value of header field %q", name) // not the value: it may be a secret
			}
			h.bytes = append(h.bytes, name...)
			h.bytes = append(h.bytes, ": "...)
			h.bytes = append(h.bytes, strings.Trim(value, " \t")...)
			h.bytes = append(h.bytes, "\r\n"...)
		}
	}
	return nil
}

// framing says how long the body is and what becomes of the connection.
func (h *head) framing(req *http.Request) {
	if req.Close && !h.once {
		h.once = true
		h.bytes = append(h.bytes, "Connection: close\r\n"...)
	}
	if req.Body == nil || req.Body == http.NoBody {
		h.upgrade = req.Header["Upgrade"] != nil && httpguts.HeaderValuesContainsToken(req.Header["Connection"], "upgrade")
		if req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch {
			h.bytes = append(h.bytes, "Content-Length: 0\r\n"...)
		}
		return
	}
	h.expects = httpguts.HeaderValuesContainsToken(req.Header["Expect"], "100-continue")
	if h.length = req.ContentLength; h.length > 0 {
		h.bytes = append(h.bytes, "Content-Length: "...)
		h.bytes = strconv.AppendInt(h.bytes, h.length, 10)
		h.bytes = append(h.bytes, "\r\n"...)
		return
	}
	h.length = -1 // 0 with a body means that nobody knows
	h.bytes = append(h.bytes, "Transfer-Encoding: chunked\r\n"...)
}

// smallBody is how long a body may be to be sent together with the head, by the
// same write and without a goroutine of its own. Nothing is sent before the
// client has sent it all, and an answer that comes first is noticed as much
// later.
const smallBody = 4 << 10

// takeBody appends a small body of known length to the head, once, and reports
// whether it did.
func (h *head) takeBody(req *http.Request) (taken bool, err error) {
	if h.length <= 0 || h.length > smallBody || h.expects {
		return false, nil
	}
	want := len(h.bytes) + int(h.length)
	h.bytes = slices.Grow(h.bytes, int(h.length)+1)
	for {
		n, err := req.Body.Read(h.bytes[len(h.bytes) : want+1])
		h.bytes = h.bytes[:len(h.bytes)+n]
		switch {
		case len(h.bytes) > want:
			return false, errLonger
		case err == io.EOF && len(h.bytes) < want:
			return false, io.ErrUnexpectedEOF
		case err == io.EOF:
			h.length, h.small = 0, true
			return true, req.Body.Close()
		case err != nil:
			return false, err
		}
	}
}

var errLonger = errors.New("http1: the request's body is longer than its Content-Length")
