package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A file that is mostly stale lines becomes small again, and means the same.
func TestCompact(t *testing.T) {
	path := tempPath(t)
	f := mustOpen(t, path)
	check(t, f.SetNote("caps", "TOP", start))
	for i := range 1500 {
		e := full(fmt.Sprint(i % 3))
		e.Size = int64(i)
		check(t, f.Record("", "", e))
	}
	begun, err := f.Begin("hint", "next") // compacts
	check(t, err)
	info, err := os.Stat(path)
	check(t, err)
	if info.Size() > 2000 {
		t.Errorf("%d octets for three entries", info.Size())
	}
	check(t, f.Record("hint 2", "next 2", full("last")))
	want := entries(f)
	check(t, f.Close()) // no End

	f = mustOpen(t, path)
	if len(f.Damage()) > 0 || !reflect.DeepEqual(entries(f), want) || len(want) != 4 {
		t.Errorf("got %+v, want %+v; damage %q", entries(f), want, f.Damage())
	}
	if b, open := f.Interrupted(); !open || b.Nonce != begun.Nonce || b.Hint != "hint 2" || b.Next != "next 2" {
		t.Errorf("interrupted: %v %+v", open, b)
	}
	if v, _ := f.Note("caps"); v != "TOP" {
		t.Errorf("note %q", v)
	}
	// A Begin that is open stays so through a compaction.
	for i := range 1500 {
		e := full(fmt.Sprint(i % 3))
		check(t, f.Record("hint 3", "", e))
	}
	check(t, f.Close())
	if info, err = os.Stat(path); err != nil || info.Size() > 2000 {
		t.Errorf("%d octets after Close, %v", info.Size(), err)
	}
	f = mustOpen(t, path)
	if b, open := f.Interrupted(); !open || b.Nonce != begun.Nonce || b.Hint != "hint 3" || len(f.Damage()) > 0 {
		t.Errorf("interrupted: %v %+v; damage %q", open, b, f.Damage())
	}
	// The second lock file memo, of a file that was compacted, tells of an old copy as well.
	old, err := os.ReadFile(path)
	check(t, err)
	check(t, f.Record("", "", full("after")))
	check(t, f.Close())
	check(t, os.WriteFile(path, old, 0o600))
	if d := mustOpen(t, path).Damage(); len(d) != 1 || !strings.Contains(d[0], "old copy") {
		t.Errorf("damage %q", d)
	}
}

// A large file that is worth its size is not written again, nor a small one that is not.
func TestNoNeedToCompact(t *testing.T) {
	for name, write := range map[string]func(f *File, i int) error{
		"large": func(f *File, i int) error { return f.Record("", "", full(fmt.Sprint(i))) },
		"small": func(f *File, i int) error { return f.SetNote("n", fmt.Sprint(i), start) },
	} {
		path := tempPath(t)
		f := mustOpen(t, path)
		for i := range 900 {
			check(t, write(f, i))
		}
		before, err := os.Stat(path)
		check(t, err)
		if large := before.Size() > compactSize; large != (name == "large") {
			t.Fatalf("%s: %d octets", name, before.Size())
		}
		_, err = f.Begin("", "")
		check(t, err)
		check(t, f.Close())
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: rewritten, %v", name, err)
		}
	}
}

// A reader without the lock sees a good file at any time, through appends and compactions.
func TestReadMeanwhile(t *testing.T) {
	path := tempPath(t)
	f := mustOpen(t, path)
	check(t, f.Record("", "", full("first")))
	done := make(chan error)
	// The other process, which has a mind of its own.
	go func() {
		var err error
		for i := 0; i < 300 && err == nil; i++ {
			var es []Entry
			for j := range 20 {
				es = append(es, full(fmt.Sprint(j)))
			}
			if i%100 == 0 {
				_, err = f.Begin("", "") // compacts
			}
			err = errors.Join(err, f.Record("", "", es...), f.SetNote("n", fmt.Sprint(i), start), f.End())
		}
		done <- err
	}()
	for reads := 0; ; reads++ {
		select {
		case err := <-done:
			check(t, err)
			t.Logf("%d reads", reads)
			return
		default:
		}
		r, err := Read(path)
		check(t, err)
		if len(r.Damage()) > 0 || len(r.Lookup("first")) != 1 {
			t.Fatalf("read %d: damage %q, first %+v", reads, r.Damage(), r.Lookup("first"))
		}
	}
}

