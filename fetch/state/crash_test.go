package state

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type key struct {
	uid  string
	copy int
}

// A moment is the file as it was after one operation, and what it has to mean.
type moment struct {
	content []byte
	memo    []byte
	inode   os.FileInfo
	model   map[key]Entry
	nonce   string // of the open Begin
	synced  bool
}

// Whatever the moment of a crash and however the last write is torn, what was recorded is found,
// nothing else is, and an open Begin is not lost.
func TestCrashAnywhere(t *testing.T) {
	dir := t.TempDir()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		path := filepath.Join(dir, fmt.Sprint(number), "work.uidl")
		history := operate(t, path)
		last := 0
		for i, m := range history {
			if m.synced {
				last = i
			}
		}
		// What was not synced may be lost, and the write that followed may be torn.
		from := rapid.IntRange(last, len(history)-1).Draw(t, "lost after")
		before, after := history[from], history[min(from+1, len(history)-1)]
		content := tear(t, before, after)
		crashed := filepath.Join(dir, fmt.Sprint(number, "-crashed.uidl"))
		os.WriteFile(lockPath(crashed), before.memo, 0o600)
		if content != nil {
			if err := os.WriteFile(crashed, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for try := range 2 { // once as found, once as mended
			f, err := Open(crashed, alice)
			if err != nil {
				t.Fatalf("%v in\n%s", err, content)
			}
			got := modelOf(f)
			for k := range got {
				if !same(got, before.model, k) && !same(got, after.model, k) {
					t.Fatalf("try %d: %v is %+v, which was never so, in\n%s", try, k, got[k], content)
				}
			}
			for k := range before.model {
				if !same(got, before.model, k) && !same(got, after.model, k) {
					t.Fatalf("try %d: %v is lost in\n%s", try, k, content)
				}
			}
			b, open := f.Interrupted()
			if before.nonce != "" && b.Nonce != before.nonce && after.nonce == before.nonce {
				t.Fatalf("try %d: Begin %s became %q in\n%s", try, before.nonce, b.Nonce, content)
			}
			if try == 0 && before.nonce == "" && after.nonce == "" && open && (b.Nonce != "" || len(f.Damage()) == 0) {
				t.Fatalf("interrupted without reason: %+v in\n%s", b, content)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if try == 1 && len(f.Damage()) > 0 {
				t.Fatalf("damage is told again: %q", f.Damage())
			}
		}
	})
}

func modelOf(f *File) map[key]Entry {
	m := map[key]Entry{}
	for e := range f.All() {
		m[key{e.UID, e.Copy}] = e
	}
	return m
}

func same(a, b map[key]Entry, k key) bool {
	x, inA := a[k]
	y, inB := b[k]
	return inA == inB && reflect.DeepEqual(x, y)
}

// operate does some runs and returns every state that the file was in.
func operate(t *rapid.T, path string) []moment {
	if err := makeDir(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	model, nonce := map[key]Entry{}, ""
	now := start
	var history []moment
	look := func(synced bool) {
		m := moment{model: maps.Clone(model), nonce: nonce, synced: synced}
		m.content, _ = os.ReadFile(path)
		m.memo, _ = os.ReadFile(lockPath(path))
		m.inode, _ = os.Stat(path)
		history = append(history, m)
	}
	look(true)
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(path, alice)
	fail(err)
	uids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "a b", "%", "\x00\n", "uid=x status=seen", "end"})
	for range rapid.IntRange(1, 25).Draw(t, "operations") {
		now = now.Add(time.Second)
		switch op := rapid.IntRange(0, 9).Draw(t, "op"); op {
		case 0, 1:
			b, err := f.Begin(rapid.StringN(0, 20, -1).Draw(t, "hint"), "")
			fail(err)
			nonce = b.Nonce
			look(true)
		case 2, 3, 4:
			var es []Entry
			for range rapid.IntRange(1, 8).Draw(t, "n") {
				e := Entry{UID: uids.Draw(t, "uid"), Copy: rapid.IntRange(1, 4).Draw(t, "copy"), Time: now,
					Status: rapid.SampledFrom([]Status{Delivered, Seen, Deleted, Failed}).Draw(t, "status"),
					Size:   rapid.Int64Range(0, 1<<40).Draw(t, "size"), Reason: rapid.StringN(0, 300, -1).Draw(t, "reason"),
					Head: rapid.SampledFrom([]string{"", "00ff", "0123456789abcdef"}).Draw(t, "head")}
				es = append(es, e)
			}
			fail(f.Record("hint", "next", es...))
			for _, e := range es {
				model[key{e.UID, e.Copy}] = e
			}
			look(true)
		case 5:
			fail(f.End())
			nonce = ""
			look(false)
		case 6:
			some := rapid.SliceOfN(uids, 1, 3).Draw(t, "uids")
			n, err := f.Forget(some...)
			fail(err)
			known := len(model)
			maps.DeleteFunc(model, func(k key, _ Entry) bool { return slices.Contains(some, k.uid) })
			if n != known-len(model) {
				t.Fatalf("%d forgotten of %d, and %d are left", n, known, len(model))
			}
			look(true)
		case 7:
			fail(f.SetNote("caps", rapid.StringN(0, 50, -1).Draw(t, "note"), now))
			look(false)
		case 8:
			list := rapid.SliceOfDistinct(uids, func(s string) string { return s }).Draw(t, "listed")
			now = now.Add(20 * 24 * time.Hour)
			_, err := f.Listed(called(f, list...), now)
			fail(err)
			model = modelOf(f) // what Listed has to do is another test
			look(false)
		case 9:
			fail(f.Close())
			if !reflect.DeepEqual(modelOf(f), model) {
				t.Fatalf("%v in the table, not %v", modelOf(f), model)
			}
			f, err = Open(path, alice)
			fail(err)
			if len(f.Damage()) > 0 || !reflect.DeepEqual(modelOf(f), model) {
				t.Fatalf("%v in the file, not %v; damage %q", modelOf(f), model, f.Damage())
			}
			look(false)
		}
	}
	fail(f.Close())
	return history
}

// tear returns what a crash may leave of the write that turned before into after.
func tear(t *rapid.T, before, after moment) []byte {
	if before.content == nil || !os.SameFile(before.inode, after.inode) {
		if rapid.Bool().Draw(t, "renamed") {
			return after.content
		}
		return before.content // nil: no file yet
	}
	b, a := before.content, after.content
	tail := 0
	for tail < len(b) && tail < len(a) && a[tail] == b[tail] {
		tail++
	}
	out := bytes.Clone(b)
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0: // a prefix of the write
		n := rapid.IntRange(tail, len(a)).Draw(t, "octets")
		out = append(bytes.Clone(a[:n]), b[min(n, len(b)):]...)
	case 1: // any of its sectors, zeros where nothing was ever written
		const sector = 64 // small, so that even short writes are torn in many ways
		out = append(out, make([]byte, max(0, len(a)-len(b)))...)
		for at := tail / sector * sector; at < len(a); at += sector {
			if end := min(at+sector, len(a)); rapid.Bool().Draw(t, "sector") {
				copy(out[at:end], a[at:end])
			}
		}
	case 2: // whole
		out = a
	}
	return out
}
