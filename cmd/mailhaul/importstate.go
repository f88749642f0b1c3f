package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/cmd/mailhaul/peer"
)

// stateFlags are the options of `import PROGRAM --state`.
func stateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "state", DisableDefaultText: true, Usage: "take over the unique-ids that the program has seen; FILE is where it keeps them"},
		&cli.StringFlag{Name: "account", Usage: "with --state: they belong to `ACCOUNT`"},
		&cli.BoolFlag{Name: "offline", DisableDefaultText: true, Usage: "with --state: do not ask the server what it has"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true, Usage: "with --state: say what would be taken over, and write nothing"},
		&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "with --state: print one JSON object a line"},
	}
}

// needsState refuses options that mean something with --state alone.
func needsState(c *cli.Context) error {
	for _, f := range stateFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			return usagef("option --%s is for --state alone", name)
		}
	}
	return nil
}

// importState takes over what another program has seen. Everything is read before the first record
// is written: a file that is not understood changes nothing.
func (m *program) importState(c *cli.Context, p peer.Program) error {
	m.report.json = c.Bool("json")
	cfg, err := loadConfig(m.configPath, nil)
	if err != nil {
		return err
	}
	var only *Account
	if c.IsSet("account") {
		if only, err = configured(cfg, c.String("account")); err != nil {
			return err
		}
	}
	files := c.Args().Slice()
	if len(files) == 0 {
		if files, err = seenFiles(p); err != nil {
			return err
		}
	}
	lists, err := readSeen(c.Context, p, files)
	if err != nil {
		return err
	}
	t := &takeover{fetcher: m.newFetcher(cfg), offline: c.Bool("offline")}
	t.dryRun = c.Bool("dry-run")
	if len(lists) == 0 {
		t.say("no unique-ids in %s", visible(strings.Join(files, ", ")))
	}
	owned, left, err := matchSeen(cfg, only, lists)
	if err != nil {
		return err
	}
	return t.all(c.Context, owned, left)
}

// owned are the lists that belong to one account.
type owned struct {
	account *Account
	lists   []*seenList
}

// matchSeen gives each list to the accounts of its mailbox, in the configuration's order. only, if
// not nil, is the account to take; a single list is then its own whatever the list says.
func matchSeen(cfg *Config, only *Account, lists []*seenList) ([]owned, []*unmatchedError, error) {
	accounts := cfg.Accounts
	if only != nil {
		accounts = []*Account{only}
		if !slices.ContainsFunc(lists, func(l *seenList) bool { return l.of(only) }) {
			mailboxes := map[any]bool{}
			for _, l := range lists {
				mailboxes[l.id] = true
			}
			if len(mailboxes) > 1 {
				return nil, nil, usagef("there are lists of %d mailboxes, and none is of %s: user %q at %q",
					len(mailboxes), visible(only.Name), only.User, only.Server.Host)
			}
			return []owned{{only, lists}}, nil, nil
		}
	}
	of := map[*Account][]*seenList{}
	var left []*unmatchedError
	for _, l := range lists {
		var own []*Account
		for _, a := range accounts {
			if l.of(a) {
				own = append(own, a)
			}
		}
		if sameMailbox(own) {
			for _, a := range own {
				of[a] = append(of[a], l)
			}
			continue
		}
		if only != nil {
			continue // the others' are not asked for
		}
		e := &unmatchedError{list: l, config: cfg.Path, near: own}
		for _, a := range accounts {
			if len(own) == 0 && l.near(a) {
				e.near = append(e.near, a)
			}
		}
		left = append(left, e)
	}
	var all []owned
	for _, a := range accounts {
		if len(of[a]) > 0 {
			all = append(all, owned{a, of[a]})
		}
	}
	return all, left, nil
}

// sameMailbox tells whether there are accounts, all of the same server and user: the name of a
// getmail file may be that of several.
func sameMailbox(accounts []*Account) bool {
	return len(accounts) > 0 && !slices.ContainsFunc(accounts, func(a *Account) bool { return !a.identity().Equal(accounts[0].identity()) })
}

// A takeover takes over lists of one program.
type takeover struct {
	*fetcher
	offline bool
}

// all does the accounts one after the other. What belongs to none is a warning as long as something
// was taken over, and else the configuration's fault.
func (t *takeover) all(ctx context.Context, accounts []owned, left []*unmatchedError) error {
	var errs []error
	for _, o := range accounts {
		err := t.account(ctx, o.account, o.lists)
		if err != nil {
			t.report.failures(o.account, err)
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	for _, e := range left {
		if len(accounts) == 0 {
			t.report.failure(nil, e)
			errs = append(errs, e)
			continue
		}
		t.report.warn("", "%v", e)
	}
	if len(left) > 0 && t.report.verbose >= 0 {
		t.report.hint("to say whose a list is: --account ACCOUNT")
	}
	err := firstPermanent(errs)
	t.total(len(accounts), len(errs), exitStatus(err))
	if err != nil {
		return &toldError{err}
	}
	return nil
}

func (t *takeover) total(accounts, failed, status int) {
	if !t.report.json {
		return
	}
	l := newJSONLine("summary", time.Now())
	l.number("accounts", int64(accounts))
	l.number("failed", int64(failed))
	l.number("status", int64(status))
	t.report.write(t.report.out, l.String())
}

// account takes over the lists of one account. The server is asked first where it can be: its
// listing says what is stored in which form.
func (t *takeover) account(ctx context.Context, a *Account, lists []*seenList) (err error) {
	st, err := t.openState(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	v, err := t.ask(ctx, a, st)
	if err != nil {
		return err
	}
	defer v.close()
	if t.dryRun {
		rehearsal, remove, err := rehearse(st, a.identity())
		if err != nil {
			return err
		}
		defer remove()
		st = rehearsal
	}
	var stays bool
	for _, l := range lists {
		r := resolve(l, v.listed)
		fresh, known, err := recordSeen(st, r.ids)
		if err != nil {
			return err
		}
		t.taken(a, l, r, fresh, known)
		if !t.dryRun {
			if err := t.alsoSeen(ctx, a, st, r.ids); err != nil {
				return err
			}
		}
		stays = stays || fresh+known > 0
	}
	if stays && (!a.Keep || a.DeleteAfter > 0) {
		t.say("%s: these stay on the server, since fetch deletes only what it has delivered; to delete them: mailhaul delete", visible(a.Name))
	}
	return t.first(ctx, a, st, v)
}
