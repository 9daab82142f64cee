package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisTimeout is when a call to Redis is given up, so that one that hangs never
// makes requests hang.
const redisTimeout = time.Second

// CheckRedisURL reports what is wrong with a redis_url. The error does not show it.
func CheckRedisURL(address string) error {
	client, _, err := newRedisClient(address)
	if err != nil {
		return err
	}
	return client.Close()
}

// newRedisClient connects to what a redis_url names:
//
//	redis://[user:password@]host[:port][/db]       rediss:// for TLS
//	redis://[user:password@]sentinel:26379[/db]?master_name=NAME&addr=sentinel2:26379
//
// With master_name the addresses are Sentinels, user and password are theirs, and
// those of Redis itself are the parameters username and password. ca_file names
// the authorities to trust in place of the system's. What url.Parse or go-redis
// say of a bad URL quotes it, password and all, and so is not passed on.
func newRedisClient(address string) (client *redis.Client, db int, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, 0, errors.New("is malformed")
	}
	query := u.Query()
	caFile := query.Get("ca_file")
	sentinel := query.Has("master_name")
	if query.Has("skip_verify") {
		return nil, 0, errors.New("skip_verify is not supported; name the certificate authority by ca_file")
	}
	query.Del("ca_file")
	u.RawQuery = query.Encode()
	roots, err := readRoots(caFile)
	if err != nil {
		return nil, 0, err
	}
	if sentinel {
		return failoverClient(u, roots)
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, 0, errors.New("want redis://[user:password@]host[:port][/database], or rediss:// for TLS; of the parameters one is unknown or malformed")
	}
	trust(o.TLSConfig, roots)
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisTimeout, redisTimeout, redisTimeout, redisTimeout
	o.ContextTimeoutEnabled, o.DialerRetries, o.MaxRetries = true, 1, 1
	o.DisableIdentity, o.MaintNotificationsConfig = true, &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), o.DB, nil
}

func failoverClient(u *url.URL, roots *x509.CertPool) (*redis.Client, int, error) {
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil || o.MasterName == "" {
		return nil, 0, errors.New("want redis://sentinel:26379[/database]?master_name=NAME&addr=other:26379; of the parameters one is unknown or malformed")
	}
	trust(o.TLSConfig, roots)
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisTimeout, redisTimeout, redisTimeout, redisTimeout
	o.ContextTimeoutEnabled, o.DialerRetries, o.MaxRetries = true, 1, 1
	o.DisableIdentity = true
	return redis.NewFailoverClient(o), o.DB, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: no certificate in %s", file)
	}
	return pool, nil
}

func trust(c *tls.Config, roots *x509.CertPool) {
	if c != nil && roots != nil {
		c.RootCAs = roots
	}
}

// call asks Redis, unless it is known to be away: whoever waited for each call's
// timeout while it hangs would make every request slow. The subscription, which
// keeps trying, finds out when it is back.
func (s *RedisStore) call(ctx context.Context, ask func(context.Context) error) error {
	if s.away.Load() {
		return fmt.Errorf("%w: waiting for Redis to come back", ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	err := ask(ctx)
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	if !refusedWrite(err) {
		s.failed()
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, redisText(err))
}

// refusedWrite reports whether Redis answered that it takes no writes, or not
// this one: it is there, and reads go on. Full memory, a disk that failed, too
// few replicas, a missing permission.
func refusedWrite(err error) bool {
	for _, word := range []string{"OOM ", "MISCONF ", "NOREPLICAS ", "NOPERM ", "READONLY "} {
		if strings.Contains(err.Error(), word) { // a script's error has a prefix
			return true
		}
	}
	return false
}

// redisText is an error of go-redis for a log. It shows neither passwords, which
// go-redis keeps out of its errors, nor records, which no answer repeats.
func redisText(err error) string {
	text := err.Error()
	if len(text) > 300 {
		text = text[:300]
	}
	return strings.ToValidUTF8(text, "")
}
