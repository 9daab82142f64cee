package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/authn"
	"gatehouse/config"
	"gatehouse/proxy/stream"
)

const (
	// headerTimeout is how long a client may take to send its headers
	// (attack: Slowloris).
	headerTimeout = 15 * time.Second
	// idleClient is how long a connection may wait for its next request.
	idleClient = 2 * time.Minute
	// maxHeader bounds a request's headers, in bytes: two session cookies, the
	// apps' own and a long token fit well.
	maxHeader = 64 << 10
	// streamsBefore is how long before drain_timeout open streams are closed.
	streamsBefore = 2 * time.Second
	// sweepEvery is how often what has expired is dropped.
	sweepEvery = time.Minute
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Runs the proxy until SIGTERM or Ctrl-C: then it stops accepting, lets requests
end, and closes what is still open 2 s before drain_timeout. A second signal ends
it at once.

A changed file, be it the configuration or one that it names (secrets,
certificates, keys), is taken up within 2 s, as is SIGHUP: whole or not at all. A
bad one changes nothing, and the log says why.

The provider need not be up: sign-ins are answered 503 until its discovery
document has been read, and /readyz says so.`,
		Args: cobra.NoArgs,
	}
	file := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		hangup := make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
		f := newFollower(*file, p.env, hangup)
		c, err := f.load(nil)
		if err != nil {
			return p.refused(*file, err)
		}
		keepHeap()
		in, err := assemble(c, p.stderr)
		if err != nil {
			return failed{err}
		}
		in.follow = f
		for _, w := range c.Warnings() {
			in.log.Warn("unwise configuration", "warning", w.String())
		}
		if err := in.serve(cmd.Context()); err != nil {
			return failed{err}
		}
		return nil
	}
	return cmd
}

// serve listens until ctx ends, and then drains.
func (in *instance) serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", in.config().Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return in.serveOn(ctx, listener)
}

func (in *instance) serveOn(ctx context.Context, listener net.Listener) error {
	server := in.newServer(in.handler)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	admin, err := in.startAdmin(background)
	if err != nil {
		_ = listener.Close()
		return err
	}
	in.background = background
	in.discover(in.provider())
	in.upstreams.Use(in.handler.Policy())
	defer in.upstreams.Close()
	go in.sweep(background)
	in.runSessions(background)
	defer func() {
		stop() // whoever follows Redis shall not take its end for an outage
		in.endSessions()
	}()
	redirect, err := in.startRedirect()
	if err != nil {
		_, _ = listener.Close(), admin.Close()
		return err
	}
	defer redirect.Close()
	if in.certs != nil {
		in.certs.run(background)
	}
	if in.follow != nil {
		go in.followConfig(background, in.follow)
	}
	served := make(chan error, 1)
	go func() { served <- in.serveHTTP(server, listener) }()
	in.log.Info("listening", "address", listener.Addr().String(), "public_url", in.config().PublicURL.String(), "version", versionText())
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	in.drain(server, redirect, in.config())
	_ = admin.Close()
	return nil
}

// newServer returns a server of the public listeners.
func (in *instance) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleClient,
		MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true,
		ErrorLog: errorLog(in.log),
	}
}

// discover reads the provider's discovery document, if need be until it has been
// read or there is another provider.
func (in *instance) discover(provider *authn.Provider) {
	if in.undiscover != nil {
		in.undiscover()
		in.undiscover = nil
	}
	if provider.Ready() {
		return
	}
	ctx, stop := context.WithCancel(in.background)
	in.undiscover = stop
	provider.Start(ctx)
}

// drain ends the instance: not ready for drain_delay, then accepting nothing,
// requests and streams given drain_timeout to end.
func (in *instance) drain(server, redirect *http.Server, c *config.Config) {
	in.log.Info("draining", "delay", c.DrainDelay.String(), "timeout", c.DrainTimeout.String())
	in.handler.Drain()
	time.Sleep(c.DrainDelay)
	_ = redirect.Close()
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
	defer cancel()
	closing := time.AfterFunc(max(0, c.DrainTimeout-streamsBefore), func() {
		in.handler.Streams().CloseAll(stream.Shutdown)
	})
	defer closing.Stop()
	err := server.Shutdown(ctx)
	if err == nil {
		err = in.handler.Streams().Wait(ctx) // upgraded connections are not the server's any more
	}
	if errors.Is(err, context.DeadlineExceeded) {
		in.log.Warn("drain_timeout is over; closing what is still open")
		_ = server.Close()
	}
	in.log.Info("stopped")
}

// sweep drops expired sessions now and then.
func (in *instance) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			in.sessions.Sweep(now)
		}
	}
}
