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
		Reported: start.Add(time.Second), Next: start.Add(24 * time.Hour), Refused: 2, Quarantine: "/q 1", Absent: start.Add(time.Hour), Rest: []string{"x-new=1%20"}}
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
			"attempts=3 reason=no%20way%0A reported=2026-03-01T12:00:01Z next=2026-03-02T12:00:00Z refused=2 quarantine=/q%201 x-new=1%20 n=5 crc=",
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
	warning, err := f.Listed(called(f, all(f)...), start.Add(time.Hour))
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
	_, err = f.Listed(called(f, all(f)...), start)
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
			if err := f.Record("", "", full("x")); !errors.Is(err, ErrChanged) {
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
