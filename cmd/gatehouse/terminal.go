package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
)

// A tint is a colour of the terminal, as its SGR parameter.
type tint string

const (
	green  tint = "32"
	yellow tint = "33"
	red    tint = "31"
	bold   tint = "1"
)

// painter colours text, or leaves it as it is.
type painter bool

// painter colours only where a person looks: on a terminal, unless NO_COLOR is
// set or the terminal cannot.
func (p *program) painter(w io.Writer) painter {
	f, ok := w.(*os.File)
	if !ok || p.variable("NO_COLOR") != "" || p.variable("TERM") == "dumb" || p.variable("TERM") == "" {
		return false
	}
	info, err := f.Stat()
	return painter(err == nil && info.Mode()&os.ModeCharDevice != 0)
}

func (on painter) paint(t tint, s string) string {
	if !on {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}

// plain takes control characters out of what somebody else wrote: a pasted token
// must not steer the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// variable returns an environment variable of the program, the last one counts.
func (p *program) variable(name string) string {
	for _, v := range slices.Backward(p.env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
