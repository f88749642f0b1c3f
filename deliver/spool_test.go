package deliver

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"
	"testing/iotest"
)

func spoolMessage(uid, wire string) *Message {
	return &Message{Account: "a", UID: uid, ID: "id-" + uid, Body: strings.NewReader(wire)}
}

// spoolHolds checks that the messages staged in s are those named, in order and whole.
func spoolHolds(t *testing.T, s *spool, uids ...string) {
	t.Helper()
	if len(s.staged) != len(uids) {
		t.Fatalf("%d messages are staged, not %q", len(s.staged), uids)
	}
	for i, sp := range s.staged {
		got, err := io.ReadAll(s.reader(sp))
		if want := "Subject: " + uids[i] + "\n\ntext\n"; string(got) != want || err != nil || sp.UID != uids[i] {
			t.Errorf("message %d is %q, %v, not %q", i, got, err, want)
		}
		if sp.Size != int64(len(got)) {
			t.Errorf("size %d of %d octets", sp.Size, len(got))
		}
	}
}

func spoolAdd(t *testing.T, s *spool, uids ...string) {
	t.Helper()
	for _, uid := range uids {
		if _, err := s.add(spoolMessage(uid, "Subject: "+uid+"\r\n\r\ntext")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(dir)
	spoolHolds(t, s)
	spoolAdd(t, s, "1", "22", "333", "4444")
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("the spool has a name: %v", names)
	}
	spoolHolds(t, s, "1", "22", "333", "4444")

	s.drop(0)
	s.drop(2)
	spoolHolds(t, s, "1", "22")
	if fi, err := s.f.Stat(); err != nil || fi.Size() != s.staged[0].Size+s.staged[1].Size {
		t.Errorf("%d octets are in the file, %v", fi.Size(), err)
	}
	spoolAdd(t, s, "5")
	spoolHolds(t, s, "1", "22", "5")

	want := errors.New("connection lost")
	_, err := s.add(&Message{Body: io.MultiReader(strings.NewReader(strings.Repeat("x", 200<<10)), iotest.ErrReader(want))})
	var re *readError
	if !errors.As(err, &re) || re.err != want {
		t.Errorf("error of the text: %v", err)
	}
	if fi, err := s.f.Stat(); err != nil || fi.Size() != s.end {
		t.Errorf("%d octets are in the file, %v; %d are of messages", fi.Size(), err, s.end)
	}
	spoolHolds(t, s, "1", "22", "5")

	s.shift(1)
	spoolHolds(t, s, "22", "5")
	s.shift(2)
	spoolHolds(t, s)
	if fi, _ := s.f.Stat(); fi.Size() != 0 || s.end != 0 {
		t.Errorf("%d octets are left in an empty spool, the next goes to %d", fi.Size(), s.end)
	}
	spoolAdd(t, s, "6", "7")
	spoolHolds(t, s, "6", "7")
	s.drop(9)
	spoolHolds(t, s)
	spoolAdd(t, s, "8")
	s.reset()
	spoolHolds(t, s)
	spoolAdd(t, s, "9")
	if err := s.close(); err != nil {
		t.Error(err)
	}
	spoolAdd(t, s, "10") // makes a new file
	spoolHolds(t, s, "10")
	s.close()
}

func TestSpoolCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]error{filepath.Join(dir, "missing"): fs.ErrNotExist, file: syscall.ENOTDIR} {
		if _, err := newSpool(dir).add(spoolMessage("1", "x")); !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
}

// TestSpoolNamed: where a file cannot be made without a name it has none a moment later.
func TestSpoolNamed(t *testing.T) {
	dir := t.TempDir()
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		t.Fatal(err)
	}
	f, err = unlinked(f)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
}

// TestSpoolFull runs itself under a limit, behind which writing fails as on a full disk.
func TestSpoolFull(t *testing.T) {
	if flag.Arg(0) == "full" {
		underLimit(t, flag.Arg(1))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(self, "-test.run=^TestSpoolFull$", "full", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func underLimit(t *testing.T, dir string) {
	const limit = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	// The command's own copy is cat's: it answers with the size.
	c, err := NewCommand([]string{"/bin/sh", "-c", "wc -c"}, CommandOptions{SpoolDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := strings.Repeat("0123456789abcde\n", 300<<10/16)
	for i := range 3 {
		if err := c.Deliver(t.Context(), &Message{ID: fmt.Sprint(i), Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	err = c.Deliver(t.Context(), &Message{ID: "3", Body: strings.NewReader(text)})
	var e *Error
	if !errors.As(err, &e) || !e.Message || !e.Temporary || errors.Is(err, ErrCreate) || !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("full: %#v", err)
	}
	if err := c.Deliver(t.Context(), &Message{ID: "4", Body: strings.NewReader("small\n")}); err != nil {
		t.Fatalf("after truncation there was no room for a small one: %v", err)
	}
	for i, want := range []string{"307200", "307200", "307200", "6"} {
		got, err := c.Commit(t.Context())
		if err != nil || len(got) != 1 || got[0].Where != fmt.Sprintf("command sh: %q", want) {
			t.Errorf("message %d: %+v, %v", i, got, err)
		}
	}
	m := &SMTP{name: "smtp x", spool: newSpool(dir), c: new(smtp.Client)}
	defer m.spool.close()
	if err := m.Deliver(t.Context(), &Message{ID: "6", Body: strings.NewReader(strings.Repeat(text, 4))}); !errors.As(err, &e) || !e.Message || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("too large for the spool: %#v", err)
	}
	for i, alone := range []bool{true, true, true, false} { // what stands before has filled it
		if err := m.Deliver(t.Context(), &Message{ID: fmt.Sprint(i), Body: strings.NewReader(text)}); (err == nil) != alone || err != nil && (!errors.As(err, &e) || !e.Message || !e.Temporary) {
			t.Errorf("message %d: %#v", i, err)
		}
	}
	// A message that fits the spool alone, and with its trace field is too large a copy.
	large := strings.Repeat("x", limit-2)
	if err := c.Deliver(t.Context(), &Message{ID: "5", Trace: "Received: by here\n", Body: strings.NewReader(large)}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Commit(t.Context()); len(got) != 0 || !errors.As(err, &e) || !e.Message || e.Temporary || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("no room for the copy: %+v, %v", got, err)
	}
	if got, err := c.Commit(t.Context()); got != nil || err != nil {
		t.Errorf("it is staged still: %+v, %v", got, err)
	}
	err = c.Deliver(t.Context(), &Message{ID: "6", Body: strings.NewReader(strings.Repeat("x", limit+1))})
	if !errors.As(err, &e) || !e.Message || e.Temporary {
		t.Errorf("too large alone: %#v", err)
	}
}

// BenchmarkSpool stages messages and reads them back, in batches.
func BenchmarkSpool(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			header := "Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\nSubject: x\r\n\r\n"
			line := strings.Repeat("x", 74) + "\r\n"
			wire := header + strings.Repeat(line, size/len(line))
			s := newSpool(b.TempDir())
			defer s.close()
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				sp, err := s.add(spoolMessage("1", wire))
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, s.reader(sp)); n != sp.Size || err != nil {
					b.Fatal(n, err)
				}
				if len(s.staged) == 100 || s.end > 64<<20 {
					s.reset()
				}
			}
		})
	}
}
