package deliver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func findTest(t *testing.T, dir string, create bool) []Receipt {
	t.Helper()
	found, err := newTestMaildir(t, dir, create).Find(Begin{Nonce: testNonce})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// killed leaves a maildir as a run leaves it that is killed within Commit: moved messages are in
// new/, the one being moved is in both, the rest is in tmp/.
func killed(t *testing.T, dir string, n, moved int) (names []string) {
	t.Helper()
	d, err := NewMaildir(dir, MaildirOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	deliverTest(t, d, 0, n)
	for i, f := range d.staged {
		names = append(names, f.name)
		if i >= moved {
			break
		}
		if err := os.Link(d.path("tmp", f.name), d.path("new", f.name)); err != nil {
			t.Fatal(err)
		}
		if i < moved-1 {
			os.Remove(d.path("tmp", f.name))
		}
	}
	d.sync.abandon()
	return names
}

func TestMaildirFind(t *testing.T) {
	for _, tt := range []struct{ n, moved int }{{0, 0}, {1, 0}, {1, 1}, {3, 1}, {40, 25}} {
		dir := t.TempDir()
		killed(t, dir, tt.n, tt.moved)
		if tt.n == 0 {
			newTestMaildir(t, dir, true).prepare()
		}
		// What is of others stays.
		other := filepath.Join(dir, "tmp", maildirName(time.Now(), "ffffffffffff0000000000000000", "host"))
		write(t, other, "another run's")
		write(t, filepath.Join(dir, "tmp", "x"+testID(1)), "no name of ours")
		write(t, filepath.Join(dir, "new", "1.M1P1.host"), "another program's")
		write(t, filepath.Join(dir, "new", filepath.Base(other)), "another run's")

		checkReceipts(t, findTest(t, dir, false), 0, tt.moved)
		if got := names(t, dir, "tmp"); len(got) != 2 {
			t.Errorf("%+v: left in tmp/: %q", tt, got)
		}
		checkReceipts(t, findTest(t, dir, false), 0, tt.moved)
	}
}

// What bears a delivery id and is no file is not a message, and is not waited for.
func TestMaildirFindIrregular(t *testing.T) {
	dir := t.TempDir()
	killed(t, dir, 2, 0)
	elsewhere := filepath.Join(t.TempDir(), "message")
	write(t, elsewhere, "Subject: elsewhere\n\ntext\n")
	link := filepath.Join(dir, "new", maildirName(time.Now(), testID(5), "host"))
	pipe := filepath.Join(dir, "new", maildirName(time.Now(), testID(6), "host"))
	if err := errors.Join(os.Symlink(elsewhere, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := findTest(t, dir, false); len(got) != 0 {
		t.Errorf("found %+v", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Readers move messages to cur/, put flags behind the name, and some change it otherwise.
func TestMaildirFindMoved(t *testing.T) {
	dir := t.TempDir()
	got := killed(t, dir, 4, 4)
	for i, to := range []string{got[0] + ":2,S", "prefix-" + got[1] + ",S=12:2,", strings.Split(got[2], ".")[1]} {
		if err := os.Rename(filepath.Join(dir, "new", got[i]), filepath.Join(dir, "cur", to)); err != nil {
			t.Fatal(err)
		}
	}
	// One that is in both is one message.
	if err := os.Link(filepath.Join(dir, "cur", got[0]+":2,S"), filepath.Join(dir, "new", got[0])); err != nil {
		t.Fatal(err)
	}
	found := findTest(t, dir, false)
	checkReceipts(t, found, 0, 4)
	if found[1].Where != filepath.Join(dir, "cur", "prefix-"+got[1]+",S=12:2,") {
		t.Errorf("found at %s", found[1].Where)
	}
	if err := os.Remove(found[3].Where); err != nil {
		t.Fatal(err)
	}
	checkReceipts(t, findTest(t, dir, false), 0, 3)
}

// A reader moves messages to cur/ and back while they are looked for: each is found all the same.
func TestMaildirFindWhileMoving(t *testing.T) {
	dir := t.TempDir()
	const n = 60
	got := killed(t, dir, n, n)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, name := range got {
				select {
				case <-stop:
					return
				default:
				}
				os.Rename(filepath.Join(dir, "new", name), filepath.Join(dir, "cur", name+":2,S"))
			}
			for _, name := range got {
				os.Rename(filepath.Join(dir, "cur", name+":2,S"), filepath.Join(dir, "cur", name+":2,RS"))
				os.Rename(filepath.Join(dir, "cur", name+":2,RS"), filepath.Join(dir, "new", name))
			}
		}
	}()
	found, err := newTestMaildir(t, dir, false).Find(Begin{Nonce: testNonce})
	close(stop)
	<-done
	if err != nil || len(found) != n {
		t.Errorf("%d of %d found, %v", len(found), n, err)
	}
}

func TestMaildirFindNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "Mail")
	if got := findTest(t, dir, true); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find has written: %v", err)
	}
	// A maildir that is gone is not one in which nothing is: its disk may come back.
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 1)
	commitTest(t, d)
	d = newTestMaildir(t, dir, false)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Find(Begin{Nonce: testNonce}); !errors.Is(err, ErrCreate) {
		t.Errorf("found %v, %v", got, err)
	}
	for _, nonce := range []string{"", "0", "0123456789aX", testNonce + "0"} {
		if got, err := d.Find(Begin{Nonce: nonce}); err == nil {
			t.Errorf("nonce %q: found %v", nonce, got)
		}
	}
}

func TestMaildirNames(t *testing.T) {
	id := testID(1)
	name := maildirName(time.Unix(12, 0), id, maildirHost("a/b:c"))
	if !strings.HasPrefix(name, "12.M000000I"+id+"R") || !strings.HasSuffix(name, `.a\057b\072c`) || ownName(name) != id {
		t.Errorf("%q, id %q", name, ownName(name))
	}
	if other := maildirName(time.Unix(12, 0), id, maildirHost("a/b:c")); other == name {
		t.Error("the same name twice")
	}
	for host, want := range map[string]string{"": "localhost", "h\n,é": "h____", strings.Repeat("x", 999): strings.Repeat("x", maxHost)} {
		if got := maildirHost(host); got != want {
			t.Errorf("host %q is %q, want %q", host, got, want)
		}
	}
	for _, other := range []string{"", "12.M1P1.host", "12.M000000I" + id + ".host", "x.I" + id + "R0123456789abcdef.h",
		".M000000I" + id + "R0123456789abcdef.h", "12.M000000I" + id + "R0123456789abcdef.", "12.M000000I" + id[1:] + "0R0123456789abcdeg.h"} {
		if got := ownName(other); got != "" {
			t.Errorf("%q has id %q", other, got)
		}
	}
	for name, want := range map[string]string{name: id, name + ":2,S": id, "x" + testNonce + "x" + id: id, testNonce: "", "1." + id[:27] + "R": "",
		testNonce + "." + id: id, "": ""} {
		if got := nameID(name, testNonce); got != want {
			t.Errorf("%q has id %q, want %q", name, got, want)
		}
	}
}

// What a killed run has left in tmp/ is removed when it is old, and nothing else is.
func TestMaildirStale(t *testing.T) {
	dir := t.TempDir()
	if err := newTestMaildir(t, dir, true).prepare(); err != nil {
		t.Fatal(err)
	}
	old, young := time.Now().Add(-37*time.Hour), time.Now().Add(-35*time.Hour)
	own := maildirName(old, testID(100), "host")
	keep := []string{maildirName(old, testID(101), "host"), "1.M1P1.host"}
	for name, when := range map[string]time.Time{own: old, keep[0]: young, keep[1]: old} {
		path := filepath.Join(dir, "tmp", name)
		write(t, path, "x")
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	d := newTestMaildir(t, dir, false)
	if got := names(t, dir, "tmp"); len(got) != 3 {
		t.Errorf("removed before the first Deliver: %q", got)
	}
	deliverTest(t, d, 0, 1)
	commitTest(t, d)
	slices.Sort(keep)
	if got := names(t, dir, "tmp"); !slices.Equal(got, keep) {
		t.Errorf("in tmp/: %q, want %q", got, keep)
	}
}
