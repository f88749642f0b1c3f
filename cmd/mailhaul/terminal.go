package main

import "golang.org/x/sys/unix"

// byKey makes a terminal give each key at once and echo none. Unlike in raw mode, Ctrl-C stays a
// signal, which ends a wait for the server, and lines written need no carriage return.
func byKey(fd int) error {
	t, err := unix.IoctlGetTermios(fd, readTermios)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.ICRNL | unix.INLCR | unix.IGNCR | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, writeTermios, t)
}

// withoutEcho makes a terminal give each line, edited by its own means, and echo none.
func withoutEcho(fd int) error {
	t, err := unix.IoctlGetTermios(fd, readTermios)
	if err != nil {
		return err
	}
	t.Iflag |= unix.ICRNL
	t.Lflag &^= unix.ECHO
	t.Lflag |= unix.ICANON | unix.ISIG
	return unix.IoctlSetTermios(fd, writeTermios, t)
}
