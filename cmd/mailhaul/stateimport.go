package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/cmd/mailhaul/peer"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) stateImport(c *cli.Context) error {
	cfg, a, files, err := m.accountArgument(c, 1, 2)
	if err != nil {
		return err
	}
	in, err := openInput(c.Context, append(files, "-")[0])
	if err != nil {
		return err
	}
	defer in.Close()
	uids, err := readUIDs(in)
	if err != nil {
		return err
	}
	return m.about(a, m.markSeen(c.Context, cfg, a, uids))
}

// maxUIDLine bounds a line of `import`: a unique-id has 2048 octets at most, each escaped as three.
const maxUIDLine = 8 << 10

func readUIDs(in io.Reader) ([]string, error) {
	var uids []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxUIDLine)
	for lines.Scan() {
		if line := strings.TrimSuffix(lines.Text(), "\r"); line != "" {
			uids = append(uids, unescaped(line))
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, usagef("line %d is no unique-id: it is too long", len(uids)+1)
	}
	return uids, lines.Err()
}

// markSeen records unique-ids that are never to be fetched, nor deleted by fetch: mailhaul has
// not delivered them.
func (m *program) markSeen(ctx context.Context, cfg *Config, a *Account, uids []string) error {
	f := m.newFetcher(cfg)
	st, err := f.openState(ctx, a)
	if err != nil {
		return err
	}
	defer st.Close()
	ids := make([]peer.Seen, len(uids))
	for i, uid := range uids {
		ids[i].UID = uid
	}
	fresh, known, err := recordSeen(st, ids)
	if err == nil {
		err = f.alsoSeen(ctx, a, st, ids)
	}
	if err != nil {
		return err
	}
	if err := m.tell("%s: %s marked as seen, %d known already", visible(a.Name), counted(fresh, "unique-id"), known); err != nil {
		return err
	}
	return st.Close()
}

// alsoSeen records unique-ids as seen for those of the account's destinations whose the account's state,
// st, is not; and in that, whose it is, so that it stays with that one before the first delivery, too.
func (f *fetcher) alsoSeen(ctx context.Context, a *Account, st *state.File, ids []peer.Seen) error {
	a = a.arranged(f.cfg, st)
	if st.Len() > 0 && a.leg == "" && deliveredTo(st) == "" {
		if err := st.SetNote(noteInto, a.Deliver.String(), time.Now()); err != nil {
			return err
		}
	}
	for _, b := range a.apart() {
		st, err := f.openState(ctx, b)
		if err != nil {
			return err
		}
		_, _, err = recordSeen(st, ids)
		if err := errors.Join(err, st.Close()); err != nil {
			return err
		}
	}
	return nil
}

// portionSeen is how many unique-ids are recorded with one wait for the disk: enough that it does not
// matter, few enough that the memory for them does not, either.
const portionSeen = 10_000

// recordSeen records unique-ids as seen, each once. What is known already stays as it is, unless it
// failed. A time that is unknown or to come is now: the state's newest time is what the clock is
// judged by. What was recorded before an error stays so; the rest can be recorded again.
func recordSeen(st *state.File, ids []peer.Seen) (fresh, known int, err error) {
	now := time.Now()
	entries := make([]state.Entry, 0, min(len(ids), portionSeen))
	among := make(map[string]bool, len(ids))
	for i, id := range ids {
		if !among[id.UID] {
			among[id.UID] = true
			if e := st.Lookup(id.UID); len(e) > 0 && e[0].Status != state.Failed {
				known++
			} else {
				if id.Time.IsZero() || id.Time.After(now) {
					id.Time = now
				}
				entries = append(entries, state.Entry{UID: id.UID, Status: state.Seen, Time: id.Time})
			}
		}
		if len(entries) == portionSeen || i == len(ids)-1 && len(entries) > 0 {
			if err := st.Add(entries...); err != nil {
				return fresh, known, err
			}
			fresh += len(entries)
			entries = entries[:0]
		}
	}
	return fresh, known, nil
}

// stateBaseline marks what the server lists now.
func (m *program) stateBaseline(c *cli.Context) error {
	cfg, a, _, err := m.accountArgument(c, 1, 1)
	if err != nil {
		return err
	}
	uids, err := m.listUIDs(c.Context, cfg, a)
	if err != nil {
		return m.about(a, err)
	}
	return m.about(a, m.markSeen(c.Context, cfg, a, uids))
}

func (m *program) listUIDs(ctx context.Context, cfg *Config, a *Account) ([]string, error) {
	st, err := a.readState(statePath(cfg, a.Name)) // whose damage markSeen tells of
	if err == nil && st.New() {
		err = m.newFetcher(cfg).orphan(a)
	}
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var uids []string
	err = m.visit(ctx, cfg, a, st, func(c *pop3.Client, d *maildrop) error {
		if !d.uids {
			return fetch.ErrKeepNeedsUIDL // and all that is here is to be kept
		}
		for _, mail := range d.mails {
			if mail.uid != "" {
				uids = append(uids, mail.uid)
			}
		}
		d.leave(c)
		return nil
	})
	return uids, err
}

// unescaped reads a unique-id as the state file and `export` write it; one that they would not
// write like that is meant as it is.
func unescaped(s string) string {
	if uid, err := state.Unescape(s); err == nil && state.Escape(uid) == s {
		return uid
	}
	return s
}
