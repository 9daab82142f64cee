package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
)

// A telling is how a block of commands on a page is run: by a story here, by the
// test that is named, or by nobody, and why.
type telling struct {
	story func(r *reader, block string)
	test  string
	why   string
}

// tellings are the blocks of commands on the pages, by page and first line.
var tellings = map[string]telling{
	"README.md: go run ./cmd/gatehouse demo":           {test: "test_the_demo_signs_people_in_without_any_app"},
	"README.md: go build -o gatehouse ./cmd/gatehouse": {story: builtFromSource},
	"README.md: make test":                             {story: ofTheMakefile},
	"assertion.md: gatehouse keygen":                   {story: signingKey},
	"audit.md: day=$(date":                             {test: "TestTheAuditPagesCommandsAnswer"},
	"audit.md: jq":                                     {test: "TestTheAuditPagesCommandsAnswer"},
	"descope.md: gatehouse check":                      {story: checkedAndServed},
	"install.md: CGO_ENABLED=0 go build":               {story: itsVersion},
	"install.md: export DESCOPE_CLIENT_SECRET":         {story: checkedAndServed},
	"install.md: install -m 755 gatehouse":             {story: installedUnit},
	"install.md: docker build":                         {story: inAContainer},
	"install.md: cd deploy/compose":                    {story: composed},
	"install.md: kubectl create secret":                {story: secretsOfTheChart},
	"jupyter.md: jupyter lab":                          {test: "test_jupyterlab_runs_a_cell_and_saves_the_notebook"},
	"operating.md: gatehouse check":                    {story: checkedOnline},
	"other-uis.md: WEBUI_AUTH_TRUSTED_EMAIL_HEADER":    {why: "Open WebUI is too large for the tests; the page says when it was tried"},
	"quick-start.md: go run ./cmd/gatehouse demo":      {test: "test_the_demo_signs_people_in_without_any_app"},
	"quick-start.md: make demo":                        {test: "test_the_demo_stands_before_real_apps"},
	"quick-start.md: gatehouse demo --upstream":        {story: demonstrated},
	"quick-start.md: export DESCOPE_CLIENT_SECRET":     {story: checkedAndServed},
	"scripts.md: curl -i":                              {test: "test_curl_shows_why_a_script_may_not"},
	"scripts.md: pip install \"gradio[mcp]\"":          {test: "test_an_agent_finds_the_sign_in_registers_and_its_tool_sees_who_it_is"},
	"streamlit.md: streamlit run app.py":               {test: "test_streamlit_runs_widgets_uploads_and_downloads"},
}

func TestEveryCommandOfTheDocsIsRun(t *testing.T) {
	tests := testNames(t)
	for name := range pythonTestNames(t) {
		tests[name] = true
	}
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	descope, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer descope.Close()
	met := map[string]bool{}
	for _, page := range docPages(t) {
		name := filepath.Base(page)
		for _, block := range blocks(t, page, "sh") {
			key := keyOf(name, block)
			how, known := tellings[key]
			met[key] = true
			switch {
			case !known:
				t.Errorf("nobody runs this block of %s:\n%s", name, block)
			case how.test != "" && !tests[how.test]:
				t.Errorf("%s: there is no test named %s", key, how.test)
			case how.story != nil:
				t.Run(key, func(t *testing.T) { how.story(newReader(t, page, descope.Issuer), block) })
			}
		}
	}
	for key := range tellings {
		if !met[key] {
			t.Errorf("no page shows %s", key)
		}
	}
}

// keyOf is the key of tellings that fits a block of a page, or what it would be.
func keyOf(page, block string) string {
	first, _, _ := strings.Cut(page+": "+block, "\n")
	for key := range tellings {
		if strings.HasPrefix(first, key) {
			return key
		}
	}
	return first
}

// A reader types what a page shows, in a folder that holds the page's
// configuration and a gatehouse.
type reader struct {
	t    *testing.T
	page string
	dir  string
	env  []string
}

func newReader(t *testing.T, page, issuer string) *reader {
	t.Helper()
	gatehouse, err := exec.LookPath("gatehouse") // this test, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, page: page, dir: t.TempDir()}
	if err := os.Symlink(gatehouse, r.path("gatehouse")); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(),
		"PATH="+r.path("bin")+":"+os.Getenv("PATH"),
		"GATEHOUSE_DESCOPE_ISSUER="+issuer,
		"GATEHOUSE_LISTEN="+freeAddress(t), "GATEHOUSE_ADMIN_LISTEN="+freeAddress(t),
	)
	r.write("gatehouse.yaml", completed(""), 0o600) // where the page shows none
	for _, block := range blocks(t, page, "yaml") {
		if topLevel(block, "descope") || topLevel(block, "routes") {
			r.write("gatehouse.yaml", completed(block), 0o600)
		}
	}
	return r
}

func (r *reader) path(name string) string { return filepath.Join(r.dir, name) }

func (r *reader) write(name, content string, mode os.FileMode) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(content), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) read(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(content)
}

// stand puts a program in place of one that changes the machine, or that is not on it.
func (r *reader) stand(name, script string) { r.write("bin/"+name, "#!/bin/sh -e\n"+script, 0o700) }

// clone is the checkout as far as commands on the pages need it.
func (r *reader) clone() {
	r.t.Helper()
	for _, name := range []string{"go.mod", "go.sum", "Makefile", "Dockerfile"} {
		content, err := os.ReadFile("../../" + name)
		if err != nil {
			r.t.Fatal(err)
		}
		r.write(name, string(content), 0o600)
	}
	for _, name := range []string{"authn", "authz", "cmd", "config", "deploy", "proxy"} {
		if err := os.CopyFS(r.path(name), os.DirFS("../../"+name)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *reader) command(script string) *exec.Cmd {
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// run types a block that ends, and answers what it reads with answer.
func (r *reader) run(script, answer string) string {
	r.t.Helper()
	cmd := r.command(script)
	cmd.Stdin = strings.NewReader(answer)
	said, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, said)
	}
	return string(said)
}

// until types a block that goes on, waits for what it is to say, and stops it as
// Ctrl-C does.
func (r *reader) until(script, want string) {
	r.t.Helper()
	said := &syncBuffer{}
	cmd := r.command(script)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func(signal syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, signal) }
	for deadline := time.Now().Add(time.Minute); !strings.Contains(said.String(), want); {
		select {
		case err := <-ended:
			r.t.Fatalf("%s ended before it said %q: %v\n%s", script, want, err, said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			stop(syscall.SIGKILL)
			r.t.Fatalf("%s did not say %q:\n%s", script, want, said.String())
		}
	}
	stop(syscall.SIGINT)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		stop(syscall.SIGKILL)
		r.t.Fatalf("%s does not end:\n%s", script, said.String())
	}
}

// pythonTestNames are the tests of e2e/.
func pythonTestNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../e2e/test_*.py")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^(?:async )?def (test_\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}
