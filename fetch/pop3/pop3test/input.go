package pop3test

import (
	"bytes"
	"errors"
	"os"
)

// maxLine is the longest line that a session takes; only responses of SASL may be long.
const maxLine = 1 << 20

// readLine returns the next line without its CRLF (or LF). Before it waits for the client it
// writes the replies that are due.
func (s *Session) readLine() (string, error) {
	s.judged = false
	s.behind = true
	for {
		if i := bytes.IndexByte(s.in, '\n'); i >= 0 {
			line := string(bytes.TrimSuffix(s.in[:i], []byte("\r")))
			s.in = s.in[i+1:]
			s.srv.note(s.Num, line)
			return line, nil
		}
		if len(s.in) > maxLine {
			return "", errOver
		}
		s.behind = len(s.out) > 0 || s.held != nil
		err := s.fill(false)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := s.release(); err != nil {
				return "", err
			}
			s.behind = false
			err = s.fill(true)
		}
		if err != nil {
			s.release() //nolint:errcheck // it may have closed only its own direction
			return "", err
		}
	}
}

// fill reads what there is, and waits for something only if asked to.
func (s *Session) fill(wait bool) error {
	var buf [16 << 10]byte
	s.wire.nonblock = !wait
	n, err := s.conn.Read(buf[:])
	s.wire.nonblock = false
	s.in = append(s.in, buf[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// unread reports whether the client has sent something that has not been used.
func (s *Session) unread() bool { return len(s.in) > 0 || s.fill(false) == nil }

// discard throws away what the client has sent so far.
func (s *Session) discard() {
	n := 0
	for s.unread() {
		n += len(s.in)
		s.in = nil
	}
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	s.srv.early += int64(n)
}

// judge deals with early input, once for each line and before anything of the reply to it is
// written: from then on the client may send the next.
func (s *Session) judge() {
	if s.judged {
		return
	}
	s.judged = true
	switch s.policy() {
	case EarlyDiscard:
		s.discard()
	case EarlyClose:
		s.over = s.over || s.unread()
	}
}

// policy is what is done with early input.
func (s *Session) policy() Early {
	p := s.srv.cfg.Early
	if p != EarlyAuto {
		return p
	}
	if s.srv.cfg.NoCAPA || !has(s.caps(), "PIPELINING") {
		return EarlyDiscard
	}
	return EarlyKeep
}

// note puts a line into the log.
func (srv *Server) note(session int, line string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.log = append(srv.log, entry{session, line})
	srv.changed.Broadcast()
}
