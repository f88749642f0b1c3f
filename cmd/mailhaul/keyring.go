package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringSecret asks the Secret Service (on macOS the keychain) for the password of a user at a
// server. A keyring that is locked may ask a person, who gets until limit.
func keyringSecret(ctx context.Context, host, user string, limit time.Duration) (string, error) {
	type answer struct {
		secret string
		err    error
	}
	got := make(chan answer, 1)
	go func() { // the library cannot be interrupted
		secret, err := keyring.Get(host, user)
		got <- answer{secret, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	temporary := func(err error) error { return &SecretError{Source: "keyring", Temporary: true, Err: err} }
	select {
	case a := <-got:
		switch {
		case errors.Is(a.err, keyring.ErrNotFound):
			return "", &noItemError{host, user}
		case a.err != nil:
			return "", fmt.Errorf("it cannot be asked: %w", a.err)
		}
		return a.secret, nil
	case <-timer.C:
		return "", temporary(fmt.Errorf("no answer for %v; is it locked?", limit))
	case <-ctx.Done():
		return "", temporary(context.Cause(ctx))
	}
}

// A noItemError says that the keyring has no password for the server and user.
type noItemError struct{ host, user string }

func (e *noItemError) Error() string {
	return fmt.Sprintf("it has no password of user %q at %q", e.user, e.host)
}

func setKeyring(a *Account, v any, _ string) error {
	b, err := asBool(v)
	if b {
		a.Secret = SecretSource{Kind: "keyring"}
	}
	return err
}
