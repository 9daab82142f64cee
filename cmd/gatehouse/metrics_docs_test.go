package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// The table of metrics in docs/operating.md is what is registered, name by name
// and label by label. The dashboard and the alerts are held to the table.
func TestOperatingNamesEveryMetricAndItsLabels(t *testing.T) {
	h := newHouse(t, build{})
	descs := make(chan *prometheus.Desc)
	go func() {
		h.instance.registry.Describe(descs)
		close(descs)
	}()
	registered := map[string][]string{}
	parts := regexp.MustCompile(`fqName: "(gatehouse_[a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	for d := range descs {
		if m := parts.FindStringSubmatch(d.String()); m != nil {
			registered[m[1]] = sorted(m[2])
		}
	}
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(gatehouse_[a-z_]+)\\{([a-z_,]*)\\}` \\|").FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = sorted(m[2])
	}
	if diff := cmp.Diff(registered, named); diff != "" {
		t.Errorf("registered (-) and in docs/operating.md (+):\n%s", diff)
	}
}

func sorted(list string) []string {
	names := strings.Split(list, ",")
	slices.Sort(names)
	return names
}
