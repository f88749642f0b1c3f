package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// errHeld says that another run has a lock, and kept it for longer than was to be waited.
var errHeld = errors.New("another run holds it")

// lockFile locks a file, making it if it is missing, until unlock is called, and waits for other
// runs that do the same. It does not keep this process from itself: the caller must see to that. The
// file stays: to remove it would let two runs hold two locks. A link is no lock file: others may have made it.
func lockFile(ctx context.Context, path string, wait time.Duration) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(wait)
	for {
		err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart})
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EINTR):
			f.Close()
			return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
		case time.Now().After(until):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, errHeld)
		}
		// The lock of a process that dies vanishes without a word: there is nothing to wait on.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}
