package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

const mdaWire = "Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n\r\ntext\x00\r\n..\r\nno end"

var mdaStored = strings.ReplaceAll(mdaWire, "\r\n", "\n") + "\n"

const mdaTrace = "Received: from a by b with POP3 id 0123;\n\tMon, 1 Jan 2024 00:00:00 +0000\n"

// newMDA returns a command that runs a shell script, which finds its own directory in $0 and args
// in $1, ...: the shell reads the script, so that no one who has it open for writing is in the way.
func newMDA(t *testing.T, script string, args ...string) (c *Command, dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte("cd '"+dir+"' || exit 99\n"+script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewCommand(append([]string{"/bin/sh", path}, args...), CommandOptions{
		Timeout: time.Minute, SpoolDir: t.TempDir(), Account: "work", User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if left, err := os.ReadDir(c.o.SpoolDir); len(left) != 0 || err != nil {
			t.Errorf("left in the spool's directory: %v, %v", left, err)
		}
	})
	return c, dir
}

func stageMDA(t *testing.T, c *Command, ids ...string) {
	t.Helper()
	for _, id := range ids {
		m := &Message{Account: "work", UID: "u" + id, ID: id, Trace: mdaTrace, Body: strings.NewReader(mdaWire)}
		if err := c.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s is %q, %v, not %q", filepath.Base(path), got, err, want)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	c, dir := newMDA(t, `cat > $MAILHAUL_ID; echo; echo "  took $MAILHAUL_ID	"; echo more`)
	stageMDA(t, c, "1", "2", "3")
	c.Drop(1)
	for _, id := range []string{"1", "2"} {
		got, err := c.Commit(t.Context())
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		head, _, _ := strings.Cut(mdaStored, "\n\n")
		want := Receipt{ID: id, Where: fmt.Sprintf("command sh: %q", "took "+id), Size: int64(len(mdaStored)),
			Head: sha256.Sum256([]byte(head + "\n")), Sum: sha256.Sum256([]byte(mdaStored))}
		if got[0] != want {
			t.Errorf("%+v\nnot %+v", got[0], want)
		}
		wantFile(t, filepath.Join(dir, id), mdaTrace+mdaStored)
	}
	if got, err := c.Commit(t.Context()); got != nil || err != nil {
		t.Errorf("nothing is staged: %+v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "3")); err == nil {
		t.Error("the command was given a dropped message")
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

// TestCommandTextCut: what is wrong with the text is no failure of the command.
func TestCommandTextCut(t *testing.T) {
	t.Parallel()
	c, dir := newMDA(t, `cat > $MAILHAUL_ID`)
	stageMDA(t, c, "1")
	body := io.MultiReader(strings.NewReader(mdaWire), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := c.Deliver(t.Context(), &Message{ID: "2", Body: body}); err != io.ErrUnexpectedEOF {
		t.Errorf("%#v", err)
	}
	if got, err := c.Commit(t.Context()); len(got) != 1 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Commit(t.Context()); got != nil || err != nil {
		t.Errorf("part of a message was staged: %+v, %v", got, err)
	}
	wantFile(t, filepath.Join(dir, "1"), mdaTrace+mdaStored)
}

// failed commits and checks the error, and what is left staged of two messages.
func failed(t *testing.T, ctx context.Context, c *Command, message, temporary bool, text string) error {
	t.Helper()
	got, err := c.Commit(ctx)
	var e *Error
	if len(got) != 0 || !errors.As(err, &e) {
		t.Fatalf("%+v, %#v", got, err)
	}
	if e.Message != message || e.Temporary != temporary || e.Target != c.name || !strings.Contains(err.Error(), text) {
		t.Errorf("%#v: %v; not %q", e, err, text)
	}
	left := 0
	if message {
		left = 1
	}
	if len(c.spool.staged) != left || left == 1 && c.spool.staged[0].ID != "2" {
		t.Errorf("%d are staged", len(c.spool.staged))
	}
	return err
}

func TestCommandStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script    string
		temporary bool
		text      string
	}{
		{"exit 1", false, "command sh: exit status 1"},
		{"cat >/dev/null; exit 255", false, "exit status 255"},
		{"exit 64", false, "exit status 64 (usage)"},
		{"exit 67", false, "exit status 67 (no user)"},
		{"exit 77", false, "exit status 77 (no permission)"},
		{"exit 78", false, "exit status 78 (configuration error)"},
		{"no-such-program-here", false, "exit status 127 (not found)"},
		{"exit 74", false, "exit status 74 ("},
		{"exit 75", true, "exit status 75 (temporary failure)"},
		{"exit 76", false, "exit status 76 ("},
		{"kill -TERM $$", true, "died of signal 15 (terminated)"},
		{"kill -KILL $$", true, "died of signal 9 (killed)"},
		{"kill -SEGV $$", true, "died of signal 11 (segmentation fault)"},
		{`echo out; printf 'no \033[2J "such" user\n' >&2; exit 67`, false, `(no user): "no \x1b[2J \"such\" user": "out"`},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			mda, _ := newMDA(t, `[ $MAILHAUL_ID = 2 ] && exit 0`+"\n"+c.script)
			stageMDA(t, mda, "1", "2")
			failed(t, t.Context(), mda, true, c.temporary, c.text)
			if got, err := mda.Commit(t.Context()); len(got) != 1 || err != nil || got[0].ID != "2" {
				t.Errorf("the message behind it: %+v, %v", got, err)
			}
		})
	}
}

// TestCommandReadsNothing: with 0 it says yes all the same, and no pipe breaks.
func TestCommandReadsNothing(t *testing.T) {
	t.Parallel()
	c, _ := newMDA(t, "exit 0")
	if err := c.Deliver(t.Context(), &Message{ID: "1", Body: strings.NewReader(strings.Repeat("x\r\n", 1<<20))}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Commit(t.Context()); len(got) != 1 || err != nil || got[0].Where != "command sh" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestCommandTalks: output without end does not fill memory, and does not make it wait.
func TestCommandTalks(t *testing.T) {
	t.Parallel()
	c, _ := newMDA(t, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 65")
	stageMDA(t, c, "1", "2")
	err := failed(t, t.Context(), c, true, false, "exit status 65 (data error)")
	if n := len(err.Error()); n < maxOutput || n > 6*maxOutput {
		t.Errorf("%d octets were reported", n)
	}
}

// TestCommandSeeks runs itself: the shell cannot seek.
func TestCommandSeeks(t *testing.T) {
	if flag.Arg(0) == "seek" {
		var all []byte
		for range 2 {
			if _, err := os.Stdin.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(os.Stdin)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		if err := os.WriteFile(flag.Arg(1), all, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	c, err := NewCommand([]string{self, "-test.run=^TestCommandSeeks$", "seek", out}, CommandOptions{SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stageMDA(t, c, "1", "2") // there is another's mail in the spool
	if got, err := c.Commit(t.Context()); len(got) != 1 || err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	wantFile(t, out, mdaTrace+mdaStored+mdaTrace+mdaStored)
}

// TestCommandMissing executes files that it wrote, and so runs beside no other test: a child that
// one starts in between would hold such a file open for writing for a moment (ETXTBSY).
func TestCommandMissing(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		filepath.Join(dir, "missing"), "no-such-program-here", dir, write("plain", "#!/bin/sh\n", 0o600),
		filepath.Join(write("file", "", 0o600), "below"),
	} {
		c, err := NewCommand([]string{path}, CommandOptions{SpoolDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		// Nothing is read for it.
		err = c.Deliver(t.Context(), &Message{ID: "1", Body: iotest.ErrReader(errors.New("read"))})
		for _, err := range []error{c.Check(), err} {
			var e *Error
			if !errors.Is(err, ErrCreate) || !errors.As(err, &e) || e.Message || e.Temporary || e.Target != c.name {
				t.Errorf("%s: %#v", path, err)
			}
		}
		c.Close()
	}
	// It goes away, or turns out to be none, when messages are staged.
	for _, change := range []func(path string) error{
		os.Remove,
		func(path string) error { return os.Chmod(path, 0o600) },
		func(path string) error { return replace(path, "no program at all\n") },
		func(path string) error { return replace(path, "#!/no/such/interpreter\n") },
	} {
		path := write("program", "#!/bin/sh\n", 0o700)
		c, err := NewCommand([]string{path}, CommandOptions{SpoolDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		stageMDA(t, c, "1", "2")
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := failed(t, t.Context(), c, false, false, ""); !errors.Is(err, ErrCreate) {
			t.Error(err)
		}
		c.Close()
		os.Remove(path)
	}
}

// replace puts a new file in the place of another.
func replace(path, text string) error {
	if err := os.WriteFile(path+"~", []byte(text), 0o700); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

func TestCommandSpoolGone(t *testing.T) {
	t.Parallel()
	c, err := NewCommand([]string{"/bin/sh"}, CommandOptions{SpoolDir: filepath.Join(t.TempDir(), "missing")})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Deliver(t.Context(), &Message{ID: "1", Body: strings.NewReader("x")})
	var e *Error
	if !errors.As(err, &e) || e.Message || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%#v", err)
	}
	// It goes away between two messages: what is staged cannot be given out.
	c, _ = newMDA(t, "exit 0")
	stageMDA(t, c, "1", "2")
	if err := os.Remove(c.o.SpoolDir); err != nil {
		t.Fatal(err)
	}
	failed(t, t.Context(), c, false, false, "spool")
	if err := os.Mkdir(c.o.SpoolDir, 0o700); err != nil {
		t.Fatal(err)
	}
}
