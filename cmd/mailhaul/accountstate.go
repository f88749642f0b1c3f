package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mailhaul/fetch"
	"mailhaul/fetch/state"
)

// statePath is where the account's state is.
func statePath(cfg *Config, account string) string {
	return filepath.Join(cfg.StateDir, state.FileName(account))
}

func (a *Account) identity() state.Identity {
	return state.Identity{Host: a.Server.Host, User: a.User}
}

// openState locks and reads the account's state, waiting for another run as long as --wait says.
// A dry run reads it without a lock and leaves it as it is.
func (f *fetcher) openState(ctx context.Context, a *Account) (*state.File, error) {
	path := statePath(f.cfg, a.stateName())
	var st *state.File
	var err error
	if f.dryRun {
		st, err = a.readState(path)
	} else {
		st, err = a.openState(ctx, path, f.wait)
	}
	if err != nil {
		return nil, err
	}
	f.report.damage(a.Name, st)
	if st.New() && a.leg == "" {
		if err := f.orphan(a); err != nil {
			return nil, errors.Join(err, st.Close())
		}
	}
	return st, nil
}

// openState locks and reads a state file of the account in which something may be noted with a time.
func (a *Account) openState(ctx context.Context, path string, wait time.Duration) (*state.File, error) {
	st, err := openLocked(ctx, path, a.identity(), wait)
	if err == nil && a.Keep && a.DeleteAfter > 0 {
		// Before anything else is noted with a time of this clock.
		if err := fetch.ConfirmClock(st, time.Now()); err != nil {
			return nil, errors.Join(err, st.Close())
		}
	}
	return st, err
}

// readState reads a state file of the account without a lock.
func (a *Account) readState(path string) (*state.File, error) {
	st, err := state.Read(path)
	if err == nil && !st.New() && !st.Identity().Equal(a.identity()) {
		return nil, &state.IdentityError{Path: path, Have: st.Identity(), Want: a.identity()}
	}
	return st, err
}

// damage warns of what could not be read of a state file.
func (r *report) damage(account string, st *state.File) {
	for _, d := range st.Damage() {
		r.warn(account, "state file %s: %s", st.Path(), d)
	}
}

// openLocked opens a state file, and tries again while another run holds it, up to wait.
func openLocked(ctx context.Context, path string, id state.Identity, wait time.Duration) (st *state.File, err error) {
	err = whileLocked(ctx, wait, func() (err error) { st, err = state.Open(path, id); return err })
	return st, err
}

// whileLocked tries again while another run holds the state file, up to wait.
func whileLocked(ctx context.Context, wait time.Duration, try func() error) error {
	until := time.Now().Add(wait)
	for {
		err := try()
		left := time.Until(until)
		if !errors.Is(err, state.ErrLocked) || left <= 0 {
			return err
		}
		// The lock of a dead process vanishes without a word, so there is nothing to wait on.
		select {
		case <-time.After(min(left, 200*time.Millisecond)):
		case <-ctx.Done():
			return stopped(ctx)
		}
	}
}

// An orphanError says that an account without a state has one under another name: to begin anew
// would retrieve everything again.
type orphanError struct {
	Account string // without a state
	Old     string // the name that the state bears
	Path    string
}

func (e *orphanError) Error() string {
	return fmt.Sprintf("no state of its own, but %q is of the same server and user, and of no account of the configuration", e.Path)
}

// orphan looks for a state of the same server and user that belongs to no configured account.
func (f *fetcher) orphan(a *Account) error {
	found, err := f.unowned()
	if err != nil {
		return err
	}
	for _, s := range found {
		if s.Err == nil && s.Identity.Equal(a.identity()) {
			return &orphanError{Account: a.Name, Old: accountOf(filepath.Base(s.Path)), Path: s.Path}
		}
	}
	return nil
}

// unowned gives the states of no configured account.
func unowned(cfg *Config) ([]state.Found, error) {
	found, err := state.List(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	owned := make(map[string]bool, len(cfg.Accounts))
	for _, a := range cfg.Accounts {
		owned[state.FileName(a.Name)] = true
	}
	return slices.DeleteFunc(found, func(s state.Found) bool {
		name := filepath.Base(s.Path)
		return owned[name] || strings.Contains(accountOf(name), legMark)
	}), nil
}
