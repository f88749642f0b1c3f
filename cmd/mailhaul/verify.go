package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare server, state and destination",
		ArgsUsage: "ACCOUNT...",
		Description: `Compares what is on the server, what is recorded as delivered, and what is at the destination,
whose messages are all read and hashed; each destination, if there are several. Prints a line
for each that is missing, extra, changed, undeleted or undelivered, and one with the counts.
Nothing is changed anywhere. The exit status is 65 if something disagrees.

   mailhaul verify work
   mailhaul verify --offline work                   state and destination alone
   mailhaul verify --retrieve work                  octet by octet with what the server has
   mailhaul verify --manifest work.tsv work         a line for each message that is there
   mailhaul verify --json work | jq -r 'select(.type=="missing").uid'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "offline", DisableDefaultText: true, Usage: "do not ask the server"},
			&cli.BoolFlag{Name: "retrieve", DisableDefaultText: true, Usage: "retrieve what is recorded and still on the server, and compare its text, too"},
			&cli.StringFlag{Name: "manifest", Usage: "write unique-id, size, SHA-256, Message-ID and path of each message to `FILE` (- is standard output)"},
			&cli.StringFlag{Name: "wait", Usage: "wait up to `DURATION` for another run of the account to end"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
		},
		Action: m.verify,
	}
}

// A disagreementError says that server, state and destination do not agree.
type disagreementError struct {
	Counts fetch.Counts
	Was    string // where mail was delivered before, if that is not the destination
}

func (e *disagreementError) Error() string { return countsText(&e.Counts) }

// verify compares each account in turn.
func (m *program) verify(c *cli.Context) error {
	m.report.json = c.Bool("json")
	names := c.Args().Slice()
	wait, err := durationFlag(c, "wait")
	manifest := c.String("manifest")
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return m.misused(c)
	case c.IsSet("manifest") && manifest == "":
		return usagef("--manifest is empty; - is standard output")
	case c.Bool("offline") && c.Bool("retrieve"):
		return usagef("--offline and --retrieve contradict each other")
	case manifest != "" && len(names) > 1:
		return usagef("--manifest is of one account")
	case manifest == "-" && m.report.json:
		return usagef("--manifest - and --json both want standard output")
	}
	cfg, err := loadConfig(m.configPath, nil)
	if err != nil {
		return err
	}
	accounts, err := selection{names: names}.from(cfg)
	if err != nil {
		return err
	}
	f := m.newFetcher(cfg)
	f.dryRun, f.wait = true, wait
	return m.oneByOne(c.Context, accounts, func(a *Account) error {
		v := &verifier{fetcher: f, a: a, offline: c.Bool("offline"), retrieve: c.Bool("retrieve"), manifest: manifest}
		err := v.account(c.Context)
		if err != nil {
			m.verifyFailed(a, err)
		}
		if len(v.compared) == 0 {
			v.compared = []*compared{{leg: &leg{err: err}}}
		}
		for _, c := range v.compared {
			m.verifySummary(v, c)
		}
		return err
	})
}

// A verifier compares one account.
type verifier struct {
	*fetcher
	a        *Account
	offline  bool
	retrieve bool
	manifest string // a path, "-", or "" for none
	listing  []fetch.Listed
	refused  []error // by the server: texts that were to be retrieved
	compared []*compared
}

// A compared is one destination of the account.
type compared struct {
	*leg
	name     string // "" if it is the only one
	findings []fetch.Finding
	counts   fetch.Counts
	done     bool // counts are whole
	blind    bool // the destination cannot be read
}

// account reads the states, the listing, each destination and its state again, in this order: see
// fetch.Comparison. No lock is held meanwhile but the mbox's, so that no run has to wait.
func (v *verifier) account(ctx context.Context) error {
	if err := whileLocked(ctx, v.wait, v.inUse); err != nil {
		return err
	}
	ls, err := v.openLegs(ctx, v.a)
	if err != nil {
		return err
	}
	defer func() { _ = ls.close() }() // nothing is staged or written: there is nothing to fail
	for _, l := range ls {
		if !l.a.Deliver.Readable() {
			continue
		}
		if l.target, l.err = v.openTarget(ctx, l.a, l.st); l.err != nil {
			l.target = nil
		}
	}
	if !ls.any() {
		return ls.failed()
	}
	if !v.offline {
		if err := v.list(ctx, ls); err != nil {
			return errors.Join(ls.failed(), err)
		}
	}
	var all []*compared
	var findings []fetch.Finding
	whole := true
	for _, l := range append(legs{ls.own()}, ls[:len(ls)-1]...) {
		c := &compared{leg: l}
		if len(ls) > 1 {
			c.name = l.a.Deliver.String()
		}
		if l.err == nil {
			l.err = v.compare(ctx, ls, c)
		}
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		all, findings, whole = append(all, c), append(findings, c.findings...), whole && c.done
	}
	if v.manifest != "" && whole {
		if err := writeManifest(v.manifest, findings); err != nil {
			return err
		}
	}
	v.compared = all
	for _, c := range all {
		for _, f := range c.findings {
			v.finding(c, f)
		}
	}
	return ls.failed()
}

// inUse tells whether another run has the account.
func (v *verifier) inUse() error { return state.InUse(statePath(v.cfg, v.a.Name)) }

// compare compares one of the account's destinations.
func (v *verifier) compare(ctx context.Context, ls legs, c *compared) error {
	compare := fetch.NewComparison(c.st, v.optionsOf(ls, c.leg, map[string]state.Entry{}))
	if r, ok := c.target.(deliver.Reader); ok {
		if err := read(ctx, r, compare); err != nil {
			return err
		}
	} else {
		compare.Blind()
		c.blind = true
		v.report.warn(v.a.Name, "what was delivered to %s cannot be looked at: only server and state are compared", c.a.Deliver)
	}
	after, err := state.Read(c.st.Path())
	if err != nil {
		return err
	}
	c.findings, c.counts = compare.Finish(after, v.listing, time.Now(), v.inUse() != nil)
	c.done = true
	if c.counts.Wrong() == 0 {
		return errors.Join(v.refused...)
	}
	e := &disagreementError{Counts: c.counts}
	if was, _ := c.st.Note(noteTarget); was != "" && was != c.a.Deliver.String() {
		e.Was = was
	}
	return errors.Join(append(slices.Clone(v.refused), e)...)
}

// list asks the server what it has.
func (v *verifier) list(ctx context.Context, ls legs) error {
	return v.visit(ctx, v.cfg, v.a, ls.own().st, func(c *pop3.Client, d *maildrop) error {
		if !d.uids {
			v.report.warn(v.a.Name, "the server gives no unique-ids (UIDL): what is on it cannot be compared")
		}
		for _, m := range d.mails {
			v.listing = append(v.listing, fetch.Listed{UID: m.uid, Nth: m.nth})
		}
		if v.retrieve {
			if err := v.texts(c, d, ls); err != nil {
				return err
			}
		}
		d.leave(c)
		return nil
	})
}

// textWindow is how many RETRs are under way at once where the server pipelines: enough to wait for
// none, and far below what the buffers of a connection hold (RFC 2449, section 6.6).
const textWindow = 16

// texts retrieves what is recorded with a hash, and keeps of each text its digest alone.
func (v *verifier) texts(c *pop3.Client, d *maildrop, ls legs) error {
	var wanted []int // indices of the listing
	for i, m := range v.listing {
		hashed := func(l *leg) bool {
			return slices.ContainsFunc(l.st.Lookup(m.UID), func(e state.Entry) bool { return e.Body != "" })
		}
		if m.UID != "" && slices.ContainsFunc(ls, hashed) {
			wanted = append(wanted, i)
		}
	}
	window := 1
	if d.ahead {
		window = textWindow
	}
	digester, buf := deliver.NewDigester(), make([]byte, 32<<10)
	var flight []*pop3.TextCmd
	for next, done := 0, 0; done < len(wanted); done++ {
		for ; next < len(wanted) && len(flight) < window; next++ {
			flight = append(flight, c.Retr(d.mails[wanted[next]].num))
		}
		body, err := flight[0].Body()
		flight = flight[1:]
		if err == nil {
			digester.Reset()
			_, err = io.CopyBuffer(digester, body, buf)
		}
		switch {
		case c.Err() != nil:
			return err
		case err != nil:
			v.refused = append(v.refused, fmt.Errorf("message %d (unique-id %s): %w", d.mails[wanted[done]].num, visible(d.mails[wanted[done]].uid), err))
		default:
			text := digester.Digest()
			v.listing[wanted[done]].Text = &text
		}
	}
	return nil
}

// read hands all of the destination that may be the account's to the comparison.
func read(ctx context.Context, r deliver.Reader, compare *fetch.Comparison) error {
	for s, err := range r.Stored(compare.Wanted) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		compare.Add(s)
	}
	return nil
}
