package pop3test

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeSize is how much one side of a connection in memory may write ahead, about what a
// kernel buffers. With net.Pipe, which buffers nothing, a client that may send 16 KiB of
// commands ahead and a server that answers them would wait for each other.
const pipeSize = 256 << 10

// pipe returns the two ends of a connection in memory.
func pipe(latency time.Duration) (client, server *pipeConn) {
	a, b := newStream(latency), newStream(latency)
	return &pipeConn{in: a, out: b}, &pipeConn{in: b, out: a}
}

type pipeConn struct{ in, out *stream }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "memory" }
func (pipeAddr) String() string  { return "memory" }

func (c *pipeConn) LocalAddr() net.Addr                { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr               { return pipeAddr{} }
func (c *pipeConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *pipeConn) CloseWrite() error                  { return c.out.finish() }
func (c *pipeConn) SetReadDeadline(t time.Time) error  { return c.in.readBy.set(c.in, t) }
func (c *pipeConn) SetWriteDeadline(t time.Time) error { return c.out.writeBy.set(c.out, t) }
func (c *pipeConn) ready() bool                        { return c.in.ready() }

func (c *pipeConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t) //nolint:errcheck // neither can fail
	return c.SetWriteDeadline(t)
}

func (c *pipeConn) Close() error {
	c.out.finish() //nolint:errcheck // closed before is closed
	c.in.abandon()
	return nil
}

func (c *pipeConn) reset() {
	c.out.reset()
	c.in.reset()
}

// A stream is one direction of a connection in memory.
type stream struct {
	latency time.Duration

	mu      sync.Mutex
	changed *sync.Cond
	chunks  []chunk
	size    int
	last    time.Time // when the end of stream arrives
	ended   bool      // by the writer
	left    bool      // by the reader
	broken  bool      // by either, with a reset
	readBy  deadline
	writeBy deadline
}

// A chunk is what one Write wrote: a Read returns no more than that, so that a stream that
// is dripped arrives as drops.
type chunk struct {
	text []byte
	due  time.Time
}

func newStream(latency time.Duration) *stream {
	s := &stream{latency: latency}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// A deadline is a time at which those who wait are woken.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) set(s *stream, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, s.wake)
	}
	s.changed.Broadcast()
	return nil
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// arrival is when what is written now arrives; it sees to it that the reader is woken then.
func (s *stream) arrival() time.Time {
	if s.latency == 0 {
		return time.Time{}
	}
	time.AfterFunc(s.latency, s.wake)
	return time.Now().Add(s.latency)
}

func (s *stream) arrived() bool { return len(s.chunks) > 0 && !time.Now().Before(s.chunks[0].due) }
func (s *stream) over() bool {
	return s.ended && len(s.chunks) == 0 && !time.Now().Before(s.last)
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; ; s.changed.Wait() {
		switch {
		case s.left:
			return 0, net.ErrClosed
		case s.broken:
			return 0, syscall.ECONNRESET
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.arrived():
			c := &s.chunks[0]
			n := copy(p, c.text)
			c.text = c.text[n:]
			s.size -= n
			if len(c.text) == 0 {
				s.chunks = s.chunks[1:]
			}
			s.changed.Broadcast()
			return n, nil
		case s.over():
			return 0, io.EOF
		}
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; ; s.changed.Wait() {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case s.broken:
			return n, syscall.ECONNRESET
		case s.left:
			return n, syscall.EPIPE
		case s.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		}
		if room := min(pipeSize-s.size, len(p)-n); room > 0 {
			s.chunks = append(s.chunks, chunk{append([]byte(nil), p[n:n+room]...), s.arrival()})
			s.size += room
			n += room
			s.changed.Broadcast()
		}
		if n == len(p) {
			return n, nil
		}
	}
}

func (s *stream) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left || s.broken || s.arrived() || s.over()
}

func (s *stream) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return net.ErrClosed
	}
	s.ended, s.last = true, s.arrival()
	s.changed.Broadcast()
	return nil
}

func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.chunks, s.size = true, nil, 0
	s.changed.Broadcast()
}

func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.changed.Broadcast()
}
