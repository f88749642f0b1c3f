//go:build !unix

package pop3test

import "net"

// ready reports whether a Read of conn would return at once. Where it cannot be known, the
// answer is no: commands that come early in a packet of their own are then not noticed.
func ready(conn net.Conn) bool {
	p, ok := conn.(*pipeConn)
	return ok && p.ready()
}
