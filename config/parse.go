package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// parseYAML reads the one document of a file. What it returns is a mapping; where
// there is none the problems say why.
func parseYAML(file string, source []byte, env map[string]string) (*node, []Problem) {
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, []Problem{emptyFile(file)}
	}
	if err != nil {
		return nil, []Problem{syntaxProblem(file, source, err)}
	}
	g := &grower{file: file, env: env, open: map[*yaml.Node]bool{}}
	if len(document.Content) != 1 {
		return nil, []Problem{emptyFile(file)}
	}
	top := document.Content[0]
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, []Problem{syntaxProblem(file, source, err)}
	default:
		g.problem(&second, "", "a second YAML document begins here; want one: take out the --- before it")
	}
	root := g.grow(top, "", 0)
	if root.kind == null && len(g.problems) == 0 {
		return nil, []Problem{emptyFile(file)}
	}
	if root.kind != mapping {
		g.problem(top, "", "want a mapping such as public_url: https://apps.example.com, got %s", root.describe())
		return nil, g.problems
	}
	return root, g.problems
}

func emptyFile(file string) Problem {
	return Problem{File: file, Line: 1, Column: 1, Message: "is empty; want at least public_url, descope, session and routes"}
}

var (
	yamlErrorLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	// bareSpecial is a value that only looks like text: {tenant}.x begins a
	// mapping, *.x an alias, and @, ` and % begin nothing at all.
	bareSpecial = regexp.MustCompile("^\\s*(?:- +)?(?:[A-Za-z_]+: +|- +)(\\{tenant\\}\\.|\\*|[@`%])(\\w*)")
)

// syntaxProblem says what YAML could not read. Of the library's messages only
// those pass that quote nothing from the file: a secret that begins with * would
// else be printed as the name of an unknown anchor.
func syntaxProblem(file string, source []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Column: 1, Message: "is not valid YAML"}
	m := yamlErrorLine.FindStringSubmatch(strings.TrimSpace(err.Error()))
	if m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			p.Line = max(n, 1)
		}
		if isFixedSentence(m[2]) {
			p.Message += ": " + m[2]
		}
	}
	for i, text := range strings.Split(string(source), "\n") {
		at := bareSpecial.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		special, name := text[at[2]:at[3]], text[at[4]:at[5]]
		if special == "*" && bytes.Contains(source, []byte("&"+name)) && name != "" {
			continue // a good alias
		}
		p.Line, p.Column = i+1, len([]rune(text[:at[2]]))+1
		p.Message = "is not valid YAML: a value that begins with " + special[:1] + " needs quotes"
		break
	}
	return p
}

// isFixedSentence passes the sentences of the library's scanner and parser, none
// of which quotes the file, and nothing else.
func isFixedSentence(message string) bool {
	for _, begin := range []string{
		"did not find", "could not find", "mapping ", "block ", "control characters", "exceeded max depth",
		"found a tab", "found an i", "found character that", "found duplicate %", "found unexpected", "found unknown escape",
		"found invalid", "found undefined tag handle", "invalid", "expected low", "unexpected low",
	} {
		if strings.HasPrefix(message, begin) {
			return true
		}
	}
	return false
}
