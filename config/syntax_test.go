package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sentences are documents and what has to be said about each, line by line.
type sentences []struct {
	name, document string
	env            []string
	want           []string
}

func (all sentences) run(t *testing.T) {
	t.Helper()
	for _, test := range all {
		t.Run(test.name, func(t *testing.T) {
			got := problems(t, test.document, test.env...)
			var want []string
			for _, line := range test.want {
				if !strings.HasPrefix(line, "GATEHOUSE_") {
					line = "gatehouse.yaml:" + line
				}
				want = append(want, line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestYAMLThatIsNoConfiguration(t *testing.T) {
	sentences{
		{name: "an empty file", document: "", want: []string{
			"1:1: is empty; want at least public_url, descope, session and routes"}},
		{name: "comments alone", document: "# nothing\n", want: []string{
			"1:1: is empty; want at least public_url, descope, session and routes"}},
		{name: "a document that is null", document: "---\n~\n", want: []string{
			"1:1: is empty; want at least public_url, descope, session and routes"}},
		{name: "a list", document: "- a\n", want: []string{
			"1:1: want a mapping such as public_url: https://apps.example.com, got a list"}},
		{name: "text", document: "\nhello\n", want: []string{
			"2:1: want a mapping such as public_url: https://apps.example.com, got text"}},
		{name: "two documents", document: top + "---\nlisten: :1\n", want: []string{
			"4:1: a second YAML document begins here; want one: take out the --- before it"}},
		{name: "a tab for indentation", document: top + "log:\n\tlevel: info\n", want: []string{
			"5:1: is not valid YAML: found character that cannot start any token"}},
		{name: "an open bracket", document: top + "routes: [\n", want: []string{
			"4:1: is not valid YAML: did not find expected node content"}},
		{name: "a tenant host without quotes", document: top + "routes:\n  - host: {tenant}.example.com\n    path: /\n", want: []string{
			"5:11: is not valid YAML: a value that begins with { needs quotes"}},
		{name: "a wildcard host without quotes", document: top + "routes:\n  - host: *.example.com\n", want: []string{
			"5:11: is not valid YAML: a value that begins with * needs quotes"}},
		{name: "a key twice", document: top + "listen: :1\nlog: {level: info, level: debug}\nlisten: :2\n", want: []string{
			"5:20: log.level: is written twice, first in line 5; keep one",
			"6:1: listen: is written twice, first in line 4; keep one"}},
		{name: "a key that is a list", document: top + "? [a]\n: b\n", want: []string{
			"4:3: want a name before the colon"}},
		{name: "a tag", document: top + "log: {level: !mine info}\n", want: []string{
			"4:14: log.level: YAML tags have no meaning here; put a value that begins with ! in quotes"}},
		{name: "an alias inside its own anchor", document: top + "tenants: &a\n  x: *a\n", want: []string{
			"5:3: tenants.x: want text, got a mapping",
			"5:6: tenants.x.x: the alias contains itself; write the value out"}},
		{name: "a merge of something else than a mapping", document: top + "tenants:\n  <<: [1]\n", want: []string{
			"5:7: tenants: << wants the alias of a mapping"}},
	}.run(t)
}

// A billion laughs: nine anchors, each nine times the one before, would be 387
// million values.
func TestAliasesOfAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(top + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		b.WriteString(fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", ")))
	}
	got := strings.Join(problems(t, b.String()), "\n")
	if !strings.Contains(got, "the file holds more than 200000 values once its aliases (*name) are followed; write them out") {
		t.Errorf("got %s", got)
	}
}

func TestNestingIsBounded(t *testing.T) {
	got := strings.Join(problems(t, top+"tenants: "+strings.Repeat("[", 100)+strings.Repeat("]", 100)), "\n")
	if !strings.Contains(got, "is nested too deep") {
		t.Errorf("got %s", got)
	}
}

func TestExpansion(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"a variable", "${NAME}", "Ann"},
		{"within text", "-${NAME}-${NAME}-", "-Ann-Ann-"},
		{"two dollar signs are one", "$$${NAME}$$", "$Ann$"},
		{"two dollar signs before a brace", "$${NAME}", "${NAME}"},
		{"a dollar sign before anything else stays", "a$b $1 $", "a$b $1 $"},
		{"an empty variable", "a${EMPTY}b", "ab"},
		{"what a variable holds is not expanded again", "${NESTED}", "${NAME} $$"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, top+"pages: {title: '"+test.value+"'}\n", "NAME=Ann", "EMPTY=", "NESTED=${NAME} $$")
			if got := c.Pages.Title; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("what a variable holds is not read as YAML", func(t *testing.T) {
		c := load(t, top+"pages: {title: \"${YAML}\"}\nroutes: [{upstream: http://a, allow: [{roles: [\"${LIST}\"]}]}]\n", "YAML=a, support: b", "LIST=r1, r2")
		if c.Pages.Title != "a, support: b" || c.Routes[0].Allow.Rules[0].Roles[0] != "r1, r2" {
			t.Errorf("got %+v and %+v", c.Pages, c.Routes[0].Allow)
		}
	})
	t.Run("a variable stands for a flag and a number too", func(t *testing.T) {
		c := load(t, top+"routes: [{upstream: http://a, allow: public, max_body: \"${MAX}\", bearer: \"${ON}\"}]\n", "ON=true", "MAX=10")
		if c.Routes[0].MaxBody != 10 || !c.Routes[0].Bearer {
			t.Errorf("got %+v", c.Routes[0])
		}
	})
	sentences{
		{name: "an unset variable", document: top + "pages: {title: \"${NO_NAME}\"}\n", want: []string{
			"4:16: pages.title: the environment variable NO_NAME is not set; set it, or write $${NO_NAME} for the text itself"}},
		{name: "an open brace", document: top + "pages: {title: \"${NAME\"}\n", want: []string{
			"4:16: pages.title: ${ is not closed; write ${NAME} for a variable of the environment, $$ for a dollar sign"}},
		{name: "a default as in a shell", document: top + "pages: {title: \"${NAME:-x}\"}\n", want: []string{
			"4:16: pages.title: want letters, digits and _ between ${ and }; write $$ for a dollar sign"}},
		{name: "a variable in a key stays", document: top + "\"${NAME}\": x\n", want: []string{
			"4:1: [\"${NAME}\"]: is no key of the configuration; there are listen, public_url, auth_path, sign_in, landing, trusted_proxies, drain_delay, drain_timeout, tls, admin, descope, session, assertion, tenants, pages, routes, log, tests"}},
		{name: "an unset secret is told once", document: "public_url: https://a.example.com\ndescope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: \"${NONE1}\"}\nsession: {secret: \"${NONE2}\"}\n", want: []string{
			"2:68: descope.client_secret: the environment variable NONE1 is not set; set it, or write $${NONE1} for the text itself",
			"3:19: session.secret: the environment variable NONE2 is not set; set it, or write $${NONE2} for the text itself"}},
	}.run(t)
}
