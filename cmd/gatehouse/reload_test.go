package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/authn/descopetest"
	"gatehouse/config"
)

// filed is a build whose configuration lies in a file that is followed.
func filed(t *testing.T, b build) build {
	b.file = filepath.Join(t.TempDir(), "gatehouse.yaml")
	return b
}

// edit rewrites the configuration file: each old text becomes the new one.
func (h *house) edit(file string, oldNew ...string) {
	h.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(string(content), oldNew[i]) {
			h.t.Fatalf("the configuration has no %q", oldNew[i])
		}
	}
	h.write(file, strings.NewReplacer(oldNew...).Replace(string(content)))
}

// within2s waits for the nth event of a kind, for no longer than a reload may take.
func (h *house) within2s(event string, n int) map[string]any {
	h.t.Helper()
	begun := time.Now()
	h.await(event, func() bool { return len(h.events(event)) >= n })
	if took := time.Since(begun); took > 2*time.Second {
		h.t.Errorf("%s came after %v", event, took)
	}
	return h.events(event)[n-1]
}

func (h *house) reloads(result string) string {
	h.t.Helper()
	families, err := h.instance.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "gatehouse_config_reloads_total" && m.GetLabel()[0].GetValue() == result {
				return fmt.Sprint(m.GetCounter().GetValue())
			}
		}
	}
	return "none"
}

func TestAChangedFileIsTakenUpWithoutARestart(t *testing.T) {
	b := filed(t, build{})
	h := newHouse(t, b)
	bob := h.as("bob")
	if res := bob.fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusForbidden {
		t.Fatalf("before: %s", res.Status)
	}
	before := h.instance.config().Hash()
	h.edit(b.file, "[Tenant Admin]", "[Tenant Admin, Member]")
	e := h.within2s("config_reloaded", 1)
	if e["config"] == before || e["config"] != h.instance.config().Hash() {
		t.Errorf("the event names the configuration %v, it was %s and is %s", e["config"], before, h.instance.config().Hash())
	}
	if res := bob.fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("after: %s", res.Status)
	}
	if ok, rejected := h.reloads("ok"), h.reloads("rejected"); ok != "1" || rejected != "0" {
		t.Errorf("%s reloads counted, %s rejections", ok, rejected)
	}
}

func TestABadConfigurationChangesNothingAndIsToldOnce(t *testing.T) {
	t.Parallel()
	b := filed(t, build{})
	h := newHouse(t, b)
	bob := h.as("bob")
	h.edit(b.file, "allow: authenticated", "allow: everybody", "[Tenant Admin]", "[Tenant Admin, Member]")
	e := h.within2s("config_rejected", 1)
	if text := fmt.Sprint(e["problems"]); !strings.Contains(text, "gatehouse.yaml:") || !strings.Contains(text, "routes[1].allow") {
		t.Errorf("the event does not say where and what: %v", e)
	}
	if res := bob.fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("the good half was taken up: %s", res.Status)
	}
	h.await("another attempt", func() bool { return time.Since(startOf(e)) > retryEvery+lookEvery })
	if n := len(h.events("config_rejected")); n != 1 {
		t.Errorf("told %d times", n)
	}
	h.edit(b.file, "allow: everybody", "allow: authenticated")
	h.within2s("config_reloaded", 1)
	if res := bob.fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the mended one: %s", res.Status)
	}
}

func startOf(event map[string]any) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(event["time"]))
	return at
}

func TestKeysThatNeedARestartAreNamedAndNothingIsTakenUp(t *testing.T) {
	b := filed(t, build{})
	h := newHouse(t, b)
	bob := h.as("bob")
	port := h.URL[strings.LastIndexByte(h.URL, ':'):]
	h.edit(b.file, "public_url: "+h.URL, "listen: 127.0.0.1:1\nauth_path: /a\npublic_url: http://127.0.0.1"+port,
		"admin: {listen: \"\"}", "admin: {listen: 127.0.0.1:2}", "[Tenant Admin]", "[Tenant Admin, Member]")
	e := h.within2s("config_rejected", 1)
	text := fmt.Sprint(e["problems"])
	for _, key := range []string{"listen: ", "public_url: ", "auth_path: ", "admin.listen: "} {
		if !strings.Contains(text, key) {
			t.Errorf("%s is not named in %s", key, text)
		}
	}
	if !strings.Contains(text, "needs a restart") {
		t.Errorf("got %s", text)
	}
	if res := bob.fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("the rest of it was taken up: %s", res.Status)
	}
}

func TestAHangupReadsAgain(t *testing.T) {
	h := newHouse(t, filed(t, build{}))
	h.hangup <- syscall.SIGHUP
	h.within2s("config_reloaded", 1)
}