// The mode that the user has chosen, and a symbolic link, outlive a compaction.
func TestCompactKeepsModeAndLink(t *testing.T) {
	path := tempPath(t)
	f := mustOpen(t, path)
	check(t, f.Record("", "", full("a")))
	check(t, f.Close())
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	check(t, os.Rename(path, elsewhere))
	check(t, os.Symlink(elsewhere, path))
	check(t, os.Chmod(elsewhere, 0o640))
	b, err := os.ReadFile(elsewhere)
	check(t, err)
	check(t, os.WriteFile(elsewhere, b[:len(b)-5], 0o640))
	mended(t, mustOpen(t, path))
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAdopt(t *testing.T) {
	bob := Identity{"pop.example.net", "bob"}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "old.uidl"), filepath.Join(dir, "new.uidl")
	f := mustOpen(t, from)
	begun, err := f.Begin("", "")
	check(t, err)
	check(t, f.Record("", "", full("a")))
	if _, err := Adopt(from, to, bob); !errors.Is(err, ErrLocked) {
		t.Errorf("of a locked file: %v", err)
	}
	check(t, f.Close())

	// The new name was in use once: its lock file remembers numbers that the old file has not.
	f, err = Open(to, bob)
	check(t, err)
	for range 20 {
		check(t, f.Record("", "", full("x")))
	}
	check(t, f.Close())
	if _, err := Adopt(from, to, bob); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), to) {
		t.Errorf("over a file with entries: %v", err)
	}
	check(t, Remove(to))

	damage, err := Adopt(from, to, bob)
	check(t, err)
	if len(damage) > 0 {
		t.Errorf("damage %q", damage)
	}
	found, err := List(dir)
	check(t, err)
	if want := []Found{{to, bob, nil}}; !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	f, err = Open(to, bob)
	check(t, err)
	if b, open := f.Interrupted(); !open || b.Nonce != begun.Nonce {
		t.Errorf("the open Begin became %+v", b)
	}
	if len(f.Damage()) > 0 || !reflect.DeepEqual(entries(f), []Entry{full("a")}) {
		t.Errorf("damage %q, entries %+v", f.Damage(), entries(f))
	}
	check(t, f.Close())

	// The same name: the server has another host name now.
	_, err = Adopt(to, to, alice)
	check(t, err)
	f = mustOpen(t, to)
	if len(f.Damage()) > 0 || !reflect.DeepEqual(entries(f), []Entry{full("a")}) {
		t.Errorf("damage %q, entries %+v", f.Damage(), entries(f))
	}
	check(t, f.Close())
	if _, err := Adopt(from, to, bob); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	f := mustOpen(t, filepath.Join(dir, FileName("a b")))
	check(t, f.SetNote("x", "y", start))
	check(t, f.Close())
	check(t, os.WriteFile(filepath.Join(dir, "b.uidl"), []byte("rubbish\n"), 0o600))
	found, err := List(dir)
	check(t, err)
	if len(found) != 2 || found[0].Identity != alice || found[0].Err != nil || !errors.Is(found[1].Err, ErrUnreadable) {
		t.Errorf("found %+v", found)
	}
	if found, err := List(filepath.Join(dir, "none")); found != nil || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// big returns the path of a state of n entries.
func big(b *testing.B, n int) string {
	path := tempPath(b)
	f := mustOpen(b, path)
	es := make([]Entry, n)
	for i := range es {
		es[i] = full(fmt.Sprintf("%08x%08x.%d", i*7919, i, i))
		es[i].Head, es[i].Body = strings.Repeat("0123456789abcdef", 4), strings.Repeat("fedcba9876543210", 4)
	}
	check(b, f.Record("", "", es...))
	check(b, f.Close())
	return path
}

func BenchmarkOpen50k(b *testing.B) {
	path := big(b, 50_000)
	info, err := os.Stat(path)
	check(b, err)
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		f, err := Open(path, alice)
		check(b, err)
		if f.Len() != 50_000 {
			b.Fatal(f.Len())
		}
		check(b, f.Close())
	}
}

func BenchmarkListed50k(b *testing.B) {
	f := mustOpen(b, big(b, 50_000))
	b.ReportAllocs()
	uids := all(f)
	for b.Loop() {
		_, err := f.Listed(called(f, uids...), start.Add(time.Hour))
		check(b, err)
	}
}

// One record at a time into a state of 50,000: one write and one sync, whatever the size.
func BenchmarkRecord(b *testing.B) {
	f := mustOpen(b, big(b, 50_000))
	_, err := f.Begin("", "")
	check(b, err)
	b.ReportAllocs()
	for b.Loop() {
		check(b, f.Record("hint", "", full("a")))
	}
}
