package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/state"
)

func (m *program) stateForget(c *cli.Context) error {
	all, yes := c.Bool("all"), c.Bool("yes")
	least, most := 2, 0
	if all {
		least, most = 1, 1
		if !yes && !canAsk() {
			return usagef("there is no terminal to ask on; --yes forgets the whole state without asking")
		}
	}
	cfg, args, err := m.arguments(c, least, most)
	if err != nil {
		return err
	}
	path, err := stateFile(cfg, args[0])
	if err != nil {
		return err
	}
	if all {
		return m.forgetAll(c, cfg, args[0], path, yes)
	}
	states, err := m.openStates(cfg, args[0])
	if err != nil {
		return err
	}
	defer closeStates(states)
	if len(states) == 0 {
		return usagef("%s has no state yet", visible(args[0]))
	}
	var uids []string
	for _, id := range args[1:] { // all or none
		uid, err := knownUID(states, visible(args[0]), id)
		if err != nil {
			return err
		}
		uids = append(uids, uid)
	}
	for _, uid := range uids {
		for _, st := range states {
			if _, err := st.Forget(uid); err != nil {
				return err
			}
		}
		if err := m.tell("%s: forgotten: %s", visible(args[0]), state.Escape(uid)); err != nil {
			return err
		}
	}
	return closeStates(states)
}

// forgetAll removes a state, also one that cannot be read, after a yes.
func (m *program) forgetAll(c *cli.Context, cfg *Config, name, path string, yes bool) error {
	further, err := legStates(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && len(further) == 0 {
		return m.tell("%s: there is no state to forget", visible(name))
	}
	if !yes {
		what := "what is known"
		if st, err := state.Read(path); err == nil && !st.New() {
			what = fmt.Sprintf("all %d that are known", st.Len())
		}
		err := askYes(c.Context, fmt.Sprintf("Forget %s of %s? What is still on the server is fetched again. [y/N] ", what, visible(name)))
		if errors.Is(err, errDeclined) {
			return m.tell("%s: nothing is forgotten", visible(name))
		}
		if err != nil {
			return err
		}
	}
	for _, path := range append(further, path) {
		if err := state.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return m.tell("%s: the state is forgotten", visible(name))
}

// knownUID finds the unique-id meant: a whole one, escaped or as it is, or the beginning of one alone.
// states are those of one account.
func knownUID(states []*state.File, account, id string) (string, error) {
	for _, uid := range []string{unescaped(id), id} {
		if slices.ContainsFunc(states, func(st *state.File) bool { return len(st.Lookup(uid)) > 0 }) {
			return uid, nil
		}
	}
	var begun []string
	seen := map[string]bool{}
	for _, st := range states {
		for e := range st.All() {
			if id != "" && !seen[e.UID] && (strings.HasPrefix(e.UID, id) || strings.HasPrefix(state.Escape(e.UID), id)) {
				seen[e.UID] = true
				begun = append(begun, e.UID)
			}
		}
	}
	switch len(begun) {
	case 0:
		return "", usagef("%s knows no unique-id %q; \"mailhaul state show\" prints them", account, id)
	case 1:
		return begun[0], nil
	}
	var names []string
	for i, uid := range begun {
		if i == maxCandidates {
			names = append(names, fmt.Sprintf("and %d more", len(begun)-maxCandidates))
			break
		}
		names = append(names, state.Escape(uid))
	}
	return "", usagef("%q is the beginning of %d unique-ids; say which: %s", id, len(begun), strings.Join(names, ", "))
}
