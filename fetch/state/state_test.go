package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	alice = Identity{"pop.example.com", "alice@example.com"}
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func tempPath(t testing.TB) string { return filepath.Join(t.TempDir(), "state", FileName("work")) }

func mustOpen(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path, alice)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entries(f *File) []Entry { return slices.Collect(f.All()) }

func full(uid string) Entry {
	return Entry{UID: uid, Copy: 1, Status: Delivered, Time: start, Size: 1234,
		Head: "0123456789abcdef", Body: "00112233"}
}

func TestRun(t *testing.T) {
	path := tempPath(t)
	f := mustOpen(t, path)
	if !f.New() || f.Identity() != alice {
		t.Fatal("not new, or not alice's")
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a file before the first write")
	}
	b, err := f.Begin("hint 1", "")
	check(t, err)
	failed := Entry{UID: "c d%\x00\xff\n", Copy: 2, Status: Failed, Time: start, Size: 1, Attempts: 3, Reason: "no way\n",
		Reported: start.Add(time.Second), Absent: start.Add(time.Hour), Rest: []string{"x-new=1%20"}}
	check(t, f.Record("hint 2", "next", full("a"), full("b"), failed))
	check(t, f.SetNote("caps", "TOP UIDL", start))
	check(t, f.End())
	check(t, f.Close())

	f = mustOpen(t, path)
	if f.New() || len(f.Damage()) > 0 {
		t.Fatal(f.New(), f.Damage())
	}
	if b, open := f.Interrupted(); open {
		t.Fatal("interrupted", b)
	}
	want := []Entry{full("a"), full("b"), failed}
	if got := entries(f); !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	if v, at := f.Note("caps"); v != "TOP UIDL" || !at.Equal(start) {
		t.Fatal(v, at)
	}
	check(t, f.Close())
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	check(t, err)
	for _, line := range []string{
		"mailhaul-state=1 host=pop.example.com user=alice@example.com n=1 crc=e4cd8b72\n",
		"uid=a status=delivered time=2026-03-01T12:00:00Z size=1234 head=0123456789abcdef body=00112233 n=3 crc=",
		"uid=c%20d%25%00%FF%0A status=failed time=2026-03-01T12:00:00Z size=1 copy=2 absent=2026-03-01T13:00:00Z " +
			"attempts=3 reason=no%20way%0A reported=2026-03-01T12:00:01Z x-new=1%20 n=5 crc=",
		" hint=hint%202 next=next n=6 crc=",
		"\nbegin=" + b.Nonce + " time=",
		"note=caps value=TOP%20UIDL time=2026-03-01T12:00:00Z n=7 crc=",
		"\nend n=10 crc=",
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// A run with nothing to do changes no octet and no time.
func TestIdleRunWritesNothing(t *testing.T) {
	path := tempPath(t)
	sample(t, path)
	dir := filepath.Dir(path)
	before := snapshot(t, dir)
	f := mustOpen(t, path)
	warning, err := f.Listed(func(uid string) bool { return true }, f.Len(), start.Add(time.Hour))
	if warning != "" || err != nil {
		t.Fatal(warning, err)
	}
	check(t, f.SetNote("caps", "", start))
	check(t, f.End())
	check(t, f.Close())
	if after := snapshot(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	empty := tempPath(t)
	f = mustOpen(t, empty)
	_, err = f.Listed(func(uid string) bool { return true }, 3, start)
	check(t, err)
	check(t, f.End())
	check(t, f.Close())
	if _, err := os.Stat(empty); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state file of nothing: %v", err)
	}
}

// snapshot tells all about the files of a directory but the time of access.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	es, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range es {
		info, err := e.Info()
		check(t, err)
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
		fmt.Fprintf(&b, "%s %v %v %x\n", e.Name(), info.ModTime(), info.Mode(), content)
	}
	return b.String()
}

func TestIdentity(t *testing.T) {
	path := tempPath(t)
	sample(t, path)
	if f, err := Open(path, Identity{"POP.Example.COM", alice.User}); err != nil {
		t.Errorf("host in capitals: %v", err)
	} else {
		check(t, f.Close())
	}
	before := snapshot(t, filepath.Dir(path))
	for _, id := range []Identity{{"pop.example.net", alice.User}, {alice.Host, "Alice@example.com"}, {}} {
		_, err := Open(path, id)
		var ie *IdentityError
		if !errors.As(err, &ie) || ie.Have != alice || ie.Want != id || ie.Path != path {
			t.Errorf("%v: %v", id, err)
		}
	}
	// The file may be damaged as well: it must not be mended by whom it does not belong to.
	if after := snapshot(t, filepath.Dir(path)); after != before {
		t.Error("changed by a stranger")
	}
	check(t, mustOpen(t, path).Close()) // and the lock is free again
}

func TestUnreadable(t *testing.T) {
	for name, content := range map[string]string{
		"another program's":   "AAAB1 1234\nAAAB2 1235\n",
		"newer version":       "mailhaul-state=2 host=pop.example.com user=alice@example.com\nend\n",
		"first line edited":   "mailhaul-state=1 host=pop.example.com user=alice n=1 crc=e4cd8b72\n",
		"no user":             "mailhaul-state=1 host=pop.example.com\n",
		"another's, torn":     "mailhaul-state=1 host=pop.example.net",
		"only comments":       "# nothing\n",
		"octets":              "\x7fELF\x02\x01\x01\x00\x00\xff",
		"first line zeroed":   strings.Repeat("\x00", 60) + "\n",
		"a record, no header": "uid=a status=seen\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, []byte(content), "")
			before := snapshot(t, filepath.Dir(path))
			_, err := Open(path, alice)
			if name == "first line zeroed" { // nothing but zeros: tells nothing, is nobody's
				check(t, err)
				return
			}
			if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), path) {
				t.Fatal(err)
			}
			if after := snapshot(t, filepath.Dir(path)); after != before {
				t.Error("changed")
			}
			if _, err := ReadIdentity(path); !errors.Is(err, ErrUnreadable) {
				t.Errorf("ReadIdentity: %v", err)
			}
		})
	}
}

