package config

import (
	"bytes"
	"strings"
	"unicode"
)

// minSecretBytes is what a session secret must hold: keys of 256 bits are derived
// from it.
const minSecretBytes = 32

// secret takes a secret. No message about it shows more than the key.
func secret(p *Secret) take {
	return func(d *decoder, key string, n *node) {
		if s, ok := d.secret(key, n); ok {
			*p = s
		}
	}
}

// secrets takes a list of secrets.
func secrets(p *[]Secret) take {
	return func(d *decoder, key string, n *node) {
		for _, item := range d.items(key, n) {
			if s, ok := d.secret(item.key, item.node); ok {
				*p = append(*p, s)
			}
		}
	}
}

func (d *decoder) secret(key string, n *node) (Secret, bool) {
	switch {
	case n.kind != scalar:
		d.problem(key, "want text, got %s; a secret that begins with [ or { needs quotes", n.describe())
		return Secret{}, false
	case !n.isWord("!!str"):
		d.problem(key, "want text, got %s; put the secret in quotes", n.describe())
		return Secret{}, false
	case n.text == "" && n.place.hidden:
		d.problem(key, "the environment variable is empty")
		return Secret{}, false
	case strings.ContainsFunc(n.text, unicode.IsControl):
		d.problem(key, "want a secret on one line, without control characters")
		return Secret{}, false
	}
	if n.text != "" && n.place.line > 0 && !n.place.hidden && d.written(key) {
		d.literal = append(d.literal, key)
	}
	return NewSecret(n.text), true
}

// secretFile reads the lines of a file of secrets, blank ones left out.
func (d *decoder) secretFile(key, path string) []Secret {
	content, ok := d.readFile(key, path)
	if !ok {
		return nil
	}
	var out []Secret
	for _, line := range bytes.Split(content, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if bytes.ContainsFunc(line, unicode.IsControl) {
			d.problem(key, "the file holds control characters; want text, a secret a line")
			return nil
		}
		out = append(out, NewSecret(string(line)))
	}
	if len(out) == 0 {
		d.problem(key, "the file is empty; want a secret in it")
	}
	return out
}

// twice reports whether a secret and its file are both given, which is a mistake in
// one place: which of them did the operator mean? From two places it is none, and the
// file counts: GATEHOUSE_SESSION_SECRET is often set for a ${…} that is no longer there.
func (d *decoder) twice(key, fileKey string) bool {
	if !d.written(key) || !d.written(fileKey) || (d.places[key].variable == "") != (d.places[fileKey].variable == "") {
		return false
	}
	_, name, _ := strings.Cut(key, ".")
	d.problem(fileKey, "goes without %s; keep one of the two", name)
	return true
}

// oneSecretFile reads a file that holds one secret alone.
func (d *decoder) oneSecretFile(key, path string) Secret {
	lines := d.secretFile(key, path)
	switch len(lines) {
	case 0:
		return Secret{}
	case 1:
		return lines[0]
	}
	d.problem(key, "the file holds several lines; want the secret alone")
	return Secret{}
}
