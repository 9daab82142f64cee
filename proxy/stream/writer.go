package stream

import "net/http"

// writer is the response writer given to the reverse proxy. Flush and deadlines
// reach the server's writer through Unwrap.
type writer struct {
	http.ResponseWriter
	stream *Stream
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader gives up an HTTP/1 connection whose upload has not come to its end:
// the rest of it would be read as the next request.
func (w *writer) WriteHeader(status int) {
	if w.stream.Pending() {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}
