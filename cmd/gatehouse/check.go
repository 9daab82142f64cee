package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"gatehouse/config"
	"gatehouse/proxy"
)

func (p *program) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and its policy tests",
		Long: `Reads the configuration as serve would, and reports every mistake in it with its
place and the cure; then runs its policy tests, the list under tests:, by the
rules that serve decides by; then says what is legal but unwise. Nobody is asked
over the network.

With --online it asks, without signing anybody in: the provider for its discovery
document, its keys and whether it takes the client secret, Redis where sessions
live there, and every upstream for a connection.

With --json: ok, file, config (hash), problems, warnings, tests, online.

Exit code 0: it would serve, every test passed, everybody answered. 1: not so.`,
		Args: cobra.NoArgs,
	}
	file := configFlag(cmd)
	online := cmd.Flags().Bool("online", false, "also ask the provider, Redis and the upstreams")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := &report{File: *file, Problems: []finding{}, Warnings: []finding{}, Tests: []testResult{}, Online: []probe{}}
		out := io.Writer(p.stdout)
		if *asJSON {
			out = io.Discard
		}
		p.check(cmd.Context(), r, out, *online)
		r.OK = len(r.failures) == 0
		if *asJSON {
			if err := p.printJSON(r); err != nil {
				return err
			}
		} else {
			for _, line := range r.failures {
				fmt.Fprintln(p.stderr, line)
			}
		}
		if !r.OK {
			return failed{errReported}
		}
		fmt.Fprintln(out, r.summary())
		return nil
	}
	return cmd
}

// A report is what check found.
type report struct {
	OK       bool         `json:"ok"`
	File     string       `json:"file"`
	Config   string       `json:"config"` // hash, as in logs
	Problems []finding    `json:"problems"`
	Warnings []finding    `json:"warnings"`
	Tests    []testResult `json:"tests"`
	Online   []probe      `json:"online"`

	failures []string // for people, a line each
	routes   int
}

// A finding is a problem for programs.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key"`
	Message string `json:"message"`
}

// check goes as far as it makes sense: a configuration that cannot be read has
// no policy to test.
func (p *program) check(ctx context.Context, r *report, out io.Writer, online bool) {
	c, policy, err := p.read(r.File)
	if err != nil {
		for _, problem := range problemsOf(r.File, err) {
			r.Problems = append(r.Problems, finding(problem))
			r.failures = append(r.failures, problem.String())
		}
		return
	}
	r.Config, r.routes = c.Hash(), len(c.Routes)
	for _, w := range c.Warnings() {
		r.Warnings = append(r.Warnings, finding(w))
		fmt.Fprintf(out, "%s %s\n", p.painter(out).paint(yellow, "warning:"), w)
	}
	r.Tests = runTests(c, policy)
	for _, t := range r.Tests {
		if !t.OK {
			r.failures = append(r.failures, t.problem.String())
		}
	}
	if online {
		r.Online = p.askAround(ctx, c, policy, out)
	}
	silent := 0
	for _, o := range r.Online {
		if !o.OK {
			silent++
		}
	}
	if silent > 0 {
		r.failures = append(r.failures, fmt.Sprintf("%s: %d of %s over the network failed", r.File, silent, count(len(r.Online), "check")))
	}
}

func (r *report) summary() string {
	s := r.File + ": good, " + count(r.routes, "route")
	if len(r.Tests) > 0 {
		s += ", " + count(len(r.Tests), "policy test") + " passed"
	}
	if len(r.Online) > 0 {
		s += ", everybody answered"
	}
	return s + ", " + count(len(r.Warnings), "warning")
}

// read reads the configuration and compiles its policy, so that whatever serve
// would refuse is refused here.
func (p *program) read(file string) (*config.Config, *proxy.Policy, error) {
	c, err := config.Load(file, p.env)
	if err != nil {
		return nil, nil, err
	}
	policy, err := compile(c, proxy.NewUpstreams(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, nil, err
	}
	if err := checkStore(c); err != nil {
		return nil, nil, err
	}
	return c, policy, nil
}

// load is read for commands that go no further without: problems are printed,
// one a line.
func (p *program) load(file string) (*config.Config, *proxy.Policy, error) {
	c, policy, err := p.read(file)
	if err == nil {
		return c, policy, nil
	}
	return nil, nil, p.refused(file, err)
}

// refused tells why a configuration is not taken, a problem a line.
func (p *program) refused(file string, err error) error {
	for _, problem := range problemsOf(file, err) {
		fmt.Fprintln(p.stderr, problem)
	}
	return failed{errReported}
}

// problemsOf are the problems that an error of read stands for.
func problemsOf(file string, err error) []config.Problem {
	var problems config.Errors
	if errors.As(err, &problems) {
		return problems
	}
	return []config.Problem{{File: file, Message: err.Error()}}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
