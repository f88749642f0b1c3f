package pop3test

import (
	"fmt"
	"slices"
	"strings"
)

// A maildrop is the messages of one account. Server.mu guards it; the messages themselves
// are never changed. A message is known by its address, since unique-ids may occur twice.
type maildrop struct {
	password string
	msgs     []*Message
	owner    *Session // with Config.Exclusive
}

// Add adds messages to the maildrop of Config.User. Sessions that have begun do not see them
// (RFC 1939, 3: numbers are assigned when the maildrop is opened).
func (s *Server) Add(msgs ...Message) { s.AddTo(s.cfg.User, msgs...) }

// AddTo adds messages to the maildrop of a user; one that is not known gets an empty password.
func (s *Server) AddTo(user string, msgs ...Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drops[user]
	if d == nil {
		d = &maildrop{}
		s.drops[user] = d
	}
	for _, m := range msgs {
		s.serial++
		if m.UID == "" {
			m.UID = fmt.Sprintf("uid-%06d", s.serial)
		}
		d.msgs = append(d.msgs, &m)
	}
}

// Maildrop returns what is left in the maildrop of Config.User.
func (s *Server) Maildrop() []Message { return s.MaildropOf(s.cfg.User) }

// MaildropOf returns what is left in the maildrop of a user.
func (s *Server) MaildropOf(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []Message
	if d := s.drops[user]; d != nil {
		for _, m := range d.msgs {
			left = append(left, *m)
		}
	}
	return left
}

// UIDs returns the unique-ids of what is left in the maildrop of Config.User.
func (s *Server) UIDs() []string {
	var uids []string
	for _, m := range s.Maildrop() {
		uids = append(uids, m.UID)
	}
	return uids
}

// expunge deletes messages from a maildrop.
func (s *Server) expunge(d *maildrop, gone map[*Message]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.msgs = slices.DeleteFunc(d.msgs, func(m *Message) bool { return gone[m] })
}

// whole is the text with a CRLF at its end: the dot line that follows it on the wire begins
// a line.
func (m Message) whole() string {
	if m.Text == "" || strings.HasSuffix(m.Text, "\r\n") {
		return m.Text
	}
	return m.Text + "\r\n"
}

// stuff doubles the dot at the beginning of lines (RFC 1939, 3). A line ends with CRLF: a dot
// behind a lone LF is content.
func stuff(text string) string {
	if strings.HasPrefix(text, ".") {
		text = "." + text
	}
	return strings.ReplaceAll(text, "\r\n.", "\r\n..")
}

// top is the header of a text and so many lines of its body.
func top(text string, lines int) string {
	end := strings.Index(text, "\r\n\r\n")
	if end < 0 {
		return text
	}
	end += len("\r\n\r\n")
	for ; lines > 0; lines-- {
		n := strings.Index(text[end:], "\r\n")
		if n < 0 {
			return text
		}
		end += n + len("\r\n")
	}
	return text[:end]
}
