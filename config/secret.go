package config

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// redacted stands wherever a secret would have been printed.
const redacted = "[redacted]"

// Secret is text that no log line, error, dump or JSON shows. Reveal is the one
// way to it, so that a search for Reveal finds every place that uses a secret.
//
// The text lies behind a pointer: fmt cannot call the methods of a Secret in an
// unexported field of somebody's struct, and prints an address there.
type Secret struct{ text *string }

// NewSecret wraps text that must not be shown.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the text. Never print it, and never put it into an error.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares in a time that does not tell where two secrets differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String redacts.
func (s Secret) String() string { return redacted }

// GoString redacts, for %#v.
func (s Secret) GoString() string { return redacted }

// Format redacts for every verb: %x of a struct that holds a secret would print
// it otherwise.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText redacts.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON redacts.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue redacts, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
