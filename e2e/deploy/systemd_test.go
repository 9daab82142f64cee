package deploy

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unitFile = files + "/systemd/gatehouse.service"

// unit writes the unit for this machine: with the command where it was built.
func unit(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gatehouse.service")
	write(t, file, strings.ReplaceAll(read(t, unitFile), "/usr/local/bin/gatehouse", gatehouse))
	return file
}

func TestSystemdKnowsEveryLineOfTheUnit(t *testing.T) {
	said, err := exec.Command("systemd-analyze", "verify", unit(t)).CombinedOutput()
	if err != nil || strings.Contains(string(said), "gatehouse.service") {
		t.Errorf("%v\n%s", err, said)
	}
}

// The scale goes from 0, sealed, to 10. A proxy that asks a provider elsewhere keeps
// the network.
func TestTheUnitIsHardened(t *testing.T) {
	said, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", unit(t)).CombinedOutput()
	if err != nil {
		t.Errorf("exposed more than 1.5: %v\n%s", err, said)
	}
}

func TestTheUnitsConfigurationPassesCheck(t *testing.T) {
	env, secrets := map[string]string{}, map[string]string{}
	state := filepath.Join(t.TempDir(), "state")
	write(t, filepath.Join(state, "gatehouse", "x"), "")
	for line := range strings.SplitSeq(read(t, unitFile), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "Environment":
			name, text, _ := strings.Cut(value, "=")
			env[name] = strings.NewReplacer("%d", "/run/credentials/gatehouse.service", "%S", state).Replace(text)
		case "LoadCredential":
			name, source, _ := strings.Cut(value, ":")
			if source != "/etc/gatehouse/credentials/"+name {
				t.Errorf("credential %s comes from %s", name, source)
			}
			secrets["/run/credentials/gatehouse.service/"+name] = map[string]string{"descope_client_secret": clientSecret, "session_secret": sessionSecret}[name]
		}
	}
	if len(secrets) != 2 {
		t.Errorf("credentials %v", secrets)
	}
	check(t, read(t, files+"/systemd/gatehouse.yaml"), env, secrets)
}
