package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// A destination may be made until something was delivered to it, and may not be changed while only
// the old one can tell what an interrupted run has left there.
func TestOpenTarget(t *testing.T) {
	id := state.Identity{Host: "h", User: "u"}
	now := time.Now()
	message := state.Entry{UID: "a", Status: state.Delivered, Time: now, Body: "00"}
	for _, tt := range []struct {
		name   string
		before func(*state.File) error
		into   string // beside the state
		want   error
		moved  bool
	}{
		{"first run", nil, "new", nil, false},
		{"nothing came of it", func(st *state.File) error { return st.SetNote(noteInto, "maildir ${DIR}/new", now) }, "new", nil, false},
		{"delivered, recorded, killed", func(st *state.File) error {
			return errors.Join(st.SetNote(noteInto, "maildir ${DIR}/new", now), st.Record("", "", message))
		}, "new", deliver.ErrCreate, false},
		{"the same, to another", func(st *state.File) error {
			return errors.Join(st.SetNote(noteInto, "maildir ${DIR}/old", now), st.Record("", "", message))
		}, "new", nil, false},
		{"delivered, all deleted since", func(st *state.File) error { return st.SetNote(noteTarget, "maildir ${DIR}/new", now) }, "new", deliver.ErrCreate, false},
		{"changed", func(st *state.File) error { return st.SetNote(noteTarget, "maildir ${DIR}/old", now) }, "new", nil, false},
		{"changed, and changed back", func(st *state.File) error {
			in := func(name string) *Account {
				return &Account{Deliver: Destination{Maildir: filepath.Join(filepath.Dir(st.Path()), name)}}
			}
			l := leg{a: in("new"), st: st}
			err := errors.Join(l.remember(), st.Record("", "", message))
			l.a = in("old")
			return errors.Join(err, l.remember())
		}, "new", deliver.ErrCreate, false},
		{"changed after a kill", func(st *state.File) error {
			_, err := st.Begin("", "")
			return errors.Join(st.SetNote(noteInto, "maildir ${DIR}/old", now), err)
		}, "new", nil, true},
	} {
		dir := t.TempDir()
		st, err := state.Open(filepath.Join(dir, "a.uidl"), id)
		if err != nil {
			t.Fatal(err)
		}
		if tt.before != nil {
			if err := tt.before(st); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{noteInto, noteTarget} {
			if v, at := st.Note(name); v != "" {
				if err := st.SetNote(name, os.Expand(v, func(string) string { return dir }), at); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := st.Close(); err != nil { // without End: a Begin stays open
			t.Fatal(err)
		}
		if st, err = state.Open(st.Path(), id); err != nil {
			t.Fatal(err)
		}
		f := &fetcher{cfg: &Config{StateDir: dir}}
		target, err := f.openTarget(t.Context(), &Account{Name: "a", Deliver: Destination{Maildir: filepath.Join(dir, tt.into)}}, st)
		var moved *movedError
		if errors.As(err, &moved) != tt.moved || !tt.moved && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if target != nil {
			target.Close()
		}
		st.Close()
	}
}
