package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

const longSecret = "0123456789abcdef0123456789abcdef"

// top is what every configuration needs beside routes.
const top = `public_url: https://apps.example.com
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${C}"}
session: {secret: "${S}"}
`

// secretEnv holds the variables of top.
func secretEnv(more ...string) []string {
	return append([]string{"C=client secret", "S=" + longSecret}, more...)
}

// fakeFiles are the only files there are.
type fakeFiles map[string]string

func (f fakeFiles) read(path string) ([]byte, error) {
	if content, ok := f[path]; ok {
		return []byte(content), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// load reads a document that has to be good.
func load(t *testing.T, document string, env ...string) *Config {
	t.Helper()
	c, err := parse("gatehouse.yaml", []byte(document), secretEnv(env...), fakeFiles{}.read)
	if err != nil {
		t.Fatalf("want a good configuration, got\n%v", err)
	}
	return c
}

// problems reads a document that has to be bad and gives what was said about it.
func problems(t *testing.T, document string, env ...string) []string {
	t.Helper()
	return problemsWith(t, document, fakeFiles{}, env...)
}

func problemsWith(t *testing.T, document string, files fakeFiles, env ...string) []string {
	t.Helper()
	c, err := parse("gatehouse.yaml", []byte(document), secretEnv(env...), files.read)
	if err == nil {
		return nil
	}
	if c != nil {
		t.Error("a configuration came along with an error")
	}
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("want Errors, got %T", err)
	}
	return strings.Split(all.Error(), "\n")
}
