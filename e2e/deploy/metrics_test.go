package deploy

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// metricRow is a row of the table in docs/operating.md, which a test beside the
// command holds to what the command registers.
var metricRow = regexp.MustCompile("(?m)^\\| `(gatehouse_[a-z_]+)\\{([a-z,]*)\\}` \\|")

// metrics are the labels of each metric that Prometheus has of Gatehouse: its own,
// those of every Go process, and what the scrape adds.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{
		"up":                            nil,
		"process_cpu_seconds_total":     nil,
		"process_resident_memory_bytes": nil,
		"process_open_fds":              nil,
		"process_max_fds":               nil,
	}
	for _, row := range metricRow.FindAllStringSubmatch(read(t, root+"/docs/operating.md"), -1) {
		name, own := row[1], strings.Split(row[2], ",")
		known[name] = own
		if strings.HasSuffix(name, "_seconds") { // a histogram
			known[name+"_bucket"] = append(slices.Clone(own), "le")
			known[name+"_count"], known[name+"_sum"] = own, own
			delete(known, name)
		}
	}
	if len(known) < 10 {
		t.Fatalf("docs/operating.md names only %d metrics", len(known))
	}
	return known
}

// wantKnown wants every metric and every label of the expression to exist.
func wantKnown(t *testing.T, known map[string][]string, where, source string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(source)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, source)
		return
	}
	var has []string // the labels of what is aggregated
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		own, ok := known[v.Name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, v.Name)
		}
		own = append(slices.Clone(own), "job", "instance")
		for _, m := range v.LabelMatchers {
			if m.Name != labels.MetricName && !slices.Contains(own, m.Name) {
				t.Errorf("%s: %s has no label %s", where, v.Name, m.Name)
			}
		}
		has = append(has, own...)
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, name := range a.Grouping {
				if !slices.Contains(has, name) {
					t.Errorf("%s: nothing there has a label %s", where, name)
				}
			}
		}
		return nil
	})
}

func TestAlertsAskForMetricsThatExist(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	}
	source := read(t, files+"/prometheus/alerts.yml")
	if err := yaml.UnmarshalStrict([]byte(source), &file); err != nil {
		t.Fatal(err)
	}
	known, tests := metrics(t), read(t, files+"/prometheus/alerts_test.yml")
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			wantKnown(t, known, r.Alert, r.Expr)
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s says too little", r.Alert)
			}
			if strings.Count(tests, "alertname: "+r.Alert+"\n") == 0 {
				t.Errorf("no test raises %s", r.Alert)
			}
		}
	}
}

func TestPromtoolTakesTheAlertsAndTheirTestsPass(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = files + "/prometheus"
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, said)
		}
	}
}

func TestPromtoolTakesTheScrapeConfigurationOfThePage(t *testing.T) {
	_, after, found := strings.Cut(read(t, root+"/docs/operating.md"), "```yaml\nscrape_configs:")
	source, _, ends := strings.Cut(after, "```")
	if !found || !ends {
		t.Fatal("docs/operating.md shows no scrape configuration")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "prometheus.yml"), "scrape_configs:"+source)
	write(t, filepath.Join(dir, "alerts.yml"), read(t, files+"/prometheus/alerts.yml"))
	if said, err := exec.Command("promtool", "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestTheDashboardAsksForMetricsThatExist(t *testing.T) {
	var board struct {
		Title      string `json:"title"`
		Templating struct {
			List []struct {
				Name  string          `json:"name"`
				Query json.RawMessage `json:"query"`
			} `json:"list"`
		} `json:"templating"`
		Annotations struct {
			List []struct {
				Expr string `json:"expr"`
			} `json:"list"`
		} `json:"annotations"`
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			GridPos struct {
				H, W, X, Y int
			} `json:"gridPos"`
			Targets []struct {
				Expr         string `json:"expr"`
				LegendFormat string `json:"legendFormat"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, files+"/grafana/gatehouse.json")), &board); err != nil {
		t.Fatal(err)
	}
	known, asked := metrics(t), ""
	plain := strings.NewReplacer("$__rate_interval", "5m", "$job", "gatehouse", "$route", ".*")
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its number is another panel's", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s covers %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			source := plain.Replace(q.Expr)
			if strings.Contains(source, "$") {
				t.Errorf("%s: a variable that the dashboard does not have, in %s", p.Title, q.Expr)
			}
			wantKnown(t, known, p.Title, source)
			asked += q.Expr
		}
	}
	for _, a := range board.Annotations.List {
		wantKnown(t, known, "annotation", plain.Replace(a.Expr))
	}
	query := regexp.MustCompile(`label_values\((.*), ([a-z]+)\)`)
	for _, v := range board.Templating.List {
		var text struct {
			Query string `json:"query"`
		}
		if json.Unmarshal(v.Query, &text) != nil {
			continue // the data source
		}
		m := query.FindStringSubmatch(text.Query)
		if m == nil {
			t.Errorf("variable %s asks %s", v.Name, text.Query)
			continue
		}
		wantKnown(t, known, v.Name, "count by ("+m[2]+") ("+plain.Replace(m[1])+")")
	}
	for name := range known {
		if strings.HasPrefix(name, "gatehouse_") && !strings.HasSuffix(name, "_count") && !strings.HasSuffix(name, "_sum") && !strings.Contains(asked, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
