package config

import (
	"errors"
	"fmt"
	"strings"
)

var (
	errUnfinished = errors.New("${ is not closed; write ${NAME} for a variable of the environment, $$ for a dollar sign")
	errBadName    = errors.New("want letters, digits and _ between ${ and }; write $$ for a dollar sign")
)

// expand replaces ${NAME} by the variable of the environment and $$ by $. It works
// on a value that YAML has already parsed and its result is not read again, so
// that no variable can add keys, lists or further variables. A $ before anything
// else stays. used tells whether a variable took part: its text must not be shown.
// No error holds a part of the text, which may be a secret around a stray ${.
func expand(text string, env map[string]string) (expanded string, used bool, err error) {
	if !strings.Contains(text, "$") {
		return text, false, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), used, nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			name, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", true, errUnfinished
			}
			if !isVariableName(name) {
				return "", true, errBadName
			}
			value, ok := env[name]
			if !ok {
				return "", true, fmt.Errorf("the environment variable %s is not set; set it, or write $${%s} for the text itself", name, name)
			}
			b.WriteString(value)
			used = true
			text = after
		default:
			b.WriteByte('$')
			text = rest
		}
	}
}

func isVariableName(name string) bool {
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
		case i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return name != ""
}
