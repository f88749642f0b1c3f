package deliver

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const mboxFullEnv = "MAILHAUL_TEST_FULL"

// TestMboxFull has the system refuse to let the mbox grow, in another process because the limit is
// the whole process's.
func TestMboxFull(t *testing.T) {
	path := os.Getenv(mboxFullEnv)
	if path == "" {
		path = filepath.Join(t.TempDir(), "mbox")
		child := exec.Command(os.Args[0], "-test.run=^TestMboxFull$", "-test.v")
		child.Env = append(os.Environ(), mboxFullEnv+"="+path)
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "the mbox was full") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	// Each message fits in the spool and all of them do; behind what is there they do not.
	before := foreignEntry + strings.Repeat("a", 600_000)
	write(t, path, before)
	m := newMboxTest(t, path, MboxOptions{})
	stage := func() {
		t.Helper()
		for i := range 3 {
			stageMbox(t, m, i, "A: b\r\n\r\n"+strings.Repeat("From x\r\n", 30_000))
		}
	}
	stage()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = 1_000_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip(err)
	}
	// There is room for one of the three: it is progress.
	got, err := m.Commit(context.Background())
	if len(got) != 1 || err != nil {
		t.Fatalf("got %v, %v; want one message", got, err)
	}
	before = readFileTest(t, path)
	hint, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	got, err = m.Commit(context.Background())
	var e *Error
	if got != nil || !errors.Is(err, syscall.EFBIG) || !errors.As(err, &e) || e.Message || e.Target != "mbox "+path {
		t.Fatalf("got %v, %v", got, err)
	}
	if text := readFileTest(t, path); text != before {
		t.Fatalf("the mbox has %d octets; want the %d of before", len(text), len(before))
	}
	leftovers(t, filepath.Dir(path), "mbox")
	if now, err := m.Hint(); now != hint || err != nil {
		t.Errorf("hint %q, %v; want %q", now, err, hint)
	}
	if more, err := m.Commit(context.Background()); more != nil || err != nil {
		t.Errorf("something is staged still: %v, %v", more, err)
	}
	// A message that is too large by itself is no trouble of the others.
	err = m.Deliver(context.Background(), &Message{ID: mboxID(4), Trace: mboxTrace(4), Body: strings.NewReader(strings.Repeat("a", 2_000_000))})
	if !errors.As(err, &e) || !e.Message {
		t.Errorf("Deliver of one too large: %v", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	stage()
	if got := commitMbox(t, m); len(got) != 3 {
		t.Errorf("receipts %v", got)
	}
	t.Log("the mbox was full")
}
