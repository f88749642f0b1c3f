package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"mailhaul/fetch/state"
)

func TestPick(t *testing.T) {
	d := &maildrop{mails: []mail{
		{num: 1, uid: "abc"}, {num: 2, uid: "abcd"}, {num: 3, uid: "x y"}, {num: 4, uid: "x%20y"},
		{num: 5, uid: "twin", nth: 1}, {num: 6, uid: "twin", nth: 2}, {num: 7, uid: ""}, {num: 8, uid: "2"}, {num: 9, uid: "77z"},
	}}
	for _, c := range []struct {
		id  string
		num int // 0: refused
	}{
		{"abc", 1}, // a whole unique-id comes before the beginning of another
		{"abcd", 2}, {"ab", 0}, {"x y", 3}, {"x%2520y", 4}, {"x%25", 4}, {"x ", 3},
		{"x%20y", 0}, // one as it is, the other as it is shown
		{"twin", 0}, {"tw", 0}, {"5", 5}, {"6", 6}, {"7", 7},
		{"2", 8}, // a unique-id comes before a number
		{"77", 9}, {"1", 1}, {"01", 0}, {"+1", 0}, {"10", 0}, {"0", 0}, {"-1", 0}, {"", 0}, {"ABC", 0},
	} {
		got, err := d.pick(c.id)
		var usage *usageError
		if got.num != c.num || (err != nil) != (c.num == 0) || err != nil && !errors.As(err, &usage) {
			t.Errorf("pick(%q) = %d, %v", c.id, got.num, err)
		}
	}
}

// Which of several messages with one unique-id an entry is about, only their texts tell: nothing
// is buried before the last of them is gone.
func TestBury(t *testing.T) {
	path := t.TempDir() + "/a.uidl"
	open := func() *state.File {
		st, err := state.Open(path, state.Identity{Host: "h", User: "u"})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open()
	at := time.Unix(1_700_000_000, 0)
	if err := st.Record("", "",
		state.Entry{UID: "twin", Copy: 1, Status: state.Delivered, Time: at},
		state.Entry{UID: "twin", Copy: 2, Status: state.Delivered, Time: at},
		state.Entry{UID: "bad", Status: state.Failed, Time: at, Attempts: 2, Reason: "why", Reported: at},
	); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Begin("here", "next"); err != nil {
		t.Fatal(err)
	}
	st.Close() // without End: it was interrupted
	st = open()
	d := &maildrop{mails: []mail{{num: 1, uid: "twin", nth: 1}, {num: 2, uid: "twin", nth: 2}, {num: 3, uid: "bad", nth: 1}, {num: 4, uid: "new", nth: 1}, {num: 5}}}
	statuses := func(uid string) (all []state.Status) {
		for _, e := range st.Lookup(uid) {
			all = append(all, e.Status)
		}
		return all
	}
	if err := bury(st, d, []mail{d.mails[4], d.mails[3], d.mails[2], d.mails[1]}); err != nil {
		t.Fatal(err)
	}
	if got := statuses("twin"); !slices.Equal(got, []state.Status{state.Delivered, state.Delivered}) {
		t.Errorf("one of two is gone: %v", got)
	}
	if e := st.Lookup("bad"); len(e) != 1 || e[0].Status != state.Deleted || e[0].Reason != "" || e[0].Attempts != 0 {
		t.Errorf("%+v", e)
	}
	if got := statuses("new"); got != nil {
		t.Errorf("an entry was made: %v", got)
	}
	if err := bury(st, d, []mail{d.mails[0], d.mails[1]}); err != nil {
		t.Fatal(err)
	}
	if got := statuses("twin"); !slices.Equal(got, []state.Status{state.Deleted, state.Deleted}) {
		t.Errorf("both are gone: %v", got)
	}
	st.Close()
	st = open()
	defer st.Close()
	if b, ok := st.Interrupted(); !ok || b.Hint != "here" || b.Next != "next" {
		t.Errorf("what an interrupted run left open is lost: %+v", b)
	}
}
