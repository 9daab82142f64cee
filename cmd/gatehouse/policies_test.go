package main

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/proxy"
)

// TestThePoliciesInTheDocsHold runs the policy tests of every example on the
// page as `gatehouse check` does.
func TestThePoliciesInTheDocsHold(t *testing.T) {
	page, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)\n## ([^\n]+)\n(.*?)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(examples) != 12 {
		t.Errorf("the page holds %d examples and promises twelve", len(examples))
	}
	for _, e := range examples {
		title, source := e[1], e[3]
		t.Run(title, func(t *testing.T) {
			c, err := config.Parse("policies.md", []byte(wholeConfig(source)), []string{
				"GATEHOUSE_SESSION_SECRET=" + newSecret(), "DESCOPE_CLIENT_SECRET=x", "GATEHOUSE_DESCOPE_CLIENT_SECRET=x",
			})
			if err != nil {
				t.Fatal(err)
			}
			policy, err := compile(c, proxy.NewUpstreams(slog.New(slog.DiscardHandler)))
			if err != nil {
				t.Fatal(err)
			}
			results := runTests(c, policy)
			if len(results) == 0 {
				t.Error("no tests")
			}
			for _, r := range results {
				if !r.OK {
					t.Error(r.problem)
				}
			}
		})
	}
}

// wholeConfig completes an example that shows its routes and tests only.
func wholeConfig(example string) string {
	base := `public_url: https://example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${DESCOPE_CLIENT_SECRET}"}
`
	if !strings.Contains(example, "session:") {
		base += "session: {secret: \"${GATEHOUSE_SESSION_SECRET}\"}\n"
	} else {
		example = strings.Replace(example, "session:\n", "session:\n  secret: ${GATEHOUSE_SESSION_SECRET}\n", 1)
	}
	return base + example
}
