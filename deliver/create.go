package deliver

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// createNew makes a file that nobody has made before, to be written by us alone. os.OpenFile asks of
// each file whether it can be polled, with five system calls that a regular one answers with no: more
// than all that a message takes besides.
func createNew(path string) (*os.File, error) {
	for {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}
