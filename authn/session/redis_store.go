package session

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A RedisStore keeps sessions in a Redis that several instances share. The
// cookie holds a ticket; Redis holds, under gatehouse:
//
//	session:<hash of ID>  a hash: v version, r encrypted record, a last activity (ms);
//	                      gone at max_age
//	lock:<hash of ID>     who refreshes the session; gone by itself after 20 s
//	used:<hash>           a sign-in's state or a logout token that was used
//	revoked               a sorted set: what is refused, by when that was said
//
// and the channel <db>:news tells the instances of new records and revocations.
// Redis sees no name, address, role or token, and nothing that makes a cookie.
type RedisStore struct {
	client  *redis.Client
	prefix  string
	channel string
	ticket  func() *Sealer
	records func() *RecordSealer
	codec   codec
	log     *slog.Logger

	away   atomic.Bool  // the last call failed, and nothing was heard since
	failAt atomic.Int64 // when that was, Unix nanoseconds
	epoch  atomic.Int64 // counts subscriptions; grows when one is complete
	since  atomic.Int64 // when the present epoch began, Unix nanoseconds
	proof  atomic.Int64 // when the last ping that was answered was sent; 0: no subscription
	held   sync.Map     // the locks that are held: key → value
}

// RedisOptions say where Redis is, and how what it keeps is sealed.
type RedisOptions struct {
	URL     string // see docs/sessions.md
	Ticket  func() *Sealer
	Records func() *RecordSealer
	Log     *slog.Logger
}

// NewRedisStore returns a store in Redis. It does not connect: Redis may be away
// at the start too. It fails where the URL is no good.
func NewRedisStore(o RedisOptions) (*RedisStore, error) {
	client, db, err := newRedisClient(o.URL)
	if err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &RedisStore{
		client: client, prefix: "gatehouse:", channel: "gatehouse:" + strconv.Itoa(db) + ":news",
		ticket: o.Ticket, records: o.Records, log: log,
	}, nil
}

// Close closes the connections.
func (s *RedisStore) Close() error { return s.client.Close() }

func (s *RedisStore) sessionKey(id string) string {
	return s.prefix + "session:" + string(idMark(id)[1:])
}
func (s *RedisStore) revokedKey() string { return s.prefix + "revoked" }

// Open returns the record that a ticket names.
func (s *RedisStore) Open(ctx context.Context, value string) (*Record, error) {
	k, ok := s.openTicket(value)
	if !ok {
		return nil, ErrNoSession
	}
	found, err := s.read(ctx, k, marks{id: idMark(k.id)})
	switch {
	case err != nil:
		return nil, err
	case found.refused != nil || found.record == nil && s.settled():
		return nil, ErrNoSession
	case found.record == nil:
		// Right after a failover the record may only be in the memory of the
		// instance that signed the person in, which is about to write it back.
		return nil, ErrUnavailable
	}
	return found.record, nil
}

func (s *RedisStore) openTicket(value string) (ticket, bool) {
	if len(value) > chunkLen {
		return ticket{}, false
	}
	plain, err := s.ticket().Open(value)
	if err != nil {
		return ticket{}, false
	}
	return parseTicket(plain)
}

// ticketID returns the session that a cookie value names, without asking Redis.
func (s *RedisStore) ticketID(value string) (id string, ok bool) {
	k, ok := s.openTicket(value)
	return k.id, ok
}

// settleTime is how long after a subscription began a record that is not there
// may still be written back by another instance.
const settleTime = 3 * time.Second

func (s *RedisStore) settled() bool {
	epoch, proven := s.proven(time.Now())
	return proven && (epoch == 1 || time.Since(time.Unix(0, s.since.Load())) > settleTime)
}

// whole reports whether a refresh may rely on what Redis holds. One that has just
// come back may have lost the newest record, whose refresh token replaced the one
// that is known here, and the locks: for settleTime the instances write them back.
func (s *RedisStore) whole() bool {
	return s.proof.Load() != 0 && (s.epoch.Load() == 1 || time.Since(time.Unix(0, s.since.Load())) > settleTime)
}

// A reading is what Redis says of a session.
type reading struct {
	record  *Record             // nil: there is none, or it does not open
	sealed  bool                // there is one that does not open
	refused map[mark]revocation // revocations that refuse it or may; nil: none
}

