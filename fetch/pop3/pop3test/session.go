package pop3test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
)

// A Session is one connection to a Server. Num, Octets and Waits may be used at any time from
// any goroutine; the other methods are for Config.Reply, Config.Capa and a Mechanism, within
// the call.
type Session struct {
	Num int // counts from 1

	srv    *Server
	wire   *wire
	octets atomic.Int64

	// What follows belongs to the goroutine of the session.
	conn    net.Conn // the wire, or TLS on it
	secure  bool
	in      []byte            // read and not yet used
	out     []reply           // replies not yet written
	held    func(next *reply) // adds what is held back to the next reply
	size    int               // of out
	buf     []byte            // being written
	cut     int64             // octets after which the session is cut; 0 for never
	segment int               // octets per write; 0 for all
	count   int
	ending  ending

	user    string // as given to USER, and then as logged in
	named   bool   // the command before was USER
	drop    *maildrop
	slots   []*slot
	upgrade bool // a handshake follows the reply
	over    bool // the end follows the reply
	judged  bool // early input has been dealt with
	behind  bool // the command was sent before the reply to the one before
}

// A slot is a message of the maildrop in this session.
type slot struct {
	*Message
	deleted, retrieved bool
}

// ending is how a session closes its connection.
type ending int

const (
	endClose ending = iota // TLS's close_notify and an end of stream
	endCut                 // an end of stream without close_notify
	endReset
)

// errOver ends a session; ending says how.
var errOver = errors.New("session over")

func newSession(srv *Server, num int, conn net.Conn) *Session {
	s := &Session{Num: num, srv: srv, wire: newWire(conn), segment: srv.cfg.Segment}
	s.conn = s.wire
	return s
}

// Octets is how many octets have been written, without those of TLS.
func (s *Session) Octets() int64 { return s.octets.Load() }

// Waits is how often the client sent something after it could have read all that had been
// written, the first time included: how many round trips it took behind the one of TCP. With
// TLS the client's two flights of the handshake count. What the client sends in several
// segments while it waits for nothing may rarely count twice, but not over Server.Dial if it
// is one Write.
func (s *Session) Waits() int { return int(s.wire.waits.Load()) }

// Count is the number of commands so far, with the present one.
func (s *Session) Count() int { return s.count }

// User is who has logged in, "" for nobody yet.
func (s *Session) User() string {
	if s.drop == nil {
		return ""
	}
	return s.user
}

// Secure reports whether TLS is up.
func (s *Session) Secure() bool { return s.secure }

// TLS is the state of TLS, for channel bindings.
func (s *Session) TLS() (tls.ConnectionState, bool) {
	c, ok := s.conn.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return c.ConnectionState(), true
}

// Do carries a command out and returns its reply, with all its lines.
func (s *Session) Do(command string) string { return s.carryOut(command).String() }

// Send writes octets at once, in front of a reply that may follow.
func (s *Session) Send(octets string) {
	s.judge()
	if s.queue(reply{first: octets}) == nil {
		s.flush() //nolint:errcheck // the next write finds it, too
	}
}

// Stall reads without ever answering until the connection ends.
func (s *Session) Stall() {
	s.flush() //nolint:errcheck // then it ends the sooner
	s.wire.drain()
	s.ending = endCut
	s.over = true
}

// Cut ends the session at this command without a reply, and without TLS's close_notify.
func (s *Session) Cut() { s.ending, s.over = endCut, true }

// Reset ends the session at this command without a reply, with a TCP reset.
func (s *Session) Reset() { s.ending, s.over = endReset, true }

func (s *Session) serve() {
	s.run() //nolint:errcheck // the end of a session is no event
	s.finish()
	switch s.ending {
	case endReset:
		s.wire.reset()
		return
	case endClose:
		if c, ok := s.conn.(*tls.Conn); ok {
			c.CloseWrite() //nolint:errcheck // it may be gone
		}
	}
	s.wire.end()
}

func (s *Session) run() error {
	if cutAfter := s.srv.cfg.CutAfter; cutAfter != nil {
		s.cut = cutAfter(s.Num)
	}
	if s.srv.cfg.TLS == ImplicitTLS {
		if err := s.handshake(); err != nil {
			return err
		}
	}
	if err := s.obey(greeting); err != nil {
		return err
	}
	for {
		line, err := s.readLine()
		if err != nil {
			return err
		}
		s.count++
		if err := s.command(line); err != nil {
			return err
		}
	}
}

// finish unlocks the maildrop and counts the session as ended.
func (s *Session) finish() {
	if s.srv.cfg.Expunge == AtEnd {
		s.update()
	}
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	s.unlock()
	s.slots, s.in, s.out, s.buf = nil, nil, nil, nil // the Session itself stays
	s.srv.active--
	s.srv.changed.Broadcast()
}

// command answers one line.
func (s *Session) command(line string) error {
	if hook := s.srv.cfg.Reply; hook != nil {
		if text, ok := hook(s, line); ok {
			if s.over && s.ending != endClose { // Stall, Cut or Reset
				s.release() //nolint:errcheck // it ends here anyway
				return errOver
			}
			s.over = s.over || text == "" || strings.EqualFold(line, "QUIT")
			s.upgrade = s.upgrade && strings.HasPrefix(text, "+OK")
			return s.settle(reply{first: terminated(text)})
		}
	}
	return s.obey(line)
}

// settle queues replies to the present command and does what follows them.
func (s *Session) settle(replies ...reply) error {
	s.judge()
	if err := s.queue(replies...); err != nil {
		return err
	}
	switch {
	case s.over:
		if err := s.release(); err != nil {
			return err
		}
		return errOver
	case s.upgrade:
		s.upgrade = false
		s.discard() // what came in the clear is not for TLS (RFC 2595, 4)
		if err := s.release(); err != nil {
			return err
		}
		return s.handshake()
	}
	return nil
}
