package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadProcess returns the number of a process that is gone.
func deadProcess(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestDotLockOwners(t *testing.T) {
	here := thisProcess()
	with := func(change func(*owner)) string {
		o := here
		change(&o)
		return o.String()
	}
	dead := deadProcess(t)
	knowsStart := here.start != ""
	for _, tt := range []struct {
		name string
		text string
		old  bool // unchanged for more than five minutes
		take bool
	}{
		{"a dead process", with(func(o *owner) { o.pid = dead }), false, true},
		{"a number used again", with(func(o *owner) { o.start += "1" }), false, knowsStart},
		{"another boot", with(func(o *owner) { o.boot += "x" }), false, here.boot != ""},
		{"this process", here.String(), false, false},
		{"this process, for long", here.String(), true, !knowsStart},
		{"another host, same number", with(func(o *owner) { o.host += "x"; o.pid = dead }), false, false},
		{"another host, other boot", with(func(o *owner) { o.host += "x"; o.boot += "x" }), false, false},
		{"another host, for long", with(func(o *owner) { o.host += "x" }), true, true},
		{"another container", with(func(o *owner) { o.space += "x"; o.pid = dead }), false, false},
		{"another container, for long", with(func(o *owner) { o.space += "x"; o.pid = dead }), true, true},
		{"any localhost", with(func(o *owner) { o.host = "localhost"; o.boot += "x" }), false, false},
		{"procmail", "0", false, false},
		{"procmail, for long", "0", true, true},
		{"dovecot", fmt.Sprintf("%d:%s", dead, here.host), false, false},
		{"nothing", "", false, false},
		{"nothing, for long", "", true, true},
		{"a whole group", strings.Replace(here.String(), fmt.Sprint(here.pid), "-1", 1), false, false},
		{"all of the group", strings.Replace(here.String(), fmt.Sprint(here.pid), "0", 1), false, false},
		{"rubbish", strings.Repeat("1:", 1000), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mbox.lock")
			write(t, path, tt.text)
			if tt.old {
				at := time.Now().Add(-staleDotLock - time.Minute)
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
			l, err := newDotLock(path)
			if !tt.take {
				if !errors.Is(err, errLocked) {
					t.Errorf("got %v; want errLocked", err)
				}
				if text := readFileTest(t, path); text != tt.text {
					t.Errorf("the lock file has become %q", text)
				}
				leftovers(t, dir, "mbox.lock")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := readFileTest(t, path); text != here.String() {
				t.Errorf("lock file has %q; want %q", text, here)
			}
			leftovers(t, dir, "mbox.lock")
			if err := l.unlock(); err != nil {
				t.Error(err)
			}
			leftovers(t, dir)
		})
	}
}

func TestDotLockLine(t *testing.T) {
	o := owner{pid: 12, host: "h", boot: "b", start: "s", space: ""}
	if got, ok := parseOwner(strings.TrimSuffix(o.String(), "\n")); !ok || got != o {
		t.Errorf("%q reads as %+v, %v", o, got, ok)
	}
	for _, line := range []string{"", "1:h", "x:h boot= start= space=", "1:h boot= start=", "1:h start= boot= space=", "1 boot= start= space=",
		"99999999999:h boot= start= space=", "1:h boot= start= space= more"} {
		if got, ok := parseOwner(line); ok {
			t.Errorf("%q reads as %+v", line, got)
		}
	}
}

// A lock that somebody took over, right or wrong, is not ours to remove.
func TestDotLockTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox.lock")
	l, err := newDotLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// Made before the other is closed could be the same inode again; then it is not told apart.
	write(t, path+".new", "other")
	write(t, path, "other")
	if info, _ := os.Lstat(path); os.SameFile(info, l.info) {
		t.Skip("the inode was used again")
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
	if text := readFileTest(t, path); text != "other" {
		t.Errorf("lock file has %q", text)
	}
	os.Remove(path)
	if err := l.unlock(); err != nil {
		t.Errorf("of one that is gone: %v", err)
	}
}

// Without files that have no name, as on NFS.
func TestDotLockNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mbox.lock")
	l, err := linkNamed(path, "text")
	if err != nil {
		t.Fatal(err)
	}
	leftovers(t, dir, "mbox.lock")
	if _, err := linkNamed(path, "other"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second: %v", err)
	}
	leftovers(t, dir, "mbox.lock")
	if text := readFileTest(t, path); text != "text" {
		t.Errorf("lock file has %q", text)
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
	leftovers(t, dir)
}

// Many that find a dead lock must not have it at once.
func TestDotLockRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox.lock")
	o := thisProcess()
	o.pid = deadProcess(t)
	var wg sync.WaitGroup
	var holders, most, taken int
	var mu sync.Mutex
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := newDotLock(path); err != nil {
					if !errors.Is(err, errLocked) {
						t.Error(err)
					}
					continue
				}
				mu.Lock()
				holders++
				taken++
				most = max(most, holders)
				mu.Unlock()
				mu.Lock()
				holders--
				mu.Unlock()
				// As if this one died: what stands there is of a dead process.
				if err := os.WriteFile(path, []byte(o.String()), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most != 1 || taken < 2 {
		t.Errorf("%d held the lock at once, %d in all", most, taken)
	}
}

func TestMboxLocked(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold []string
		want []string
		free bool
	}{
		{"both, by default", nil, nil, false},
		{"fcntl alone", []string{"fcntl"}, nil, false},
		{"dot lock alone", []string{"dotlock"}, nil, false},
		{"dot lock, asked for fcntl", []string{"dotlock"}, []string{"fcntl"}, true},
		{"fcntl, asked for dot lock", []string{"fcntl"}, []string{"dotlock"}, true},
		{"dot lock, asked for both", []string{"dotlock"}, []string{"fcntl", "dotlock"}, false},
		{"fcntl, asked for both", []string{"fcntl"}, []string{"dotlock", "fcntl"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mbox")
			write(t, path, "")
			holder := newMboxTest(t, path, MboxOptions{Lock: tt.hold})
			l, err := holder.open(context.Background(), false)
			if err != nil {
				t.Fatal(err)
			}
			m := newMboxTest(t, path, MboxOptions{Lock: tt.want, Timeout: 30 * time.Millisecond})
			stageMbox(t, m, 1, "A: b\r\n")
			got, err := m.Commit(context.Background())
			if tt.free {
				defer l.close()
				if err != nil || len(got) != 1 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			var e *Error
			if got != nil || !errors.As(err, &e) || !e.Temporary || e.Message || errors.Is(err, ErrCreate) || !errors.Is(err, errLocked) {
				t.Errorf("got %v, %v", got, err)
			}
			if more, err := m.Commit(context.Background()); more != nil || err != nil {
				t.Errorf("something is staged still: %v, %v", more, err)
			}
			if text := readFileTest(t, path); text != "" {
				t.Errorf("the mbox has %q", text)
			}
			if _, err := m.Find(Begin{Nonce: mboxNonce}); !errors.As(err, &e) || !e.Temporary {
				t.Errorf("Find: %v", err)
			}
			// The one lock it could get must be free again.
			if err := l.close(); err != nil {
				t.Error(err)
			}
			stageMbox(t, m, 2, "A: b\r\n")
			commitMbox(t, m)
			leftovers(t, filepath.Dir(path), "mbox")
		})
	}
}

// A run that is stopped delivers what it has, but does not wait.
func TestMboxStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true, Timeout: time.Hour})
	ctx, stop := context.WithCancel(context.Background())
	stop()
	stageMbox(t, m, 1, "A: b\r\n")
	if got, err := m.Commit(ctx); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	l, err := newMboxTest(t, path, MboxOptions{}).open(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	stageMbox(t, m, 2, "A: b\r\n")
	var e *Error
	if _, err := m.Commit(ctx); !errors.As(err, &e) || !e.Temporary {
		t.Errorf("got %v", err)
	}
}

