package main

import (
	"errors"
	"slices"

	"mailhaul/fetch/state"
)

// stateFiles gives the state file of a name, as stateFile does, and those that it has for its further
// destinations, configured or not.
func stateFiles(cfg *Config, name string) (paths []string, err error) {
	own, err := stateFile(cfg, name)
	if err != nil {
		return nil, err
	}
	further, err := legStates(own)
	return append([]string{own}, further...), err
}

// readStates reads the states of a name, its own first, which may be a new one.
func (m *program) readStates(cfg *Config, name string) (all []*state.File, err error) {
	paths, err := stateFiles(cfg, name)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		st, err := state.Read(path)
		if err != nil {
			return nil, err
		}
		m.report.damage(name, st)
		all = append(all, st)
	}
	return all, nil
}

// ofDestinations gives of an account's states those of the destinations that are configured, also of one that no
// run has come to yet: what one is of that is none any more says nothing of the others. All that exist stay where
// the name is of no account.
func ofDestinations(cfg *Config, name string, all []*state.File) (of []*state.File, err error) {
	a := cfg.Account(name)
	if a == nil {
		return slices.DeleteFunc(all, (*state.File).New), nil
	}
	a = a.arranged(cfg, all[0])
	for _, b := range append([]*Account{a}, a.others()...) {
		path := statePath(cfg, b.stateName())
		if i := slices.IndexFunc(all, func(st *state.File) bool { return st.Path() == path }); i >= 0 {
			of = append(of, all[i])
			continue
		}
		st, err := state.Read(path)
		if err != nil {
			return nil, err
		}
		of = append(of, st)
	}
	return of, nil
}

// openStates locks and reads the states of a name that exist.
func (m *program) openStates(cfg *Config, name string) (all []*state.File, err error) {
	paths, err := stateFiles(cfg, name)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		known, err := state.Read(path)
		if err == nil && known.New() {
			continue
		}
		var st *state.File
		if err == nil {
			st, err = state.Open(path, known.Identity())
		}
		if err != nil {
			return nil, errors.Join(err, closeStates(all))
		}
		m.report.damage(name, st)
		all = append(all, st)
	}
	return all, nil
}

func closeStates(all []*state.File) error {
	var errs []error
	for _, st := range all {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
