//go:build unix && !linux

package deliver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// lockFile takes the write lock of all of f without waiting. The lock belongs to the process and
// is lost when any open copy of the same file is closed: see enterPath.
func lockFile(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("fcntl lock: %w", err)
	}
	return nil
}

func unlockFile(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart})
}

// entered are the paths that a goroutine of this process has open or is about to. It is shared by
// all, because the system does not tell them apart: each would be given the lock of the others.
var entered sync.Map

// enterPath must be called before an mbox is opened, and leave after it is closed. It is false
// while another goroutine is in between.
func enterPath(path string) (leave func(), ok bool) {
	if _, there := entered.LoadOrStore(path, true); there {
		return nil, false
	}
	return func() { entered.Delete(path) }, true
}

func linkUnnamed(string, string) (*dotLock, error) { return nil, errors.ErrUnsupported }

// What follows is not asked of these systems. A dot lock of a process that is gone is known by
// its number, and otherwise by its age.

func bootID() string              { return "" }
func processStart(pid int) string { return "" }
func processSpace() string        { return "" }
