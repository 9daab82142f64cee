package config

import "strings"

// environmentPrefix begins the variables that stand for keys.
const environmentPrefix = "GATEHOUSE_"

// environment makes a map of os.Environ's form. Of a name given twice the last
// counts, as for exec.Cmd.
func environment(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, line := range env {
		if name, value, ok := strings.Cut(line, "="); ok {
			out[name] = value
		}
	}
	return out
}

// variableName is the variable that stands for a key: GATEHOUSE_DESCOPE_CLIENT_SECRET
// for descope.client_secret.
func variableName(key string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// environmentNode is a variable's text as a value. Its text is never shown: an
// environment is where secrets are.
func environmentNode(variable, text string) *node {
	return &node{kind: scalar, tag: "!!str", text: text, place: place{variable: variable, hidden: true}}
}
