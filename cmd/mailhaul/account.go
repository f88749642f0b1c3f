package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A fetcher does accounts. It is read only once they run.
type fetcher struct {
	*program
	cfg    *Config
	asker  *asker
	dryRun bool
	keep   bool
	limit  int
	retry  bool
	wait   time.Duration
	byHand bool // a person logs in, and begins TLS where that is not implicit

	unowned func() ([]state.Found, error) // see the function of that name; read once for all accounts
}

func (m *program) newFetcher(cfg *Config) *fetcher {
	return &fetcher{program: m, cfg: cfg, asker: newAsker(os.Stderr),
		unowned: sync.OnceValues(func() ([]state.Found, error) { return unowned(cfg) })}
}

// errStopped says that the run was stopped before the account's session began.
var errStopped = errors.New("stopped")

// account does one account: states, secrets, targets, login, then a fetch.Run for each destination in
// one session. What needs no network comes first, so that no session is opened in vain, and no
// connection waits for a person or a vault.
func (f *fetcher) account(ctx context.Context, a *Account) (sum fetch.Summary, err error) {
	if ctx.Err() != nil {
		return sum, stopped(ctx)
	}
	legs, err := f.openLegs(ctx, a)
	defer func() { err = errors.Join(err, legs.close()) }()
	if err == nil {
		sum, err = f.oneSession(ctx, a, legs)
	}
	return sum, f.streak(ctx, a, legs, err)
}

// oneSession is the part of account that has states and targets.
func (f *fetcher) oneSession(ctx context.Context, a *Account, legs legs) (sum fetch.Summary, err error) {
	if !legs.any() {
		return sum, legs.failed()
	}
	s, err := f.newSession(ctx, a, legs.own().st)
	if err != nil {
		return sum, err
	}
	defer s.close()
	if !f.dryRun {
		if err := legs.bury(); err != nil { // the last run may have died before it came to that
			return sum, err
		}
	}
	differ, came := map[string]state.Entry{}, map[string]bool{}
	begins := legs.own().begins()
	first := begins && !f.dryRun
	for _, l := range legs {
		if l.err != nil {
			continue
		}
		opts := f.optionsOf(legs, l, differ)
		opts.Record, opts.Others.Undone = l.remember, sum.Undone
		opts.Others.Retrieved = func(uid string) bool { return came[uid] }
		if begins && l != legs.own() {
			// By the account's own state alone it is noticed that it was renamed, or its server.
			begin := opts.Begin
			opts.Begin = func() error { return errors.Join(s.remember(), begin()) }
		}
		tell := opts.Events
		opts.Events = func(e fetch.Event) {
			// A destination that was added has a new state; the account has not.
			e.First = begins && e.Type == fetch.Account
			if l != legs.own() && (e.Type == fetch.Message || e.Type == fetch.Failed && e.Destination != "") { // the quarantine's
				came[e.UID] = true
			}
			tell(e)
			s.listed = s.listed || e.Type == fetch.Account
			if first && s.listed {
				first = false // each has a state of its own, which a second session of this run finds empty, too
				f.report.first(a, e.Messages, legs.own().st.Path())
			}
		}
		var part fetch.Summary
		part, l.err = f.runs(ctx, s, l, opts)
		if l == legs.own() {
			l.err = errors.Join(l.err, f.differing(l, differ))
			part.Left += len(differ)
		}
		sum = plus(sum, part)
		if part.Deleted > 0 {
			l.err = errors.Join(l.err, legs.bury())
		}
		if !aboutTarget(l.err) || ctx.Err() != nil {
			break
		}
	}
	return sum, errors.Join(legs.failed(), s.remember())
}

// differing tells, once a day, of messages that stay on the server because destinations have different texts under
// their unique-ids. No later run does better.
func (f *fetcher) differing(l *leg, differ map[string]state.Entry) error {
	if len(differ) == 0 {
		return nil
	}
	now := time.Now()
	var told []state.Entry
	for _, uid := range slices.Sorted(maps.Keys(differ)) {
		e := differ[uid]
		repeated := now.Sub(e.Reported) < 24*time.Hour && !now.Before(e.Reported)
		f.report.event(fetch.Event{Type: fetch.Failed, Time: now, Account: l.a.Name, UID: uid, Size: e.Size, Repeated: repeated,
			Reason: "another destination has another text under this unique-id: it stays on the server"})
		if e, known := l.st.LookupCopy(uid, e.Copy); known && !repeated { // as it is by now
			e.Reported = now
			told = append(told, e)
		}
	}
	var err error
	if !f.dryRun {
		err = l.st.Add(told...)
	}
	return errors.Join(err, &fetch.LeftError{Messages: len(differ)})
}

// runs is one fetch.Run, or two where the first says that the server does not pipeline: the only
// reconnect after a login.
func (f *fetcher) runs(ctx context.Context, s *session, l *leg, opts fetch.Options) (sum fetch.Summary, err error) {
	for {
		c, err := s.client(ctx)
		if err != nil {
			return sum, err
		}
		opts.Caps, opts.NoCapa, opts.Pipelining = s.caps, !s.capa, s.pipelining
		part, err := fetch.Run(ctx, c, l.st, l.target, opts)
		if part.Open {
			s.ready = c
		}
		part.Delivered, part.Octets = part.Delivered+sum.Delivered, part.Octets+sum.Octets
		if sum.Quarantined > 0 { // told in the first session, whose error is dropped
			part.Quarantined += sum.Quarantined
			err = errors.Join(err, &fetch.LeftError{Quarantined: sum.Quarantined})
		}
		sum = part
		if !errors.Is(err, fetch.ErrNoPipelining) || !s.pipelining || ctx.Err() != nil {
			return sum, err
		}
		// What was proven is recorded. The rest comes one command at a time.
		s.pipelining, s.lockstep = false, lockstep
		if !errors.Is(err, pop3.ErrProtocol) && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded)) {
			s.lockstep = once
		}
		f.report.warn(s.a.Name, "%v; going on one command at a time", err)
	}
}

func stopped(ctx context.Context) error { return fmt.Errorf("%w: %w", errStopped, context.Cause(ctx)) }

// options are what fetch.Run is to do for the account.
func (f *fetcher) options(a *Account, st *state.File) fetch.Options {
	opts := fetch.Options{
		Account: a.Name, Server: a.Server.Host, User: a.User,
		Keep: a.Keep || f.keep, DeleteAfter: a.DeleteAfter,
		MaxSize: a.MaxSize, MaxMessages: a.MaxMessages, Retry: f.retry, NoReceived: a.NoReceived, DryRun: f.dryRun,
		NoSkipped: !f.report.tellsSkipped(),
	}
	opts.Quarantine = fetch.Quarantine{Path: a.Quarantine, After: a.QuarantineAfter, Open: func(path string, create bool) (deliver.Finder, error) {
		return deliver.NewMaildir(path, deliver.MaildirOptions{Create: create, Timeout: a.Timeout})
	}}
	if f.keep {
		opts.DeleteAfter = 0 // --keep: this run deletes nothing
	}
	if f.limit > 0 && (opts.MaxMessages == 0 || f.limit < opts.MaxMessages) {
		opts.MaxMessages = f.limit
	}
	opts.Begin = func() error { // on disk with the state's own Begin
		if into, _ := st.Note(noteInto); into == a.Deliver.String() {
			return nil
		}
		return st.SetNote(noteInto, a.Deliver.String(), time.Now())
	}
	opts.Came = f.report.came(a.Name)
	opts.Events = f.report.event
	return opts
}
