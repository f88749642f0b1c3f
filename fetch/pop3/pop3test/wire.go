package pop3test

import (
	"net"
	"os"
	"sync/atomic"
)

// A wire is a connection as TLS and the session see it: it can be read without waiting, and
// it counts how often the client must have waited.
type wire struct {
	net.Conn
	waits atomic.Int64

	// What follows belongs to the goroutine of the session.
	nonblock bool // Read fails with os.ErrDeadlineExceeded where it would have to wait
	busy     bool // commands are in hand, so that the client is not waiting for this write
	asked    bool // what comes next was sent after all that was written was
}

func newWire(conn net.Conn) *wire { return &wire{Conn: conn, asked: true} }

func (w *wire) Read(p []byte) (int, error) {
	if w.nonblock && !ready(w.Conn) {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := w.Conn.Read(p)
	if n > 0 && w.asked {
		w.waits.Add(1)
		w.asked = false
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	// What has arrived before this is written was not sent in answer to it.
	if !w.asked && !w.busy && !ready(w.Conn) {
		w.asked = true
	}
	return w.Conn.Write(p)
}

// end sends an end of stream and reads whatever still comes until the client ends, too: a
// socket that is closed with unread input sends a reset, which may overtake what was written.
func (w *wire) end() {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		w.drain()
	}
	w.Close()
}

// drain reads until the connection ends.
func (w *wire) drain() {
	buf := make([]byte, 32<<10)
	for {
		if _, err := w.Conn.Read(buf); err != nil {
			return
		}
	}
}

// reset closes the connection with a reset.
func (w *wire) reset() {
	switch c := w.Conn.(type) {
	case *net.TCPConn:
		c.SetLinger(0) //nolint:errcheck // the close below is all that is left to do
	case *pipeConn:
		c.reset()
	}
	w.Close()
}
