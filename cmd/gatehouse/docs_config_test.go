package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/proxy"
)

// othersYAML are the blocks of the pages that are no configuration of Gatehouse's,
// by a line of theirs, with the test that reads them.
var othersYAML = map[string]string{
	"# values.yaml":   "TestTheInstallPagesValues",
	"scrape_configs:": "TestPromtoolTakesTheScrapeConfigurationOfThePage",
}

// TestTheConfigurationsInTheDocsAreTaken completes what a page shows with what it
// leaves out, and compiles it as `gatehouse check` does.
func TestTheConfigurationsInTheDocsAreTaken(t *testing.T) {
	for _, page := range docPages(t) {
		if filepath.Base(page) == "policies.md" {
			continue // whole, with tests: TestThePoliciesInTheDocsHold
		}
		for _, block := range blocks(t, page, "yaml") {
			first, _, _ := strings.Cut(block, "\n")
			if test, others := othersYAML[first]; others {
				if !testNames(t)[test] {
					t.Errorf("%s: no test named %s reads %s", page, test, first)
				}
				continue
			}
			t.Run(filepath.Base(page)+" "+first, func(t *testing.T) {
				dir := t.TempDir()
				var key bytes.Buffer
				if err := (&program{stdout: &key}).printAssertionKey(); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "assertion.pem"), key.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				c, err := config.Parse(filepath.Join(dir, "gatehouse.yaml"), []byte(completed(block)), []string{
					"GATEHOUSE_SESSION_SECRET=" + newSecret(), "DESCOPE_CLIENT_SECRET=x", "KEYCLOAK_CLIENT_SECRET=x",
					"REDIS_URL=redis://127.0.0.1:6379/0",
				})
				if err != nil {
					t.Fatalf("%v\n%s", err, completed(block))
				}
				policy, err := compile(c, proxy.NewUpstreams(slog.New(slog.DiscardHandler)))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range runTests(c, policy) {
					if !r.OK {
						t.Error(r.problem)
					}
				}
			})
		}
	}
}

// completed is a block with what it does not show: the keys that every
// configuration has, the route around a rule, the list around a route.
func completed(block string) string {
	const id = "project_id: P2abcdefghijklmnopqrstuvwxyz"
	switch {
	case strings.HasPrefix(block, "  - "):
		block = "routes:\n" + block
	case strings.HasPrefix(block, "    allow:"):
		block = "routes:\n  - upstream: http://127.0.0.1:7860\n" + block
	case strings.HasPrefix(block, "    upstream:"):
		block = "routes:\n  - allow: authenticated\n" + block
	}
	if !topLevel(block, "public_url") {
		block = "public_url: https://apps.example.com\n" + block
	}
	if !topLevel(block, "routes") {
		block += "routes: [{upstream: \"http://127.0.0.1:7860\", allow: authenticated}]\n"
	}
	descope, session := "  client_secret: ${DESCOPE_CLIENT_SECRET}\n", "  secret: ${GATEHOUSE_SESSION_SECRET}\n"
	if strings.Contains(block, "client_secret:") {
		descope = ""
	}
	if !strings.Contains(block, "project_id:") && !strings.Contains(block, "issuer:") {
		descope += "  " + id + "\n"
	}
	if strings.Contains(block, "  secret:") {
		session = ""
	}
	// A section in one line becomes one of several.
	block = regexp.MustCompile(`(?m)^(session): \{(.*)\}$`).ReplaceAllString(block, "$1:\n  $2")
	return into(into(block, "descope", descope), "session", session)
}

func topLevel(block, key string) bool {
	return strings.HasPrefix(block, key+":") || strings.Contains(block, "\n"+key+":")
}

// into adds lines under a key of the top level, which is added where it is missing.
func into(block, key, lines string) string {
	if topLevel(block, key) {
		return regexp.MustCompile(`(?m)^`+key+`:\n`).ReplaceAllString(block, strings.ReplaceAll(key+":\n"+lines, "$", "$$"))
	}
	return block + key + ":\n" + lines
}

// docPages are the README and the pages of docs/.
func docPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages %v, %v", pages, err)
	}
	return append(pages, "../../README.md")
}

// blocks are the blocks of a language on a page, without the indentation that the
// block as a whole has there.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, strings.TrimPrefix(strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n"), "\n"))
	}
	return found
}
