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
whose messages are all read and hashed. Prints a line for each that is missing, extra, changed
or undeleted, and one with the counts. Nothing is changed anywhere. The exit status is 65 if
something disagrees.

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
		m.verifySummary(a, v, exitStatus(err))
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
	counts   fetch.Counts
	done     bool    // counts are whole
	blind    bool    // the destination cannot be read
	refused  []error // by the server: texts that were to be retrieved
}

// account reads the state, the listing, the destination and the state again, in this order: see
// fetch.Comparison. No lock is held meanwhile but the mbox's, so that no run has to wait.
func (v *verifier) account(ctx context.Context) error {
	path := statePath(v.cfg, v.a.Name)
	if err := whileLocked(ctx, v.wait, func() error { return state.InUse(path) }); err != nil {
		return err
	}
	before, err := v.openState(ctx, v.a)
	if err != nil {
		return err
	}
	if v.a = v.a.arranged(v.cfg, before); v.a.leg != "" {
		path = statePath(v.cfg, v.a.stateName())
		if before, err = v.openState(ctx, v.a); err != nil {
			return err
		}
	}
	var target deliver.Target
	if v.a.Deliver.Readable() {
		if target, err = v.openTarget(ctx, v.a, before); err != nil {
			return err
		}
		defer target.Close() // nothing is staged: there is nothing to fail
	}
	if !v.offline {
		if err := v.list(ctx, before); err != nil {
			return err
		}
	}
	opts := v.options(v.a, before)
	if len(v.a.Also) > 0 {
		v.report.warn(v.a.Name, "of its destinations only the first is compared")
		var all legs
		for _, b := range v.a.others() {
			st, err := state.Read(statePath(v.cfg, b.stateName()))
			if err != nil {
				return err
			}
			all = append(all, &leg{a: b, st: st})
		}
		opts.Others.Hold = append(all, &leg{a: v.a, st: before}).hold(map[string]bool{})
	}
	compare := fetch.NewComparison(before, opts)
	if r, ok := target.(deliver.Reader); ok {
		if err := read(ctx, r, compare); err != nil {
			return err
		}
	} else {
		compare.Blind()
		v.blind = true
		v.report.warn(v.a.Name, "what was delivered to %s cannot be looked at: only server and state are compared", v.a.Deliver)
	}
	after, err := state.Read(path)
	if err != nil {
		return err
	}
	findings, counts := compare.Finish(after, v.listing, time.Now(), state.InUse(path) != nil)
	if v.manifest != "" {
		if err := writeManifest(v.manifest, findings); err != nil {
			return err
		}
	}
	for _, f := range findings {
		v.finding(f)
	}
	v.counts, v.done = counts, true
	if counts.Wrong() == 0 {
		return errors.Join(v.refused...)
	}
	e := &disagreementError{Counts: counts}
	if was, _ := before.Note(noteTarget); was != "" && was != v.a.Deliver.String() {
		e.Was = was
	}
	return errors.Join(append(v.refused, e)...)
}

// list asks the server what it has.
func (v *verifier) list(ctx context.Context, st *state.File) error {
	return v.visit(ctx, v.cfg, v.a, st, func(c *pop3.Client, d *maildrop) error {
		if !d.uids {
			v.report.warn(v.a.Name, "the server gives no unique-ids (UIDL): what is on it cannot be compared")
		}
		for _, m := range d.mails {
			v.listing = append(v.listing, fetch.Listed{UID: m.uid, Nth: m.nth})
		}
		if v.retrieve {
			if err := v.texts(c, d, st); err != nil {
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
func (v *verifier) texts(c *pop3.Client, d *maildrop, st *state.File) error {
	var wanted []int // indices of the listing
	for i, l := range v.listing {
		if l.UID != "" && slices.ContainsFunc(st.Lookup(l.UID), func(e state.Entry) bool { return e.Body != "" }) {
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
