package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblemsStandInTheOrderOfTheFileAndThenOfTheVariables(t *testing.T) {
	_, err := Parse("conf/my.yaml", []byte(top+"log: {level: x}\nlisten: x\n"), secretEnv("GATEHOUSE_AUTH_PATH=x", "GATEHOUSE_ADMIN_LISTEN=x"))
	if err == nil {
		t.Fatal("want an error")
	}
	want := []string{
		"conf/my.yaml:4:7: log.level: want debug, info, warn or error, got \"x\"",
		"conf/my.yaml:5:1: listen: want host:port such as 127.0.0.1:8000 or :8000, got \"x\"",
		"GATEHOUSE_ADMIN_LISTEN: admin.listen: want host:port such as 127.0.0.1:8000 or :8000",
		"GATEHOUSE_AUTH_PATH: auth_path: want a path that begins with /",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestAProblemStandsWhereItsKeyIsOrWouldBe(t *testing.T) {
	c := load(t, top+"routes:\n  - upstream: http://a\n    allow: [{claims: {a.b: [x]}}]\n", "GATEHOUSE_LISTEN=:7")
	for key, want := range map[string]string{
		"routes[0].upstream":                 "gatehouse.yaml:5:5: routes[0].upstream: no answer",
		"routes[0].timeout":                  "gatehouse.yaml:5:5: routes[0].timeout: no answer",
		"routes[0].allow[0].claims[\"a.b\"]": "gatehouse.yaml:6:23: routes[0].allow[0].claims[\"a.b\"]: no answer",
		"routes[0].allow[0].claims[\"c.d\"]": "gatehouse.yaml:6:14: routes[0].allow[0].claims[\"c.d\"]: no answer",
		"descope.issuer":                     "gatehouse.yaml:2:1: descope.issuer: no answer",
		"tls.acme.email":                     "gatehouse.yaml:1:1: tls.acme.email: no answer",
		"listen":                             "GATEHOUSE_LISTEN: listen: no answer",
		"":                                   "gatehouse.yaml:1:1: no answer",
	} {
		if got := c.Problem(key, "no answer").String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