// Kubernetes mounts a ConfigMap or Secret as links into a folder ..data, itself a
// link, which it swaps: the files' own links never change.
func TestSecretsAreRotatedByASwappedSymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := newSecret(), newSecret()
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "secret"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(name, link+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", first+"\n")
	secret := filepath.Join(dir, "secret")
	if err := os.Symlink(filepath.Join("..data", "secret"), secret); err != nil {
		t.Fatal(err)
	}
	b := filed(t, build{
		replace: []string{"secret: ${GATEHOUSE_SESSION_SECRET}", "secret_file: " + secret},
		env:     []string{"GATEHOUSE_SESSION_SECRET="},
	})
	h := newHouse(t, b)
	bob := h.as("bob")
	old := bob.cookies()

	version("..2", second+"\n"+first+"\n")
	h.within2s("config_reloaded", 1)
	if res := bob.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the rotation signed somebody out: %s", res.Status)
	}
	ada := h.as("ada")
	version("..3", second+"\n")
	h.within2s("config_reloaded", 2)
	if res := ada.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the new secret does not count: %s", res.Status)
	}
	if res := h.browser().do("GET", "/gradio/user/", "", "Cookie", old); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a cookie sealed with the dropped secret: %s", res.Status)
	}
}

func TestAClientSecretFileIsReadAgain(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(secret, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, filed(t, build{replace: []string{"client_secret: ${DESCOPE_CLIENT_SECRET}", "client_secret_file: " + secret}}))
	res := h.browser().signIn("bob", "")
	if !strings.Contains(res.Header.Get("Location"), "/auth/error") {
		t.Fatalf("the wrong secret: %s %v", res.Status, res.Header)
	}
	h.write(secret, h.Provider.ClientSecret()+"\n")
	h.within2s("config_reloaded", 1)
	h.as("bob")
}

func TestAnotherProviderIsTakenUpOnceItAnswers(t *testing.T) {
	t.Parallel()
	b := filed(t, build{})
	h := newHouse(t, b)
	bob := h.as("bob")
	other, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	started, err := other.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(started.Issuer, "http://")
	address = address[:strings.IndexByte(address, '/')]
	if err := started.Close(); err != nil {
		t.Fatal(err)
	}
	ada := h.browser()
	callback := ada.authorize("ada", "")
	h.edit(b.file, h.Issuer, started.Issuer, "log: {level: debug}", "log: {level: warn}")
	e := h.within2s("config_rejected", 1)
	if !strings.Contains(fmt.Sprint(e["problems"]), "descope.issuer") {
		t.Errorf("got %v", e)
	}
	if res := h.browser().open("/auth/login"); !strings.HasPrefix(res.Header.Get("Location"), h.Issuer[:len("http://127.0.0.1")]) || res.StatusCode != http.StatusFound {
		t.Errorf("sign-in at the old one: %s", res.Status)
	}
	if started, err = other.Start(address); err != nil {
		t.Fatal(err)
	}
	defer started.Close()
	h.await("the new provider", func() bool { return len(h.events("config_reloaded")) == 1 })
	res := h.browser().open("/auth/login")
	if !strings.Contains(res.Header.Get("Location"), address) {
		t.Errorf("a sign-in starts at %s, want it at %s", res.Header.Get("Location"), address)
	}
	if res := bob.fetch("GET", "/gradio/user/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a session of before: %s", res.Status)
	}
	before := h.Provider.Requests()[descopetest.Token]
	if res := ada.open(callback); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a sign-in that was begun at the old one: %s", res.Status)
	}
	if n := h.Provider.Requests()[descopetest.Token] - before + other.Requests()[descopetest.Token]; n != 0 {
		t.Error("its code was sent to somebody (attack: mix-up)")
	}
}

// A slip in the provider's address is mended while Gatehouse still waits for an answer.
func TestAProviderThatHangsHoldsNoReloadUp(t *testing.T) {
	t.Parallel()
	b := filed(t, build{})
	h := newHouse(t, b)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	asked := make(chan net.Conn, 1)
	go func() {
		if c, err := silent.Accept(); err == nil {
			asked <- c
		}
	}()
	hanging := "http://" + silent.Addr().String()
	h.edit(b.file, "issuer: "+h.Issuer, "issuer: "+hanging)
	defer (<-asked).Close()
	h.edit(b.file, "issuer: "+hanging, "issuer: "+h.Issuer, "[Tenant Admin]", "[Somebody Else]")
	h.within2s("config_reloaded", 1)
	if res := h.as("ada").fetch("GET", "/gradio/admin/", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("the newest policy: %s", res.Status)
	}
	if n := len(h.events("config_rejected")); n != 0 {
		t.Errorf("%d rejections were told of what was overtaken", n)
	}
}

func TestTheLogsLevelAndFormatChange(t *testing.T) {
	b := filed(t, build{})
	h := newHouse(t, b)
	h.edit(b.file, "log: {level: debug}", "log: {level: error, format: text}")
	h.await("a line of text", func() bool { return strings.Contains(h.Log.String(), "event=config_reloaded") })
	said := len(h.Log.String())
	h.browser().open("/nowhere")
	more := func() string { return h.Log.String()[said:] }
	h.await("a line of the denial", func() bool { return strings.Contains(more(), "event=denied") })
	if strings.Contains(more(), "level=DEBUG") {
		t.Errorf("got %q", more())
	}
}

