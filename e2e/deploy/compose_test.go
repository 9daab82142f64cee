package deploy

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

func project(t *testing.T) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(files + "/compose")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposePublishesNothingButGatehouse(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		if len(s.Ports) > 0 != (name == "gatehouse") {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		if s.Privileged || s.NetworkMode != "" || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined", name)
		}
		var networks []string
		for n := range s.Networks {
			networks = append(networks, n)
		}
		slices.Sort(networks)
		want := map[string][]string{"gatehouse": {"apps", "front", "sessions"}, "redis": {"sessions"}, "admin": {"apps"}, "user": {"apps"}}[name]
		if !slices.Equal(networks, want) {
			t.Errorf("%s is in the networks %v, want %v", name, networks, want)
		}
	}
	if len(p.Services) != 4 || !p.Networks["apps"].Internal || !p.Networks["sessions"].Internal {
		t.Errorf("services %v, networks %+v", p.ServiceNames(), p.Networks)
	}
}

func TestComposesConfigurationPassesCheck(t *testing.T) {
	p := project(t)
	s := p.Services["gatehouse"]
	secrets := map[string]string{}
	for _, given := range s.Secrets {
		if p.Secrets[given.Source].File == "" {
			t.Errorf("secret %s is no file", given.Source)
		}
		secrets["/run/secrets/"+given.Source] = map[string]string{"descope_client_secret": clientSecret, "session_secret": sessionSecret}[given.Source]
	}
	if len(s.Volumes) != 1 || s.Volumes[0].Target != "/etc/gatehouse" || !s.Volumes[0].ReadOnly {
		t.Fatalf("volumes %+v", s.Volumes)
	}
	check(t, read(t, filepath.Join(s.Volumes[0].Source, "gatehouse.yaml")), nil, secrets)
}

func TestTheFilesThatComposeBuildsFromExist(t *testing.T) {
	for name, s := range project(t).Services {
		if s.Build == nil {
			continue
		}
		file := s.Build.Dockerfile
		if !filepath.IsAbs(file) {
			file = filepath.Join(s.Build.Context, file)
		}
		read(t, file)
		if name != "gatehouse" {
			read(t, filepath.Join(s.Build.Context, s.Command[0]))
		}
	}
}
