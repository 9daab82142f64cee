package http1

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A malformedError is a response that is none.
type malformedError struct{ what string }

func (e *malformedError) Error() string {
	return "http1: malformed response of the upstream: " + e.what
}

func malformed(format string, args ...any) error {
	return &malformedError{fmt.Sprintf(format, args...)}
}

// framing is how a response ends.
type framing uint8

const (
	bodiless framing = iota
	byLength
	inChunks
	untilClose
)

// A response is a response's header, and what it means for its body and for the
// connection.
type response struct {
	*http.Response
	framing framing
	once    bool // nothing more may be read from this connection
}

// readResponse reads a header of at most limit bytes. It is stricter than
// http.ReadResponse, which takes folded lines, and names with spaces in them: a
// "Content-Length :" would be no length to it, and one to others.
func readResponse(in *bufio.Reader, req *http.Request, limit int) (r response, size int, err error) {
	lines, err := readLines(in, limit, orLF)
	if err != nil {
		return response{}, 0, err
	}
	status, fields := cutLine(lines)
	r.Response = &http.Response{Request: req, Body: http.NoBody}
	if err := r.parseStatus(status); err != nil {
		return response{}, 0, err
	}
	if r.Header, err = parseFields(fields); err != nil {
		return response{}, 0, err
	}
	return r, len(lines), r.frame(req.Method)
}

// cutLine returns the first line without its end, and the rest.
func cutLine(lines string) (line, rest string) {
	end := strings.IndexByte(lines, '\n')
	if end < 0 {
		return lines, ""
	}
	return strings.TrimSuffix(lines[:end], "\r"), lines[end+1:]
}

// parseStatus reads "HTTP/1.1 200 OK" (RFC 9112, section 4).
func (r *response) parseStatus(line string) error {
	const version, code = len("HTTP/1.1"), len("HTTP/1.1 200")
	if len(line) < code || line[:version-1] != "HTTP/1." || !digits(line[version-1:version]) ||
		line[version] != ' ' || !digits(line[version+1:code]) || len(line) > code && line[code] != ' ' ||
		!httpguts.ValidHeaderFieldValue(line) {
		return malformed("its status line")
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = line[:version], 1, int(line[version-1]-'0')
	r.Status = line[version+1:]
	if r.StatusCode, _ = strconv.Atoi(line[version+1 : code]); r.StatusCode < 100 {
		return malformed("status %d", r.StatusCode)
	}
	return nil
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseFields reads header or trailer fields (RFC 9112, section 5). A line that
// begins with a space would continue the one before it: that is obsolete, and a
// proxy may refuse it (section 5.2).
func parseFields(lines string) (http.Header, error) {
	n := strings.Count(lines, "\n")
	h, values := make(http.Header, n), make([]string, n)
	for i := 0; lines != ""; i++ {
		var line string
		line, lines = cutLine(lines)
		name, value, found := strings.Cut(line, ":")
		if !found || !httpguts.ValidHeaderFieldName(name) {
			return nil, malformed("the name of a header field")
		}
		value = strings.Trim(value, " \t")
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, malformed("the value of header field %q", name)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if more, ok := h[name]; ok {
			h[name] = append(more, value)
			continue
		}
		values[i] = value
		h[name] = values[i : i+1 : i+1]
	}
	return h, nil
}

// frame finds out where the response ends (RFC 9112, section 6.3), and whether
// anybody could see that differently.
func (r *response) frame(method string) error {
	r.Close = r.closes()
	r.once = r.Close
	length, err := contentLength(r.Header)
	if err != nil {
		return err
	}
	chunked, err := r.chunked()
	if err != nil {
		return err
	}
	if chunked {
		r.TransferEncoding = []string{"chunked"}
		if err := r.announceTrailer(); err != nil {
			return err
		}
		if length >= 0 {
			// Transfer-Encoding counts, but this is how responses are smuggled.
			r.once, length = true, -1
			delete(r.Header, "Content-Length")
		}
	}
	switch code := r.StatusCode; {
	case method == http.MethodHead:
		r.ContentLength = length
		// Some servers answer HEAD with a body, which would be read as the next
		// response.
		r.once = true
		return nil
	case code < 200 || code == http.StatusNoContent:
		r.once = r.once || chunked || length > 0
		return nil
	case code == http.StatusNotModified:
		r.once = r.once || chunked
		return nil
	}
	r.ContentLength = length
	switch {
	case chunked:
		r.framing = inChunks
	case length > 0:
		r.framing = byLength
	case length < 0:
		r.framing = untilClose
		r.Close, r.once = true, true
	}
	return nil
}

// closes reports whether the upstream is going to close the connection (RFC
// 9112, section 9.3).
func (r *response) closes() bool {
	connection := r.Header["Connection"]
	if httpguts.HeaderValuesContainsToken(connection, "close") {
		return true
	}
	return r.ProtoMinor == 0 && !httpguts.HeaderValuesContainsToken(connection, "keep-alive")
}

// contentLength returns the length that the fields agree on, -1 where there is
// none. It leaves one of them.
func contentLength(h http.Header) (int64, error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return 0, malformed("it has two lengths")
		}
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || !digits(values[0]) {
		return 0, malformed("its Content-Length")
	}
	h["Content-Length"] = values[:1]
	return n, nil
}

// chunked reports whether the body comes in chunks, the one encoding that is
// understood.
func (r *response) chunked() (bool, error) {
	values, ok := r.Header["Transfer-Encoding"]
	if !ok {
		return false, nil
	}
	delete(r.Header, "Transfer-Encoding")
	if len(values) != 1 || !strings.EqualFold(values[0], "chunked") {
		return false, malformed("its Transfer-Encoding is not chunked")
	}
	if r.ProtoMinor == 0 {
		return false, malformed("a Transfer-Encoding in HTTP/1.0") // faulty framing (RFC 9112, section 6.1)
	}
	return true, nil
}

var errTrailer = errors.New("http1: a trailer of the upstream says how long its message is")

// announceTrailer moves the names in Trailer to where http.Response has them.
func (r *response) announceTrailer() error {
	values, ok := r.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(r.Header, "Trailer")
	r.Trailer = make(http.Header)
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t")); name == "" {
				continue
			}
			if framingField(name) {
				return errTrailer
			}
			r.Trailer[name] = nil
		}
	}
	return nil
}

func framingField(name string) bool {
	return name == "Content-Length" || name == "Transfer-Encoding" || name == "Trailer"
}
