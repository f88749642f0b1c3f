package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

func (m *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "try what fetch needs, and change nothing",
		ArgsUsage: "[ACCOUNT...]",
		Description: `Prints one line for each thing that fetch needs: configuration, state, destination, name,
connection, TLS, certificate, login, capabilities, maildrop. What is wrong goes to standard
error. Nothing is written, retrieved or deleted.

   mailhaul check                    all accounts
   mailhaul check 'sales-*'          some of them
   mailhaul check --config-only      the configuration alone, without any connection
   mailhaul check work | grep pin    the line that pins the server's key
   mailhaul check --json | jq -c 'select(.result=="failed")'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "config-only", DisableDefaultText: true, Usage: "check only the configuration"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
			excludeFlag(),
		},
		Action: m.check,
	}
}

// check looks at each account in turn. The exit status is that of the first thing that is wrong
// and does not pass by itself.
func (m *program) check(c *cli.Context) error {
	m.report.json = c.Bool("json")
	sel, err := selected(c)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(m.configPath, func(name string) bool { return sel.takes(name) && !canAsk() })
	var accounts []*Account
	if err == nil {
		accounts, err = sel.from(cfg)
	}
	if err != nil {
		m.report.failure(nil, err)
		m.report.accountsTotal(0, 0, exitStatus(err))
		return &toldError{err}
	}
	f := m.newFetcher(cfg)
	f.dryRun = true
	return m.oneByOne(c.Context, accounts, func(a *Account) error {
		k := &checker{fetcher: f, a: a}
		k.configuration()
		if !c.Bool("config-only") {
			k.local(c.Context)
			k.server(c.Context)
		}
		return errors.Join(k.errs...)
	})
}

// A checker looks at one account.
type checker struct {
	*fetcher
	a     *Account
	st    *state.File // what is known; empty if it cannot be read
	known known       // by all destinations
	errs  []error
}

// configuration has been read by now; what remains are the files that it names.
func (k *checker) configuration() {
	if _, err := tlsConfig(k.a); err != nil {
		k.failed("configuration", err)
		return
	}
	what := "retrieve and delete"
	switch {
	case k.a.Keep && k.a.DeleteAfter > 0:
		what = "retrieve, delete after " + durationText(k.a.DeleteAfter)
	case k.a.Keep:
		what = "retrieve and keep"
	}
	k.ok("configuration", nil, "%s:%d: %s, tls %s, user %s: %s, into %s", visible(k.a.file), k.a.line,
		visible(k.a.Server.Addr), k.a.TLS, visible(k.a.User), what, visible(k.a.places()))
}

// local looks at what needs no session: state and destination.
func (k *checker) local(ctx context.Context) {
	st, err := k.a.readState(statePath(k.cfg, k.a.Name))
	if err == nil && st.New() {
		err = k.orphan(k.a)
	}
	if err == nil {
		err = mayWrite(k.cfg.StateDir)
	}
	switch {
	case err != nil:
		k.failed("state", err)
		if st, err = nothingKnown(); err != nil {
			k.failed("state", err)
			return
		}
	case st.New():
		k.ok("state", nil, "%s: none yet, this account was never fetched", visible(st.Path()))
	case len(st.Damage()) > 0:
		k.damage(st)
	case st.Len() == 0:
		k.ok("state", nil, "%s: no message is known", visible(st.Path()))
	default:
		k.ok("state", nil, "%s: %d known, the newest of %s", visible(st.Path()), st.Len(), st.Newest().Local().Format("2006-01-02 15:04"))
	}
	k.st = st
	own := k.a.arranged(k.cfg, st)
	if own.leg == "" {
		k.known = known{st}
		k.writable(ctx, own, st)
	}
	for _, b := range own.apart() {
		st, err := b.readState(statePath(k.cfg, b.stateName()))
		if err != nil {
			k.failed("state", err)
			continue
		}
		k.damage(st)
		k.known = append(k.known, st)
		k.writable(ctx, b, st)
	}
	if k.a.Quarantine != "" {
		k.quarantine(st)
	}
}

// damage warns of what cannot be read of a state.
func (k *checker) damage(st *state.File) {
	for _, d := range st.Damage() {
		k.warn("state", nil, "%s: %s", visible(st.Path()), d)
	}
}

// quarantine looks at the maildir for what is refused: that it cannot be used would come out only when
// a message has been refused often enough.
func (k *checker) quarantine(st *state.File) {
	create := true // as fetch would, as long as nothing is in it
	for e := range st.All() {
		create = create && e.Quarantine != k.a.Quarantine
	}
	q, err := deliver.NewMaildir(k.a.Quarantine, deliver.MaildirOptions{Create: create, Timeout: k.a.Timeout})
	if err == nil {
		err = errors.Join(q.Check(), q.Close())
	}
	if err != nil {
		k.failed("destination", fmt.Errorf("quarantine: %w", err))
		return
	}
	k.ok("destination", nil, "quarantine %s can be written to", visible(k.a.Quarantine))
}

// writable looks at one destination.
func (k *checker) writable(ctx context.Context, a *Account, st *state.File) {
	if err := k.destination(ctx, a, st); err != nil {
		k.failed("destination", err)
		return
	}
	what := "can be written to"
	switch {
	case len(a.Deliver.Command) > 0:
		what = "can be run"
	case a.Deliver.Receiver != nil:
		what = "takes mail"
	}
	k.ok("destination", nil, "%s %s", visible(a.Deliver.String()), what)
}

func (k *checker) destination(ctx context.Context, a *Account, st *state.File) error {
	t, err := k.openTarget(ctx, a, st)
	if err != nil {
		return err
	}
	if c, ok := t.(interface{ Check() error }); ok {
		err = c.Check()
	}
	return errors.Join(err, t.Close())
}
