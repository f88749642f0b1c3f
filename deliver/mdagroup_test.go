package deliver

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// family is a script whose processes all hold the FIFO "alive" open, and have each said so in it,
// when they begin to do nothing: its reader comes to an end only when they all have.
const family = `
exec 9>alive
for i in 1 2; do
	sh -c '$TERM_TRAP; echo child >&9; while :; do read x <never; done' <&- &
done
$TERM_TRAP; echo parent >&9
while :; do read x <never; done`

// newFamily returns a command that never ends, with trap as its attitude to SIGTERM, and the
// reader of its FIFO.
func newFamily(t *testing.T, trap string) (c *Command, alive *os.File) {
	t.Helper()
	c, dir := newMDA(t, strings.ReplaceAll(family, "$TERM_TRAP", trap))
	c.grace = 50 * time.Millisecond // nobody looks at what it prints
	for _, name := range []string{"alive", "never"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Without waiting for a writer: there is none yet.
	alive, err := os.OpenFile(filepath.Join(dir, "alive"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { alive.Close() })
	return c, alive
}

// wantDead waits until no process of the family lives, and checks that all did.
func wantDead(t *testing.T, alive io.Reader, said string) {
	t.Helper()
	rest, err := io.ReadAll(alive)
	said += string(rest)
	if err != nil || strings.Count(said, "child\n") != 2 || strings.Count(said, "parent\n") != 1 {
		t.Errorf("they said %q, %v", said, err)
	}
}

var traps = map[string]string{"dies of SIGTERM": ":", "ignores SIGTERM": `trap "" TERM`, "says yes at SIGTERM": `trap "exit 0" TERM`}

func TestCommandHangs(t *testing.T) {
	t.Parallel()
	for name, trap := range traps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, alive := newFamily(t, trap)
			c.o.Timeout = 5 * time.Second // by then all of them have begun
			stageMDA(t, c, "1", "2")
			// It may be the message: the next run had better begin with another.
			if e, ok := errors.AsType[*Error](failed(t, t.Context(), c, false, true, "ended after its time-out of 5s")); !ok || !e.Broke {
				t.Errorf("%#v", e)
			}
			wantDead(t, alive, "")
			if got, err := c.Commit(t.Context()); got != nil || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestCommandCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("stopped by the user")
	for name, trap := range traps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, alive := newFamily(t, trap)
			stageMDA(t, c, "1", "2")
			ctx, cancel := context.WithCancelCause(t.Context())
			said := make(chan string, 1)
			// Beside Commit: it stops the command when all of the family are at it.
			go func() {
				var text strings.Builder
				buf := make([]byte, 100)
				for strings.Count(text.String(), "\n") < 3 && t.Context().Err() == nil {
					n, _ := alive.Read(buf) // 0, io.EOF before the first has opened it
					text.Write(buf[:n])
				}
				cancel(why)
				said <- text.String()
			}()
			if err := failed(t, ctx, c, false, true, why.Error()); !errors.Is(err, why) {
				t.Error(err)
			}
			wantDead(t, alive, <-said)
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		t.Parallel()
		c, dir := newMDA(t, "echo >ran")
		stageMDA(t, c, "1", "2")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := failed(t, ctx, c, false, true, ""); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
			t.Error("it ran")
		}
	})
}

// TestCommandLeavesProcess: what a command leaves behind in the background, with its output open,
// neither holds up its yes nor is ended.
func TestCommandLeavesProcess(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"0", "75"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			c, dir := newMDA(t, "(read x <wait; echo \"$x\" >said) &\necho taken; exit "+status)
			wait := filepath.Join(dir, "wait")
			if err := syscall.Mkfifo(wait, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(dir, "said"), 0o600); err != nil {
				t.Fatal(err)
			}
			stageMDA(t, c, "1", "2")
			if status == "0" {
				got, err := c.Commit(t.Context())
				if err != nil || len(got) != 1 || got[0].Where != `command sh: "taken"` {
					t.Errorf("%+v, %v", got, err)
				}
			} else {
				failed(t, t.Context(), c, true, true, `exit status 75 (temporary failure): "taken"`)
			}
			// Opening it waits for its reader, which is there only if it lives.
			if err := os.WriteFile(wait, []byte("on\n"), 0); err != nil {
				t.Fatal(err)
			}
			wantFile(t, filepath.Join(dir, "said"), "on\n")
		})
	}
}
