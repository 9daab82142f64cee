package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// referencePage is docs/configuration.md: what testdata/configuration.md says of
// the file as a whole, then a paragraph for every key, made of its comment.
func referencePage(t *testing.T) string {
	t.Helper()
	head, err := os.ReadFile("testdata/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &page{docs: readDocumentation(t)}
	p.WriteString(string(head))
	p.WriteString("\n## Top level\n")
	p.keys("", "Config", true)
	for _, f := range p.docs.fields["Config"] {
		if _, section := p.docs.fields[f.kind]; section {
			p.section(f.name, f.kind)
		}
	}
	p.part("Routes", "Each entry of `routes`. "+escape(p.docs.comments["Route"]), "routes[].", "Route")
	p.part("Rules", "Each entry of a list at `allow`. "+escape(p.docs.comments["Rule"]), "allow[].", "Rule")
	p.part("Policy tests", "Each entry of `tests`. "+escape(p.docs.comments["Test"]), "tests[].", "Test")
	return p.String()
}

type page struct {
	strings.Builder
	docs documentation
}

func (p *page) section(name, typ string) {
	fmt.Fprintf(p, "\n## `%s`\n\n%s\n", name, escape(sentence(p.docs.comments[typ])))
	p.keys(name+".", typ, true)
	for _, f := range p.docs.fields[typ] {
		if _, nested := p.docs.fields[f.kind]; nested {
			p.section(name+"."+f.name, f.kind)
		}
	}
}

func (p *page) part(title, intro, prefix, typ string) {
	fmt.Fprintf(p, "\n## %s\n\n%s\n", title, strings.Join(strings.Fields(intro), " "))
	p.keys(prefix, typ, false)
}

// keys writes the keys of a type that are no sections.
func (p *page) keys(prefix, typ string, environment bool) {
	for _, f := range p.docs.fields[typ] {
		if _, section := p.docs.fields[f.kind]; section {
			continue
		}
		said, prose := cutDefault(f.comment)
		notes := []string{kindInWords(f), emphasize(said)}
		if environment && !fileOnly(prefix+f.name) {
			notes = append(notes, "`"+variableName(prefix+f.name)+"`")
		}
		fmt.Fprintf(p, "\n### `%s%s`\n\n%s\n\n%s\n", prefix, f.name, strings.Join(notes, " · "), escape(prose))
	}
}

func fileOnly(name string) bool {
	for _, f := range settings(new(Config)) {
		if f.name == name {
			return f.fileOnly
		}
	}
	return false
}

// kindInWords is a key's type for people who do not read Go.
func kindInWords(f documented) string {
	switch {
	case f.name == "key_file" && f.kind == "[]string", f.name == "tenant" && f.kind == "[]string", f.name == "upstream":
		return "text or list of texts"
	case f.name == "allow":
		return "word or list of rules"
	case f.name == "as":
		return "word or claims"
	case f.name == "claims":
		return "names with values"
	}
	kinds := map[string]string{
		"string": "text", "url.URL": "address", "bool": "true or false", "int64": "number", "time.Duration": "duration",
		"Secret": "secret", "[]Secret": "list of secrets", "[]string": "list of texts", "[]netip.Prefix": "list of networks",
		"map[string]string": "names with values", "[]Route": "list", "[]Test": "list",
	}
	return kinds[f.kind]
}

// emphasize sets the default itself in code: Default: `page`.
func emphasize(said string) string {
	value, ok := strings.CutPrefix(said, "Default: ")
	if !ok {
		return escape(strings.ToLower(said[:1]) + said[1:])
	}
	for _, f := range append(append(settings(new(Config)), testFields(new(Test))...), routeFields(new(Route), new(*bool))...) {
		if f.fallback == value {
			return "default `" + value + "`"
		}
	}
	if rest, ok := strings.CutPrefix(value, `""`); ok {
		return "default `\"\"`" + escape(rest)
	}
	return "default: " + escape(value)
}

// sentence takes Go's habit of beginning with the type's name off a comment:
// "Session is how long" becomes "How long".
func sentence(comment string) string {
	comment = strings.Join(strings.Fields(comment), " ")
	if _, rest, ok := strings.Cut(comment, " is "); ok && !strings.Contains(comment[:strings.Index(comment, " is ")], " ") {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return comment
}

// escape keeps Markdown from reading letters of a comment as its own.
func escape(text string) string {
	return strings.NewReplacer("*", `\*`, "<", `\<`, "__", `\_\_`).Replace(text)
}
