package pop3

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const defaultTimeout = 60 * time.Second

// A wire is a connection on which silence ends: each read and each write has its own time-out, and
// Interrupt bounds them all. It lies below TLS, so that every octet counts, not every TLS record.
type wire struct {
	net.Conn
	timeout time.Duration

	mu     sync.Mutex // Interrupt and Close come from other goroutines
	limit  time.Time  // zero: not interrupted
	rdl    time.Time  // deadlines as they are set
	wdl    time.Time
	octets int64 // received
	closed bool
}

func newWire(conn net.Conn, timeout time.Duration) *wire {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return &wire{Conn: conn, timeout: timeout}
}

// deadline is that of an operation which begins now. The caller holds mu.
func (w *wire) deadline() time.Time {
	t := time.Now().Add(w.timeout)
	if !w.limit.IsZero() && w.limit.Before(t) {
		return w.limit
	}
	return t
}

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	w.rdl = w.deadline()
	w.Conn.SetReadDeadline(w.rdl)
	w.mu.Unlock()
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.mu.Lock()
		w.octets += int64(n)
		w.mu.Unlock()
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.wdl = w.deadline()
	w.Conn.SetWriteDeadline(w.wdl)
	w.mu.Unlock()
	return w.Conn.Write(p)
}

func (w *wire) interrupt(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now().Add(d)
	if !w.limit.IsZero() && !at.Before(w.limit) {
		return
	}
	w.limit = at
	if at.Before(w.rdl) {
		w.Conn.SetReadDeadline(at)
	}
	if at.Before(w.wdl) {
		w.Conn.SetWriteDeadline(at)
	}
}

// interrupted tells whether the limit of Interrupt has passed.
func (w *wire) interrupted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.limit.IsZero() && !time.Now().Before(w.limit)
}

func (w *wire) received() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.octets
}

func (w *wire) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	if t, ok := w.Conn.(*tls.Conn); ok {
		return t.NetConn().Close() // without a close_notify, which could block
	}
	return w.Conn.Close()
}

func (w *wire) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