func TestOpenStreamsThatAreStillAllowedGoOn(t *testing.T) {
	b := filed(t, build{})
	h := newHouse(t, b)
	more := make(chan string)
	h.User.on(hold(more))
	h.Admin.on(hold(nil))
	ada := h.as("ada")
	kept, cut := ada.stream("/gradio/user/queue/data"), ada.stream("/gradio/admin/queue/data")
	defer kept.Body.Close()
	defer cut.Body.Close()
	h.await("two streams", func() bool { return h.instance.handler.Streams().Open() == 2 })
	h.edit(b.file, "[Tenant Admin]", "[Somebody Else]", "path: /gradio/user", "path: /gradio/user\n    name: renamed")
	h.within2s("config_reloaded", 1)
	h.await("the denied stream's end", func() bool { return len(h.events("stream_closed")) == 1 })
	if e := h.events("stream_closed")[0]; e["cause"] != "policy_changed" || e["route"] != "gradio/admin" {
		t.Errorf("got %v", e)
	}
	select {
	case more <- "data: still here\n\n":
	case <-time.After(5 * time.Second):
		t.Fatal("the app of the allowed stream was hung up on")
	}
	buf := make([]byte, 256)
	var got string
	for !strings.Contains(got, "still here") {
		n, err := kept.Body.Read(buf)
		got += string(buf[:n])
		if err != nil {
			t.Fatalf("the allowed stream ended: %v after %q", err, got)
		}
	}
}

// Policies, upstreams, secrets and settings change under people's feet; nobody
// notices, and nothing is left over. GATEHOUSE_RELOADS asks for another number.
func TestReloadsUnderLoadLoseNoRequestAndLeakNothing(t *testing.T) {
	rounds := 1000
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_RELOADS")); err == nil {
		rounds = n
	}
	h := newHouse(t, build{})
	bob := h.as("bob")
	h.User.on(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/queue/data") {
			return hold(nil)(w, r)
		}
		fmt.Fprint(w, "answered") // and not noted down, as the app does itself
		return true
	})
	open := bob.stream("/gradio/user/queue/data")
	defer open.Body.Close()
	h.await("the stream", func() bool { return h.instance.handler.Streams().Open() == 1 })

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked, lost atomic.Int64
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for ctx.Err() == nil {
				res := bob.fetch("GET", "/gradio/user/x", "")
				asked.Add(1)
				if res.StatusCode != http.StatusOK {
					lost.Add(1)
					t.Errorf("%s %s", res.Status, res.Text)
				}
			}
		})
	}
	secrets := h.env[1]
	reload := func(i int) {
		t.Helper()
		source := h.yaml(build{
			routes: strings.ReplaceAll(tutorialRoutes, "[Tenant Admin]", fmt.Sprintf("[Tenant Admin, Role %d]", i)) +
				fmt.Sprintf("  - {path: /more/%d, upstream: ['http://127.0.0.1:1', 'http://127.0.0.2:%d'], allow: public}\n", i, 1+i%60000),
			session: fmt.Sprintf("  max_age: %dh\n", 1+i%20), descope: fmt.Sprintf("  flow: flow%d\n", i),
		})
		c, err := config.Parse("gatehouse.yaml", []byte(source), []string{h.env[0], secrets})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.instance.reload(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	reload(0)
	goroutines, memory := settled()
	for i := range rounds {
		reload(i + 1)
		if i%20 == 0 {
			bad, err := config.Parse("gatehouse.yaml", []byte(h.yaml(build{extra: "listen: 127.0.0.1:1\n"})), h.env)
			if err != nil {
				t.Fatal(err)
			}
			if h.instance.reload(ctx, bad) == nil {
				t.Error("listen changed without a restart")
			}
		}
	}
	reload(0)
	stop()
	askers.Wait()
	if n := h.instance.handler.Streams().Open(); n != 1 {
		t.Errorf("%d streams are open, want the one that was always allowed", n)
	}
	h.await("the goroutines' end", func() bool { now, _ := settled(); return now <= goroutines+5 })
	h.Log.mu.Lock()
	h.Log.b = bytes.Buffer{} // the log is the test's own
	h.Log.mu.Unlock()
	_, after := settled()
	t.Logf("%d reloads, %d requests, %d lost; heap %d KiB before and %d KiB after", rounds+2, asked.Load(), lost.Load(), memory>>10, after>>10)
	if after > memory+4<<20 {
		t.Errorf("the heap grew from %d to %d KiB", memory>>10, after>>10)
	}
}

// settled counts goroutines and the bytes of the heap that are in use.
func settled() (goroutines int, heap uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
