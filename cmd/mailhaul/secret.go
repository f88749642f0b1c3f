package main

import (
	"fmt"
	"log/slog"
)

// A Secret is a password or token that cannot be printed by accident: every way to turn it into
// text gives asterisks. The octets stand behind a pointer because fmt does not call the methods
// of an unexported field and would print a string there; of a pointer it prints the address.
type Secret struct{ p *string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal gives the octets, for the one place that sends them.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

const masked = "****"

func (s Secret) String() string               { return masked }
func (s Secret) GoString() string             { return masked }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(masked)) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(masked) }
