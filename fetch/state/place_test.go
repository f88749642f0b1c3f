//go:build unix

package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What stands in the place of a state file and is none is refused at once, in whatever way it is opened:
// it is neither waited for nor taken for a new state.
func TestNoFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"directory":       func(path string) error { return os.Mkdir(path, 0o700) },
		"named pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"device":          func(path string) error { return os.Symlink("/dev/zero", path) },
		"link to nowhere": func(path string) error { return os.Symlink(path+".not-mounted", path) },
		"link to itself":  func(path string) error { return os.Symlink(path, path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName("work"))
			check(t, make(path))
			if f, err := Open(path, alice); err == nil {
				t.Errorf("opened, new: %v", f.New())
				f.Close()
			} else if name != "link to itself" && (!errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "link") && !strings.Contains(err.Error(), "not a regular file")) {
				t.Error(err)
			}
			if _, err := Read(path); err == nil {
				t.Error("read")
			}
			if found, err := List(filepath.Dir(path)); err != nil || len(found) > 0 && found[0].Err == nil {
				t.Errorf("listed as %v, %v", found, err)
			}
			before, err := os.Lstat(path)
			check(t, err)
			if _, err := Adopt(path, path, alice); err == nil {
				t.Error("adopted")
			}
			if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() {
				t.Errorf("it is %v now", after.Mode())
			}
		})
	}
}

// The same in the place of the lock file.
func TestNoLockFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName("work"))
	check(t, syscall.Mkfifo(lockPath(path), 0o600))
	if _, err := Open(path, alice); !errors.Is(err, ErrUnreadable) {
		t.Error(err)
	}
	if err := InUse(path); !errors.Is(err, ErrUnreadable) {
		t.Error(err)
	}
	if f, err := Read(path); err != nil || !f.New() {
		t.Error(err)
	}
}
