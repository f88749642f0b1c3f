package deliver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		{"a dead process, told to Dovecot", strings.Replace(with(func(o *owner) { o.pid = dead }), " ", "\x00 ", 1), false, true},
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
			l, err := newDotLock(path, thisProcess().String(), staleDotLock)
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
	l, err := newDotLock(path, thisProcess().String(), staleDotLock)
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
	if l, err = newDotLock(path, thisProcess().String(), staleDotLock); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	if err := l.unlock(); err != nil {
		t.Errorf("of one that is gone: %v", err)
	}
}

// A lock that was given back holds its inode number no more: another program's may have it then.
func TestDotLockTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox.lock")
	l, err := newDotLock(path, thisProcess().String(), staleDotLock)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, path+".kept"); err != nil {
		t.Fatal(err)
	}
	if err := l.unlock(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".kept", path); err != nil {
		t.Fatal(err)
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
	leftovers(t, filepath.Dir(path), "mbox.lock")
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

// While one removes a dead lock, another that found it dead as well must leave it.
func TestDotLockBeingRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox.lock")
	o := thisProcess()
	o.pid = deadProcess(t)
	write(t, path, o.String())
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := newDotLock(path, thisProcess().String(), staleDotLock); !errors.Is(err, errLocked) {
		t.Errorf("got %v; want errLocked", err)
	}
	if text := readFileTest(t, path); text != o.String() {
		t.Errorf("lock file has %q", text)
	}
	f.Close()
	if _, err := newDotLock(path, thisProcess().String(), staleDotLock); err != nil {
		t.Error(err)
	}
}

// One that found a dead lock must not remove the live one that stands there by now.
func TestDotLockRemovedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox.lock")
	o := thisProcess()
	o.pid = deadProcess(t)
	write(t, path, o.String())
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := newDotLock(path, thisProcess().String(), staleDotLock); err != nil {
		t.Fatal(err)
	}
	if err := removeOpened(f, path, staleDotLock); err != nil {
		t.Error(err)
	}
	if text := readFileTest(t, path); text != thisProcess().String() {
		t.Errorf("lock file has %q", text)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := removeOpened(f, path, staleDotLock); err != nil {
		t.Errorf("of one that is gone: %v", err)
	}
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
				if _, err := newDotLock(path, thisProcess().String(), staleDotLock); err != nil {
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