// A directory that lets no dot lock be made is a hindrance only if one is demanded.
func TestMboxNoDotLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("m", 253)) // no room for .lock
	m := newMboxTest(t, path, MboxOptions{Create: true})
	stageMbox(t, m, 1, "A: b\r\n")
	commitMbox(t, m)
	m = newMboxTest(t, path, MboxOptions{Create: true, Lock: []string{"dotlock"}})
	stageMbox(t, m, 2, "A: b\r\n")
	var e *Error
	if _, err := m.Commit(context.Background()); !errors.Is(err, ErrCreate) || !errors.As(err, &e) || e.Temporary {
		t.Errorf("got %v", err)
	}
}

// A mail reader that replaces the mbox while it is waited for must not have the mail go into the
// file that is no more.
func TestMboxReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "")
	holder := newMboxTest(t, path, MboxOptions{})
	l, err := holder.open(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	m := newMboxTest(t, path, MboxOptions{})
	stageMbox(t, m, 1, "A: b\r\n")
	done := make(chan error)
	go func() { // waits for the lock while the test replaces the file
		_, err := m.Commit(context.Background())
		done <- err
	}()
	write(t, path+".new", "From x\n\nnew\n\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if text := readFileTest(t, path); !strings.HasPrefix(text, "From x\n\nnew\n\nFrom ") {
		t.Errorf("got %q", text)
	}
}

