package config

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"
)

const schemaFile = "../deploy/gatehouse.schema.json"

// TestTheSchemaIsMadeOfTheTypes holds the JSON Schema for editors to the types,
// their comments and the tables' defaults.
func TestTheSchemaIsMadeOfTheTypes(t *testing.T) {
	schema := schemaText(t)
	if *update {
		if err := os.WriteFile(schemaFile, schema, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), string(schema)); diff != "" {
		t.Errorf("%s (-) is not what the types say (+); run go test ./config -update:\n%s", schemaFile, diff)
	}
}

// object is a JSON object.
type object = map[string]any

func schemaText(t *testing.T) []byte {
	t.Helper()
	w := &schemaWriter{docs: readDocumentation(t), defaults: map[string]map[string]string{}}
	for _, table := range tables() {
		w.defaults[table.typ] = map[string]string{}
		for _, f := range table.fields {
			w.defaults[table.typ][f.name] = f.fallback
		}
	}
	root := w.mapping("Config", "Config", "")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "gatehouse.yaml"
	root["description"] = "Configuration of Gatehouse: sign-in and roles in front of Gradio apps."
	route, test, rule := w.mapping("Route", "Route", ""), w.mapping("Test", "Test", ""), w.mapping("Rule", "Rule", "")
	route["required"], test["required"] = []string{"allow", "upstream"}, []string{"as", "url", "want"}
	rule["minProperties"] = 1
	root["definitions"] = object{"route": route, "rule": rule, "test": test}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type schemaWriter struct {
	docs     documentation
	defaults map[string]map[string]string // by table and key
}

// mapping is the schema of a type: its keys and no others.
func (w *schemaWriter) mapping(typ, table, prefix string) object {
	properties := object{}
	for _, f := range w.docs.fields[typ] {
		if _, section := w.docs.fields[f.kind]; section {
			inner := w.mapping(f.kind, table, prefix+f.name+".")
			inner["description"] = f.comment
			properties[f.name] = inner
			continue
		}
		s := valueSchema(typ, f)
		s["description"] = f.comment
		if fallback := w.defaults[table][prefix+f.name]; fallback != "" {
			var value any
			if yaml.Unmarshal([]byte(fallback), &value) == nil {
				s["default"] = value
			}
		}
		properties[f.name] = s
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

// words are the keys whose value is one of a few words.
func words(typ, name string) []string {
	switch typ + "." + name {
	case "Config.sign_in":
		return []string{"page", "direct"}
	case "Config.landing":
		return []string{"first", "portal"}
	case "Descope.token_auth":
		return []string{"", "basic", "post"}
	case "Session.store":
		return []string{"cookie", "redis"}
	case "Log.level":
		return []string{"debug", "info", "warn", "error"}
	case "Log.format":
		return []string{"json", "text"}
	case "Route.preset":
		return presets()
	case "Test.want":
		return []string{"allow", "deny", "sign_in", "not_found"}
	}
	return nil
}

// expanded is text with a variable in it, which can stand for any scalar.
func expanded() object { return object{"type": "string", "pattern": `\$\{`} }

func anyText() object { return object{"type": "string"} }

func listOf(items object) object { return object{"type": "array", "items": items} }

func anyOf(options ...any) object { return object{"anyOf": options} }

func valueSchema(typ string, f documented) object {
	if of := words(typ, f.name); of != nil {
		return anyOf(object{"enum": of}, expanded())
	}
	oneOrMore := func() object {
		many := listOf(anyText())
		many["minItems"] = 1
		return anyOf(anyText(), many)
	}
	switch {
	case typ == "Rule" && f.name == "claims":
		return object{"type": "object", "minProperties": 1, "additionalProperties": anyOf(scalarSchema(), listOf(scalarSchema()))}
	case typ == "Rule" && f.name == "tenant":
		// {tenant} without quotes is a mapping to YAML.
		unquoted := object{"type": "object", "properties": object{"tenant": object{"type": "null"}}, "required": []string{"tenant"}, "additionalProperties": false}
		return anyOf(anyText(), unquoted, object{"type": "array", "minItems": 1, "items": anyOf(anyText(), unquoted)})
	case f.name == "upstream":
		return oneOrMore()
	case typ == "Rule":
		many := listOf(anyText())
		many["minItems"] = 1
		return many
	case f.name == "key_file" && f.kind == "[]string":
		return anyOf(anyText(), listOf(anyText()))
	case f.name == "allow":
		rules := listOf(object{"$ref": "#/definitions/rule"})
		rules["minItems"] = 1
		return anyOf(object{"enum": []string{"authenticated", "public"}}, rules)
	case f.name == "as":
		return anyOf(object{"const": "anonymous"}, object{"type": "object"})
	}
	switch f.kind {
	case "bool":
		return anyOf(object{"type": "boolean"}, expanded())
	case "int64":
		return anyOf(object{"type": "integer", "minimum": 0}, expanded())
	case "time.Duration":
		return anyOf(object{"type": "string", "pattern": `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`}, object{"const": 0}, expanded())
	case "[]string", "[]Secret", "[]netip.Prefix":
		return listOf(anyText())
	case "map[string]string":
		return object{"type": "object", "additionalProperties": anyText()}
	case "[]Route":
		return listOf(object{"$ref": "#/definitions/route"})
	case "[]Test":
		return listOf(object{"$ref": "#/definitions/test"})
	}
	return anyText()
}

func scalarSchema() object { return object{"type": []string{"string", "number", "boolean"}} }

// TestTheSchemaAndTheLoaderAgree holds the schema to what Load takes and refuses.
func TestTheSchemaAndTheLoaderAgree(t *testing.T) {
	var schema object
	if err := json.Unmarshal(schemaText(t), &schema); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	app := "routes: [{upstream: http://a, allow: authenticated}]\n"
	for _, test := range []struct {
		name, document string
		good           bool
	}{
		{"the smallest", top + app, true},
		{"the example", string(example), true},
		{"an unknown key", top + app + "adress: 1\n", false},
		{"an unknown key of a section", top + app + "log: {verbose: true}\n", false},
		{"an unknown key of a route", top + "routes: [{upstream: http://a, allow: public, uptream: x}]\n", false},
		{"a word that is none of the few", top + app + "sign_in: popup\n", false},
		{"a preset that is none", top + "routes: [{upstream: http://a, allow: public, preset: dash}]\n", false},
		{"a route without allow", top + "routes: [{upstream: http://a}]\n", false},
		{"a route without upstream", top + "routes: [{allow: public}]\n", false},
		{"replicas", top + "routes: [{upstream: [http://a, http://b], allow: public}]\n", true},
		{"no rule at all", top + "routes: [{upstream: http://a, allow: []}]\n", false},
		{"a rule without fields", top + "routes: [{upstream: http://a, allow: [{}]}]\n", false},
		{"a rule with an unknown field", top + "routes: [{upstream: http://a, allow: [{role: [a]}]}]\n", false},
		{"an empty field of a rule", top + "routes: [{upstream: http://a, allow: [{roles: []}]}]\n", false},
		{"one tenant", top + "routes: [{upstream: http://a, allow: [{tenant: T1}]}]\n", true},
		{"the host's tenant without quotes", top + "routes: [{host: '{tenant}.a.example', bearer: true, upstream: http://a, allow: [{tenant: {tenant}}, {tenant: [T1, {tenant}]}]}]\n", true},
		{"claims of every kind", top + "routes: [{upstream: http://a, allow: [{claims: {a: 1, b: true, c: [x, 2]}}]}]\n", true},
		{"a duration without unit", top + app + "drain_delay: \"30\"\n", false},
		{"a duration", top + app + "drain_delay: 1m30s\n", true},
		{"a list where text belongs", top + app + "listen: []\n", false},
		{"a test without want", top + app + "tests: [{as: anonymous, url: /}]\n", false},
		{"a test that wants what nobody can get", top + app + "tests: [{as: anonymous, url: /, want: maybe}]\n", false},
		{"a test", top + app + "tests: [{as: {sub: a}, url: /, want: allow}]\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("gatehouse.yaml", []byte(test.document), []string{
				"S=" + longSecret, "C=c", "DESCOPE_CLIENT_SECRET=c", "GATEHOUSE_SESSION_SECRET=" + longSecret,
			})
			var value any
			if err := yaml.Unmarshal([]byte(test.document), &value); err != nil {
				t.Fatal(err)
			}
			asJSON, _ := json.Marshal(value)
			var plain any
			_ = json.Unmarshal(asJSON, &plain)
			fits := conforms(schema, schema, plain)
			if (err == nil) != test.good || fits != test.good {
				t.Errorf("want good %v; the schema says %v, Load says %v", test.good, fits, err)
			}
		})
	}
}
