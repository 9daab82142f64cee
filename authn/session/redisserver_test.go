package session

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gatehouse/e2e/rig"
)

// A redisServer is a real redis-server of the test's own.
type redisServer struct {
	t     *testing.T
	port  string
	args  []string
	cmd   *exec.Cmd
	admin *redis.Client
}

// startRedis starts redis-server on a free port; args are more of its options.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, port: freePort(t)}
	dir := t.TempDir()
	r.args = append([]string{"--port", r.port, "--bind", "127.0.0.1", "--save", "", "--dir", dir, "--appendonly", "no"}, args...)
	r.admin = redis.NewClient(&redis.Options{Addr: r.addr(), DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { _ = r.admin.Close() })
	r.start()
	t.Cleanup(r.kill)
	return r
}

func redisBinary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: the Redis store is tested against a real one (apt install redis-server)")
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	return port
}

func (r *redisServer) addr() string { return "127.0.0.1:" + r.port }
func (r *redisServer) url() string  { return "redis://" + r.addr() + "/0" }

// start starts it, also once more after kill, and waits until it takes calls.
func (r *redisServer) start() {
	r.t.Helper()
	r.cmd = exec.Command(redisBinary(r.t), r.args...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		var said strings.Builder
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Fprintln(&said, lines.Text())
			if strings.Contains(lines.Text(), "Ready to accept connections") || strings.Contains(lines.Text(), "Sentinel ID is") {
				ready <- ""
			}
		}
		select {
		case ready <- said.String():
		default:
		}
	}()
	select {
	case said := <-ready:
		if said != "" {
			r.t.Fatalf("redis-server did not start:\n%s", said)
		}
	case <-time.After(10 * time.Second):
		r.t.Fatal("redis-server did not get ready")
	}
}

// kill ends it at once; what it held is gone.
func (r *redisServer) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

// hang stops it without closing a connection; resume lets it go on.
func (r *redisServer) hang()   { _ = r.cmd.Process.Signal(syscall.SIGSTOP) }
func (r *redisServer) resume() { _ = r.cmd.Process.Signal(syscall.SIGCONT) }

func (r *redisServer) do(args ...any) any {
	r.t.Helper()
	v, err := r.admin.Do(context.Background(), args...).Result()
	if err != nil && err != redis.Nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// contents is all that it holds, for a test to look through.
func (r *redisServer) contents() string {
	r.t.Helper()
	ctx := context.Background()
	var all strings.Builder
	keys, err := r.admin.Keys(ctx, "*").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, key := range keys {
		switch r.admin.Type(ctx, key).Val() {
		case "hash":
			fmt.Fprintf(&all, "%s %q\n", key, r.admin.HGetAll(ctx, key).Val())
		case "zset":
			fmt.Fprintf(&all, "%s %v\n", key, r.admin.ZRangeWithScores(ctx, key, 0, -1).Val())
		default:
			fmt.Fprintf(&all, "%s %q\n", key, r.admin.Get(ctx, key).Val())
		}
	}
	return all.String()
}

// instance is a Gatehouse on that Redis, with the given provider.
func (r *redisServer) instance(p *provider) *world {
	r.t.Helper()
	w := instanceAt(r.t, r.url(), p, Settings{})
	w.connected()
	return w
}

func instanceAt(t *testing.T, url string, p *provider, set Settings) *world {
	t.Helper()
	if set.MaxAge == 0 {
		set.MaxAge = 24 * time.Hour
	}
	w := &world{t: t, provider: p, seen: &observer{streams: map[string]bool{}}}
	w.secrets(secret)
	store, err := NewRedisStore(RedisOptions{URL: url, Ticket: w.tickets.Load, Records: w.records.Load})
	if err != nil {
		t.Fatal(err)
	}
	w.Table = NewTable(Options{Cookie: Cookie{Name: "gatehouse"}, Store: store, Refresher: p, Observer: w.seen, Settings: set})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		_ = store.Close()
		<-done
	})
	return w
}

// secrets gives an instance on Redis its session secrets.
func (w *world) secrets(all ...[]byte) {
	w.t.Helper()
	records, err := NewRecordSealer(all)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records.Store(records)
	w.tickets.Store(sealerFor(w.t, TicketPurpose, all...))
}

// connected waits until the instance's subscription is proven alive.
func (w *world) connected() {
	w.t.Helper()
	await(w.t, "the subscription", func() bool {
		_, proven := w.shared.proven(time.Now())
		return proven && !w.shared.away.Load()
	})
}

func (w *world) disconnected() {
	w.t.Helper()
	await(w.t, "the end of the subscription", func() bool {
		_, proven := w.shared.proven(time.Now())
		return !proven
	})
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// certificate writes a CA's own certificate for localhost, and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// startSentinel starts a Sentinel that watches the master on that port and needs
// one other to agree.
func startSentinel(t *testing.T, master string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, port: freePort(t)}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	config := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 %s 2\nsentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n", r.port, master)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r.args = []string{file, "--sentinel"}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func newAdmin(t *testing.T, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
