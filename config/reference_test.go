package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"
)

// The types with their comments, the tables of settings.go, config.example.yaml and
// docs/configuration.md say the same four times, each to another reader. The tests
// of this file hold them together.

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const (
	pageFile    = "../docs/configuration.md"
	exampleFile = "../config.example.yaml"
)

// documented is one field of a type: its key, the type as written, its comment.
type documented struct{ name, kind, comment string }

// documentation is what the types' source says of themselves.
type documentation struct {
	comments map[string]string
	fields   map[string][]documented
}

func readDocumentation(t *testing.T) documentation {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	docs := documentation{map[string]string{}, map[string][]documented{}}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if general, ok := decl.(*ast.GenDecl); ok && general.Tok == token.TYPE {
				docs.add(general)
			}
		}
	}
	return docs
}

func (docs documentation) add(general *ast.GenDecl) {
	for _, spec := range general.Specs {
		spec := spec.(*ast.TypeSpec)
		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		docs.comments[spec.Name.Name] = general.Doc.Text()
		for _, field := range structure.Fields.List {
			if field.Tag == nil {
				continue
			}
			tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
			docs.fields[spec.Name.Name] = append(docs.fields[spec.Name.Name], documented{
				name: tag.Get("yaml"), kind: typeName(field.Type), comment: strings.Join(strings.Fields(field.Doc.Text()), " "),
			})
		}
	}
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.MapType:
		return "map[" + typeName(e.Key) + "]" + typeName(e.Value)
	}
	return fmt.Sprintf("%T", e)
}

// flatten lists the keys of a type as the tables do, sections with dots.
func (docs documentation) flatten(prefix, typ string) []documented {
	var out []documented
	for _, f := range docs.fields[typ] {
		f.name = prefix + f.name
		if _, section := docs.fields[f.kind]; section {
			out = append(out, docs.flatten(f.name+".", f.kind)...)
		} else {
			out = append(out, f)
		}
	}
	return out
}

// table pairs each documented type with its table.
type table struct {
	typ    string
	fields []field
}

func tables() []table {
	var strip *bool
	return []table{
		{"Config", settings(new(Config))},
		{"Route", routeFields(new(Route), &strip)},
		{"Rule", ruleFields(new(Rule))},
		{"Test", testFields(new(Test))},
	}
}

func TestEveryFieldOfTheTypesIsAKeyOfTheTables(t *testing.T) {
	docs := readDocumentation(t)
	for _, table := range tables() {
		var fromTypes, fromTable []string
		for _, f := range docs.flatten("", table.typ) {
			fromTypes = append(fromTypes, f.name)
		}
		for _, f := range table.fields {
			fromTable = append(fromTable, f.name)
		}
		if diff := cmp.Diff(fromTypes, fromTable); diff != "" {
			t.Errorf("%s: types (-) and table (+) differ:\n%s", table.typ, diff)
		}
	}
}

func TestEveryCommentTellsTheDefaultOfTheTables(t *testing.T) {
	docs := readDocumentation(t)
	for _, table := range tables() {
		for i, f := range docs.flatten("", table.typ) {
			said, _ := cutDefault(f.comment)
			fallback := table.fields[i].fallback
			switch {
			case said == "":
				t.Errorf("%s %s: the comment tells neither Default: nor Required", table.typ, f.name)
			case fallback != "" && said != "Default: "+fallback:
				t.Errorf("%s %s: the comment says %q, the table %q", table.typ, f.name, said, fallback)
			case fallback == "" && strings.HasPrefix(said, "Default: [") || fallback == "" && said == "Default: false":
				t.Errorf("%s %s: the comment says %q, the table has no default", table.typ, f.name, said)
			}
		}
	}
}

// cutDefault parts a comment from the sentence at its end that tells the default.
func cutDefault(comment string) (said, prose string) {
	for _, begin := range []string{"Default: ", "Required"} {
		if i := strings.LastIndex(comment, begin); i >= 0 {
			return strings.TrimSuffix(comment[i:], "."), strings.TrimSpace(comment[:i])
		}
	}
	return "", comment
}

func TestTheExampleFileLoads(t *testing.T) {
	c, err := Load(exampleFile, []string{"DESCOPE_CLIENT_SECRET=s3cret", "GATEHOUSE_SESSION_SECRET=" + longSecret})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings() {
		if !strings.HasPrefix(w.Message, "differs from that of another route") {
			t.Errorf("the example should be without reproach: %s", w)
		}
	}
}

func TestTheExampleFileHasEveryKeyWithItsDefault(t *testing.T) {
	source, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	if err := yaml.Unmarshal(source, &example); err != nil {
		t.Fatal(err)
	}
	routes := example["routes"].([]any)
	rules := map[string]any{}
	for _, rule := range routes[1].(map[string]any)["allow"].([]any) {
		for name, value := range rule.(map[string]any) {
			rules[name] = value
		}
	}
	mappings := []map[string]any{example, routes[0].(map[string]any), rules, example["tests"].([]any)[0].(map[string]any)}
	for i, table := range tables() {
		for _, f := range table.fields {
			written, ok := lookup(mappings[i], f.name)
			if !ok {
				t.Errorf("%s: %s is not in the example", table.typ, f.name)
				continue
			}
			if wants := exampleValue(t, f); wants != nil && !reflect.DeepEqual(written, wants) && table.typ != "Rule" {
				t.Errorf("%s: the example has %s: %v, the default is %v", table.typ, f.name, written, wants)
			}
		}
	}
}

// exampleValue is what the example has to show for a key; nil where it shows
// something made up, since the key has no default or an example says more.
func exampleValue(t *testing.T, f field) any {
	t.Helper()
	madeUp := []string{
		"public_url", "descope.project_id", "descope.client_secret", "session.secret", "routes", "tests",
		"upstream", "allow", "strip_path", "as", "url", "want",
	}
	if slices.Contains(madeUp, f.name) {
		return nil
	}
	if f.fallback == "" {
		return ""
	}
	var value any
	if err := yaml.Unmarshal([]byte(f.fallback), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func lookup(m map[string]any, name string) (any, bool) {
	section, rest, nested := strings.Cut(name, ".")
	value, ok := m[section]
	if !nested || !ok {
		return value, ok
	}
	inner, _ := value.(map[string]any)
	return lookup(inner, rest)
}

func TestTheReferencePageIsMadeOfTheComments(t *testing.T) {
	page := referencePage(t)
	if *update {
		if err := os.WriteFile(pageFile, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), page); diff != "" {
		t.Errorf("docs/configuration.md (-) is not what the comments say (+); run go test ./config -update:\n%s", diff)
	}
}
