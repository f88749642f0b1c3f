package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) deleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "delete messages on the server",
		ArgsUsage: "ACCOUNT ID...",
		Description: `Shows the messages and asks, then deletes them on the server. ID is the unique-id as list
prints it, its beginning if that is enough, or the number. All are deleted or, if one of the
ids is unknown, none. What was delivered here stays.

   mailhaul list --headers work
   mailhaul delete work 12 13
   mailhaul delete --yes work 0000012a4c1d9f     without the question, for a script`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true, Usage: "do not ask"},
			&cli.StringFlag{Name: "wait", Usage: "wait up to `DURATION` for another run of the account to end"},
		},
		Action: m.delete,
	}
}

// errUnconfirmed says that the server may or may not have deleted: the answer that counts did not
// come, or was a refusal.
var errUnconfirmed = errors.New("the server did not confirm the deletion; see what is left with list")

func (m *program) delete(c *cli.Context) error {
	yes := c.Bool("yes")
	wait, err := durationFlag(c, "wait")
	if err != nil {
		return err
	}
	cfg, a, ids, err := m.accountArgument(c, 2, 0)
	if err != nil {
		return err
	}
	if !yes && !canAsk() { // behind what was mistyped: who mends that has a reason to say yes
		return usagef("there is no terminal to ask on; --yes deletes without asking")
	}
	// The lock comes first: a run of fetch has its own idea of what is on the server.
	st, err := a.openState(c.Context, statePath(cfg, a.Name), wait)
	if err != nil {
		return m.about(a, err)
	}
	m.report.damage(a.Name, st)
	all, err := a.known(cfg, st, func(b *Account, path string) (*state.File, error) {
		st, err := b.openState(c.Context, path, 0)
		if err == nil {
			m.report.damage(a.Name, st)
		}
		return st, err
	})
	if err != nil {
		return m.about(a, errors.Join(err, st.Close()))
	}
	err = m.visit(c.Context, cfg, a, st, func(c2 *pop3.Client, d *maildrop) error {
		mails, err := d.pickAll(ids)
		if err == nil && !yes {
			err = m.confirm(c.Context, c2, d, all, mails)
		}
		if err != nil {
			if c2.Err() == nil {
				d.leave(c2)
			}
			return err
		}
		return m.deleteMails(c2, a, d, all, mails)
	})
	err = errors.Join(err, closeStates(all), st.Close())
	if errors.Is(err, errDeclined) {
		return m.tell("%s: nothing was deleted", visible(a.Name))
	}
	return m.about(a, err)
}

// pickAll finds the messages meant, each once, from the highest number down: some servers renumber
// what is behind a deleted message, against RFC 1939.
func (d *maildrop) pickAll(ids []string) ([]mail, error) {
	var mails []mail
	var wrong []error
	for _, id := range ids {
		m, err := d.pick(id)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if !slices.Contains(mails, m) {
			mails = append(mails, m)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	slices.SortFunc(mails, func(a, b mail) int { return cmp.Compare(b.num, a.num) })
	return mails, nil
}

// errDeclined says that the answer was not yes.
var errDeclined = errors.New("declined")

// confirm shows what is to be deleted and asks for a yes.
func (m *program) confirm(ctx context.Context, c *pop3.Client, d *maildrop, k known, mails []mail) error {
	ascending := slices.Clone(mails)
	slices.Reverse(ascending)
	_, _, err := d.headers(c, ascending, func(x mail, h header, known bool) error {
		line := fmt.Sprintf("message %d", x.num)
		if x.size >= 0 {
			line += ", " + sizeText(x.size)
		}
		line += ", " + k.status(x)
		if x.uid != "" {
			line += ", unique-id " + state.Escape(x.uid)
		}
		if known {
			line += "\n   from " + orDash(visible(h.from)) + "\n   subject " + orDash(visible(h.subject))
		}
		_, err := fmt.Fprintln(os.Stderr, line)
		return err
	})
	if err != nil {
		return err
	}
	return askYes(ctx, fmt.Sprintf("Delete %s on the server? [y/N] ", messages(len(mails))))
}

// askYes asks on the terminal. Everything but a clear yes is a no.
func askYes(ctx context.Context, question string) error {
	fmt.Fprint(os.Stderr, question)
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be interrupted; it is left behind when a signal comes
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr)
		return stopped(ctx)
	}
}

// deleteMails marks the messages, one command at a time, and ends the session: only the +OK to
// QUIT makes the marks count (RFC 1939, section 6). A message that the server does not let go
// keeps the others from nothing.
func (m *program) deleteMails(c *pop3.Client, a *Account, d *maildrop, k known, mails []mail) error {
	var gone []mail
	var refused []error
	for _, x := range mails {
		switch err := c.Dele(x.num).Wait(); {
		case err == nil:
			gone = append(gone, x)
		case c.Err() != nil:
			return err // without QUIT nothing is deleted
		default:
			refused = append(refused, fmt.Errorf("message %d was not deleted: %w", x.num, err))
		}
	}
	if len(gone) == 0 {
		d.leave(c)
		return errors.Join(refused...)
	}
	if err := d.recount(c, len(gone)); err != nil {
		return err
	}
	if err := c.Quit().Wait(); err != nil {
		return errors.Join(append(refused, fmt.Errorf("%w: %w", errUnconfirmed, err))...)
	}
	for _, st := range k {
		if err := bury(st, d, gone); err != nil {
			return errors.Join(append(refused, err)...)
		}
	}
	for _, x := range gone {
		if m.report.verbose > 0 {
			m.report.event(fetch.Event{Type: fetch.Deleted, Account: a.Name, Num: x.num, UID: x.uid, Size: x.size})
		}
	}
	return errors.Join(append(refused, m.tell("%s: %s deleted from the server", visible(a.Name), messages(len(gone))))...)
}

// recount compares STAT with what must be left: a server that counts less has marked what it was
// not asked to. Without QUIT it has to take that back.
func (d *maildrop) recount(c *pop3.Client, gone int) error {
	left, _, err := c.Stat().Wait()
	switch {
	case c.Err() != nil:
		return err
	case err != nil:
		return nil // refused: nothing speaks against it
	case left < len(d.mails)-gone:
		return fmt.Errorf("%w: of %d messages %d were marked as deleted, but STAT counts only %d; nothing was deleted, the session was closed without QUIT",
			pop3.ErrProtocol, len(d.mails), gone, left)
	}
	return nil
}

// bury turns the entries of deleted messages into tombstones, so that a server that lists one
// again is noticed. Where several messages have one unique-id, only their texts tell whose entry
// is whose: the entries change when the last of them is gone.
func bury(st *state.File, d *maildrop, gone []mail) error {
	listed := map[string]int{}
	for _, x := range d.mails {
		listed[x.uid]++
	}
	for _, x := range gone {
		listed[x.uid]--
	}
	var es []state.Entry
	buried := map[string]bool{"": true}
	for _, x := range gone {
		if listed[x.uid] > 0 || buried[x.uid] {
			continue
		}
		buried[x.uid] = true
		for _, e := range st.Lookup(x.uid) {
			if e.Status == state.Failed {
				e.Attempts, e.Reason, e.Reported, e.Next = 0, "", time.Time{}, time.Time{}
			}
			e.Status, e.Time = state.Deleted, time.Now()
			es = append(es, e)
		}
	}
	if len(es) == 0 {
		return nil
	}
	// What an interrupted run has left open stays so.
	begin, _ := st.Interrupted()
	return st.Record(begin.Hint, begin.Next, es...)
}
