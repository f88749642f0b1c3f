package state

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// called is a listing of these unique-ids.
func called(f *File, uids ...string) *Roll {
	r := f.Roll()
	for _, uid := range uids {
		r.Call(uid)
	}
	return r
}

// all gives the unique-ids of all entries.
func all(f *File) (uids []string) {
	for e := range f.All() {
		uids = append(uids, e.UID)
	}
	return uids
}

// list tells the state of a listing, and returns the warning.
func list(t *testing.T, f *File, now time.Time, uids ...string) string {
	t.Helper()
	warning, err := f.Listed(called(f, uids...), now)
	check(t, err)
	return warning
}

// show writes the entries in short: "a", "a/2", "a-5" for one absent since the fifth day.
func show(f *File) string {
	var out []string
	for e := range f.All() {
		s := e.UID
		if e.Copy > 1 {
			s += fmt.Sprintf("/%d", e.Copy)
		}
		if !e.Absent.IsZero() {
			s += fmt.Sprintf("-%d", e.Absent.Sub(start)/day)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func with(status Status, uids ...string) (es []Entry) {
	for _, uid := range uids {
		e := full(uid)
		e.Status = status
		es = append(es, e)
	}
	return es
}

func TestListed(t *testing.T) {
	many := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
	type listing struct {
		day  int
		uids []string
		want string // what is left
		warn string
	}
	for name, c := range map[string]struct {
		entries  []Entry
		listings []listing
	}{
		"tombstones are dropped when not listed": {
			with(Deleted, "a", "b"), []listing{{1, []string{"b", "c"}, "b", ""}, {2, []string{"c"}, "", ""}}},
		"an empty maildrop after all was deleted": {
			with(Deleted, "a", "b"), []listing{{1, nil, "", ""}}},
		"ten tombstones make no state": {
			with(Deleted, many...), []listing{{1, []string{"new"}, "", ""}}},
		"absent for thirty days, and one more": {
			with(Delivered, "a", "b"), []listing{
				{1, []string{"b"}, "a-1 b", ""}, {31, []string{"b"}, "a-1 b", ""}, {32, []string{"b"}, "b", ""}}},
		"listed again": {
			with(Seen, "a", "b"), []listing{
				{1, []string{"b"}, "a-1 b", ""}, {20, []string{"a", "b"}, "a b", ""}, {36, []string{"b"}, "a-36 b", ""}}},
		"failed ones as well": {
			with(Failed, "a", "b"), []listing{{1, []string{"b"}, "a-1 b", ""}, {36, []string{"b"}, "b", ""}}},
		"an empty listing": {
			with(Delivered, "a"), []listing{{1, nil, "a", "lists no message"}, {50, nil, "a", "lists no message"}}},
		"an empty listing ends no absence": {
			with(Delivered, "a", "b"), []listing{{1, []string{"b"}, "a-1 b", ""}, {50, nil, "a-1 b", "lists no message"}}},
		"an empty listing, tombstones among them": {
			append(with(Deleted, "t"), with(Seen, "a")...), []listing{{1, nil, "a", "lists no message"}}},
		"another maildrop": {
			append(with(Delivered, many...), with(Deleted, "t")...), []listing{
				{1, []string{"x"}, "1 2 3 4 5 6 7 8 9 10 t", "none of the 10 messages"},
				{2, []string{"1", "x"}, "1 2-2 3-2 4-2 5-2 6-2 7-2 8-2 9-2 10-2", ""}}},
		"nine are no state": {
			with(Delivered, many[:9]...), []listing{{1, []string{"x"}, "1-1 2-1 3-1 4-1 5-1 6-1 7-1 8-1 9-1", ""}}},
		"a clock that has gone back": {
			with(Delivered, "a", "b"), []listing{
				{-1, []string{"b"}, "a b", ""}, {36, []string{"b"}, "a-36 b", ""}, {5, []string{"b"}, "a-36 b", ""},
				{6, []string{"a", "b"}, "a b", ""}}},
		"a clock that jumps ahead": {
			with(Delivered, "a", "b"), []listing{
				{1, []string{"b"}, "a-1 b", ""}, {39, []string{"b"}, "a-39 b", ""}, {2, []string{"a", "b"}, "a b", ""}}},
		"copies are listed together": {
			[]Entry{{UID: "a", Status: Delivered, Time: start}, {UID: "a", Copy: 2, Status: Deleted, Time: start},
				{UID: "b", Status: Delivered, Time: start}},
			[]listing{{1, []string{"a", "b"}, "a a/2 b", ""}, {2, []string{"b"}, "a-2 b", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			f := mustOpen(t, path)
			check(t, f.Record("", "", c.entries...))
			for _, l := range c.listings {
				now := start.Add(time.Duration(l.day) * day)
				if w := list(t, f, now, l.uids...); (w == "") != (l.warn == "") || !strings.Contains(w, l.warn) {
					t.Errorf("day %d: warning %q, want %q", l.day, w, l.warn)
				}
				if got := show(f); got != l.want {
					t.Errorf("day %d: %s, want %s", l.day, got, l.want)
				}
				check(t, f.Close())
				f = mustOpen(t, path) // it is in the file
				if got := show(f); got != l.want || len(f.Damage()) > 0 {
					t.Errorf("day %d, read again: %s, want %s; damage %q", l.day, got, l.want, f.Damage())
				}
				before := snapshot(t, filepath.Dir(path))
				list(t, f, now, l.uids...) // the same listing once more
				if after := snapshot(t, filepath.Dir(path)); after != before {
					t.Errorf("day %d: the same listing wrote again", l.day)
				}
			}
		})
	}
}

// What is known of an entry beside its absence is not touched by it.
func TestAbsenceKeepsTheRest(t *testing.T) {
	path := tempPath(t)
	f := mustOpen(t, path)
	e := full("a")
	e.Status, e.Attempts, e.Reason, e.Reported, e.Next, e.Rest = Failed, 2, "too large", start, start.Add(day), []string{"later=1"}
	e.Refused, e.Quarantine = 1, "/q"
	check(t, f.Record("", "", e, full("b")))
	list(t, f, start.Add(day), "b")
	list(t, f, start.Add(2*day), "a", "b")
	check(t, f.Close())
	if got := mustOpen(t, path).Lookup("a"); len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(e) {
		t.Errorf("got  %+v\nwant %+v", got, e)
	}
}
