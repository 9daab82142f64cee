package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// An app is what all routes lead to. It says who it was told is asking.
type app struct {
	address string
	server  *http.Server
	leave   chan struct{}
}

// What a stream says and how often.
const (
	talk  = 5 * time.Second
	frame = "\x81\x05hello" // a text message
)

func newApp() (*app, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &app{address: listener.Addr().String(), leave: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/info", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-User"))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		a.drip(w, r, "text/event-stream", "data: hello\n\n")
	})
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		a.drip(w, r, "application/octet-stream", "0123456789abcdef")
	})
	mux.HandleFunc("/socket", a.socket)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.server.Serve(listener) }() // ends with close
	return a, nil
}

func (a *app) close() {
	close(a.leave)
	_ = a.server.Close()
}

func (a *app) drip(w http.ResponseWriter, r *http.Request, kind, text string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-User", r.Header.Get("X-Forwarded-User"))
	tick := time.NewTicker(talk)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-a.leave:
			panic(http.ErrAbortHandler)
		case <-tick.C:
		}
	}
}

func (a *app) socket(w http.ResponseWriter, r *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	// The key's answer is not looked at by any proxy.
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-User: %s\r\n\r\n%s",
		r.Header.Get("X-Forwarded-User"), frame)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{c})
	}()
	tick := time.NewTicker(talk)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-a.leave:
			return
		case <-tick.C:
			if _, err := io.WriteString(c, frame); err != nil {
				return
			}
		}
	}
}
