package deliver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMoveNew(t *testing.T) {
	// The other ways are taken where moveNew would come to them.
	for name, move := range map[string]func(from, to string) error{
		"rename": moveNew, "no flag": moveByLink, "no link": moveUnlessThere} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		write(t, from, "text")
		write(t, to, "somebody's")
		if err := move(from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		if text, _ := os.ReadFile(to); string(text) != "somebody's" {
			t.Errorf("%s: replaced by %q", name, text)
		}
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
		if err := move(from, to); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(to); err != nil || string(text) != "text" {
			t.Errorf("%s: moved %q, %v", name, text, err)
		}
		if _, err := os.Lstat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: still there: %v", name, err)
		}
		if err := move(from, to+"2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: of nothing: %v", name, err)
		}
	}
}

func TestMayLackLinks(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{syscall.EPERM: true, syscall.EACCES: true, syscall.ENOSYS: true, syscall.ENOTSUP: true,
		syscall.EMLINK: true, syscall.EEXIST: false, syscall.ENOENT: false, syscall.ENOSPC: false, syscall.EIO: false, syscall.EDQUOT: false} {
		if got := mayLackLinks(&os.LinkError{Op: "link", Err: errno}); got != want {
			t.Errorf("%v: %v", errno, got)
		}
	}
}
