//go:build unix && !linux

package state

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Without locks that belong to the open file there is the classic one, which belongs to the
// process: it does not exclude the process itself, and is lost when the process closes any
// descriptor of the file. Hence the list of what this process holds, which is asked first, and
// descriptors that are closed only when that list does not have them.
var held = struct {
	sync.Mutex
	files map[*os.File]*os.File // to the file whose lock it must not break, nil for a holder
}{files: map[*os.File]*os.File{}}

func setLock(file *os.File) error {
	held.Lock()
	defer held.Unlock()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	for f, holder := range held.files {
		if have, err := f.Stat(); holder == nil && err == nil && os.SameFile(have, info) {
			held.files[file] = f
			return ErrLocked
		}
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: 1}
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrLocked
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	held.files[file] = nil
	return nil
}

// lockHolder returns the process that has the lock, 0 if unknown.
func lockHolder(file *os.File) int {
	held.Lock()
	defer held.Unlock()
	if held.files[file] != nil {
		return os.Getpid()
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: 1}
	if unix.FcntlFlock(file.Fd(), unix.F_GETLK, &l) != nil || l.Type == unix.F_UNLCK || l.Pid < 0 {
		return 0
	}
	return int(l.Pid)
}

// lockTaken tells whether the lock is taken.
func lockTaken(file *os.File) bool { return lockHolder(file) != 0 }

// release closes the lock file, but not while this process holds the lock through another
// descriptor: those are closed with the holder.
func (l *lock) release() {
	held.Lock()
	defer held.Unlock()
	if held.files[l.file] != nil {
		return
	}
	delete(held.files, l.file)
	for f, holder := range held.files {
		if holder == l.file {
			delete(held.files, f)
			f.Close()
		}
	}
	l.file.Close()
}

// holdsLock tells whether opening and closing the file would break a lock of this process.
func holdsLock(name string) bool {
	held.Lock()
	defer held.Unlock()
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	for f := range held.files {
		if have, err := f.Stat(); err == nil && os.SameFile(have, info) {
			return true
		}
	}
	return false
}

// processStart is not known to this system.
func processStart(int) time.Time { return time.Time{} }
