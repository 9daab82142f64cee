package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/authz"
	"gatehouse/config"
	"gatehouse/proxy"
)

// mostInput bounds what is read of claims and tokens, in bytes.
const mostInput = 2 << 20

func (p *program) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say what would come of a request, and why",
		Long: `Says what would come of a request of somebody's, by the same rules as serve
decides by: which route takes it, how each of its rules fared, and what would have
to change. Nobody is asked over the network.

URL is a path on public_url, or an absolute URL. Whose request it is:

  --claims FILE   claims as in an ID token, JSON; - is standard input
  --token TOKEN   a pasted ID token, or the name of a file with one; - is standard
                  input, which keeps it out of the shell's history. It is decoded
                  and NOT verified: anybody can write one.
  --anonymous     nobody

  gatehouse explain --claims bob.json GET /gradio/admin/
  echo '{"tenants":{"T2acme":{"roles":["Tenant Admin"]}}}' |
    gatehouse explain --claims - GET /gradio/admin/

With --json: decision (allow, deny, sign_in, not_found, bad_request), route,
tenant (that decided), reason, rules ([{index, holds, failed: [field]}]).

Exit code 0 whatever the decision; 1 where there is none to be had, because the
configuration or the claims are bad.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("want a method and a URL, such as: explain --claims bob.json GET /gradio/admin/")
			}
			return checkURL(args[1])
		},
	}
	file := configFlag(cmd)
	q := &question{}
	cmd.Flags().StringVar(&q.claims, "claims", "", "file with the claims of an ID token, JSON; - is standard input")
	cmd.Flags().StringVar(&q.token, "token", "", "an ID token, or a file with one; - is standard input; it is NOT verified")
	cmd.Flags().BoolVar(&q.anonymous, "anonymous", false, "nobody is signed in")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.MarkFlagsOneRequired("claims", "token", "anonymous")
	cmd.MarkFlagsMutuallyExclusive("claims", "token", "anonymous")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		q.method, q.url = strings.ToUpper(args[0]), args[1]
		c, policy, err := p.load(*file)
		if err != nil {
			return err
		}
		if q.id, err = p.identity(q, c); err != nil {
			return failed{err}
		}
		a := policy.Ask(q.method, q.url, q.id)
		if *asJSON {
			return p.printJSON(answerJSON(&a))
		}
		return p.explain(policy, q, &a)
	}
	return cmd
}

// A question is a request that somebody might make.
type question struct {
	method, url   string
	claims, token string
	anonymous     bool
	id            *authz.Identity // nil: nobody
}

func checkURL(s string) error {
	if strings.HasPrefix(s, "/") {
		return nil
	}
	scheme, _, ok := strings.Cut(s, "://")
	if ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
		return nil
	}
	return fmt.Errorf("%q is no URL: want a path that begins with /, or an absolute one", s)
}

// identity reads whose request it is.
func (p *program) identity(q *question, c *config.Config) (*authz.Identity, error) {
	switch {
	case q.anonymous:
		return nil, nil
	case q.token != "":
		return p.pasted(q.token, c)
	}
	raw, err := p.input(q.claims)
	if err != nil {
		return nil, fmt.Errorf("--claims: %w", err)
	}
	id, err := claimsIdentity(raw)
	if err != nil {
		return nil, fmt.Errorf("--claims: %w; want the claims of an ID token, a JSON object", err)
	}
	return id, nil
}

// pasted reads a token that nobody has verified, and says so.
func (p *program) pasted(token string, c *config.Config) (*authz.Identity, error) {
	if token == "-" || isFile(token) {
		content, err := p.input(token)
		if err != nil {
			return nil, fmt.Errorf("--token: %w", err)
		}
		token = string(content)
	}
	claims, err := tokenClaims(token)
	if err != nil {
		return nil, fmt.Errorf("--token: %w", err)
	}
	fmt.Fprintln(p.stderr, "The token is NOT verified: neither who signed it, nor for whom it is, nor when.")
	for _, doubt := range doubts(claims, c.Descope.Issuer, time.Now()) {
		fmt.Fprintf(p.stderr, "  %s\n", doubt)
	}
	id, err := claimsIdentity(claims)
	if err != nil {
		return nil, fmt.Errorf("--token: %w", err)
	}
	return id, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// input returns the content of a file, "-" being standard input.
func (p *program) input(name string) ([]byte, error) {
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, mostInput+1))
	if err == nil && len(content) > mostInput {
		return nil, fmt.Errorf("%s is larger than 2 MiB", name)
	}
	return content, err
}

// explanation is an answer for programs.
type explanation struct {
	Decision proxy.Outcome `json:"decision"`
	Route    string        `json:"route"`
	Tenant   string        `json:"tenant"`
	Reason   authz.Reason  `json:"reason"`
	Rules    []ruleJSON    `json:"rules"`
}

type ruleJSON struct {
	Index  int      `json:"index"`
	Holds  bool     `json:"holds"`
	Failed []string `json:"failed"`
}

func answerJSON(a *proxy.Answer) explanation {
	e := explanation{Decision: a.Outcome, Tenant: a.Tenant(), Reason: a.Reason, Rules: []ruleJSON{}}
	if a.Route != nil {
		e.Route = a.Route.Name
	}
	for _, r := range a.Explanation.Rules {
		e.Rules = append(e.Rules, ruleJSON(r))
	}
	return e
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return failed{err}
	}
	return nil
}
