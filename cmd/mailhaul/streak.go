package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A streak is runs of an account that failed for reasons which pass by themselves, one after the
// other. With alert_after they are silent until it has lasted so long; then it is told once, and its
// end once. The first failure is recorded; a success writes nothing where there is no streak.

// noteTrouble is the state's note of when the streak began, and behind a blank that it was told.
const (
	noteTrouble = "trouble"
	wasTold     = " told"
)

// A quietError is a failure that is not told yet. Its status is that of the failure.
type quietError struct{ error }

func (e *quietError) Unwrap() error { return e.error }

func quiet(err error) error {
	return each(err, func(part error) error { return &quietError{part} })
}

// each wraps each of the failures that were joined.
func each(err error, wrap func(error) error) error {
	var all []error
	for _, part := range failures(err) {
		all = append(all, wrap(part))
	}
	return errors.Join(all...)
}

// streak counts the outcome of a run, and gives it as it is to be told.
func (f *fetcher) streak(ctx context.Context, a *Account, legs legs, err error) error {
	if a.AlertAfter == 0 || f.dryRun || ctx.Err() != nil || err != nil && !passes(err) && !onlyLeft(err) {
		return err
	}
	if len(legs) == 0 { // another run has the state, and tells of itself unless it hangs
		var locked *state.LockedError
		if errors.As(err, &locked) && (locked.Since.IsZero() || time.Since(locked.Since) >= a.AlertAfter) {
			return err
		}
		return quiet(err)
	}
	st := legs.own().st
	if st.New() && err != nil && !onlyLeft(err) {
		return err // it has never worked: a note would make a state of it, and the first run would not say so
	}
	note, _ := st.Note(noteTrouble)
	since, told := strings.CutSuffix(note, wasTold)
	began, perr := time.Parse(time.RFC3339, since)
	now := time.Now()
	if err == nil || onlyLeft(err) {
		return f.recovered(a, st, note, told, now.Sub(began), err)
	}
	if perr != nil || began.After(now) { // the first, or the clock has gone back
		note = now.UTC().Format(time.RFC3339)
		return errors.Join(quiet(err), st.SetNote(noteTrouble, note, now))
	}
	if told || now.Sub(began) < a.AlertAfter {
		return quiet(err)
	}
	prefix := fmt.Sprintf("no success since %s, for %s", began.Local().Format(time.DateTime), durationText(now.Sub(began).Round(time.Minute)))
	return errors.Join(each(err, func(part error) error { return fmt.Errorf("%s: %w", prefix, part) }), st.SetNote(noteTrouble, since+wasTold, now))
}

// recovered ends a streak, if there is one.
func (f *fetcher) recovered(a *Account, st *state.File, note string, told bool, lasted time.Duration, err error) error {
	if note == "" {
		return err
	}
	if told {
		f.report.complain(prioInfo, fmt.Sprintf("%s: works again, after %s", visible(a.Name), durationText(lasted.Round(time.Minute))))
	}
	return errors.Join(err, st.SetNote(noteTrouble, "", time.Now()))
}

// passes tells whether a run failed for reasons that pass by themselves. That a server cannot be
// reached is one here; that it refuses us is none.
func passes(err error) bool {
	for _, part := range failures(err) {
		var refused *pop3.Error
		if s := statusOf(part); s != exTempFail && (s != exUnavailable || errors.As(part, &refused)) {
			return false
		}
	}
	return true
}

// onlyLeft tells whether the session came to its end, and some messages stay.
func onlyLeft(err error) bool {
	for _, part := range failures(err) {
		var left *fetch.LeftError
		if !errors.As(part, &left) {
			return false
		}
	}
	return err != nil
}
