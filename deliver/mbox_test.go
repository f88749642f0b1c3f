package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

const mboxNonce = "0123456789ab"

func mboxID(n int) string { return fmt.Sprintf("%s%016x", mboxNonce, n) }

func mboxTrace(n int) string {
	return "Received: from pop.example.com by host.example.com with POP3 id " + mboxID(n) +
		"\n\tfor <alice>; Tue, 14 Nov 2023 22:13:20 +0000\n"
}

// A testingT is a *testing.T or a *rapid.T.
type testingT interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func newMboxTest(t testingT, path string, o MboxOptions) *Mbox {
	t.Helper()
	if o.SpoolDir == "" {
		o.SpoolDir = filepath.Dir(path)
	}
	m, err := NewMbox(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func stageMbox(t testingT, m *Mbox, n int, wire string) {
	t.Helper()
	err := m.Deliver(context.Background(), &Message{ID: mboxID(n), Trace: mboxTrace(n), Body: strings.NewReader(wire)})
	if err != nil {
		t.Fatal(err)
	}
}

func commitMbox(t testingT, m *Mbox) []Receipt {
	t.Helper()
	got, err := m.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if more, err := m.Commit(context.Background()); more != nil || err != nil {
		t.Fatalf("nothing is staged, and Commit returns %v, %v", more, err)
	}
	return got
}

func readFileTest(t testingT, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// decodeMbox reads an mboxrd by its rules, said once more the simple way: an entry is a From_ line
// behind an empty line, then text to the empty line before the next or at the end.
func decodeMbox(t testingT, file string) (froms, texts []string) {
	t.Helper()
	if file == "" {
		return nil, nil
	}
	if !strings.HasPrefix(file, "From ") || !strings.HasSuffix(file, "\n\n") {
		t.Fatalf("not a whole mbox: %.300q", file)
	}
	file = "\n" + file[:len(file)-1]
	for i, e := range strings.Split(file, "\nFrom ") {
		if i == 0 {
			if e != "" {
				t.Fatalf("before the first entry: %q", e)
			}
			continue
		}
		from, text, ok := strings.Cut(e, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") || !ok {
			t.Fatalf("entry does not end in a line: %q", e)
		}
		froms = append(froms, from)
		var b strings.Builder
		for _, l := range strings.SplitAfter(text, "\n") {
			if strings.HasPrefix(strings.TrimLeft(l, ">"), "From ") {
				if l[0] != '>' {
					t.Fatalf("not quoted: %q", l)
				}
				l = l[1:]
			}
			b.WriteString(l)
		}
		// The split took the LF of the empty line before the next From_ line, so one entry's
		// text has the LF of its last line, as the last entry's has.
		texts = append(texts, b.String())
	}
	return froms, texts
}

// bodyOf takes the trace field of message n off a text, and what announces the length in it.
func bodyOf(t testingT, n int, text string) string {
	t.Helper()
	want := mboxTrace(n)
	i := strings.Index(want, "\n\t")
	first, rest, _ := strings.Cut(text, "\n")
	first, _, ok := strings.Cut(first, " (")
	rest, tail := strings.CutPrefix(rest, want[i+1:])
	if first != want[:i] || !ok || !tail {
		t.Fatalf("no trace field of message %d: %.200q", n, text)
	}
	return rest
}

func storedForm(wire string) string {
	s := strings.ReplaceAll(wire, "\r\n", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

func TestMboxEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true})
	wire := "Return-Path: <bob@example.org>\r\nSubject: a\r\n\r\nFrom me\r\n>From you\r\n.\r\n"
	stageMbox(t, m, 1, wire)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mbox is there before Commit: %v", err)
	}
	got := commitMbox(t, m)
	d := NewDigester()
	d.Write([]byte(wire))
	if want := d.Digest().receipt(mboxID(1), path); len(got) != 1 || got[0] != want {
		t.Errorf("receipts %+v; want %+v", got, want)
	}
	file := readFileTest(t, path)
	from, rest, _ := strings.Cut(file, "\n")
	date, ok := strings.CutPrefix(from, "From bob@example.org ")
	at, err := time.Parse(time.ANSIC, date)
	if age := time.Since(at); !ok || err != nil || age < -time.Minute || age > time.Hour {
		t.Errorf("separator %q: %v", from, err)
	}
	want := fmt.Sprintf("Received: from pop.example.com by host.example.com with POP3 id %s (%d octets, sha256 %x)\n"+
		"\tfor <alice>; Tue, 14 Nov 2023 22:13:20 +0000\n", mboxID(1), len(storedForm(wire))+2, got[0].Sum) +
		"Return-Path: <bob@example.org>\nSubject: a\n\n>From me\n>>From you\n.\n\n"
	if rest != want {
		t.Errorf("got  %q\nwant %q", rest, want)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	leftovers(t, filepath.Dir(path), "mbox")
}

// leftovers fails if dir has anything but what is named.
func leftovers(t testingT, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s has %q; want %q", dir, got, names)
	}
}

func TestMboxTypes(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("mbox"), "")
	write(t, at("linked"), "")
	for _, err := range []error{
		os.Mkdir(at("dir"), 0o700), os.Symlink("mbox", at("symlink")), os.Symlink("nothing", at("dangling")),
		os.Link(at("linked"), at("other")), syscall.Mkfifo(at("fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root := os.Geteuid() == 0
	for _, tt := range []struct {
		name           string
		good, goodMade bool
	}{
		{"mbox", true, true}, {"missing", false, true}, {"a/b/missing", false, true}, {"dir", false, false}, {"symlink", false, false},
		{"dangling", false, false}, {"fifo", false, false}, {"linked", !root, !root}, {"mbox/below", false, false}, {".", false, false},
	} {
		for _, create := range []bool{false, true} {
			good := tt.good
			if create {
				good = tt.goodMade
			}
			m, err := NewMbox(at(tt.name), MboxOptions{Create: create})
			if good {
				if err == nil {
					err = m.Check()
				}
				if err != nil {
					t.Errorf("%s, create %v: %v", tt.name, create, err)
				}
				continue
			}
			var e *Error
			if !errors.Is(err, ErrCreate) || !errors.As(err, &e) || e.Target != "mbox "+at(tt.name) || e.Temporary {
				t.Errorf("%s, create %v: %v", tt.name, create, err)
			}
		}
	}
	leftovers(t, dir, "dangling", "dir", "fifo", "linked", "mbox", "other", "symlink")
	if _, err := NewMbox("", MboxOptions{}); !errors.Is(err, ErrCreate) {
		t.Errorf("no path: %v", err)
	}
	if _, err := NewMbox(at("mbox"), MboxOptions{Lock: []string{"flock"}}); err == nil {
		t.Error("a lock that does not exist is accepted")
	}
}

func TestMboxGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "")
	m := newMboxTest(t, path, MboxOptions{})
	stageMbox(t, m, 1, "A: b\r\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Commit(context.Background()); got != nil || !errors.Is(err, ErrCreate) {
		t.Errorf("Commit: %v, %v", got, err)
	}
	if got, err := m.Commit(context.Background()); got != nil || err != nil {
		t.Errorf("after a failure something is staged: %v, %v", got, err)
	}
	if _, err := m.Hint(); !errors.Is(err, ErrCreate) {
		t.Errorf("Hint: %v", err)
	}
	if got, err := m.Find(Begin{Nonce: mboxNonce}); got != nil || err != nil {
		t.Errorf("Find: %v, %v", got, err)
	}
	leftovers(t, filepath.Dir(path))
}

func TestMboxParents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true, SpoolDir: dir})
	if hint, err := m.Hint(); hint != "" || err != nil {
		t.Errorf("hint of nothing: %q, %v", hint, err)
	}
	leftovers(t, dir)
	stageMbox(t, m, 1, "A: b\r\n")
	commitMbox(t, m)
	for _, p := range []string{"a", "a/b"} {
		if info, err := os.Stat(filepath.Join(dir, p)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

func TestMboxDropAndBodyError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true})
	stageMbox(t, m, 1, "A: 1\r\n\r\nFrom \r\n")
	lost := errors.New("connection lost")
	err := m.Deliver(context.Background(), &Message{ID: mboxID(2), Trace: mboxTrace(2),
		Body: io.MultiReader(strings.NewReader("A: 2\r\nFrom "), iotest.ErrReader(lost))})
	if err != lost {
		t.Errorf("got %v; want the body's error as it is", err)
	}
	stageMbox(t, m, 3, "A: 3\r\n\r\nFrom \r\n")
	stageMbox(t, m, 4, "A: 4\r\n")
	m.Drop(2)
	stageMbox(t, m, 5, "A: 5\r\n\r\nFrom \r\nFrom \r\n")
	if got := commitMbox(t, m); len(got) != 2 || got[0].ID != mboxID(1) || got[1].ID != mboxID(5) {
		t.Errorf("receipts %v", got)
	}
	if _, texts := decodeMbox(t, readFileTest(t, path)); len(texts) != 2 || bodyOf(t, 5, texts[1]) != "A: 5\n\nFrom \nFrom \n" {
		t.Errorf("got %q", texts)
	}
	m.Drop(3)
	stageMbox(t, m, 6, "A: 6\r\n")
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Deliver(context.Background(), &Message{Body: strings.NewReader("")}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Deliver after Close: %v", err)
	}
	leftovers(t, filepath.Dir(path), "mbox")
}
