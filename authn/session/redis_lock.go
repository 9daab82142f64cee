package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/redis/go-redis/v9"
)

// lockLife is longer than a refresh can take: its call is given up after 10 s,
// the record is stored, or not, a second later, and then there is lockRest.
const lockLife = 20 * time.Second

// unlockScript removes a lock only if it is still ours.
var unlockScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// claim takes a key that nobody has, for so long.
func (s *RedisStore) claim(ctx context.Context, key string, life time.Duration) (token string, ours bool, err error) {
	token = rand.Text()
	err = s.call(ctx, func(ctx context.Context) error {
		// An answer that was lost may have set it: go-redis asks again then.
		err := s.client.SetArgs(ctx, key, token, redis.SetArgs{Mode: "NX", TTL: life}).Err()
		if err == redis.Nil {
			var holder string
			holder, err = s.client.Get(ctx, key).Result()
			ours = holder == token
			return err
		}
		ours = err == nil
		return err
	})
	return token, ours, err
}

// FirstUse reports whether a name is used for the first time at any of the instances
// that share the store, until life has passed. Where each has its own it is always
// true. It fails with ErrUnavailable.
func (t *Table) FirstUse(ctx context.Context, name string, life time.Duration) (bool, error) {
	if t.shared == nil {
		return true, nil
	}
	sum := sha256.Sum256([]byte(name))
	_, ours, err := t.shared.claim(ctx, t.shared.prefix+"used:"+base64.RawURLEncoding.EncodeToString(sum[:16]), life)
	return ours, err
}

// lock takes the right to refresh the session. It returns nil where another
// instance has it. release gives it back; until then it lasts for lockLife.
func (s *RedisStore) lock(ctx context.Context, id string) (release func(), err error) {
	key := s.prefix + "lock:" + string(idMark(id)[1:])
	token, ours, err := s.claim(ctx, key, lockLife)
	if err != nil || !ours {
		return nil, err
	}
	s.held.Store(key, token)
	forget := func() { s.held.CompareAndDelete(key, token) }
	gone := time.AfterFunc(lockLife, forget)
	return func() {
		gone.Stop()
		forget()
		_ = s.call(context.Background(), func(ctx context.Context) error { // else it goes by itself
			return unlockScript.Run(ctx, s.client, []string{key}, token).Err()
		})
	}, nil
}

// relock takes the locks of the refreshes that are under way once more, in a Redis
// that has come back and may have lost them.
func (s *RedisStore) relock() {
	s.held.Range(func(key, token any) bool {
		return s.call(context.Background(), func(ctx context.Context) error {
			return s.client.SetArgs(ctx, key.(string), token, redis.SetArgs{Mode: "NX", TTL: lockLife}).Err()
		}) == nil
	})
}
