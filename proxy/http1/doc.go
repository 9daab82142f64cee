// Package http1 sends requests to an upstream that speaks plain HTTP/1.1, over
// TCP or a unix socket.
//
// http.Transport keeps two goroutines a connection, which hand every request
// and every response over channels. A [Transport] writes the request and reads
// the response on the goroutine that calls it; a request with a body gets one
// more, so that an upstream can answer before the upload is over. That is most
// of what a proxy costs beside its system calls, and some 15 KB of an open
// stream.
//
// One Transport is one upstream. What it does not do stays with http.Transport:
// TLS, HTTP/2, proxies, CONNECT, request trailers, compression.
//
// # What it holds to
//
// A connection carries another request only when everything said so far is
// accounted for: the request was sent to its last byte before the response began,
// the response was read to its end, it was the only one (no 1xx before it),
// nobody asked for a close, nothing lies behind it, neither in the buffer nor
// (asked again before the next request) in the kernel, and nothing in its framing
// can be read in two ways. Anything else closes it. A dial costs less than
// somebody else's answer.
//
// A request is sent a second time, on a new connection, only when the first one
// went to a connection that had idled, and either not one of its bytes was taken
// or it is safe (RFC 9110, section 9.2.1), has no body, and not one byte of a
// response was seen.
//
// A request whose headers could end early or begin another one is refused before
// a connection is taken.
package http1
