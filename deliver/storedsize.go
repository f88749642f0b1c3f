package deliver

import (
	"bytes"
	"io"
)

// A sizer counts what passes on its way to w, as the name of a file in a maildir tells it: S is the
// file's size, and W its size where each line ends in CRLF (Maildir++ and Dovecot's
// "Maildir filename extensions"), by which a POP3 server answers LIST without opening the file.
type sizer struct {
	w     io.Writer
	S     int64 // octets
	lines int64 // line ends that lack a CR
	cr    bool  // the last octet was a CR
}

func (s *sizer) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	p = p[:n]
	if n == 0 {
		return 0, err
	}
	s.lines += int64(bytes.Count(p, []byte("\n")) - bytes.Count(p, []byte("\r\n")))
	if s.cr && p[0] == '\n' {
		s.lines--
	}
	s.S += int64(n)
	s.cr = p[n-1] == '\r'
	return n, err
}

// W is the size with CRLF.
func (s *sizer) W() int64 { return s.S + s.lines }
