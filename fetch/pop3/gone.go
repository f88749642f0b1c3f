package pop3

import "syscall"

// Gone tells whether the server has closed the connection already, with nothing left to read. It
// neither waits nor reads. False may also mean that this cannot be known.
func (c *Client) Gone() bool {
	sc, ok := c.wire.Conn.(syscall.Conn)
	if !ok || c.unread() {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err == syscall.ECONNRESET
		return true
	})
	return gone
}