// read asks for a session's record and for revocations of it, in one round trip.
func (s *RedisStore) read(ctx context.Context, k ticket, m marks) (reading, error) {
	names := []string{string(m.id)}
	for _, more := range []mark{m.subject, m.sid} {
		if more != "" {
			names = append(names, string(more))
		}
	}
	var fields *redis.SliceCmd
	var scores *redis.FloatSliceCmd
	err := s.call(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			fields = p.HMGet(ctx, s.sessionKey(k.id), "r", "a")
			scores = p.ZMScore(ctx, s.revokedKey(), names...)
			return nil
		})
		return err
	})
	if err != nil {
		return reading{}, err
	}
	var found reading
	for i, score := range scores.Val() {
		if score > 0 { // ZMSCORE's nil reads as 0
			if found.refused == nil {
				found.refused = make(map[mark]revocation)
			}
			found.refused[mark(names[i])] = revocation{At: int64(score), Cause: Revoked}
		}
	}
	found.record = s.decode(k, fields.Val())
	found.sealed = found.record == nil && slices.ContainsFunc(fields.Val(), func(field any) bool { return field != nil })
	return found, nil
}

// decode opens the fields r and a of a session.
func (s *RedisStore) decode(k ticket, fields []any) *Record {
	if len(fields) != 2 {
		return nil
	}
	sealed, ok := fields[0].(string)
	if !ok {
		return nil
	}
	plain, err := s.records().open(k.id, k.key, []byte(sealed))
	if err != nil {
		return nil
	}
	rec, err := s.codec.decode(plain)
	if err != nil || rec.ID != k.id {
		return nil
	}
	rec.key = k.key
	if active, ok := fields[1].(string); ok {
		if ms, err := strconv.ParseInt(active, 10, 64); err == nil && ms > rec.ActiveAt.UnixMilli() {
			rec.ActiveAt = time.UnixMilli(ms)
		}
	}
	return rec
}

// saveScript keeps a record unless the session was revoked or a newer one is
// there: an instance that was cut off must not put an old refresh token in the
// place of the one that still works.
var saveScript = redis.NewScript(`
if redis.call('ZSCORE', KEYS[2], ARGV[5]) then return -1 end
local v = redis.call('HGET', KEYS[1], 'v')
if v and tonumber(v) > tonumber(ARGV[1]) then return 0 end
local a = redis.call('HGET', KEYS[1], 'a')
if not a or tonumber(a) < tonumber(ARGV[3]) then a = ARGV[3] end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'r', ARGV[2], 'a', a)
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1`)

// Save keeps the record in Redis, tells the other instances, and returns its
// ticket.
func (s *RedisStore) Save(ctx context.Context, rec *Record, until time.Time) (string, error) {
	plain, err := s.codec.encode(rec)
	if err != nil {
		return "", err
	}
	sealed, err := s.records().seal(rec.ID, rec.key, plain)
	if err != nil {
		return "", err
	}
	k := ticket{rec.ID, rec.key}
	value, err := s.ticket().Seal(k.bytes())
	if err != nil {
		return "", err
	}
	var outcome int
	err = s.call(ctx, func(ctx context.Context) error {
		m := idMark(rec.ID)
		var err error
		outcome, err = saveScript.Run(ctx, s.client, []string{s.sessionKey(rec.ID), s.revokedKey()},
			rec.Version, sealed, rec.ActiveAt.UnixMilli(), until.UnixMilli(), string(m),
			s.channel, changedNews(m, rec.Version)).Int()
		return err
	})
	switch {
	case err != nil:
		return "", err
	case outcome < 0:
		return "", errRefused
	case outcome == 0:
		return "", errOvertaken
	}
	return value, nil
}

// touchScript notes activity, for the other instances' idle_timeout.
var touchScript = redis.NewScript(`
local a = redis.call('HGET', KEYS[1], 'a')
if a and tonumber(a) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'a', ARGV[1]) end
return 1`)

func (s *RedisStore) touch(ctx context.Context, rec *Record, at time.Time) error {
	return s.call(ctx, func(ctx context.Context) error {
		return touchScript.Run(ctx, s.client, []string{s.sessionKey(rec.ID)}, at.UnixMilli()).Err()
	})
}

// unreadable is the version of what Redis holds in a session's place and is none.
const unreadable = math.MaxInt64

// versions returns the versions of the records that Redis holds, 0 for none.
func (s *RedisStore) versions(ctx context.Context, all []*Session) ([]int64, error) {
	cmds := make([]*redis.StringCmd, len(all))
	err := s.call(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, one := range all {
				cmds[i] = p.HGet(ctx, s.sessionKey(one.ID), "v")
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(all))
	for i, cmd := range cmds {
		out[i], err = cmd.Int64()
		if err != nil && !errors.Is(err, redis.Nil) {
			out[i] = unreadable // leave it alone
		}
	}
	return out, nil
}
