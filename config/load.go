package config

import (
	"strings"

	"github.com/spf13/viper"
)

// Load reads the configuration file at path under an environment in the form of
// os.Environ. The error is an Errors with everything that is wrong; its problems
// name the file as path does. Files that the configuration names are read too;
// relative names are relative to the folder of path.
func Load(path string, env []string) (*Config, error) {
	source, err := readRegular(path)
	if err != nil {
		return nil, Errors{{File: path, Message: "cannot be read: " + reason(err) + "; want a configuration file"}}
	}
	return parse(path, source, env, readRegular)
}

// Parse is Load for a configuration that is already in memory; file is the name
// that problems give it.
func Parse(file string, source []byte, env []string) (*Config, error) {
	return parse(file, source, env, readRegular)
}

// parse goes the whole way: YAML to nodes, layers to values, values to a Config,
// then the checks that look at several keys.
func parse(file string, source []byte, env []string, read readFile) (*Config, error) {
	variables := environment(env)
	root, problems := parseYAML(file, source, variables)
	d := &decoder{file: file, read: read, problems: problems, places: places{}}
	if root == nil {
		return nil, Errors(sortProblems(problems))
	}
	d.places[""] = root.place

	c := &Config{file: file}
	all := settings(c)
	layers := d.layers(root, variables, all)
	for _, f := range all {
		if n, ok := layers.Get(f.name).(*node); ok {
			if n.place != (place{}) {
				d.places[f.name] = n.place
			}
			f.take(d, f.name, n)
		}
	}
	d.finish(c)
	if len(d.problems) > 0 {
		return nil, Errors(sortProblems(d.problems))
	}
	c.places, c.literal = d.places, d.literal
	return c, nil
}

// finish derives what is left to derive and checks what one key alone cannot tell.
func (d *decoder) finish(c *Config) {
	d.checkServer(c)
	d.checkTLS(c)
	d.checkProvider(c)
	d.checkSession(c)
	d.checkCookie(c)
	d.checkRoutes(c)
	d.checkFiles(c)
}

// layers stacks defaults, file and environment. viper keeps the stack; what lies
// in it are nodes, which it hands back whole. So the winner of a key still knows
// where it was written, and maps whose names matter (tenants, headers, claims)
// keep their case and their dots. The environment goes in by Set, which is the
// top of viper's stack, since viper itself would read the process's own.
func (d *decoder) layers(root *node, env map[string]string, all []field) *viper.Viper {
	v := viper.New()
	for _, f := range all {
		if f.fallback != "" {
			fallback := fallbackNode(f.fallback)
			fallback.place = place{}
			v.SetDefault(f.name, fallback)
		}
	}
	if err := v.MergeConfigMap(d.fileLayer("", root, all)); err != nil {
		d.problem("", "%v", err)
	}
	for _, f := range all {
		variable := variableName(f.name)
		if text := env[variable]; text != "" && !f.fileOnly {
			v.Set(f.name, environmentNode(variable, text))
		}
	}
	return v
}

// fileLayer is what the file writes, section by section, as viper nests it. Keys
// without a value count as not written.
func (d *decoder) fileLayer(section string, n *node, all []field) map[string]any {
	layer := map[string]any{}
	known := namesIn(section, all)
	for _, e := range n.entries {
		key := joinKey(section, e.name)
		switch {
		case !isPlainName(e.name):
			d.dottedKey(key, e, all)
		case hasSetting(key, all):
			if e.value.kind != null {
				layer[e.name] = e.value
			}
		case len(namesIn(key, all)) > 0:
			d.places[key] = e.value.place
			if e.value.kind == mapping {
				layer[e.name] = d.fileLayer(key, e.value, all)
			} else if e.value.kind != null {
				d.problem(key, "want a mapping with keys such as %s, got %s", namesIn(key, all)[0], e.value.describe())
			}
		default:
			d.unknownKey(key, e, sectionName(section), known)
		}
	}
	return layer
}

// dottedKey notes a key with a dot or another strange letter, as people who know
// viper write it.
func (d *decoder) dottedKey(key string, e entry, all []field) {
	if section, name, ok := strings.Cut(e.name, "."); ok && hasSetting(e.name, all) {
		d.places[key] = e.value.place.shown()
		d.problem(key, "is no key; write %s: and, indented below it, %s:", section, name)
		return
	}
	d.unknownKey(key, e, "the configuration", namesIn("", all))
}

func sectionName(section string) string {
	if section == "" {
		return "the configuration"
	}
	return section
}

func hasSetting(key string, all []field) bool {
	for _, f := range all {
		if f.name == key {
			return true
		}
	}
	return false
}

// namesIn is the names one level below a section.
func namesIn(section string, all []field) []string {
	var names []string
	for _, f := range all {
		rest := f.name
		if section != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(f.name, section+"."); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, ".")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}
