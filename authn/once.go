package authn

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// usedOnce remembers what may be used a single time until it would be refused
// for its age. Nothing is forgotten for space, which would let it be used again, so
// only what was sealed here or signed by the provider may be put in. A stranger can
// still have states sealed by beginning sign-ins and ending them at once, so a
// name costs as little as it can: a part of its hash.
type usedOnce struct {
	everywhere FirstUse // nil: there is one instance

	mu    sync.Mutex
	until map[nameHash]int64 // Unix seconds
	swept time.Time
}

type nameHash [16]byte

// FirstUse reports whether a name is used for the first time at any instance, until
// life has passed.
type FirstUse func(ctx context.Context, name string, life time.Duration) (bool, error)

func newUsedOnce(everywhere FirstUse) *usedOnce {
	return &usedOnce{everywhere: everywhere, until: make(map[nameHash]int64)}
}

// first reports whether the name is used for the first time. Where the other
// instances cannot be asked this one's memory has to do: nothing that it lets pass can
// be kept, or harm, while their store is away.
func (u *usedOnce) first(ctx context.Context, name string, until, now time.Time) bool {
	if !u.firstHere(name, until, now) {
		return false
	}
	if u.everywhere == nil {
		return true
	}
	first, err := u.everywhere(ctx, name, until.Sub(now))
	return first || err != nil
}

func (u *usedOnce) firstHere(name string, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.swept) > time.Minute {
		for k, t := range u.until {
			if now.Unix() > t {
				delete(u.until, k)
			}
		}
		u.swept = now
	}
	sum := sha256.Sum256([]byte(name))
	key := nameHash(sum[:16])
	if _, seen := u.until[key]; seen {
		return false
	}
	u.until[key] = until.Unix()
	return true
}
