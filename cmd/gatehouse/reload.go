package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"gatehouse/config"
)

// The audit events of a configuration that changed.
const (
	eventConfigReloaded = "config_reloaded"
	eventConfigRejected = "config_rejected"
)

// reload takes up a configuration, whole or not at all: everything that can fail
// is done before anything that serves is touched. Open streams that the new
// policy still allows go on. It fails with a config.Errors for keys that need a
// restart.
func (in *instance) reload(ctx context.Context, next *config.Config) error {
	now := in.config()
	if err := restartErrors(now, next); err != nil {
		return err
	}
	policy, fitted, err := in.fit(next, in.fitting)
	if err != nil {
		in.upstreams.Use(in.handler.Policy()) // forget those that were only tried on
		return err
	}
	certify, err := in.commit(ctx, now, next, fitted)
	if err != nil {
		in.upstreams.Use(in.handler.Policy())
		return err
	}
	certify()
	in.needs.add(policy)
	in.refresh.set(policy.Refresh, next.Session.Refresh)
	in.sessions.Configure(in.settings(next))
	in.voice.set(next.Log)
	in.discover(policy.Provider)
	in.handler.Replace(policy)
	in.fitting = fitted
	in.present.Store(next)
	return nil
}

// commit does the last that can fail. Another provider must answer before it is
// taken: a slip in its address would leave nobody able to sign in.
func (in *instance) commit(ctx context.Context, now, next *config.Config, fitted *fitting) (certify func(), err error) {
	certify = func() {}
	if in.certs != nil {
		if certify, err = in.certs.prepare(next); err != nil {
			return nil, err
		}
	}
	if next.Descope.Issuer != now.Descope.Issuer || fitted.caller != in.fitting.caller {
		if err := fitted.policy.Provider.Discover(ctx); err != nil {
			return nil, config.Errors{next.Problem("descope.issuer", "does not answer as a provider, and so is not taken up: "+err.Error())}
		}
	}
	if !slices.EqualFunc(now.Session.Secrets, next.Session.Secrets, config.Secret.Equal) {
		if err := in.rekey(next.Session.Secrets); err != nil {
			return nil, fmt.Errorf("session.secret: %w", err)
		}
	}
	return certify, nil
}

func restartErrors(now, next *config.Config) error {
	var problems config.Errors
	for _, key := range config.RestartKeys(now, next) {
		problems = append(problems, next.Problem(key, "has changed, which needs a restart; nothing of the changed configuration is taken up"))
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// reloaded notes what came of a changed configuration, where operators look.
func (in *instance) reloaded(err error) {
	attrs := []slog.Attr{slog.String("event", eventConfigReloaded), slog.String("config", in.config().Hash())}
	if err == nil {
		in.metrics.Reloads.WithLabelValues("ok").Inc()
		in.audit.LogAttrs(context.Background(), slog.LevelInfo, eventConfigReloaded, attrs...)
		return
	}
	in.metrics.Reloads.WithLabelValues("rejected").Inc()
	attrs[0] = slog.String("event", eventConfigRejected)
	texts := []string{err.Error()}
	var problems config.Errors
	if errors.As(err, &problems) {
		texts = texts[:0]
		for _, p := range problems {
			texts = append(texts, p.String())
		}
	}
	attrs = append(attrs, slog.Any("problems", texts))
	in.audit.LogAttrs(context.Background(), slog.LevelError, eventConfigRejected, attrs...)
}
