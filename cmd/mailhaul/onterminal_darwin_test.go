package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// terminalOf unlocks the terminal of which fd is the other side, and gives its path.
func terminalOf(fd int) (string, error) {
	for _, request := range []uint{unix.TIOCPTYGRANT, unix.TIOCPTYUNLK} {
		if err := unix.IoctlSetInt(fd, request, 0); err != nil {
			return "", err
		}
	}
	var name [128]byte // as large as the request says
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCPTYGNAME, uintptr(unsafe.Pointer(&name))); errno != 0 {
		return "", errno
	}
	return unix.ByteSliceToString(name[:]), nil
}