// A file that has lost everything is no new state.
func TestEmptied(t *testing.T) {
	for _, content := range []string{"", "\x00", strings.Repeat("\x00", 5000), "mailhaul-state=1 host=pop.ex"} {
		f := mustOpen(t, put(t, []byte(content), ""))
		d := strings.Join(f.Damage(), "\n")
		if f.New() || !strings.Contains(d, "lost all its records") || !strings.Contains(d, "delivered again") {
			t.Errorf("%q: new %v, damage %q", content, f.New(), d)
		}
		if b, open := f.Interrupted(); !open || b.Nonce != "" {
			t.Errorf("%q: interrupted %+v %v", content, b, open)
		}
		mended(t, f)
	}
	origin := tempPath(t)
	sample(t, origin)
	path := put(t, nil, origin)
	var ie *IdentityError
	if _, err := Open(path, Identity{"pop.example.net", "bob"}); !errors.As(err, &ie) || ie.Have != alice {
		t.Errorf("taken over by another account: %v", err)
	}
}

// A good file that is older than the one the lock file knows is told.
func TestOldCopy(t *testing.T) {
	path := tempPath(t)
	old := sample(t, path)
	f := mustOpen(t, path)
	check(t, f.Record("", "", full("newer"), full("newest")))
	check(t, f.Close())
	check(t, os.WriteFile(path, old, 0o600))
	f = mustOpen(t, path)
	if d := strings.Join(f.Damage(), "\n"); !strings.Contains(d, "the last 2 records are missing") {
		t.Errorf("damage %q", d)
	}
	mended(t, f)
}

// Dropped lines are kept, once, in a file that is private.
func TestRejected(t *testing.T) {
	path := tempPath(t)
	whole := string(sample(t, path))
	edited := strings.Replace(whole, "size=1234", "size=1235", 2)
	check(t, os.WriteFile(path, []byte(edited), 0o600))
	r, err := Read(path)
	check(t, err)
	if len(r.Damage()) != 1 || !strings.Contains(r.Damage()[0], "lines 3, 4 were dropped") {
		t.Errorf("damage %q", r.Damage())
	}
	check(t, r.Close())
	if _, err := os.Stat(path + rejectedSuffix); err == nil {
		t.Error("written by a reader")
	}
	f := mustOpen(t, path)
	check(t, f.SetNote("a", "b", start))
	check(t, f.Close())
	mended(t, mustOpen(t, path))
	got, err := os.ReadFile(path + rejectedSuffix)
	check(t, err)
	lines := strings.SplitAfter(edited, "\n")
	if string(got) != lines[2]+lines[3] {
		t.Errorf("kept %q", got)
	}
	if info, _ := os.Stat(path + rejectedSuffix); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

// An editor that replaces or changes the file under a running program must not make records vanish.
func TestChangedMeanwhile(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"replaced": func(path string) error {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+"~", b, 0o600)
			}
			if err == nil {
				err = os.Rename(path+"~", path)
			}
			return err
		},
		"truncated": func(path string) error { return os.Truncate(path, 100) },
		"removed":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			sample(t, path)
			f := mustOpen(t, path)
			_, err := f.Begin("", "")
			check(t, err)
			check(t, change(path))
			if err := f.Record("", "", full("x")); !errors.Is(err, errChanged) {
				t.Fatal(err)
			}
			if f.Lookup("x") != nil || f.End() == nil {
				t.Error("goes on")
			}
		})
	}
}

func TestRefusedEntries(t *testing.T) {
	f := mustOpen(t, tempPath(t))
	for name, e := range map[string]Entry{
		"no uid":         {Status: Seen, Time: start},
		"no status":      {UID: "a", Time: start},
		"forgotten":      {UID: "a", Status: "forgotten", Time: start},
		"hash not hex":   {UID: "a", Status: Seen, Head: "x y"},
		"hash odd":       {UID: "a", Status: Seen, Body: "abc"},
		"year":           {UID: "a", Status: Seen, Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"negative copy":  {UID: "a", Status: Seen, Copy: -1},
		"field no field": {UID: "a", Status: Seen, Rest: []string{"x"}},
		"field space":    {UID: "a", Status: Seen, Rest: []string{"x=a b"}},
		"field known":    {UID: "a", Status: Seen, Rest: []string{"crc=12345678"}},
		"long":           {UID: strings.Repeat("a", maxLine), Status: Seen},
	} {
		if err := f.Record("", "", full("good"), e); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
	if f.Len() != 0 {
		t.Error("recorded in part")
	}
	check(t, f.Record("", "", full("good")))
	check(t, f.Close())
}

// Reading must not make a file, a directory or a lock.
func TestReadOfNothing(t *testing.T) {
	path := tempPath(t)
	f, err := Read(path)
	check(t, err)
	if !f.New() || f.Len() != 0 || f.Lookup("a") != nil {
		t.Error("not empty")
	}
	if err := f.Record("", "", full("a")); !errors.Is(err, errReadOnly) {
		t.Error(err)
	}
	check(t, f.Close())
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("made a directory")
	}
}
