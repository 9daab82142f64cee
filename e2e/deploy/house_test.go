// Package deploy holds what stands in ../../deploy to the programs that will read
// it: Helm, the Kubernetes API's types, Compose, systemd, Prometheus, and Gatehouse
// itself. It is a module of its own, so that none of them is a dependency of
// Gatehouse.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root  = "../.."
	files = root + "/deploy"
)

// gatehouse is the command, built once before the tests.
var gatehouse string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatehouse")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	gatehouse = filepath.Join(dir, "gatehouse")
	build := exec.Command("go", "build", "-o", gatehouse, "./cmd/gatehouse")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	return m.Run()
}

// check puts the configuration into a folder of its own, and has gatehouse check
// read it with the variables of the environment. secrets are the files that it is
// to find, by the path that configuration or environment call them by.
func check(t *testing.T, source string, env, secrets map[string]string) {
	t.Helper()
	dir := t.TempDir()
	var moved []string // the machine's paths, and where they lie here
	for path, content := range secrets {
		here := filepath.Join(dir, "files", path)
		write(t, here, content)
		moved = append(moved, path, here)
	}
	move := strings.NewReplacer(moved...)
	file := filepath.Join(dir, "gatehouse.yaml")
	write(t, file, move.Replace(source))
	cmd := exec.Command(gatehouse, "check", "-c", file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+move.Replace(value))
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("gatehouse check: %v\n%s", err, said)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// What the secrets hold in these tests.
const (
	clientSecret  = "an access key\n"
	sessionSecret = "0123456789012345678901234567890123456789\n"
	redisURL      = "redis://redis:6379/0\n"
)
