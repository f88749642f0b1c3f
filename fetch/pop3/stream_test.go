package pop3

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A stream is a connection that brings what its Reader has and takes everything.
type stream struct {
	io.Reader
	net.Conn
	written int // calls of Write
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func (s *stream) Write(p []byte) (int, error) { s.written++; return len(p), nil }

func (s *stream) SetReadDeadline(t time.Time) error { return nil }

func (s *stream) SetWriteDeadline(t time.Time) error { return nil }

func (s *stream) RemoteAddr() net.Addr { return nil }

func (s *stream) Close() error { return nil }

// streamClient returns the client of a server that greets and then says what replies has.
func streamClient(t testing.TB, replies io.Reader) *Client {
	t.Helper()
	// The greeting comes alone: what came with it would be a reply without a command.
	c, err := New(&stream{Reader: &parts{[]io.Reader{strings.NewReader("+OK\r\n"), replies}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parts reads one reader after the other, and never from two at once.
type parts struct{ readers []io.Reader }

func (p *parts) Read(b []byte) (int, error) {
	for len(p.readers) > 0 {
		n, err := p.readers[0].Read(b)
		if err == io.EOF {
			p.readers = p.readers[1:]
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// chunks reads at most n octets at once.
type chunks struct {
	b []byte
	n int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.n)], c.b)
	c.b = c.b[n:]
	return n, nil
}
