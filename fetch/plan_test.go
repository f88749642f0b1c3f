package fetch

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestPlan has every kind of message in the listing, state and options.
func TestPlan(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	one := pop3test.Message{UID: "a", Text: "one"}
	entry := func(status state.Status, age time.Duration) state.Entry {
		e := delivered(one, now.Add(-age))
		e.Status = status
		return e
	}
	second := func(e state.Entry) state.Entry { e.Copy = 2; return e }
	failed := func(why error, tries int) state.Entry {
		return state.Entry{UID: "a", Status: state.Failed, Time: now.Add(-time.Hour), Reason: why.Error(), Attempts: tries}
	}
	waiting := func(d time.Duration) state.Entry {
		e := failed(errTooLarge, 3)
		e.Next = now.Add(d)
		return e
	}
	noHash := entry(state.Delivered, day)
	noHash.Body, noHash.Head = "", ""
	short := entry(state.Delivered, day)
	short.Reason = "short"
	newest := state.Entry{UID: "newest", Status: state.Seen, Time: now.Add(-time.Hour)}
	future := state.Entry{UID: "future", Status: state.Seen, Time: now.Add(time.Hour)}
	keep := Options{Keep: true}
	after := Options{Keep: true, DeleteAfter: 10 * day}
	a := item{num: 1, uid: "a", size: 500}
	a2 := item{num: 2, uid: "a", size: 600}
	b := item{num: 3, uid: "b", size: 700}
	none := item{num: 4, size: 800}
	for _, tt := range []struct {
		name   string
		listed []item
		known  []state.Entry
		opts   Options
		caps   string
		doubt  string
		want   string
	}{
		{name: "nothing", want: ""},
		{name: "new", listed: []item{a, b}, want: "retrieve 1 3"},
		{name: "new, keep", listed: []item{a, b}, opts: keep, want: "retrieve 1 3"},
		{name: "no unique-id", listed: []item{a, none}, want: "retrieve 1 4"},
		{name: "no unique-id, keep", listed: []item{a, none}, opts: keep, want: "retrieve 1; left 4"},
		{name: "too large", listed: []item{a, b}, opts: Options{MaxSize: 600}, want: "retrieve 1; left 3"},
		{name: "as large as may be", listed: []item{a, b}, opts: Options{MaxSize: 700}, want: "retrieve 1 3"},
		{name: "size unknown", listed: []item{{num: 1, uid: "a", size: -1}}, opts: Options{MaxSize: 1}, want: "retrieve 1"},
		{name: "too many", listed: []item{a, b, none}, opts: Options{MaxMessages: 2}, want: "retrieve 1 3; skip 4"},
		{name: "too many: those to be deleted do not count", listed: []item{a, b}, known: []state.Entry{entry(state.Delivered, day)}, opts: Options{MaxMessages: 1}, want: "retrieve 3; identify 1"},
		{name: "too large and recorded", listed: []item{a}, known: []state.Entry{entry(state.Delivered, day)}, opts: Options{MaxSize: 1}, want: "identify 1"},

		{name: "delivered", listed: []item{a}, known: []state.Entry{entry(state.Delivered, day)}, want: "identify 1"},
		{name: "delivered, keep", listed: []item{a}, known: []state.Entry{entry(state.Delivered, day)}, opts: keep, want: "skip 1"},
		{name: "delivered, not old enough", listed: []item{a}, known: []state.Entry{entry(state.Delivered, 9*day), newest}, opts: after, want: "skip 1"},
		{name: "delivered, old enough", listed: []item{a}, known: []state.Entry{entry(state.Delivered, 10*day), newest}, opts: after, want: "identify 1"},
		{name: "the clock is set back", listed: []item{a}, known: []state.Entry{entry(state.Delivered, 10*day), future}, opts: after, want: "skip 1"},
		{name: "the clock is far ahead", listed: []item{a}, known: []state.Entry{entry(state.Delivered, 31*day)}, opts: after, want: "skip 1"},
		{name: "the clock is not so far ahead", listed: []item{a}, known: []state.Entry{entry(state.Delivered, 30*day)}, opts: after, want: "identify 1"},
		{name: "seen", listed: []item{a}, known: []state.Entry{entry(state.Seen, day)}, want: "skip 1"},
		{name: "seen, twice listed", listed: []item{a, a2}, known: []state.Entry{entry(state.Seen, day)}, want: "skip 1 2"},
		{name: "no hash", listed: []item{a}, known: []state.Entry{noHash}, want: "skip 1"},
		{name: "no hash, twice listed", listed: []item{a, a2}, known: []state.Entry{noHash}, want: "skip 1 2"},
		{name: "came short", listed: []item{a}, known: []state.Entry{short}, want: "left 1"},
		{name: "came short, keep", listed: []item{a}, known: []state.Entry{short}, opts: keep, want: "left 1"},
		{name: "deleted, listed again", listed: []item{a}, known: []state.Entry{entry(state.Deleted, day)}, want: "identify 1"},
		{name: "deleted, listed again, keep", listed: []item{a}, known: []state.Entry{entry(state.Deleted, day)}, opts: keep, want: "identify 1"},

		{name: "twins", listed: []item{a, a2}, want: "retrieve 1 2"},
		{name: "twins, one known", listed: []item{a, a2}, known: []state.Entry{entry(state.Delivered, day)}, want: "identify 1 2"},
		{name: "twins, one known, keep", listed: []item{a, a2}, known: []state.Entry{entry(state.Delivered, day)}, opts: keep, want: "identify 1 2"},
		{name: "twins, both known", listed: []item{a, a2}, known: []state.Entry{entry(state.Delivered, day), second(entry(state.Delivered, day))}, want: "identify 1 2"},
		{name: "twins, both known, keep", listed: []item{a, a2}, known: []state.Entry{entry(state.Delivered, day), second(entry(state.Delivered, day))}, opts: keep, want: "skip 1 2"},
		{name: "twins, both known, one old enough", listed: []item{a, a2}, known: []state.Entry{entry(state.Delivered, 20*day), second(entry(state.Delivered, day))}, opts: after, want: "identify 1 2"},
		{name: "one of two known ones", listed: []item{a2}, known: []state.Entry{entry(state.Delivered, day), second(entry(state.Delivered, day))}, want: "identify 2"},
		{name: "one of two known ones, keep", listed: []item{a2}, known: []state.Entry{entry(state.Delivered, day), second(entry(state.Delivered, day))}, opts: keep, want: "skip 2"},
		{name: "one of two, one deleted, keep", listed: []item{a2}, known: []state.Entry{entry(state.Deleted, day), second(entry(state.Delivered, day))}, opts: keep, want: "identify 2"},

		{name: "failed before", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1)}, want: "retrieve 3 1"},
		{name: "failed before, twice listed", listed: []item{a, a2, b}, known: []state.Entry{failed(errTooLarge, 1)}, want: "retrieve 3 1 2"},
		{name: "not due", listed: []item{a, b}, known: []state.Entry{waiting(time.Minute)}, want: "retrieve 3; left 1"},
		{name: "not due, to be tried all the same", listed: []item{a, b}, known: []state.Entry{waiting(time.Minute)}, opts: Options{Retry: true}, want: "retrieve 3 1"},
		{name: "due", listed: []item{a, b}, known: []state.Entry{waiting(0)}, want: "retrieve 3 1"},
		{name: "due in more than a day: the clock was wrong", listed: []item{a, b}, known: []state.Entry{waiting(day + time.Second)}, want: "retrieve 3 1"},
		{name: "due in a day", listed: []item{a, b}, known: []state.Entry{waiting(day)}, want: "retrieve 3; left 1"},
		{name: "not due, twice listed", listed: []item{a, a2}, known: []state.Entry{waiting(time.Minute)}, want: "retrieve 1 2"},
		{name: "not due, and others to be deleted", listed: []item{a, b}, known: []state.Entry{waiting(time.Minute), of("b", entry(state.Delivered, day))}, want: "identify 3; left 1"},
		{name: "never tried", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 0)}, want: "retrieve 1 3"},
		{name: "failed before, limit", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1)}, opts: Options{MaxMessages: 1}, want: "retrieve 3; skip 1"},
		{name: "failed before, others to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1), of("b", entry(state.Delivered, day))}, want: "retrieve 1; identify 3"},
		{name: "… and EXPIRE 0", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1), of("b", entry(state.Delivered, day))}, caps: "EXPIRE 0", want: "identify 3; left 1"},
		{name: "… and EXPIRE 30", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1), of("b", entry(state.Delivered, day))}, caps: "EXPIRE 30", want: "retrieve 1; identify 3"},
		{name: "EXPIRE 0, nothing to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errTooLarge, 1)}, caps: "EXPIRE 0 USER", want: "retrieve 3 1"},
		{name: "endless, others to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errAbandoned, 1), of("b", entry(state.Delivered, day))}, want: "identify 3; left 1"},
		{name: "endless, nothing to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errAbandoned, 1)}, want: "retrieve 3 1"},
		{name: "broke once, others to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errBroke, 1), of("b", entry(state.Delivered, day))}, want: "retrieve 1; identify 3"},
		{name: "broke twice, others to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errBroke, 2), of("b", entry(state.Delivered, day))}, want: "identify 3; left 1"},
		{name: "its receiver failed twice, others to be deleted", listed: []item{a, b}, known: []state.Entry{failed(errReceiver, 2), of("b", entry(state.Delivered, day))}, want: "identify 3; left 1"},
		{name: "in doubt", listed: []item{a, a2, b}, doubt: nextKey("b", 1), want: "retrieve 3 1 2"},
		{name: "in doubt, the second of an id", listed: []item{a, a2, b}, doubt: nextKey("a", 2), want: "retrieve 2 1 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, err := state.Open(filepath.Join(memory(t), "work.uidl"), identity)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(st.Record("", "", tt.known...), st.Close()); err != nil {
				t.Fatal(err)
			}
			if st, err = state.Open(st.Path(), identity); err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			items := append([]item(nil), tt.listed...)
			count(items)
			r := &run{st: st, opts: tt.opts, now: now, items: items, caps: pop3.Caps{tt.caps}, doubt: tt.doubt}
			content := read(t, st.Path())
			p := r.plan()
			var got []string
			for _, part := range []struct {
				name  string
				items []*item
			}{{"retrieve", p.retrieve}, {"identify", p.identify}, {"skip", p.skip}, {"left", p.left}, {"remove", p.remove}} {
				s := part.name
				for _, it := range part.items {
					s += fmt.Sprint(" ", it.num)
					if it.reason == "" {
						t.Errorf("%s %d without a reason", part.name, it.num)
					}
				}
				if len(part.items) > 0 {
					got = append(got, s)
				}
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
			if read(t, st.Path()) != content {
				t.Error("the state was written")
			}
		})
	}
}

func of(uid string, e state.Entry) state.Entry {
	e.UID = uid
	return e
}

// TestMerge joins listings that disagree.
func TestMerge(t *testing.T) {
	uids := &pop3.UIDListing{Messages: []pop3.Unique{{Num: 1, UID: "a"}, {Num: 2, UID: "b"}, {Num: 4, UID: ""}}}
	for _, tt := range []struct {
		name   string
		ids    *pop3.UIDListing
		sizes  *pop3.Listing
		stat   int
		noUIDL bool
		want   string
	}{
		{"both", uids, &pop3.Listing{Messages: []pop3.Size{{Num: 1, Octets: 10}, {Num: 2, Octets: 20}, {Num: 4, Octets: 40}}}, 3, false, "1 a 10, 2 b 20, 4  40"},
		{"no sizes", uids, nil, 9, false, "1 a -1, 2 b -1, 4  -1"},
		{"one more size", uids, &pop3.Listing{Messages: []pop3.Size{{Num: 1, Octets: 10}, {Num: 2, Octets: 20}, {Num: 3, Octets: 30}, {Num: 4, Octets: 40}}}, 9, false, "1 a 10, 2 b 20, 4  40, 3  30"},
		{"one size less", uids, &pop3.Listing{Messages: []pop3.Size{{Num: 2, Octets: 20}}}, 9, false, "1 a -1, 2 b 20, 4  -1"},
		{"no unique-ids", nil, &pop3.Listing{Messages: []pop3.Size{{Num: 7, Octets: 70}}}, 9, true, "7  70"},
		{"STAT alone", nil, nil, 2, true, "1  -1, 2  -1"},
		{"nothing", &pop3.UIDListing{}, &pop3.Listing{}, 5, false, ""},
	} {
		var got []string
		items := merge(tt.ids, tt.sizes, tt.stat, tt.noUIDL)
		for _, it := range items {
			got = append(got, fmt.Sprintf("%d %s %d", it.num, it.uid, it.size))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, s, tt.want)
		}
	}
	guessed := merge(nil, nil, 1<<40, true)
	if n := len(guessed); n != maxGuess {
		t.Errorf("%d messages by STAT's word alone", n)
	}
}

// TestDryRun changes nothing and says what would be done.
func TestDryRun(t *testing.T) {
	msgs := mails(4, 200)
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.MaxSize = int64(len(msgs[2].Text))
	seen := delivered(msgs[1], time.Now())
	seen.Status = state.Seen
	a.record(delivered(msgs[0], time.Now()), seen)
	content := read(t, a.statePath())
	a.opts.DryRun = true
	a.clean()
	var got []string
	for _, e := range a.events {
		got = append(got, fmt.Sprint(e.Type, " ", e.UID, " ", e.Planned))
	}
	if s, want := strings.Join(got, ", "), "account  false, skipped uid-2 true, message uid-3 true, deleted uid-1 true, error uid-4 true"; s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if read(t, a.statePath()) != content || len(a.stored()) > 0 || len(a.srv.UIDs()) != 4 {
		t.Error("something was done")
	}
}

// TestClockConfirmed: where no mail came for long, delete_after believes the clock a day later: not in
// the next run, which may be a minute later.
func TestClockConfirmed(t *testing.T) {
	old := mail("old", 200)
	a := open(t, pop3test.Config{}, old)
	a.opts.Keep, a.opts.DeleteAfter = true, 60*24*time.Hour
	a.record(delivered(old, time.Now().Add(-61*24*time.Hour)))
	a.clean()
	a.wantLeft("old")
	a.clean()
	a.wantLeft("old")
	st, err := state.Open(a.statePath(), identity)
	if err == nil {
		err = errors.Join(st.SetNote(noteClock, "yesterday", time.Now().Add(-25*time.Hour)), st.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	a.clean()
	a.wantEmpty()
	a.want()
}

// TestClockBehind: what is delivered while the clock is behind does not count as old when it is right
// again.
func TestClockBehind(t *testing.T) {
	known, fresh := mail("known", 200), mail("fresh", 200)
	a := open(t, pop3test.Config{}, known, fresh)
	a.opts.Keep, a.opts.DeleteAfter = true, 60*24*time.Hour
	right := time.Now().AddDate(10, 0, 0).Truncate(time.Second)
	a.record(delivered(known, right))
	a.clean()
	a.want(fresh)
	a.wantLeft("known", "fresh")
	if e := a.entries("fresh"); len(e) != 1 || e[0].Time.Before(right) {
		t.Errorf("recorded as %+v; the state knew %v", e, right)
	}
}

// TestLimit retrieves a few at a time.
func TestLimit(t *testing.T) {
	msgs := mails(10, 100)
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.MaxMessages = 4
	for range 3 {
		a.clean()
	}
	a.want(msgs...)
	a.wantEmpty()
}
