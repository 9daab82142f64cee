// Package fleet runs the command itself, as processes: several instances behind a
// balancer, restarts, upgrades and rollbacks, while people are at work.
package fleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/e2e/rig"
)

const root = "../.."

// older is built of the last release's sources, newer of the present ones: what the
// one wrote, the other reads, and the other way round.
var older, newer string

// baseline is the commit that stands for a release as long as there is no tag.
const baseline = "1cef500c510e"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	older, newer = filepath.Join(dir, "older"), filepath.Join(dir, "newer")
	for binary, sources := range map[string]string{older: lastRelease(dir), newer: root} {
		build := exec.Command("go", "build", "-ldflags", "-X main.version="+filepath.Base(binary), "-o", binary, "./cmd/gatehouse")
		build.Dir, build.Stderr = sources, os.Stderr
		if err := build.Run(); err != nil {
			panic(fmt.Sprint("building ", binary, ": ", err))
		}
	}
	return m.Run()
}

// lastRelease lays out the sources of the last tag before this commit, else of the
// baseline. A clone that has neither has the present ones alone. GATEHOUSE_OLDER
// names any other commit.
func lastRelease(dir string) string {
	git := func(args ...string) ([]byte, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		return cmd.Output()
	}
	commit := os.Getenv("GATEHOUSE_OLDER")
	if tag, err := git("describe", "--tags", "--abbrev=0", "HEAD^"); commit == "" && err == nil {
		commit = strings.TrimSpace(string(tag))
	} else if _, err := git("cat-file", "-e", baseline+"^{commit}"); commit == "" && err == nil {
		commit = baseline
	}
	if commit == "" {
		return root
	}
	archive, err := git("archive", commit)
	if err != nil {
		panic(err)
	}
	sources := filepath.Join(dir, "sources")
	if err := os.Mkdir(sources, 0o700); err != nil {
		panic(err)
	}
	unpack := exec.Command("tar", "-x", "-C", sources)
	unpack.Stdin, unpack.Stderr = bytes.NewReader(archive), os.Stderr
	if err := unpack.Run(); err != nil {
		panic(err)
	}
	return sources
}

// An instance is a running process.
type instance struct {
	town          *town
	listen, admin string
	cmd           *exec.Cmd
	log           bytes.Buffer    // to be read once ended is closed
	ended         <-chan struct{} // the process is gone
	err           error           // and how
}

func (in *instance) hasEnded() bool {
	select {
	case <-in.ended:
		return true
	default:
		return false
	}
}

// start runs a build until the test ends, or stop.
func (tn *town) start(binary, listen, admin string) *instance {
	tn.t.Helper()
	in := &instance{town: tn, listen: listen, admin: admin}
	in.cmd = exec.Command(binary, "serve", "-c", tn.file)
	in.cmd.Env = []string{"DESCOPE_CLIENT_SECRET=" + tn.client, "GATEHOUSE_LISTEN=" + listen, "GATEHOUSE_ADMIN_LISTEN=" + admin}
	in.cmd.Stderr = &in.log
	if err := in.cmd.Start(); err != nil {
		tn.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		in.err = in.cmd.Wait()
		close(ended)
	}()
	in.ended = ended
	tn.t.Cleanup(func() {
		_ = in.cmd.Process.Kill() // unless it has ended
		<-ended
		if tn.t.Failed() {
			tn.t.Logf("%s at %s:\n%s", filepath.Base(binary), listen, worst(in.log.String()))
		}
	})
	await(tn.t, "the instance at "+listen, func() bool { return in.ready() || in.hasEnded() })
	if in.hasEnded() {
		tn.t.Fatalf("the instance at %s ended: %v", listen, in.err)
	}
	return in
}

// worst are the lines of a log that are not the daily round.
func worst(log string) string {
	var out strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"level":"INFO"`) || strings.Contains(line, `"denied"`) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func (in *instance) ready() bool {
	res, err := http.Get("http://" + in.admin + "/readyz")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the process as a supervisor does, and waits for it.
func (in *instance) stop() {
	in.town.t.Helper()
	_ = in.cmd.Process.Signal(syscall.SIGTERM)
	hung := time.AfterFunc(time.Minute, func() { _ = in.cmd.Process.Kill() })
	defer hung.Stop()
	<-in.ended
	if in.err != nil {
		in.town.t.Errorf("the instance at %s did not end well: %v", in.listen, in.err)
	}
}

// freePorts are addresses that nobody listens at now, all different.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for len(out) < n {
		address, err := rig.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out
}

// startRedis runs a redis-server until the test ends, and returns its address.
func startRedis(t *testing.T) string {
	t.Helper()
	address := freePorts(t, 1)[0]
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return address
		}
	}
	t.Fatal("redis-server did not get ready")
	return ""
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// events are the audit events of the kind in the log of an instance that ended.
func (in *instance) events(kind string) []map[string]any {
	var out []map[string]any
	for line := range strings.SplitSeq(in.log.String(), "\n") {
		var e map[string]any
		if json.Unmarshal([]byte(line), &e) == nil && e["event"] == kind {
			out = append(out, e)
		}
	}
	return out
}