const mboxChildEnv = "MAILHAUL_TEST_MBOX"

// TestMboxChild is the other process of TestMboxWriters.
func TestMboxChild(t *testing.T) {
	path := os.Getenv(mboxChildEnv)
	if path == "" {
		t.Skip("started by another test")
	}
	manyCommits(t, path, os.Getenv("MAILHAUL_TEST_LOCK"), 100)
}

// manyCommits appends messages first to first+29, two at a time.
func manyCommits(t testingT, path, lock string, first int) {
	o := MboxOptions{Create: true}
	if lock != "" {
		o.Lock = []string{lock}
	}
	m, err := NewMbox(path, o)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer m.Close()
	for n := first; n < first+30; n += 2 {
		for k := n; k < n+2; k++ {
			body := fmt.Sprintf("A: %d\r\n\r\n%s", k, strings.Repeat("From x\r\n", 1000))
			if err := m.Deliver(context.Background(), &Message{ID: mboxID(k), Trace: mboxTrace(k), Body: strings.NewReader(body)}); err != nil {
				t.Errorf("%v", err)
				return
			}
		}
		if got, err := m.Commit(context.Background()); err != nil || len(got) != 2 {
			t.Errorf("%v, %v", got, err)
			return
		}
	}
}

func TestMboxWriters(t *testing.T) {
	for _, lock := range []string{"", "fcntl", "dotlock"} {
		t.Run("lock "+lock, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mbox")
			child := exec.Command(os.Args[0], "-test.run=^TestMboxChild$", "-test.v")
			child.Env = append(os.Environ(), mboxChildEnv+"="+path, "MAILHAUL_TEST_LOCK="+lock)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			bufio.NewReader(out).ReadString('\n') // it runs
			var wg sync.WaitGroup
			for first := range 2 {
				wg.Go(func() { manyCommits(t, path, lock, 30*first) })
			}
			wg.Wait()
			for s := bufio.NewScanner(out); s.Scan(); {
				if text := s.Text(); strings.HasPrefix(strings.TrimSpace(text), "lock_test") {
					t.Error(text)
				}
			}
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
			_, texts := decodeMbox(t, readFileTest(t, path))
			found, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: mboxNonce})
			if len(texts) != 90 || len(found) != 90 || err != nil {
				t.Errorf("%d entries, %d found, %v", len(texts), len(found), err)
			}
			leftovers(t, dir, "mbox")
		})
	}
}
