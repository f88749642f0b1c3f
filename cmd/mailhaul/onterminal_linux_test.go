package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// terminalOf unlocks the terminal of which fd is the other side, and gives its path.
func terminalOf(fd int) (string, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return "", err
	}
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	return fmt.Sprint("/dev/pts/", n), err
}
