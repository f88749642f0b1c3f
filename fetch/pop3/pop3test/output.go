package pop3test

import "bytes"

// maxOut is how many octets of replies are kept until the input is exhausted.
const maxOut = 64 << 10

// queue takes replies to be written.
func (s *Session) queue(replies ...reply) error {
	for _, r := range replies {
		s.unhold(&r)
		s.out = append(s.out, r)
		s.size += len(r.first) + len(r.unit) + len(r.last)
	}
	if s.size > maxOut && !s.srv.reorders() {
		return s.flush()
	}
	return nil
}

// release writes all replies, even one that was held back for the sake of another.
func (s *Session) release() error {
	var r reply
	s.unhold(&r)
	s.out = append(s.out, r)
	return s.flush()
}

// unhold adds what was held back to the reply that it waited for.
func (s *Session) unhold(next *reply) {
	if add := s.held; add != nil {
		s.held = nil
		add(next)
	}
}

// flush writes the replies that were queued, in as few pieces as can be.
func (s *Session) flush() error {
	s.wire.busy = bytes.IndexByte(s.in, '\n') >= 0
	out := s.out
	s.out, s.size = nil, 0
	for _, r := range out {
		if err := s.emit(r.first); err != nil {
			return err
		}
		for range r.times {
			if err := s.emit(r.unit); err != nil {
				return err
			}
		}
		if err := s.emit(r.last); err != nil {
			return err
		}
	}
	return s.write()
}

func (s *Session) emit(text string) error {
	s.buf = append(s.buf, text...)
	if len(s.buf) < maxOut {
		return nil
	}
	return s.write()
}

// write writes the buffer, up to where the session is to be cut.
func (s *Session) write() error {
	b := s.buf
	s.buf = s.buf[:0]
	rest := s.cut - s.octets.Load()
	last := s.cut > 0 && int64(len(b)) >= rest
	if last {
		b = b[:max(0, rest)]
	}
	for len(b) > 0 {
		n := len(b)
		if s.segment > 0 {
			n = min(n, s.segment)
		}
		if _, err := s.conn.Write(b[:n]); err != nil {
			s.ending = endCut
			return err
		}
		s.octets.Add(int64(n))
		b = b[n:]
	}
	if last {
		s.ending = endCut
		if s.srv.cfg.CutReset {
			s.ending = endReset
		}
		return errOver
	}
	return nil
}
