package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/state"
)

func (m *program) stateCommand() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Usage:     "look at and change what is known of an account's messages",
		UsageText: "mailhaul state COMMAND [options] ACCOUNT ...",
		Description: `The state of an account is a text file of unique-ids (mailhaul-state(5)).

   mailhaul state show work              what is known, one message a line
   mailhaul state forget work ID         fetch that message again
   mailhaul state import work ids.txt    these are fetched already; leave them alone
   mailhaul state baseline work          all that is on the server now is to be left alone
   mailhaul state adopt work oldname     the account was renamed`,
		Subcommands: []*cli.Command{
			{Name: "show", ArgsUsage: "ACCOUNT", Usage: "print what is known, one message a line", Action: m.stateShow},
			{Name: "forget", ArgsUsage: "ACCOUNT ID...", Usage: "forget messages, so that they are fetched again if they are still there",
				Description: `ID is the unique-id as state show prints it, or its beginning if that is enough.

   mailhaul state forget work 0000012a4c1d9f
   mailhaul state forget --all work              after a yes; what is on the server is fetched again`,
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: "forget the whole state; ACCOUNT may be one that is not configured any more"},
					&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true, Usage: "with --all: do not ask"},
				},
				Action: m.stateForget},
			{Name: "export", ArgsUsage: "ACCOUNT", Usage: "print the unique-ids, one a line", Action: m.stateExport},
			{Name: "import", ArgsUsage: "ACCOUNT [FILE]", Usage: "read unique-ids, one a line, that are never to be fetched or deleted", Action: m.stateImport},
			{Name: "baseline", ArgsUsage: "ACCOUNT", Usage: "mark all that is on the server as seen, without fetching it", Action: m.stateBaseline},
			{Name: "adopt", ArgsUsage: "ACCOUNT [OLD]", Usage: "take over the state of the name OLD, or after a change of server or user its own", Action: m.stateAdopt},
		},
	}
}

// stateFile gives the state file of a name, also of one that is configured no more: by the
// account's name, by the name of the file, or by its path.
func stateFile(cfg *Config, name string) (string, error) {
	own := statePath(cfg, name)
	if cfg.Account(name) != nil {
		return own, nil
	}
	paths := []string{own, filepath.Join(cfg.StateDir, name), name}
	if strings.Contains(name, "/") { // a path: that of a copy is not the file that it is of
		paths = []string{own, name}
	}
	for _, p := range paths {
		if !strings.HasSuffix(p, ".uidl") {
			p += ".uidl"
		}
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p, nil
		}
	}
	known := accountNames(cfg)
	if found, err := state.List(cfg.StateDir); err == nil {
		for _, s := range found {
			known = append(known, accountOf(filepath.Base(s.Path)))
		}
	}
	if near := nearestOf(name, known); near != "" {
		return "", usagef("there is neither an account nor a state %q in %s; did you mean %q?", name, cfg.StateDir, near)
	}
	return "", usagef("there is neither an account nor a state %q in %s", name, cfg.StateDir)
}

// accountOf gives the account's name of a state file's, or the file's if it cannot be told.
func accountOf(file string) string {
	escaped := strings.TrimSuffix(file, ".uidl")
	if name, err := state.Unescape(escaped); err == nil && state.FileName(name) == file {
		return name
	}
	return file
}

func (m *program) stateShow(c *cli.Context) error {
	cfg, args, err := m.arguments(c, 1, 1)
	if err != nil {
		return err
	}
	all, err := m.readStates(cfg, args[0])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for i, st := range all {
		if st.New() {
			if i == 0 {
				fmt.Fprintf(out, "%s: no state yet (%s)\n", visible(args[0]), visible(st.Path()))
			}
			continue
		}
		showState(out, st, len(all) > 1)
	}
	return out.Flush()
}

