package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of docs/security.md names the test that holds each row. A row whose
// test is gone promises what nobody checks.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := testNames(t)
	row := regexp.MustCompile(`^\| (\d+) \|.*\|([^|]*)\|$`)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	rows := 0
	for line := range strings.SplitSeq(string(page), "\n") {
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			if !exist[m[1]] {
				t.Errorf("%s is named and does not exist", m[1])
			}
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if rows++; m[1] != fmt.Sprint(rows) {
			t.Errorf("row %d is numbered %s", rows, m[1])
		}
		if want := fmt.Sprintf("`TestAttack%02d", rows); !strings.Contains(m[2], want) {
			t.Errorf("row %d names no test of its class", rows)
		}
	}
	if rows != 30 {
		t.Errorf("%d rows, want 30", rows)
	}
	for test := range exist {
		if strings.HasPrefix(test, "TestAttack") && !strings.Contains(string(page), "`"+test+"`") {
			t.Errorf("%s is not on the page", test)
		}
	}
}

// testNames are the tests and fuzz targets of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "../.." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
