package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mailhaul/fetch/state"
)

// tokens is the file with the tokens of an account. It is its owner's alone.
type tokens struct {
	Version  int       `json:"version"`
	User     string    `json:"user"`
	ClientID string    `json:"client_id"` // that the tokens were given to
	TokenURL string    `json:"token_url"` // by whom
	Access   string    `json:"access_token"`
	Refresh  string    `json:"refresh_token"`
	Obtained time.Time `json:"obtained"`
	Expiry   time.Time `json:"expiry,omitzero"` // zero: not told
}

// Format keeps the tokens out of what is printed by accident.
func (t *tokens) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// tokenFile is where an account's tokens are: in a directory of their own, because there no name of
// an account makes another's state or lock of it.
func tokenFile(stateDir, account string) string {
	return filepath.Join(stateDir, "oauth2", strings.TrimSuffix(state.FileName(account), ".uidl")+".json")
}

// earlier is how long before its end an access token is renewed: a login may take a while.
const earlier = 2 * time.Minute

// fresh tells whether the access token may be used at a time. One that was obtained in the future
// is of a clock that was set back since, and its end is wrong by as much.
func (t *tokens) fresh(now time.Time) bool {
	switch {
	case t.Access == "" || now.Before(t.Obtained):
		return false
	case t.Expiry.IsZero():
		return true
	}
	return now.Before(t.Expiry.Add(-min(earlier, t.Expiry.Sub(t.Obtained)/4)))
}

// readTokens reads the file. fs.ErrNotExist means that there was no login yet.
func readTokens(path string) (*tokens, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return nil, err
	}
	t := new(tokens)
	// What the decoder complains about may quote a token.
	if json.Unmarshal(b, t) != nil || t.Version != 1 {
		return nil, fmt.Errorf("%s is damaged", path)
	}
	return t, nil
}

// A tokenWriter has the place on the disk that new tokens need. It is made before they are asked
// for: a refresh token that cannot be written down is lost, and with it the login.
type tokenWriter struct{ *replacement }

// newTokenWriter is for whoever holds the lock (lockTokens).
func newTokenWriter(path string) (*tokenWriter, error) {
	f, err := replace(path, path+".tmp")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(make([]byte, maxSecret)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.discard()
		return nil, err
	}
	return &tokenWriter{f}, nil
}

// save puts the tokens in place of the former ones. nil means that they are on the disk.
func (w *tokenWriter) save(t *tokens) error {
	t.Version = 1
	b, err := json.MarshalIndent(t, "", "  ")
	if err == nil {
		_, err = w.WriteAt(append(b, '\n'), 0)
	}
	if err == nil {
		err = w.Truncate(int64(len(b) + 1))
	}
	if err != nil {
		w.discard()
		return err
	}
	return w.replacement.save(0o600)
}

// lockTokens makes this the only run that renews the account's tokens, until unlock is called.
func lockTokens(ctx context.Context, path string, wait time.Duration) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	unlock, err = lockFile(ctx, strings.TrimSuffix(path, ".json")+".lock", wait)
	if errors.Is(err, errHeld) || ctx.Err() != nil && err != nil {
		return nil, &SecretError{Source: "oauth2", Temporary: true, Err: err}
	}
	return unlock, err
}
