package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gatehouse/e2e/rig"
)

// A gate is an instance of Gatehouse.
type gate struct {
	address string
	admin   string
	config  string
	log     string
	command *exec.Cmd
	ended   chan struct{} // closed when the process is gone
}

// startGates starts the instances. They share a public_url, as behind a balancer.
func (k *soak) startGates(binary string, n int) error {
	for i := range n {
		g := &gate{config: filepath.Join(k.dir, fmt.Sprintf("gatehouse-%d.yaml", i)), log: filepath.Join(k.dir, fmt.Sprintf("gatehouse-%d.log", i))}
		var err error
		if g.address, err = rig.FreePort(); err != nil {
			return err
		}
		if g.admin, err = rig.FreePort(); err != nil {
			return err
		}
		k.gates = append(k.gates, g)
		if err := k.configure(g, roleA); err != nil {
			return err
		}
		if err := k.startGate(binary, g); err != nil {
			return err
		}
	}
	return nil
}

func (k *soak) startGate(binary string, g *gate) error {
	log, err := os.Create(g.log)
	if err != nil {
		return err
	}
	defer log.Close()
	g.command = exec.Command(binary, "serve", "-c", g.config)
	g.command.Env = append(os.Environ(), "DESCOPE_CLIENT_SECRET="+k.provider.ClientSecret(), "GATEHOUSE_SESSION_SECRET="+strings.Repeat("soak", 12))
	g.command.Stdout, g.command.Stderr = log, log
	if err := g.command.Start(); err != nil {
		return err
	}
	g.ended = make(chan struct{})
	go func() {
		_ = g.command.Wait()
		close(g.ended)
	}()
	if err := listens(g.address); err != nil {
		text, _ := os.ReadFile(g.log)
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

func listens(address string) error {
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = c.Close()
			return nil
		}
	}
	return fmt.Errorf("nobody listens at %s", address)
}

func (g *gate) stop() {
	if g.command == nil || g.command.Process == nil || g.ended == nil {
		return
	}
	_ = g.command.Process.Kill()
	<-g.ended
}

// configure writes the instance's configuration, as an editor does that replaces
// the file.
func (k *soak) configure(g *gate, swapNeeds roles) error {
	var y strings.Builder
	fmt.Fprintf(&y, "public_url: http://%s\nlisten: %s\nadmin: {listen: '%s'}\ndescope:\n  project_id: %s\n  issuer: %s\n  client_secret: ${DESCOPE_CLIENT_SECRET}\nsession:\n  secret: ${GATEHOUSE_SESSION_SECRET}\n",
		k.gates[0].address, g.address, g.admin, k.provider.ProjectID(), k.provider.issuer)
	if k.store == "redis" {
		fmt.Fprintf(&y, "  store: redis\n  redis_url: redis://%s/0\n", k.redis.address)
	}
	y.WriteString("routes:\n")
	for _, p := range places {
		needs, allow := p.needs, "authenticated"
		if p.path == swap {
			needs = swapNeeds
		}
		if needs != 0 {
			allow = fmt.Sprintf("[{roles: [%s]}]", strings.Join(needs.names(), ", "))
		}
		fmt.Fprintf(&y, "  - {path: %s, upstream: 'http://%s', preset: plain, allow: %s}\n", p.path, k.app.address, allow)
	}
	next := g.config + ".next"
	if err := os.WriteFile(next, []byte(y.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, g.config)
}

// A redisServer is a real one, which keeps nothing on disk.
type redisServer struct {
	address string
	dir     string
	command *exec.Cmd
}

func startRedis(ctx context.Context, dir string) (*redisServer, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("%w: apt install redis-server", err)
	}
	address, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	r := &redisServer{address: address, dir: dir}
	return r, r.start(ctx)
}

func (r *redisServer) start(context.Context) error {
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		return err
	}
	r.command = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.dir)
	if err := r.command.Start(); err != nil {
		return err
	}
	return listens(r.address)
}

// kill ends it at once; what it held is gone.
func (r *redisServer) kill() {
	_ = r.command.Process.Kill()
	_ = r.command.Wait()
}

// hang stops it without closing a connection; resume lets it go on.
func (r *redisServer) hang()   { _ = r.command.Process.Signal(syscall.SIGSTOP) }
func (r *redisServer) resume() { _ = r.command.Process.Signal(syscall.SIGCONT) }
