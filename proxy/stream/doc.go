// Package stream ends what a session left open.
//
// A request that is answered in an instant was allowed when it began, and that
// is enough. An event stream, a WebSocket or a long download outlives its
// decision: the person signs out, a role is taken away, the policy changes, and
// the bytes go on. This package keeps every open stream under the session that
// it belongs to, so that an event about one session finds its streams without
// looking at any other, and ends each of them the way its protocol calls an end:
//
//   - A WebSocket gets a close frame between two frames of the app: 1008, or
//     1001 when the proxy shuts down. Where the app is in the middle of a frame
//     that does not end in time, the connection is reset without a close frame.
//   - An event stream ends cleanly after the event that is under way, as if the
//     app had ended it: last chunk, END_STREAM.
//   - Everything else is aborted so that no cut file looks whole: the
//     connection is reset, or the HTTP/2 stream is.
//   - Where no header was sent yet, the request fails with a [CutError] and can
//     still be answered with 401 or 403 ([Cause.Status]).
//
// All of that happens within 2 seconds, also when the client does not read,
// when the upstream is silent, or when an upload stalls.
//
// A stream is an upgrade, an event stream, or anything still open 2 seconds
// after it began. Until then a request is only known ([Request]): an event about
// its session condemns it, and it is cut if it does turn into a stream.
//
// # Use with httputil.ReverseProxy
//
//	s := registry.Begin(w, r, stream.About{Key: session, Route: name, Data: decision})
//	defer s.End()
//	proxy.ServeHTTP(s.ResponseWriter(), s.Request())
//
// ModifyResponse ends with
//
//	return stream.From(res.Request.Context()).Respond(res)
//
// and ErrorHandler does nothing on [ErrLeft], and asks [Stream.Cause] before it
// takes an error for the upstream's. Over HTTP/1.1 a stream leaves its handler when
// End is called, and ends on its own; [Config.Closed] tells when. Whoever changes
// who may do what changes it first and tells the registry after; [Config.Recheck]
// closes the gap between a request's decision and its Begin. A server that ends TLS
// accepts from [FirmDeadlines].
//
// FlushInterval should be negative: the reverse proxy flushes at once only what
// has no Content-Length. Over HTTP/2 an abort is a frame of a connection that
// all streams of a browser share, so a client that reads nothing of its whole
// TCP connection keeps it; its streams end all the same, and no byte of a closed
// one follows.
//
// End must be deferred in the handler's own goroutine: it takes the connection
// over where an abort has to be seen by the client.
package stream
