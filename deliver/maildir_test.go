package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	testNonce = "0123456789ab"
	testTrace = "Received: from pop.example.com by here.example with POP3 id %s\n\tfor <alice>; Mon, 2 Jan 2006 15:04:05 -0700\n"
)

func testID(n int) string { return fmt.Sprintf("%s%016x", testNonce, n) }

// testMessage is the nth message, and what is stored of it behind the trace field.
func testMessage(n int) (m *Message, stored string) {
	stored = fmt.Sprintf("Subject: %d\n\n.text\x00\r of %d\n", n, n)
	id := testID(n)
	return &Message{Account: "work", UID: fmt.Sprint("uid", n), ID: id, Trace: fmt.Sprintf(testTrace, id),
		Body: strings.NewReader(strings.ReplaceAll(stored, "\n", "\r\n"))}, stored
}

func newTestMaildir(t *testing.T, dir string, create bool) *Maildir {
	t.Helper()
	d, err := NewMaildir(dir, MaildirOptions{Create: create})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func deliverTest(t *testing.T, d *Maildir, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		m, _ := testMessage(n)
		if err := d.Deliver(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func commitTest(t *testing.T, d *Maildir) []Receipt {
	t.Helper()
	got, err := d.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func names(t *testing.T, dir ...string) []string {
	t.Helper()
	got, err := readNames(filepath.Join(dir...))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

// checkReceipts checks that got tells of messages from..to in order, and that they are where it says.
func checkReceipts(t *testing.T, got []Receipt, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("%d receipts, want %d", len(got), to-from)
	}
	for i, r := range got {
		m, stored := testMessage(from + i)
		head, _, _ := strings.Cut(stored, "\n\n")
		want := Receipt{ID: m.ID, Where: r.Where, Size: int64(len(stored)), Head: sha256.Sum256([]byte(head + "\n")), Sum: sha256.Sum256([]byte(stored))}
		if r != want {
			t.Errorf("receipt %d is %+v, want %+v", i, r, want)
		}
		text, err := os.ReadFile(r.Where)
		if err != nil || string(text) != m.Trace+stored {
			t.Errorf("message %d is %q, %v", i, text, err)
		}
	}
}

func TestMaildir(t *testing.T) {
	// Few files are synced one by one, many together; and where that is not possible, in the
	// background.
	for _, n := range []int{1, syncFew, syncFew + 1, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b", "Mail")
			d := newTestMaildir(t, dir, true)
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("NewMaildir has written: %v", err)
			}
			deliverTest(t, d, 0, n)
			if got := names(t, dir, "new"); len(got) != 0 {
				t.Fatalf("in new/ before Commit: %q", got)
			}
			checkReceipts(t, commitTest(t, d), 0, n)
			if got := commitTest(t, d); got != nil {
				t.Fatalf("committed twice: %v", got)
			}
			deliverTest(t, d, n, n+2)
			checkReceipts(t, commitTest(t, d), n, n+2)
			if len(names(t, dir, "new")) != n+2 || len(names(t, dir, "tmp")) != 0 || len(names(t, dir, "cur")) != 0 {
				t.Error("files are elsewhere")
			}
			for _, name := range names(t, dir, "new") {
				st, err := os.Lstat(filepath.Join(dir, "new", name))
				if err != nil || st.Mode() != 0o600 || ownName(name) == "" {
					t.Errorf("%s: %v, %v", name, st.Mode(), err)
				}
			}
			for _, p := range []string{"", "tmp", "new", "cur", "..", "../.."} {
				if st, err := os.Stat(filepath.Join(dir, p)); err != nil || st.Mode() != fs.ModeDir|0o700 {
					t.Errorf("%s: %v, %v", p, st.Mode(), err)
				}
			}
		})
	}
}

func TestMaildirSyncEach(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	d.each = true // as where syncfs is not sure to tell of errors
	deliverTest(t, d, 0, 100)
	if d.sync.fs != nil {
		t.Error("syncfs would be used")
	}
	checkReceipts(t, commitTest(t, d), 0, 100)
}

func TestSyncerErrors(t *testing.T) {
	closed := func() *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return f
	}
	var s syncer
	s.add(closed())
	if err := s.wait(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("in the background: %v", err)
	}
	if err := s.wait(); err != nil {
		t.Errorf("the next batch has the error of the last: %v", err)
	}
	for _, n := range []int{1, syncFew + 1} {
		if err := s.begin(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		for range n {
			s.add(closed())
		}
		if err := s.wait(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("of %d: %v", n, err)
		}
	}
}

func TestMaildirDrop(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 12)
	d.Drop(3)
	if got := names(t, dir, "tmp"); len(got) != 9 {
		t.Fatalf("in tmp/: %q", got)
	}
	deliverTest(t, d, 9, 11)
	checkReceipts(t, commitTest(t, d), 0, 11)
	deliverTest(t, d, 0, 2)
	d.Drop(2)
	d.Drop(1)
	if got := commitTest(t, d); got != nil {
		t.Fatalf("committed what was dropped: %v", got)
	}
	deliverTest(t, d, 0, 2)
	d.Close()
	if got := names(t, dir, "tmp"); len(got) != 0 {
		t.Errorf("in tmp/ after Close: %q", got)
	}
	m, _ := testMessage(0)
	if err := d.Deliver(context.Background(), m); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A text that does not end leaves nothing, and its error is not the maildir's.
func TestMaildirCutText(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 1)
	m, _ := testMessage(1)
	m.Body = io.MultiReader(m.Body, iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := d.Deliver(context.Background(), m); err != io.ErrUnexpectedEOF {
		t.Errorf("%#v", err)
	}
	if got := names(t, dir, "tmp"); len(got) != 1 {
		t.Errorf("in tmp/: %q", got)
	}
	checkReceipts(t, commitTest(t, d), 0, 1)
}

func TestMaildirNoTrace(t *testing.T) {
	d := newTestMaildir(t, t.TempDir(), true)
	m, stored := testMessage(1)
	m.Trace = ""
	if err := d.Deliver(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	r := commitTest(t, d)[0]
	if text, err := os.ReadFile(r.Where); err != nil || string(text) != stored {
		t.Errorf("%q, %v", text, err)
	}
	found, err := d.Find(Begin{Nonce: testNonce})
	if err != nil || len(found) != 1 || found[0] != r {
		t.Errorf("found %v, %v; want %v", found, err, r)
	}
}

func TestMaildirBadID(t *testing.T) {
	for _, id := range []string{"", "../../../../../../etc/passwd", testID(1)[1:], testID(1) + "0", strings.ToUpper(testID(10))} {
		d := newTestMaildir(t, t.TempDir(), true)
		m, _ := testMessage(1)
		m.ID = id
		if err := d.Deliver(context.Background(), m); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
}
