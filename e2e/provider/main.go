// Command provider is the stand-in Descope of the end-to-end tests, in a
// process of its own.
//
//	provider [-listen 127.0.0.1:0] [-control 127.0.0.1:0] [-session-ttl 10m] [-rotate] …
//
// It prints one line of JSON once it listens,
//
//	{"issuer":…,"control":…,"project_id":…,"client_id":…,"client_secret":…}
//
// and runs until it is interrupted. Below the URL in control, on the loopback
// interface only, tests change what the provider does: see control.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gatehouse/authn/descopetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var opts descopetest.Options
	flags := flag.NewFlagSet("provider", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:0", "address of the provider")
	listenControl := flags.String("control", "127.0.0.1:0", "address of the control API, on the loopback interface")
	flags.StringVar(&opts.ProjectID, "project", "", "project ID")
	flags.StringVar(&opts.ClientID, "client-id", "", "client ID (default: the project ID)")
	flags.StringVar(&opts.ClientSecret, "client-secret", "", "client secret")
	redirects := flags.String("redirect", "", "redirect URIs of the client, with commas between them (default: any)")
	flags.DurationVar(&opts.SessionTTL, "session-ttl", 0, "life of session, access and ID tokens (default: 10m)")
	flags.BoolVar(&opts.RotateRefresh, "rotate", false, "answer every refresh with a new refresh token")
	flags.DurationVar(&opts.ReuseInterval, "reuse", 0, "how long a replaced refresh token is still taken")
	flags.BoolVar(&opts.ClaimsUnsupported, "no-claims", false, "leave descope.claims out of the supported claims")
	flags.BoolVar(&opts.DescopeErrors, "descope-errors", false, "write token errors in Descope's own form")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *redirects != "" {
		opts.RedirectURIs = strings.Split(*redirects, ",")
	}
	if err := loopback(*listenControl); err != nil {
		return err
	}

	provider, err := descopetest.New(opts)
	if err != nil {
		return err
	}
	server, err := provider.Start(*listen)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	listener, err := net.Listen("tcp", *listenControl)
	if err != nil {
		return fmt.Errorf("the control API: %w", err)
	}
	controls := &http.Server{Handler: newControl(provider), ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = controls.Close() }()
	failed := make(chan error, 1)
	go func() { failed <- controls.Serve(listener) }()

	if err := json.NewEncoder(stdout).Encode(map[string]string{
		"issuer": server.Issuer, "control": "http://" + listener.Addr().String() + "/control",
		"project_id": provider.ProjectID(), "client_id": provider.ClientID(), "client_secret": provider.ClientSecret(),
	}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// loopback refuses to let others steer the provider.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-control: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-control: %s is not on the loopback interface", address)
	}
	return nil
}
