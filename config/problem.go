package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or, from Warnings, doubtful.
type Problem struct {
	// File is the file's name as the caller gave it. For a value that came from
	// the environment it is the variable's name, and Line is 0.
	File string
	// Line and Column count from 1; 0 where there is no place in a file.
	Line, Column int
	// Key is the path of the key, routes[1].allow, empty for the file as a whole.
	Key string
	// Message says what is wrong and what to write instead. It never holds a
	// secret, nor any other value that came from the environment.
	Message string
}

// String is the problem as it is printed: gatehouse.yaml:14:7: routes[1].allow: …
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.Message)
	return b.String()
}

// Errors are all the problems of a configuration, in the order of the file; those
// of the environment come last.
type Errors []Problem

// Error is every problem, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sortProblems puts problems into the order in which a reader of the file meets
// them and drops repetitions.
func sortProblems(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			compareBool(a.Line == 0, b.Line == 0),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Key, b.Key),
		)
	})
	return slices.Compact(problems)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
