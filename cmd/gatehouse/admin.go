package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// startAdmin serves /healthz, /readyz and /metrics on the operators' listener,
// if there is one.
func (in *instance) startAdmin(context.Context) (*http.Server, error) {
	server := &http.Server{
		Handler: in.adminHandler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleClient,
		MaxHeaderBytes: maxHeader, ErrorLog: errorLog(in.log),
	}
	if in.config().Admin.Listen == "" {
		return server, nil
	}
	listener, err := net.Listen("tcp", in.config().Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	in.log.Info("admin listening", "address", listener.Addr().String())
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server, nil
}

func (in *instance) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case in.handler.Draining():
			http.Error(w, "draining", http.StatusServiceUnavailable)
		case !in.provider().Ready():
			http.Error(w, "the provider's discovery document has not been read yet", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "ready")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(in.registry, promhttp.HandlerOpts{}))
	return mux
}

// errorLog is where net/http writes what it has to say about clients.
func errorLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
