package main

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo returns a logger for certmagic, which knows only zap, that writes to ours.
func zapTo(log *slog.Logger) *zap.Logger { return zap.New(&zapCore{log: log.Handler()}) }

// zapCore passes zap's entries on.
type zapCore struct{ log slog.Handler }

func (c *zapCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), slogLevel(l))
}

// slogLevel is slog's level of the same meaning. certmagic tells at info what only
// somebody who debugs it wants to know.
func slogLevel(l zapcore.Level) slog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{c.log.WithAttrs(attrsOf(fields))}
}

func (c *zapCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, slogLevel(e.Level), e.Message, 0)
	r.AddAttrs(attrsOf(fields)...)
	return c.log.Handle(context.Background(), r)
}

func (c *zapCore) Sync() error { return nil }

func attrsOf(fields []zapcore.Field) []slog.Attr {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	attrs := make([]slog.Attr, 0, len(m.Fields))
	for name, value := range m.Fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	return attrs
}
