package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mailhaul/fetch/state"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func (m *program) stateImport(c *cli.Context) error {
	cfg, args, err := m.arguments(c, 1, 2)
	if err != nil {
		return err
	}
	a, err := configured(cfg, args[0])
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if len(args) == 2 && args[1] != "-" {
		f, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
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
	st, err := openLocked(ctx, statePath(cfg, a.Name), a.identity(), 0)
	if err != nil {
		return err
	}
	defer st.Close()
	now := time.Now()
	var fresh []state.Entry
	among := make(map[string]bool, len(uids))
	for _, uid := range uids {
		if among[uid] {
			continue
		}
		among[uid] = true
		if known := st.Lookup(uid); len(known) > 0 && known[0].Status != state.Failed {
			continue
		}
		fresh = append(fresh, state.Entry{UID: uid, Status: state.Seen, Time: now})
	}
	if len(fresh) > 0 {
		if err := st.Record("", "", fresh...); err != nil {
			return err
		}
	}
	if err := m.tell("%s: %d unique-ids marked as seen, %d known already", visible(a.Name), len(fresh), len(among)-len(fresh)); err != nil {
		return err
	}
	return st.Close()
}

// stateBaseline marks what the server lists now.
func (m *program) stateBaseline(c *cli.Context) error {
	cfg, args, err := m.arguments(c, 1, 1)
	if err != nil {
		return err
	}
	a, err := configured(cfg, args[0])
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
	f := m.newFetcher(cfg)
	f.dryRun = true
	st, err := f.openState(ctx, a)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	s, err := f.newSession(ctx, a, st)
	if err != nil {
		return nil, err
	}
	c, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var uids []string
	err = s.within(ctx, c, func() error {
		n, _, err := c.Stat().Wait()
		if err != nil {
			return err
		}
		ids, err := c.UIDL().Wait(n)
		if err != nil {
			return err
		}
		for _, id := range ids.Messages {
			if id.UID != "" {
				uids = append(uids, id.UID)
			}
		}
		return c.Quit().Wait()
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
