package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the other process, too.
func TestMain(m *testing.M) {
	path := os.Getenv("STATE_TEST_PATH")
	switch os.Getenv("STATE_TEST_ROLE") {
	case "":
		os.Exit(m.Run())
	case "hold":
		f, err := Open(path, alice)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if _, err := f.Begin("", ""); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("holding")
		io.Copy(io.Discard, os.Stdin)
	case "full":
		if err := fill(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ok")
	}
}

func child(t *testing.T, role, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STATE_TEST_ROLE="+role, "STATE_TEST_PATH="+path)
	return cmd
}

func TestLock(t *testing.T) {
	path := tempPath(t)
	cmd := child(t, "hold", path)
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "holding\n" {
		t.Fatal(line, err)
	}
	for range 2 { // being refused must not cost the knowledge of the holder
		_, err = Open(path, alice)
		var locked *LockedError
		if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) {
			t.Fatalf("a second process got %v", err)
		}
		if locked.Pid != cmd.Process.Pid {
			t.Errorf("held by %d, not by %d", locked.Pid, cmd.Process.Pid)
		}
		if age := time.Since(locked.Since); age < -2*time.Second || age > time.Minute {
			t.Errorf("since %v", locked.Since)
		}
		if want := fmt.Sprintf("process %d, started ", cmd.Process.Pid); !strings.Contains(err.Error(), want) {
			t.Errorf("%v: without %q", err, want)
		}
	}
	r, err := Read(path) // needs no lock
	check(t, err)
	if _, open := r.Interrupted(); !open {
		t.Error("the other's Begin is not seen")
	}
	check(t, cmd.Process.Kill())
	cmd.Wait()
	in.Close()

	if m := peekMemo(lockPath(path)); !m.ok || m.id != alice || m.seq == 0 {
		t.Errorf("the lock file remembers %+v of a file that was killed at birth", m)
	}
	f := mustOpen(t, path)
	if b, open := f.Interrupted(); !open || len(b.Nonce) != 12 || len(f.Damage()) > 0 {
		t.Errorf("after kill: %v, %v, damage %q", b, open, f.Damage())
	}
	if _, err := f.Begin("", ""); err != nil {
		t.Error(err)
	}
	if b, open := f.Interrupted(); open {
		t.Errorf("still interrupted after Begin: %+v", b)
	}
	if _, err := Open(path, alice); !errors.Is(err, ErrLocked) {
		t.Errorf("this process twice: %v", err)
	}
	check(t, f.Close())
	check(t, mustOpen(t, path).Close())
	if info, err := os.Stat(lockPath(path)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("lock file: %v, %v", info, err)
	}
}

// fill runs in a process of its own, whose files may have 8 KiB and no more: a disk that is full.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 8 << 10, Max: 8 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	f, err := Open(path, alice)
	if err != nil {
		return err
	}
	if _, err := f.Begin("", ""); err != nil {
		return err
	}
	for i := 0; ; i++ {
		batch := []Entry{full(fmt.Sprint(i)), full(fmt.Sprint(i, "+"))}
		err := f.Record("", "", batch...)
		if err == nil {
			if i == 100 {
				return errors.New("the disk did not fill")
			}
			continue
		}
		if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path) {
			return fmt.Errorf("which error is this: %w", err)
		}
		if f.Lookup(batch[0].UID) != nil || len(f.Lookup("0")) != 1 || f.Len() != 2*i {
			return errors.New("the table does not hold what was recorded before, and only that")
		}
		if f.Record("", "", full("x")) == nil || f.End() == nil || f.SetNote("a", "b", start) == nil {
			return errors.New("written to after an error")
		}
		return f.Close()
	}
}

func TestFull(t *testing.T) {
	path := tempPath(t)
	out, err := child(t, "full", path).CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%s%v", out, err)
	}
	f := mustOpen(t, path)
	if _, open := f.Interrupted(); !open || len(f.Damage()) > 0 {
		t.Errorf("interrupted: %v, damage %q", open, f.Damage())
	}
	if n := f.Len(); n < 10 || n%2 != 0 {
		t.Errorf("%d entries: not what was recorded", n)
	}
}
