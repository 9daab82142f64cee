package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestConnectingToRedis(t *testing.T) {
	visit := func(t *testing.T, url string) error {
		w := instanceAt(t, url, newProvider(), Settings{})
		_, value, err := w.Begin(t.Context(), recordOf("ada"), nil)
		if err != nil {
			return err
		}
		v := &visitor{w: w, cookie: value}
		w.connected()
		v.passes(t, "signed in")
		return nil
	}
	t.Run("over TLS, with an authority of one's own", func(t *testing.T) {
		cert, key := certificate(t)
		port := freePort(t)
		startRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
		if err := visit(t, "rediss://localhost:"+port+"/0?ca_file="+cert); err != nil {
			t.Error(err)
		}
		if err := visit(t, "rediss://localhost:"+port+"/0"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("with the system's authorities: %v", err)
		}
	})
	t.Run("with a password, and another database", func(t *testing.T) {
		r := startRedis(t, "--requirepass", "swordfish")
		if err := visit(t, "redis://:swordfish@"+r.addr()+"/3"); err != nil {
			t.Error(err)
		}
		for _, url := range []string{"redis://" + r.addr(), "redis://:hunter2@" + r.addr()} {
			err := visit(t, url)
			if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
	t.Run("as an ACL user with no more than docs/sessions.md says", func(t *testing.T) {
		r := startRedis(t)
		page, err := os.ReadFile("../../docs/sessions.md")
		if err != nil {
			t.Fatal(err)
		}
		_, rule, _ := strings.Cut(string(page), "\nACL ")
		rule, _, _ = strings.Cut(rule, "\n")
		args := []any{"ACL"}
		for _, word := range strings.Fields(strings.Replace(rule, "PASSWORD", "swordfish", 1)) {
			args = append(args, word)
		}
		r.do(args...)
		if err := visit(t, "redis://gatehouse:swordfish@"+r.addr()); err != nil {
			t.Error(err)
		}
		p := newProvider()
		w := instanceAt(t, "redis://gatehouse:swordfish@"+r.addr(), p, Settings{})
		w.connected()
		v := w.signIn("ada")
		forceDue(v.session)
		v.passes(t, "refreshed")
		w.End(v.session, SignedOut)
		if len(w.untold) != 0 || len(p.asked()) != 1 {
			t.Errorf("%d revocations untold, %d refreshes", len(w.untold), len(p.asked()))
		}
	})
	t.Run("a URL that is no good is refused, and never shown", func(t *testing.T) {
		for _, url := range []string{
			"redis://:swordfish@host:port", "http://:swordfish@host", "redis://:swordfish@host/x", "redis://:swordfish@host/0?no_such=1", ":swordfish",
			"rediss://:swordfish@host?skip_verify=true", "redis://:swordfish@host?master_name=", "redis://:swordfish@host?master_name=m&addr=x",
			"rediss://:swordfish@host?ca_file=/no/such/file", "redis://:sword%zzfish@host",
		} {
			store, err := NewRedisStore(RedisOptions{URL: url})
			if err == nil || strings.Contains(err.Error(), "swordfish") || strings.Contains(err.Error(), "zzfish") {
				t.Errorf("%s: %v, %v", url, store, err)
			}
		}
	})
}

func TestSentinelFailsOver(t *testing.T) {
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+master.port)
	await(t, "the replica", func() bool {
		return strings.Contains(fmt.Sprint(replica.do("INFO", "replication")), "master_link_status:up")
	})
	var sentinels []string
	for range 3 {
		sentinels = append(sentinels, startSentinel(t, master.port).addr())
	}
	url := "redis://" + sentinels[0] + "/0?master_name=mymaster&addr=" + sentinels[1] + "&addr=" + sentinels[2]
	p := newProvider()
	p.rotating = true
	a, b := instanceAt(t, url, p, Settings{}), instanceAt(t, url, p, Settings{})
	a.connected()
	b.connected()
	v, lost, leaving := a.signIn("ada"), a.signIn("bob"), a.signIn("carol")
	v.passes(t, "before")
	v.at(b).passes(t, "before, at b")
	lost.passes(t, "before")
	await(t, "the replica to have caught up", func() bool { return replica.do("EXISTS", a.shared.sessionKey(leaving.session.ID)) == int64(1) })
	await(t, "the sentinels to know the replica", func() bool {
		for _, s := range sentinels {
			one := &redisServer{t: t, admin: newAdmin(t, s)}
			if !strings.Contains(fmt.Sprint(one.do("SENTINEL", "REPLICAS", "mymaster")), replica.port) {
				return false
			}
		}
		return true
	})

	// The replica hears nothing of this: it dies with the master.
	replica.hang()
	forceDue(v.session)
	v.passes(t, "refreshed")
	await(t, "the refresh", func() bool { return v.session.Record().Refresh == "r-ada-1" })
	a.End(leaving.session, SignedOut)
	late := a.signIn("dan")
	master.kill()
	replica.resume()

	await(t, "the failover", func() bool {
		// Whoever Sentinel promotes, it cuts the clients of (CLIENT KILL TYPE normal): this one is asked again.
		info, err := replica.admin.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "role:master")
	})
	a.connected()
	b.connected()
	for who, one := range map[string]*visitor{"ada": v, "bob": lost, "dan": late} {
		one.passes(t, who+" at a")
		await(t, who+" at b", func() bool { _, err := one.at(b).request(); return err == nil })
	}
	leaving.refused(t, "carol at a", SignedOut)
	await(t, "carol's end at b", func() bool { _, err := leaving.at(b).request(); return err != nil && !errors.Is(err, ErrUnavailable) })
	await(t, "ada's newest record at b", func() bool {
		v.at(b).passes(t, "ada at b")
		return b.live[idMark(v.session.ID)].Record().Refresh == "r-ada-1"
	})
	a.signIn("erin").at(b).passes(t, "signed in after the failover")
	if got := p.tokens(); got != "r-ada-0" {
		t.Errorf("sent %s", got)
	}
}
