package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v3"
)

// marked is what no output may hold.
const marked = "MARKED-secret-text-of-more-than-32-bytes"

func TestASecretIsPrintedByNothing(t *testing.T) {
	s := NewSecret(marked)
	type holder struct {
		Exported Secret
		hidden   Secret
		List     []Secret
		Map      map[string]Secret
	}
	h := holder{s, s, []Secret{s}, map[string]Secret{"a": s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%10.3s"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n", s, &s, h)
	}
	fmt.Fprintln(&out, s, h, &h)
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("secret", "secret", s, "holder", h, "list", h.List)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		for _, v := range []any{s, &s, h.List, h.Map, h} {
			content, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(content)
		}
	}
	if text := out.String(); strings.Contains(text, "MARKED") || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", marked[:6])) {
		t.Errorf("the secret is in\n%s", text)
	}
	if s.Reveal() != marked || s.IsZero() || !s.Equal(NewSecret(marked)) || s.Equal(Secret{}) || !(Secret{}).IsZero() {
		t.Error("Reveal, IsZero or Equal are wrong")
	}
}

// Every document is wrong somewhere near a secret. The mark stands where a secret
// does, or in a variable, and must be in no message.
func TestNoMessageShowsASecret(t *testing.T) {
	env := []string{"MARK=" + marked, "MARKURL=https://" + marked + "/x"}
	for name, document := range map[string]string{
		"a list for a secret":              descopeOf("client_secret: [" + marked + "]"),
		"a mapping for a secret":           descopeOf("client_secret: {" + marked + ": 1, " + marked + ": 2}"),
		"a mapping for a secret in a list": sessionOf("secret: x, previous_secrets: [{" + marked + ": 1, " + marked + ": \"${NONE}\"}]"),
		"text for a list of secrets":       sessionOf("secret: x, previous_secrets: " + marked),
		"a stray ${ in a secret":           descopeOf("client_secret: '" + marked + "${'"),
		"a stray ${} in a secret":          descopeOf("client_secret: 'a${" + marked + "}'"),
		"an unset variable in a secret":    descopeOf("client_secret: '" + marked + "${NONE}'"),
		"an alias for a secret":            "public_url: https://a\nsession:\n  secret: *" + marked + "\n",
		"a tag for a secret":               "public_url: https://a\nsession:\n  secret: !" + marked + " x\n",
		"a tag handle for a secret":        "public_url: https://a\nsession:\n  secret: !" + marked + "!x y\n",
		"a directive":                      "%" + marked + "\n",
		"a secret with a colon":            "public_url: https://a\nsession:\n  secret: a: " + marked + "\n",
		"a broken quote in a secret":       "public_url: https://a\nsession:\n  secret: \"" + marked + "\\q\"\n",
		"control characters in a secret":   sessionOf(`secret: "` + marked + `\r\n"`),
		"a section that is a secret":       "session: " + marked + "\ndescope: [" + marked + "]\n",
		"a secret at an unknown key":       descopeOf("client_secrt: " + marked),
		"a secret where its file belongs":  descopeOf("project_id: x, client_secret_file: " + marked),
		"a secret where a key belongs":     top + "assertion: {key_file: " + marked + "}\ntls: {cert_file: " + marked + ", key_file: " + marked + "}\n",
		"a Redis with a password":          sessionOf("secret: x, redis_url: 'http://user:" + marked + "@redis:x/%zz'"),
		"an issuer with a password":        descopeOf("issuer: 'ftp://user:" + marked + "@a'"),
		"upstreams with a password":        top + "routes: [{upstream: ['http://user:" + marked + "@a', 'ws://user:" + marked + "@a', 'http://user:" + marked + "@a:x']}]\n",
		"a header with a bad value":        top + "routes: [{headers: {A: \"" + marked + "\\n\", B: [" + marked + "], Host: " + marked + "}}]\n",
		"a variable everywhere": `public_url: ${MARKURL}
listen: ${MARK}
auth_path: ${MARK}
sign_in: ${MARK}
drain_delay: ${MARK}
trusted_proxies: ["${MARK}"]
tls: {cert_file: "${MARK}", acme: {directory: "${MARK}"}, redirect_listen: "${MARK}"}
descope: {project_id: "${MARK}", scopes: "${MARK}", issuers: ["${MARK} x"], session_tokens: "${MARK}", ca_file: "${MARK}"}
session: {cookie_domain: "${MARK}", cookie_name: "${MARK} x", max_age: "-${MARK}", store: "${MARK}", secret: "${MARK}", secret_file: "${MARK}"}
assertion: {key_file: "${MARK}"}
tenants: {Acme: "${MARK}"}
pages: {logo_file: "${MARK}", support: "${MARK}"}
log: {level: "${MARK}"}
routes:
  - {name: "${MARK}", host: "${MARK}.*", path: "${MARK}", upstream: "${MARK}", allow: "${MARK}", max_body: "${MARK}", origins: "${MARK}", timeout: "${MARK}", preset: "${MARK}"}
  - {path: "/${MARK}//", upstream: ["${MARKURL}", "${MARKURL}"], allow: ["${MARK}", {roles: "${MARK}", emails: ["${MARK}"]}], origins: ["${MARKURL}", "${MARK}"], headers: {Cookie: "${MARK}"}}
  - "${MARK}"
tests: [{as: "${MARK}", url: "${MARK}", want: "${MARK}", method: "${MARK} "}, "${MARK}"]
`,
		"variables that are good, in checks of several keys": `public_url: https://${MARK}.example.com
auth_path: /${MARK}
descope: {project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret: "${MARK}"}
session: {secret: "${MARK}", cookie_domain: "${MARK}.example.org"}
routes:
  - {path: "/${MARK}/x", upstream: http://a, allow: public}
  - {path: "/${MARK}/x", upstream: http://a, allow: public}
  - {host: "${MARK}.example.net", upstream: http://a, allow: authenticated}
`,
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, document, env...)
			if len(got) == 0 {
				t.Fatal("the document should be wrong")
			}
			for _, line := range got {
				if strings.Contains(strings.ToLower(line), strings.ToLower(marked)) || strings.Contains(line, "MARKED") {
					t.Errorf("the secret is in: %s", line)
				}
			}
		})
	}
	t.Run("variables of the layers", func(t *testing.T) {
		var all []string
		for _, f := range settings(new(Config)) {
			all = append(all, variableName(f.name)+"="+marked+" \x01,")
		}
		for _, line := range problems(t, "log: {level: info}", all...) {
			if strings.Contains(line, "MARKED") {
				t.Errorf("the secret is in: %s", line)
			}
		}
	})
}

