package state

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
		Head: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		Body: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}
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
	_ = b
	if text, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	} else {
		t.Logf("%s", text)
	}
}
