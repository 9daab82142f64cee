package main

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"gatehouse/config"
)

// A voice is how the instance speaks: its level and format may change while its
// loggers are in use.
type voice struct {
	w     io.Writer
	level slog.LevelVar
	text  atomic.Bool
}

func newVoice(w io.Writer) *voice { return &voice{w: w} }

// set takes up level and format.
func (v *voice) set(c config.Log) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	v.level.Set(level)
	v.text.Store(c.Format == "text")
}

// loggers returns the log of diagnostics, which has a level, and that of audit
// events, which are written at every level.
func (v *voice) loggers() (diagnostics, audit *slog.Logger) {
	handler := func(level slog.Leveler) slog.Handler {
		o := &slog.HandlerOptions{Level: level}
		return &either{text: &v.text, asText: slog.NewTextHandler(v.w, o), asJSON: slog.NewJSONHandler(v.w, o)}
	}
	return slog.New(handler(&v.level)), slog.New(handler(slog.LevelDebug))
}

// either writes a record in the one format or the other, as things stand.
type either struct {
	text           *atomic.Bool
	asText, asJSON slog.Handler
}

func (e *either) present() slog.Handler {
	if e.text.Load() {
		return e.asText
	}
	return e.asJSON
}

func (e *either) Enabled(ctx context.Context, l slog.Level) bool { return e.present().Enabled(ctx, l) }

func (e *either) Handle(ctx context.Context, r slog.Record) error { return e.present().Handle(ctx, r) }

func (e *either) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &either{e.text, e.asText.WithAttrs(attrs), e.asJSON.WithAttrs(attrs)}
}

func (e *either) WithGroup(name string) slog.Handler {
	return &either{e.text, e.asText.WithGroup(name), e.asJSON.WithGroup(name)}
}
