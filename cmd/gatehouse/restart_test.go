package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/authn/descopetest"
	"gatehouse/config"
)

func TestARestart(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   bool
		spoil  func(t *testing.T, file string)
		lagged int // the person whose token rotated while only a stream was open
		left   int // the one who signed out
		stays  int // the one who did nothing
	}{
		{"with a state file everybody is where they were", true, nil, 200, 401, 200},
		{"without one a lagging cookie is worth nothing, and a revoked session ends at its next refresh", false, nil, 401, 401, 200},
		{"with one that does not open, everybody is confirmed by the provider first", true, func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("torn"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 401, 401, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := shortLived()
			file := filepath.Join(t.TempDir(), "state")
			if c.file {
				b.session = "  state_file: " + file
			}
			h := newHouse(t, b)
			h.User.on(streamer)
			lagging, leaving, staying := h.as("bob"), h.as("ada"), h.as("carol")
			stolen := leaving.cookies()
			lagging.follow("/gradio/user/events")
			h.await("a rotation without a request", func() bool { return h.Provider.Requests()[descopetest.Refresh] > 0 })
			leaving.do("POST", "/auth/logout", "", "Origin", h.URL)
			h.stop()
			<-h.done
			if c.file {
				info, err := os.Stat(file)
				if err != nil || info.Mode() != 0o600 {
					t.Fatalf("the state file: %v, %v", info, err)
				}
				held, _ := os.ReadFile(file)
				if strings.Contains(string(held), "bob") {
					t.Error("it can be read")
				}
			}
			if c.spoil != nil {
				c.spoil(t, file)
			}
			h = h.twin(b)
			lagging.at(h).wants("lagging", c.lagged)
			staying.at(h).wants("staying", c.stays)
			if !c.file {
				outlive()
			}
			if res := h.browser().at(h).do("GET", "/gradio/user/", "", "Cookie", stolen); res.StatusCode != c.left {
				t.Errorf("the one who signed out: %s, want %d", res.Status, c.left)
			}
		})
	}
}

func TestAStateFileInNoFolderIsToldAtTheStart(t *testing.T) {
	h := newHouse(t, build{})
	c, err := config.Parse("gatehouse.yaml", []byte(h.yaml(build{session: "  state_file: /no/such/folder/state"})), demoSecrets(h.Provider))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := assemble(c, io.Discard); err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "session.state_file") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsRotateAtOneInstance(t *testing.T) {
	h := newHouse(t, build{})
	bob := h.as("bob")
	old := h.instance.config().Session.Secrets
	made := config.NewSecret(newSecret())
	if err := h.instance.rekey(append([]config.Secret{made}, old...)); err != nil {
		t.Fatal(err)
	}
	bob.wants("with the old secret still read", 200)
	if err := h.instance.rekey([]config.Secret{made}); err != nil {
		t.Fatal(err)
	}
	bob.wants("with the old secret gone", 401)
	if err := h.instance.rekey(nil); err == nil {
		t.Error("no secret at all was taken")
	}
	h.as("bob").wants("signed in again", 200)
}

// Rotation by previous_secrets: the old secret moves there, and comes out a
// max_age later. Nobody is signed out, and who comes meanwhile takes the new one along.
func TestSecretsAreRotatedByPreviousSecrets(t *testing.T) {
	t.Parallel()
	first, second := newSecret(), newSecret()
	b := filed(t, build{
		provider: shortLived().provider,
		replace:  []string{"secret: ${GATEHOUSE_SESSION_SECRET}", "secret: ${FIRST}"},
		env:      []string{"GATEHOUSE_SESSION_SECRET=", "FIRST=" + first, "SECOND=" + second},
	})
	h := newHouse(t, b)
	bob, idle := h.as("bob"), h.as("ada")
	stays := idle.cookies()
	h.edit(b.file, "secret: ${FIRST}", "secret: ${SECOND}\n  previous_secrets: [\"${FIRST}\"]")
	h.within2s("config_reloaded", 1)
	bob.wants("with the old secret in previous_secrets", 200)
	outlive()
	bob.wants("refreshed, and sealed anew", 200)
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", stays); res.StatusCode != http.StatusOK {
		t.Errorf("a cookie of before: %s", res.Status)
	}
	h.edit(b.file, "\n  previous_secrets: [\"${FIRST}\"]", "")
	h.within2s("config_reloaded", 2)
	bob.wants("with the old secret gone", 200)
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", stays); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a cookie that only the old one opens: %s", res.Status)
	}
}