// showState prints one state. named: with the destination that it is of.
func showState(out io.Writer, st *state.File, named bool) {
	id := st.Identity()
	of := ""
	if into := deliveredTo(st); named && into != "" {
		of = ", of " + visible(into)
	}
	fmt.Fprintf(out, "# %s: user %s at %s, %d known%s\n", visible(st.Path()), visible(id.User), visible(id.Host), st.Len(), of)
	for e := range st.All() {
		fmt.Fprintf(out, "%-9s  %s  %10d  %s", e.Status, e.Time.Local().Format(time.DateTime), e.Size, state.Escape(e.UID))
		if e.Copy > 1 {
			fmt.Fprintf(out, "  copy %d", e.Copy)
		}
		if !e.Absent.IsZero() {
			fmt.Fprintf(out, "  not listed since %s", e.Absent.Local().Format(time.DateTime))
		}
		if e.Quarantine != "" {
			fmt.Fprintf(out, "  in quarantine %s", visible(e.Quarantine))
		}
		if e.Attempts > 0 {
			fmt.Fprintf(out, "  tried %d", e.Attempts)
		}
		if !e.Next.IsZero() {
			fmt.Fprintf(out, "  next from %s", e.Next.Local().Format(time.DateTime))
		}
		if e.Reason != "" {
			fmt.Fprintf(out, "  %s", visible(e.Reason))
		}
		fmt.Fprintln(out)
	}
}

// stateExport prints what was delivered or is to be left alone. What failed is not among it: it
// is to be fetched. So is what one of several destinations has not got yet.
func (m *program) stateExport(c *cli.Context) error {
	cfg, args, err := m.arguments(c, 1, 1)
	if err != nil {
		return err
	}
	all, err := m.readStates(cfg, args[0])
	if err != nil {
		return err
	}
	if all, err = ofDestinations(cfg, args[0], all); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	if len(all) > 0 {
		last := ""
		for e := range all[0].All() {
			if e.Status != state.Failed && (e.UID != last || e.Copy <= 1) && !slices.ContainsFunc(all[1:], func(st *state.File) bool { return wanting(st, e.UID) }) {
				fmt.Fprintln(out, state.Escape(e.UID))
			}
			last = e.UID
		}
	}
	return out.Flush()
}

// wanting tells whether a message is still to be fetched, for all that a state knows.
func wanting(st *state.File, uid string) bool {
	return !slices.ContainsFunc(st.Lookup(uid), func(e state.Entry) bool { return e.Status != state.Failed })
}

// about tells an error that is about an account, with what can be done about it.
func (m *program) about(a *Account, err error) error {
	if err == nil {
		return nil
	}
	m.report.failures(a, err)
	return &toldError{err}
}

// tell prints what a command has done.
func (m *program) tell(format string, args ...any) error {
	if m.report.verbose >= 0 {
		m.report.say(format, args...)
	}
	return nil
}

func (m *program) stateAdopt(c *cli.Context) error {
	cfg, a, old, err := m.accountArgument(c, 1, 2)
	if err != nil {
		return err
	}
	to := statePath(cfg, a.Name)
	from := to
	name := a.Name
	if len(old) == 1 {
		name = old[0]
		if cfg.Account(name) != nil && name != a.Name {
			return usagef("%q is configured: its state is its own", name)
		}
		if from, err = stateFile(cfg, name); err != nil {
			return err
		}
	}
	further, err := legStates(from)
	if err != nil {
		return err
	}
	info, missing := os.Stat(from)
	if missing != nil && len(further) == 0 {
		return usagef("%s has no state to adopt", visible(name))
	}
	for _, b := range cfg.Accounts {
		if other, err := os.Stat(statePath(cfg, b.Name)); b != a && err == nil && os.SameFile(info, other) {
			return usagef("%q is the state of %q, which is configured", name, b.Name)
		}
	}
	// The account's own comes last: as long as it is not there, fetch does nothing for the account.
	all := [][2]string{}
	for _, from := range further {
		_, leg, _ := strings.Cut(accountOf(filepath.Base(from)), legMark)
		all = append(all, [2]string{from, statePath(cfg, a.Name+legMark+leg)})
	}
	if missing == nil {
		all = append(all, [2]string{from, to})
	}
	for _, s := range all { // all or none
		if st, err := state.Read(s[1]); s[0] != s[1] && err == nil && st.Len() > 0 {
			return m.about(a, fmt.Errorf("state file %q: %w, with %d entries", s[1], state.ErrExists, st.Len()))
		}
	}
	for _, s := range all {
		if err := m.adopt(a, s[0], s[1]); err != nil {
			return err
		}
	}
	return m.tell("%s: its state is %s, of user %s at %s", visible(a.Name), to, visible(a.User), visible(a.Server.Host))
}

// adopt makes one state the account's.
func (m *program) adopt(a *Account, from, to string) error {
	damage, err := state.Adopt(from, to, a.identity())
	if err != nil {
		return m.about(a, err)
	}
	for _, d := range damage {
		m.report.warn(a.Name, "state file %s: %s", to, d)
	}
	return nil
}
