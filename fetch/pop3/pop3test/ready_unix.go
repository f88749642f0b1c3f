//go:build unix

package pop3test

import (
	"net"
	"syscall"
)

// ready reports whether a Read of conn would return at once.
func ready(conn net.Conn) bool {
	if p, ok := conn.(*pipeConn); ok {
		return p.ready()
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	var b [1]byte
	var peek error
	err = raw.Read(func(fd uintptr) bool {
		_, _, peek = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		return true
	})
	return err != nil || peek != syscall.EAGAIN && peek != syscall.EWOULDBLOCK
}
