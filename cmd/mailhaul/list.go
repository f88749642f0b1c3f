package main

import (
	"bufio"
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) listCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "show what is on the server",
		ArgsUsage: "ACCOUNT",
		Description: `Prints one line for each message: number, size, what is known of it (new, seen, delivered,
quarantined, deleted, failed) and unique-id; of several destinations, of the one that lacks
it. Off a terminal the columns are separated by tabs, and sizes are octets.

   mailhaul list work
   mailhaul list --headers work                     with date, sender and subject
   mailhaul list work | awk -F'\t' '$3=="new"'     what is new
   mailhaul list --json --headers work | jq -r 'select(.size>1e6).subject'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "headers", DisableDefaultText: true, Usage: "ask for the headers, and show date, sender and subject"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
		},
		Action: m.list,
	}
}

// list prints the maildrop. It changes nothing, neither on the server nor here.
func (m *program) list(c *cli.Context) error {
	m.report.json = c.Bool("json")
	cfg, a, _, err := m.accountArgument(c, 1, 1)
	if err != nil {
		return err
	}
	st, err := m.knownState(a, statePath(cfg, a.Name))
	if err != nil {
		return err
	}
	all, err := a.known(cfg, st, m.knownState)
	if err != nil {
		return err
	}
	err = m.visit(c.Context, cfg, a, st, func(c2 *pop3.Client, d *maildrop) error {
		if !d.uids {
			m.report.warn(a.Name, "the server gives no unique-ids (UIDL)")
		}
		t := m.newTable(a, d, all, c.Bool("headers"))
		if err := t.rows(c2, d); err != nil {
			return errors.Join(err, t.flush())
		}
		if err := t.flush(); err != nil {
			return err
		}
		if t.refused > 0 {
			m.report.warn(a.Name, "the server refused the headers of %s: %v", messages(t.refused), t.why)
		}
		d.leave(c2)
		return nil
	})
	return m.about(a, err)
}

// headerWindow is how many TOPs are under way at once where the server pipelines. Their lines are
// far below what the buffers of a connection hold (RFC 2449, section 6.6), and their texts are
// read as they come.
const headerWindow = 64

// headers asks for the headers of messages and calls show for each, in order, ok being false
// where the server refused. At the end it tells how many it refused, and why the first one. A
// server that does not announce TOP (RFC 1939: optional) and refuses it is asked no more.
func (d *maildrop) headers(c *pop3.Client, mails []mail, show func(m mail, h header, ok bool) error) (refused int, why, err error) {
	window, none := 1, false
	if d.ahead && d.caps.Has("TOP") {
		window = headerWindow
	}
	var flight []*pop3.TextCmd
	next := 0
	for _, m := range mails {
		if len(flight) <= window/4 { // refilled in bursts
			for ; !none && next < len(mails) && len(flight) < window; next++ {
				flight = append(flight, c.Top(mails[next].num, 0))
			}
		}
		if len(flight) == 0 {
			refused++
			if err := show(m, header{}, false); err != nil {
				return refused, why, err
			}
			continue
		}
		h, err := topHeader(flight[0])
		flight = flight[1:]
		if err != nil && c.Err() != nil {
			return refused, why, err
		}
		if err != nil {
			refused++
			if why == nil {
				why = err
			}
			none = !d.caps.Has("TOP")
		}
		if err := show(m, h, err == nil); err != nil {
			return refused, why, err
		}
	}
	return refused, why, nil
}

func topHeader(cmd *pop3.TextCmd) (header, error) {
	body, err := cmd.Body()
	if err != nil {
		return header{}, err
	}
	return readHeader(body)
}

// statusOfMail says what is known of a message.
func statusOfMail(st *state.File, m mail) string {
	if m.uid != "" {
		for _, e := range st.Lookup(m.uid) {
			if max(e.Copy, 1) != m.nth {
				continue
			}
			if e.Status == state.Delivered && e.Quarantine != "" {
				return "quarantined"
			}
			return string(e.Status)
		}
	}
	return "new"
}

// stdout is standard output with a buffer. A reader who does not want the rest, as in `list |
// head`, ends the program by SIGPIPE, without a word: nothing here is left undone by that.
func stdout() *bufio.Writer { return bufio.NewWriterSize(os.Stdout, 32<<10) }
