package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/authn/descopetest"
	"gatehouse/config"
)

func (p *program) demoCommand() *cobra.Command {
	var listen string
	var upstreams []string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything at once: a stand-in Descope, two dashboards and the proxy",
		Long: `Runs a stand-in Descope, two sample dashboards and the proxy, on this machine
only. There is nothing to configure and no account to have.

  gatehouse demo
  gatehouse demo --upstream http://127.0.0.1:7861 --upstream http://127.0.0.1:7862

With --upstream your own apps stand at /gradio/admin and /gradio/user in place of
the sample dashboards.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&listen, "listen", "localhost:8000", "address of the proxy, on the loopback interface")
	cmd.Flags().StringArrayVar(&upstreams, "upstream", nil, "an app in place of a sample dashboard: the first for admins, the second for users")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := loopbackOnly(listen); err != nil {
			return err
		}
		if len(upstreams) > 2 {
			return fmt.Errorf("--upstream: at most two, one for admins and one for users")
		}
		if err := p.demo(cmd.Context(), listen, upstreams); err != nil {
			return failed{err}
		}
		return nil
	}
	return cmd
}

// loopbackOnly refuses an address that others could reach: anybody may sign in
// to the demo as anybody.
func loopbackOnly(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen: %w: write host:port, such as localhost:8000", err)
	}
	addr, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !addr.IsLoopback()) {
		return fmt.Errorf("--listen: %s is not this machine's loopback address, and anybody may sign in to the demo as anybody: use localhost or 127.0.0.1", host)
	}
	return nil
}

// demo runs until ctx ends.
func (p *program) demo(ctx context.Context, listen string, upstreams []string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w: choose another address with --listen", err)
	}
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		return err
	}
	descope, err := provider.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer descope.Close()
	for _, d := range sampleDashboards()[len(upstreams):] {
		address, stop, err := d.start()
		if err != nil {
			return err
		}
		defer stop()
		upstreams = append(upstreams, address)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	host, _, _ := net.SplitHostPort(listen)
	public := "http://" + net.JoinHostPort(host, port)
	source := demoConfig(public, listener.Addr().String(), descope.Issuer, provider, upstreams)
	c, err := config.Parse("demo.yaml", []byte(source), demoSecrets(provider))
	if err != nil {
		return fmt.Errorf("the demo's own configuration: %w", err)
	}
	in, err := assemble(c, p.stderr)
	if err != nil {
		return err
	}
	if err := in.provider().Discover(ctx); err != nil {
		return err
	}
	p.printDemo(public, descope.Issuer, source)
	return in.serveOn(ctx, listener)
}

func demoSecrets(provider *descopetest.Provider) []string {
	return []string{"DESCOPE_CLIENT_SECRET=" + provider.ClientSecret(), "GATEHOUSE_SESSION_SECRET=" + newSecret()}
}

// demoConfig is the configuration that the demo runs, as an operator would
// write it.
func demoConfig(public, listen, issuer string, provider *descopetest.Provider, upstreams []string) string {
	return fmt.Sprintf(`public_url: %s
listen: %s
admin: {listen: ""}
log: {level: warn, format: text}
descope:
  project_id: %s
  issuer: %s
  client_secret: ${DESCOPE_CLIENT_SECRET}
session:
  secret: ${GATEHOUSE_SESSION_SECRET}
routes:
  - path: /gradio/admin
    title: Admin dashboard
    description: Members and runs, for the administrators of Acme
    upstream: %s
    account_menu: true
    allow:
      - tenant: %s
        roles: [Tenant Admin]
  - path: /gradio/user
    title: User dashboard
    description: Open to everybody who is signed in
    upstream: %s
    account_menu: true
    allow: authenticated
`, public, listen, provider.ProjectID(), issuer, upstreams[0], descopetest.Acme, upstreams[1])
}

func (p *program) printDemo(public, issuer, source string) {
	fmt.Fprintf(p.stdout, `
Gatehouse is running. Open

    %s

and sign in as one of these, at a stand-in for Descope (%s):

`, public, issuer)
	for _, person := range descopetest.People() {
		fmt.Fprintf(p.stdout, "    %-6s %s\n", firstName(person.Name), describe(person))
	}
	fmt.Fprintf(p.stdout, "\nThis is the configuration that it runs:\n\n%s\nCtrl-C ends it.\n\n", indent(source))
}

func firstName(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return first
}

// describe says in a line what a person of the demo may do.
func describe(person descopetest.Person) string {
	names := map[string]string{}
	for _, t := range descopetest.Tenants() {
		names[t.ID] = t.Name
	}
	text := "no tenant, so only the user dashboard is open"
	for id, g := range person.Tenants {
		text = strings.Join(g.Roles, ", ") + " of " + names[id]
	}
	if person.SSO {
		text += ", comes by SSO"
	}
	return text
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") + "\n"
}

// start serves a sample dashboard on a free port of the loopback interface.
func (d sampleDashboard) start() (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: headerTimeout}
	go func() { _ = server.Serve(listener) }() // ends with stop
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}
