package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says which rooms of the house a room may look into. Tests are free:
// they bring the stand-in provider along.
var mayImport = map[string][]string{
	"authz":  {},
	"config": {},
	"authn":  {"authz"},
	"proxy":  {"authn", "authz"},
	"cmd":    {"authn", "authz", "config", "deploy", "proxy"},
	"deploy": {},        // what the command carries along
	"e2e":    {"authn"}, // the stand-in provider as a program
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "gatehouse/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		room := roomOf(p.ImportPath)
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s stands in no known room", p.ImportPath)
		}
		for _, imported := range p.Imports {
			other := roomOf(imported)
			if strings.HasPrefix(imported, "gatehouse/") && other != room && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s: %s may only look into %v", p.ImportPath, imported, room, allowed)
			}
			if room == "authz" && slices.Contains([]string{"net/http", "os", "time", "net"}, imported) {
				t.Errorf("%s imports %s: authz is pure", p.ImportPath, imported)
			}
		}
		if strings.HasSuffix(p.ImportPath, "test") && room == "authn" {
			continue
		}
		if slices.Contains(p.Imports, "gatehouse/authn/descopetest") && room != "cmd" && room != "e2e" {
			t.Errorf("%s brings the stand-in provider into the product", p.ImportPath)
		}
	}
	if packages < 8 {
		t.Errorf("only %d packages were listed", packages)
	}
}

func roomOf(path string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(path, "gatehouse/"), "/")
	return room
}