func TestSecretFilesThatAreBad(t *testing.T) {
	document := sessionOf("secret_file: session") + "assertion: {key_file: [session, none]}\npages: {logo_file: a.txt}\n"
	files := func(client, session string) fakeFiles {
		return fakeFiles{"client": client, "session": session}
	}
	for _, test := range []struct {
		name  string
		files fakeFiles
		want  string
	}{
		{"none", fakeFiles{}, "gatehouse.yaml:3:11: session.secret_file: cannot be read: file does not exist; want the path of a file"},
		{"empty", files("", "\n\n"), "gatehouse.yaml:3:11: session.secret_file: the file is empty; want a secret in it"},
		{"short", files("", "short\n"), "gatehouse.yaml:3:11: session.secret_file: want a secret of at least 32 bytes; gatehouse keygen makes one"},
		{"binary", files("", marked+"\x00\n"), "gatehouse.yaml:3:11: session.secret_file: the file holds control characters; want text, a secret a line"},
		{"no key", files("", marked), "gatehouse.yaml:4:24: assertion.key_file[0]: holds no EC P-256 private key; want PEM, as gatehouse keygen --assertion writes it"},
		{"no second key", files("", marked), "gatehouse.yaml:4:33: assertion.key_file[1]: cannot be read: file does not exist; want the path of a file"},
		{"no picture", files("", marked), "gatehouse.yaml:5:9: pages.logo_file: want a picture: a file that ends in .svg, .png, .jpg, .jpeg, .gif, .webp or .ico"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(problemsWith(t, document, test.files), "\n")
			if !strings.Contains(got+"\n", test.want+"\n") || strings.Contains(got, "MARKED") {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
	several := strings.Join(problemsWith(t, descopeOf("project_id: P2abcdefghijklmnopqrstuvwxyz, client_secret_file: client"), files("a\nb\n", "")), "\n")
	if want := "gatehouse.yaml:2:53: descope.client_secret_file: the file holds several lines; want the secret alone"; several != want {
		t.Errorf("got %s\nwant %s", several, want)
	}
}
