package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/audit.md answers questions with jq. Its commands are run here, as they
// stand there, on the log of a house in which what they ask about has happened.
func TestTheAuditPagesCommandsAnswer(t *testing.T) {
	b := filed(t, build{})
	h := newHouse(t, b)
	h.Admin.on(streamer)
	ada, bob := h.as("ada"), h.as("bob")
	ada.open("/gradio/admin/x?token=secret")
	ada.follow("/gradio/admin/events")
	bob.open("/gradio/admin/x")
	bob.fetch("GET", "/gradio/admin/y", "")
	h.browser().fetch("GET", "/gradio/admin/z", "")
	h.browser().open("/auth/callback?state=forged&code=forged")
	h.edit(b.file, "allow: authenticated", "allow: [{roles: [Member, Tenant Admin]}]")
	h.await("the reload", func() bool { return len(h.events("config_reloaded")) == 1 })
	ada.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "same-origin")
	h.await("the stream's end", func() bool { return len(h.events("stream_closed")) == 1 })

	dir := t.TempDir()
	sh := func(script string) string {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, said)
		}
		return string(said)
	}
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		commands = append(commands, m[1])
	}
	day := strings.TrimSpace(sh(commands[0] + "\necho $day"))
	log := regexp.MustCompile(`"time":"\d{4}-\d\d-\d\d`).ReplaceAllString(h.Log.String(), `"time":"`+day)
	if err := os.WriteFile(filepath.Join(dir, "gatehouse.log"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	const at = `\d\d:\d\d:\d\d\t`
	for i, want := range []string{
		"^" + at + `ada@acme.example\tT2acme\t127.0.0.1\n$`,
		"^" + at + `stream_opened\tada@acme.example\t/gradio/admin/events\t-\t-\n` + at + `stream_closed\tada@acme.example\t/gradio/admin/events\tsign_out\t[\d.e-]+\n$`,
		"^" + at + `bob@acme.example\t127.0.0.1\tno_rule\tGET\t/gradio/admin/x\n` + at + `bob@acme.example\t127.0.0.1\tno_rule\tGET\t/gradio/admin/y\n` +
			at + `nobody\t127.0.0.1\tno_session\tGET\t/gradio/admin/z\n$`,
		`^ +2 gradio/admin\tbob@acme.example\n$`,
		`^(\{"time":"[^\n]*"event":"(signed_in|denied)"[^\n]*\}\n){3}$`,
		"^" + at + `127.0.0.1\tstate\t[^\n]+\n$`,
		`^\S+\tconfig_reloaded\t[0-9a-f]+\n$`,
	} {
		if i+1 >= len(commands) {
			t.Fatalf("the page has %d commands", len(commands))
		}
		if got := sh(fmt.Sprintf("day=%s\n%s", day, commands[i+1])); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s\ngot %q\nwant %s", commands[i+1], got, want)
		}
	}
	if len(commands) != 8 {
		t.Errorf("%d commands on the page, of which 8 are run", len(commands))
	}
}
