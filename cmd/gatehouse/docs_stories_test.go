package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"slices"
	"strings"
)

// The stories of tellings: what a block of commands on a page is run against, and
// what it has to come to.

// builtFromSource is the README, from the clone to a Gatehouse that listens.
func builtFromSource(r *reader, block string) {
	if err := os.Remove(r.path("gatehouse")); err != nil {
		r.t.Fatal(err)
	}
	r.clone()
	r.until(block, `"listening"`)
}

func checkedAndServed(r *reader, block string) {
	r.env = append(r.env, "DESCOPE_CLIENT_SECRET=x", "GATEHOUSE_SESSION_SECRET="+newSecret())
	r.until(block, `"listening"`)
}

func itsVersion(r *reader, block string) {
	if err := os.Remove(r.path("gatehouse")); err != nil {
		r.t.Fatal(err)
	}
	r.clone()
	if said := r.run(block, ""); !strings.Contains(said, "gatehouse") {
		r.t.Errorf("version says %q", said)
	}
}

func demonstrated(r *reader, block string) {
	r.until(strings.TrimSpace(block)+" --listen "+freeAddress(r.t), "Gatehouse is running")
}

func signingKey(r *reader, block string) {
	r.run(block, "")
	key, _ := pem.Decode([]byte(r.read("assertion.pem")))
	if key == nil {
		r.t.Fatal("assertion.pem holds no PEM")
	}
	if _, err := x509.ParsePKCS8PrivateKey(key.Bytes); err != nil {
		r.t.Error(err)
	}
}

// checkedOnline has everybody at hand whom check --online asks.
func checkedOnline(r *reader, block string) {
	h := newHouse(r.t, build{})
	r.write("gatehouse.yaml", h.yaml(build{}), 0o600)
	r.env = append(append(r.env, h.env...), "GATEHOUSE_DESCOPE_ISSUER="+h.Issuer)
	if said := r.run(block, ""); !strings.Contains(said, "everybody answered") {
		r.t.Errorf("check --online says:\n%s", said)
	}
}

// ofTheMakefile only asks whether make knows the tasks: this is one of them.
func ofTheMakefile(r *reader, block string) {
	r.clone()
	for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
		command, _, _ := strings.Cut(line, "#")
		r.run(command+" -n", "")
	}
}

// installedUnit installs under the reader's folder in place of /.
func installedUnit(r *reader, block string) {
	r.clone()
	r.stand("systemctl", `echo "$@" >> told`)
	for _, folder := range []string{"/usr/local/bin/", "/etc/systemd/system/"} {
		if err := os.MkdirAll(r.path(folder), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	r.run(regexp.MustCompile(` /(usr|etc)/`).ReplaceAllString(block, " "+r.dir+"/$1/"), "the access key\n")
	if got, want := r.read("told"), "daemon-reload\nenable --now gatehouse\n"; got != want {
		r.t.Errorf("systemctl was told %q, want %q", got, want)
	}
	for _, file := range []string{"usr/local/bin/gatehouse", "etc/systemd/system/gatehouse.service", "etc/gatehouse/gatehouse.yaml"} {
		if _, err := os.Stat(r.path(file)); err != nil {
			r.t.Error(err)
		}
	}
	for _, file := range []string{"session_secret", "descope_client_secret"} {
		info, err := os.Stat(r.path("etc/gatehouse/credentials/" + file))
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
			r.t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	unit := r.read("etc/systemd/system/gatehouse.service")
	if !strings.Contains(unit, "/etc/gatehouse/credentials") || !strings.Contains(unit, "/usr/local/bin/gatehouse") {
		r.t.Errorf("the unit looks elsewhere:\n%s", unit)
	}
}

// docker stands in for Docker, which is not there: what is built has to have its
// file, and the image does with its arguments what gatehouse does.
const docker = `case $1 in
build) test -f Dockerfile ;;
compose) test -f compose.yaml ;;
run) while [ "$1" != gatehouse ]; do shift; done; shift; [ $# = 0 ] || gatehouse "$@" ;;
*) exit 2 ;;
esac
`

func inAContainer(r *reader, block string) {
	r.clone()
	r.stand("docker", docker)
	r.run(block, "")
	if dockerfile := r.read("Dockerfile"); !strings.Contains(dockerfile, "/etc/gatehouse/gatehouse.yaml") {
		r.t.Errorf("the image reads another file:\n%s", dockerfile)
	}
}

func composed(r *reader, block string) {
	r.clone()
	r.stand("docker", docker)
	r.run(block, "the access key\n")
	if secret := strings.TrimSpace(r.read("deploy/compose/secrets/session_secret")); len(secret) < 64 {
		r.t.Errorf("session_secret is %q", secret)
	}
	for _, m := range regexp.MustCompile(`file: (\./secrets/\w+)`).FindAllStringSubmatch(r.read("deploy/compose/compose.yaml"), -1) {
		if strings.TrimSpace(r.read("deploy/compose/"+m[1])) == "" {
			r.t.Errorf("%s is empty", m[1])
		}
	}
}

// secretsOfTheChart holds the secrets that are created to those that the values on
// the page name. The values are rendered in e2e/deploy; there is no cluster.
func secretsOfTheChart(r *reader, block string) {
	var created []string
	for _, m := range regexp.MustCompile(`create secret generic (\S+) --from-(?:file|literal)=(\w+)=`).FindAllStringSubmatch(block, -1) {
		created = append(created, m[1])
	}
	var named []string
	for _, values := range blocks(r.t, r.page, "yaml") {
		for _, m := range regexp.MustCompile(`(?m)^  (?:descope|session|redis): \{name: ([\w-]+)\}$`).FindAllStringSubmatch(values, -1) {
			named = append(named, m[1])
		}
	}
	if len(created) != 3 || !slices.Equal(created, named) {
		r.t.Errorf("the page creates the secrets %q and its values name %q", created, named)
	}
	if _, err := os.Stat("../../deploy/helm/gatehouse/Chart.yaml"); err != nil || !strings.Contains(block, " deploy/helm/gatehouse ") {
		r.t.Errorf("the chart is elsewhere: %v", err)
	}
}
