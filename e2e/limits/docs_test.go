package main

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// docs/security.md has a row for each attack, in their order.
func TestTheDocsNameTheAttacks(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, m[1])
	}
	if !slices.Equal(rows, names()) {
		t.Errorf("rows %q, attacks %q", rows, names())
	}
}
