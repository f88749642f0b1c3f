package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile takes the write lock of all of f without waiting. It belongs to the open file, not to
// the process (fcntl(2), open file description locks): it excludes another goroutine's as well as
// another program's, and is not lost when somebody else here closes the same file.
func lockFile(f *os.File) error {
	return locking(unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}))
}

// unlockFile gives the lock back. Closing f alone would not while a process that is being started
// elsewhere in this program still has a copy of it.
func unlockFile(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart})
}

func locking(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("fcntl lock: %w", err)
	}
	return nil
}

// enterPath is where systems without such locks keep the goroutines of one process apart.
func enterPath(string) (leave func(), ok bool) { return func() {}, true }

// linkUnnamed makes the lock file from one without a name, so that a kill leaves nothing behind.
// The error matches errors.ErrUnsupported where the file system has no such files.
func linkUnnamed(path, text string) (*dotLock, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		// Permission to make a file is asked for again with a name.
		return nil, errors.ErrUnsupported
	}
	f := os.NewFile(uintptr(fd), path)
	l, err := nameLock(f, path, text)
	if err != nil {
		f.Close()
	}
	return l, err
}

// nameLock gives the file without a name its text, and then its name.
func nameLock(f *os.File, path, text string) (*dotLock, error) {
	if _, err := f.WriteString(text); err != nil {
		return nil, err
	}
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	switch {
	case errors.Is(err, unix.EEXIST):
		return nil, os.ErrExist
	case err != nil:
		return nil, errors.ErrUnsupported // no /proc
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &dotLock{path, info, f}, nil
}

func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

// processStart is field 22 of proc_pid_stat(5). The name of the program, field 2, may have
// anything in it, so the fields are counted from its closing parenthesis.
func processStart(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return ""
	}
	return string(fields[19])
}

func processSpace() string {
	name, _ := os.Readlink("/proc/self/ns/pid")
	return name
}
