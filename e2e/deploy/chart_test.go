package deploy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

const chartDir = files + "/helm/gatehouse"

func valuesOf(t *testing.T, name string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValuesFile(filepath.Join("values", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestHelmLintFindsNothing(t *testing.T) {
	for _, name := range []string{"one", "three", "open"} {
		t.Run(name, func(t *testing.T) {
			found := lint.All(chartDir, valuesOf(t, name), "front", true)
			for _, m := range found.Messages {
				if m.Severity > support.InfoSev { // that a chart should have an icon is for catalogues
					t.Error(m)
				}
			}
		})
	}
}

// render is helm template: the manifests that the chart makes of the values.
func render(values map[string]any) (map[string]string, error) {
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "edge", Namespace: "front", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

func TestTheChartRefusesWhatCannotWork(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(values map[string]any)
		want   string
	}{
		{"no configuration", func(v map[string]any) { v["config"] = "" }, "config is required"},
		{"several instances without Redis", func(v map[string]any) { v["replicas"] = 2 }, "needs secrets.redis.name"},
		{"no instance at all", func(v map[string]any) { v["replicas"] = 0 }, "minimum"},
		{"no client secret", func(v map[string]any) { v["secrets"].(map[string]any)["descope"] = map[string]any{} }, "secrets.descope.name is required"},
		{"no session secret", func(v map[string]any) { v["secrets"].(map[string]any)["session"] = map[string]any{} }, "secrets.session.name is required"},
		{"a slip in a key", func(v map[string]any) { v["replica"] = 2 }, "replica"},
		{"an app of no labels, which would be every pod", func(v map[string]any) {
			v["apps"] = []any{map[string]any{"name": "a", "port": 1, "podLabels": map[string]any{}}}
		}, "podLabels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values := valuesOf(t, "one")
			tc.change(values)
			if _, err := render(values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that says %q", err, tc.want)
			}
		})
	}
}

var documentEnd = regexp.MustCompile(`(?m)^---\s*$`)

// documents are the manifests of all templates, one a string.
func documents(t *testing.T, values map[string]any) []string {
	t.Helper()
	rendered, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, text := range rendered {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, d := range documentEnd.Split(text, -1) {
			var content map[string]any
			if err := yaml.Unmarshal([]byte(d), &content); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, d)
			}
			if len(content) > 0 {
				out = append(out, d)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestTheConfigurationOfAReleasePassesCheck(t *testing.T) {
	for _, name := range []string{"one", "three", "open"} {
		t.Run(name, func(t *testing.T) {
			r := decode(t, documents(t, valuesOf(t, name)))
			env, secrets := map[string]string{}, map[string]string{}
			for _, v := range r.container().Env {
				env[v.Name] = v.Value
			}
			for variable, content := range map[string]string{
				"GATEHOUSE_DESCOPE_CLIENT_SECRET_FILE": clientSecret,
				"GATEHOUSE_SESSION_SECRET_FILE":        sessionSecret,
				"GATEHOUSE_SESSION_REDIS_URL_FILE":     redisURL,
			} {
				if file, ok := env[variable]; ok {
					r.wantMounted(t, file)
					secrets[file] = content
				}
			}
			check(t, r.configs[0].Data["gatehouse.yaml"], env, secrets)
		})
	}
}

// The values that docs/install.md shows make what it says.
func TestTheInstallPagesValues(t *testing.T) {
	_, after, found := strings.Cut(read(t, root+"/docs/install.md"), "```yaml\n# values.yaml\n")
	source, _, ends := strings.Cut(after, "```")
	if !found || !ends {
		t.Fatal("docs/install.md shows no values.yaml")
	}
	values, err := chartutil.ReadValues([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	values["config"] = valuesOf(t, "one")["config"] // by --set-file
	r := decode(t, documents(t, values))
	if *r.deployment.Spec.Replicas != 3 || len(r.budgets) != 1 || len(r.policies) != 2 || len(r.ingresses) != 1 || len(r.monitors) != 1 {
		t.Errorf("%d replicas, %d budgets, %d network policies, %d ingresses, %d monitors",
			*r.deployment.Spec.Replicas, len(r.budgets), len(r.policies), len(r.ingresses), len(r.monitors))
	}
}
