// Gatehouse stands in front of Gradio apps and other Python ML UIs. It signs
// people in through Descope, and lets a request pass only when the person's
// roles in their tenant allow it.
//
//	gatehouse demo                       everything at once, nothing to configure
//	gatehouse serve -c gatehouse.yaml    the proxy
//	gatehouse check -c gatehouse.yaml    is the configuration right?
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitGood    = 0
	exitFailed  = 1
	exitMisused = 2
)

// A program is what the command runs in: everything of the process that it
// touches, so that tests can run it whole.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	log.SetOutput(io.Discard)    // http.Transport alone uses it, and quotes there what an app sent unasked
	redis.SetLogger(unheard{})
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Environ()}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// failed is an error of what was asked for; any other is one of how it was
// asked.
type failed struct{ err error }

func (f failed) Error() string { return f.err.Error() }

func (f failed) Unwrap() error { return f.err }

// errReported is a failure that has been told already.
var errReported = errors.New("reported")

// run executes the command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	var f failed
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &f):
		if !errors.Is(err, errReported) {
			fmt.Fprintf(p.stderr, "gatehouse: %v\n", err)
		}
		return exitFailed
	}
	fmt.Fprintf(p.stderr, "gatehouse: %v\n\nTry: gatehouse --help\n", err)
	return exitMisused
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "Sign-in and roles in front of Gradio apps, without touching them",
		Long: `Gatehouse stands in front of Gradio apps and other Python ML UIs. It signs people
in through Descope (OpenID Connect), keeps an encrypted session cookie, and lets
a request pass only when the person's roles in their tenant allow it.

Start here:
  gatehouse demo              a stand-in Descope, two dashboards and the proxy, on
                              this machine; nothing to configure
  gatehouse keygen            a secret for the session cookies
  gatehouse check             says what is wrong with gatehouse.yaml, and the cure
  gatehouse serve             runs the proxy

The smallest gatehouse.yaml:
  public_url: http://localhost:8000
  descope:
    project_id: P2abcdefghijklmnopqrstuvwxyz
    client_secret: ${DESCOPE_CLIENT_SECRET}
  session:
    secret: ${GATEHOUSE_SESSION_SECRET}
  routes:
    - path: /gradio/admin
      upstream: http://127.0.0.1:7861
      allow:
        - roles: [Tenant Admin]
    - path: /gradio/user
      upstream: http://127.0.0.1:7862
      allow: authenticated

Exit codes: 0 good, 1 failed, 2 misused.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.AddCommand(p.serveCommand(), p.checkCommand(), p.explainCommand(), p.demoCommand(), p.keygenCommand(), p.schemaCommand(), p.versionCommand())
	strict(root)
	return root
}

// strict makes misuse of cobra's own commands exit with 2: they would print help and
// exit with 0.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(*cobra.Command, []string) error {
				return errors.New("completion: which shell? bash, zsh, fish or powershell")
			}
		case "help":
			cmd.Run = nil
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return fmt.Errorf("help: there is no command %q", args)
				}
				return about.Help()
			}
		}
	}
}

// configFlag adds -c to a command that reads the configuration.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", "gatehouse.yaml", "configuration file")
}
