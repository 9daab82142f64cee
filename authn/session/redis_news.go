package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// pingEvery keeps the proof that the subscription is alive fresh, and
	// proofLife is how long one ping proves it.
	pingEvery = 300 * time.Millisecond
	proofLife = time.Second
	// hangs is how long a ping may go without an answer until Redis counts as
	// away: less than proofLife, so that nobody asks in between.
	hangs = 700 * time.Millisecond
	// resubscribe is the wait before a subscription that broke is tried again.
	resubscribe = 250 * time.Millisecond
	// revokedPage is how many revocations are read at once.
	revokedPage = 5000
)

// News are lines of words: what was revoked (r mark ms cause [heir]), and which
// session has a new record (c mark version).
func changedNews(m mark, version int64) string {
	return "c " + string(m) + " " + strconv.FormatInt(version, 10)
}

func revokedNews(m mark, rv revocation) string {
	line := "r " + string(m) + " " + strconv.FormatInt(rv.At, 10) + " " + string(rv.Cause)
	if rv.heir != nil {
		line += " " + base64.RawURLEncoding.EncodeToString(rv.heir)
	}
	return line
}

// A listener is who takes the news up.
type listener interface {
	// heed takes up revocations.
	heed(map[mark]revocation)
	// behindOf takes up that a session has a record of that version.
	behindOf(m mark, version int64)
	// returned is called when a subscription is complete: nothing is missed
	// from now on, whatever was before.
	returned(ctx context.Context, revoked map[mark]revocation)
	// tend is called now and then while Redis is there.
	tend(ctx context.Context)
}

// watch keeps a subscription until ctx ends.
func (s *RedisStore) watch(ctx context.Context, l listener) {
	told := false
	for ctx.Err() == nil {
		err := s.subscribe(ctx, l, func() { told = false })
		s.proof.Store(0)
		if ctx.Err() != nil || errors.Is(err, redis.ErrClosed) {
			return
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
			s.failed()
		}
		if !told {
			told = true
			s.log.Error("the connection to Redis is gone; trying again", "error", redisText(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(resubscribe):
		}
	}
}

// subscribe hears the news until the connection breaks.
func (s *RedisStore) subscribe(ctx context.Context, l listener, complete func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub := s.client.Subscribe(ctx)
	defer sub.Close()
	if err := s.within(ctx, func(ctx context.Context) error { return sub.Subscribe(ctx, s.channel) }); err != nil {
		return err
	}
	if _, err := sub.ReceiveTimeout(ctx, redisTimeout); err != nil {
		return err
	}
	// What was revoked while nobody listened stands in the list, and what is
	// revoked while it is read is in the news by now.
	began := time.Now()
	revoked, err := s.revocations(ctx)
	if err != nil {
		return err
	}
	l.heed(revoked)
	s.since.Store(time.Now().UnixNano())
	s.epoch.Add(1)
	s.heard(began)
	complete()
	s.log.Info("connected to Redis")

	go l.returned(ctx, revoked)
	broken := make(chan error, 1)
	go s.ping(ctx, sub, l, broken)
	for {
		news, err := sub.ReceiveTimeout(ctx, proofLife)
		if err != nil {
			return err
		}
		select {
		case err := <-broken:
			return err // go-redis may have connected anew, and missed something
		default:
		}
		switch news := news.(type) {
		case *redis.Pong:
			if sent, err := strconv.ParseInt(news.Payload, 10, 64); err == nil {
				s.heard(time.Unix(0, sent))
			}
		case *redis.Message:
			s.take(news.Payload, l)
		case *redis.Subscription:
			return errors.New("the subscription was made anew")
		}
	}
}

// within bounds a call of the subscription's.
func (s *RedisStore) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return call(ctx)
}

// ping asks on the subscription's own connection, where an answer proves that
// all news before it have come.
func (s *RedisStore) ping(ctx context.Context, sub *redis.PubSub, l listener, broken chan<- error) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(time.Unix(0, s.proof.Load())) > hangs {
			s.failed() // whoever asked it now would only wait
		}
		sent := strconv.FormatInt(time.Now().UnixNano(), 10)
		if err := s.within(ctx, func(ctx context.Context) error { return sub.Ping(ctx, sent) }); err != nil {
			broken <- err
			_ = sub.Close()
			return
		}
		if n%4 == 3 {
			go l.tend(ctx)
		}
	}
}

// heard notes that Redis answered what was asked then.
func (s *RedisStore) heard(asked time.Time) {
	s.proof.Store(asked.UnixNano())
	if asked.UnixNano() > s.failAt.Load() {
		s.away.Store(false)
	}
}

// failed notes that a call got no answer: nothing more is asked until a ping sent
// from now on is answered.
func (s *RedisStore) failed() {
	s.failAt.Store(time.Now().UnixNano())
	s.away.Store(true)
}

// proven returns the epoch of the subscription, and whether it is proven alive:
// then a session asked for in this epoch need not be asked for again.
func (s *RedisStore) proven(now time.Time) (epoch int64, ok bool) {
	return s.epoch.Load(), now.UnixNano()-s.proof.Load() <= int64(proofLife)
}

// take reads one line of news. A line that it does not understand is a later
// version's.
func (s *RedisStore) take(line string, l listener) {
	words := strings.Fields(line)
	if len(words) < 3 || len(words[1]) < 2 {
		return
	}
	m := mark(words[1])
	n, err := strconv.ParseInt(words[2], 10, 64)
	switch {
	case err != nil:
	case words[0] == "c":
		l.behindOf(m, n)
	case words[0] == "r" && len(words) >= 4:
		rv := revocation{At: n, Cause: Cause(words[3])}
		if len(words) == 5 {
			rv.heir, _ = base64.RawURLEncoding.DecodeString(words[4])
		}
		l.heed(map[mark]revocation{m: rv})
	}
}

// revocations reads the whole list, a page at a time.
func (s *RedisStore) revocations(ctx context.Context) (map[mark]revocation, error) {
	all := make(map[mark]revocation)
	for start := int64(0); ; start += revokedPage {
		var page []redis.Z
		err := s.within(ctx, func(ctx context.Context) error {
			var err error
			page, err = s.client.ZRangeWithScores(ctx, s.revokedKey(), start, start+revokedPage-1).Result()
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read revocations: %w", err)
		}
		for _, z := range page {
			if name, ok := z.Member.(string); ok && len(name) > 1 {
				all[mark(name)] = revocation{At: int64(z.Score), Cause: Revoked}
			}
		}
		if len(page) < revokedPage {
			return all, nil
		}
	}
}

// revoke puts revocations in the list, tells the other instances, and removes
// the records. What is older than oldest refuses nothing any more, and goes.
// Each is sent on its own: full memory takes no list entry, yet it passes news on
// and lets go of records.
func (s *RedisStore) revoke(ctx context.Context, news map[mark]revocation, oldest time.Time) error {
	return s.call(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for m, rv := range news {
				p.ZAddArgs(ctx, s.revokedKey(), redis.ZAddArgs{GT: true, Members: []redis.Z{{Score: float64(rv.At), Member: string(m)}}})
				if m[0] == 'i' {
					p.Del(ctx, s.prefix+"session:"+string(m[1:]))
				}
				p.Publish(ctx, s.channel, revokedNews(m, rv))
			}
			p.ZRemRangeByScore(ctx, s.revokedKey(), "-inf", "("+strconv.FormatInt(oldest.UnixMilli(), 10))
			return nil
		})
		return err
	})
}
