package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gatehouse/authn"
	"gatehouse/authn/session"
	"gatehouse/config"
)

// stateEvery is how often the state file is written, at most.
const stateEvery = time.Minute

// keepSessions makes the session table and what is behind it: cookies, with or
// without a state file, or Redis.
func (in *instance) keepSessions(c *config.Config) error {
	o := session.Options{
		Cookie: session.Cookie{Name: c.Session.CookieName, Domain: c.Session.CookieDomain, Secure: c.PublicURL.Scheme == "https"},
		Store:  session.NewCookieStore(in.sealers.session), Log: in.log, Settings: in.settings(c),
		Refresher: &in.refresh,
	}
	if c.Session.Store == "redis" {
		var err error
		in.redis, err = session.NewRedisStore(session.RedisOptions{
			URL: c.Session.RedisURL.Reveal(), Ticket: in.sealers.ticket, Records: in.sealers.record, Log: in.log,
		})
		if err != nil {
			return fmt.Errorf("session.redis_url: %w", err)
		}
		o.Store = in.redis
	}
	in.sessions = session.NewTable(o)
	if c.Session.StateFile == "" || c.Session.Store == "redis" {
		return nil
	}
	in.state = session.NewStateFile(c.Session.StateFile, in.sealers.stateFile)
	return in.sessions.Load(in.state)
}

// checkStore finds what would keep the session store from being made.
func checkStore(c *config.Config) error {
	if c.Session.Store != "redis" {
		return nil
	}
	if err := session.CheckRedisURL(c.Session.RedisURL.Reveal()); err != nil {
		return config.Errors{c.Problem("session.redis_url", err.Error())}
	}
	return nil
}

// unheard keeps go-redis's own lines off stderr, where operators expect JSON:
// what they say comes back as errors too, and those are logged.
type unheard struct{}

func (unheard) Printf(context.Context, string, ...any) {}

// runSessions follows Redis and writes the state file, until ctx ends.
func (in *instance) runSessions(ctx context.Context) {
	go in.sessions.Run(ctx)
	if in.state != nil {
		go in.sessions.Keep(ctx, in.state, stateEvery)
	}
}

// endSessions writes down, after the last request, what must outlive a restart.
func (in *instance) endSessions() {
	if in.state != nil {
		if err := in.sessions.Store(in.state); err != nil {
			in.log.Error("the state file could not be written: some people may have to sign in again", "error", err.Error())
		}
	}
	if in.redis != nil {
		_ = in.redis.Close() // nothing is buffered
	}
}

// refreshing asks whichever provider is the present one. With session.refresh
// off, a session that was begun before gives its refresh token up when it would be
// used, and lasts as it is.
type refreshing struct {
	now atomic.Pointer[authn.Refresher]
	off atomic.Bool
}

func (r *refreshing) set(refresher *authn.Refresher, on bool) {
	r.now.Store(refresher)
	r.off.Store(!on)
}

func (r *refreshing) Refresh(ctx context.Context, rec *session.Record) (*session.Record, error) {
	if !r.off.Load() {
		return r.now.Load().Refresh(ctx, rec)
	}
	last := *rec
	last.Version++
	last.Refresh, last.FreshUntil = "", time.Time{}
	return &last, nil
}

func (r *refreshing) Revoke(ctx context.Context, token session.Token) error {
	return r.now.Load().Revoke(ctx, token)
}

func (in *instance) settings(c *config.Config) session.Settings {
	return session.Settings{
		MaxAge: c.Session.MaxAge, IdleTimeout: c.Session.IdleTimeout,
		NeedsCover: in.needs.cover, Tighten: in.needs.tighten,
	}
}

// rekey takes up session secrets that changed: the first writes, all are read,
// and what was sealed with one that is gone counts no more. On an error nothing
// has changed.
func (in *instance) rekey(secrets []config.Secret) error {
	if err := in.sealers.set(secrets); err != nil {
		return err
	}
	in.sessions.Rekeyed()
	return nil
}

// sealers hold the keys of the present secrets, a set for each purpose.
type sealers struct {
	sessions, states, tickets, stateFiles atomic.Pointer[session.Sealer]
	records                               atomic.Pointer[session.RecordSealer]
}

// set derives the keys of all purposes, or changes none.
func (s *sealers) set(secrets []config.Secret) error {
	raw := make([][]byte, len(secrets))
	for i, secret := range secrets {
		raw[i] = []byte(secret.Reveal())
	}
	sessions, err1 := session.NewSealer(session.SessionPurpose, raw)
	states, err2 := session.NewSealer(session.StatePurpose, raw)
	tickets, err3 := session.NewSealer(session.TicketPurpose, raw)
	stateFiles, err4 := session.NewSealer(session.StateFilePurpose, raw)
	records, err5 := session.NewRecordSealer(raw)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	s.sessions.Store(sessions)
	s.states.Store(states)
	s.tickets.Store(tickets)
	s.stateFiles.Store(stateFiles)
	s.records.Store(records)
	return nil
}

func (s *sealers) session() *session.Sealer      { return s.sessions.Load() }
func (s *sealers) state() *session.Sealer        { return s.states.Load() }
func (s *sealers) ticket() *session.Sealer       { return s.tickets.Load() }
func (s *sealers) stateFile() *session.Sealer    { return s.stateFiles.Load() }
func (s *sealers) record() *session.RecordSealer { return s.records.Load() }
