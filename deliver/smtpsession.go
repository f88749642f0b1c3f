package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/emersion/go-smtp"
)

// connect makes the session ready for a message.
func (s *SMTP) connect(ctx context.Context) error {
	s.drop()
	c, err := s.open(ctx)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return e
		}
		return s.refused(err, true)
	}
	s.c = c
	return nil
}

// open connects, begins TLS, says who we are and logs in.
func (s *SMTP) open(ctx context.Context) (c *smtp.Client, err error) {
	conn, p, err := s.o.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	switch {
	case s.o.TLS != nil && s.o.StartTLS:
		// The library waits for five minutes here, before it can be told otherwise.
		p.hurried = true
		defer func() { p.hurried = false }()
		if c, err = smtp.NewClientStartTLS(conn, s.o.TLS); err != nil {
			return nil, startTLSError(err)
		}
	case s.o.LMTP:
		c = smtp.NewClientLMTP(conn)
	default:
		c = smtp.NewClient(conn)
	}
	c.CommandTimeout, c.SubmissionTimeout = s.o.timeout(), max(s.o.timeout(), dotPatience)
	host, err := os.Hostname()
	if err != nil || host == "" || !ascii(host) || strings.ContainsAny(host, " \r\n") {
		host = "localhost"
	}
	if err := c.Hello(host); err != nil {
		return nil, err
	}
	if s.o.Login == nil {
		return c, nil
	}
	mechanism, err := s.o.Login(ctx, c.SupportsAuth)
	if err != nil {
		return nil, err
	}
	if err := c.Auth(mechanism); err != nil {
		var reply *smtp.SMTPError
		if errors.As(err, &reply) && reply.Code/100 == 5 {
			err = fmt.Errorf("%w: %w", ErrLogin, err)
		}
		return nil, err
	}
	return c, nil
}

// startTLSError tells a server without STARTTLS from one that is not there.
func startTLSError(err error) error {
	var reply *smtp.SMTPError
	var op *net.OpError
	switch {
	case errors.As(err, &reply) && reply.Temporary(), errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return &noTLSError{err}
}

// refused makes the Error of a step that failed. untouched: nothing of the message can have been
// taken over.
func (s *SMTP) refused(err error, untouched bool) *Error {
	err = s.o.said(err)
	e := &Error{Target: s.name, Err: err, Untouched: untouched}
	var reply *smtp.SMTPError
	switch {
	case errors.Is(err, ErrLogin):
	case aboutTLS(err):
		e.Err = &noTLSError{err}
	case errors.As(err, &reply) && s.c == nil:
		e.Temporary = reply.Temporary()
		if !e.Temporary {
			e.Err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	case errors.As(err, &reply) && (reply.Code == 530 || reply.Code == 538):
		// It wants a login, or encryption, first (RFC 4954, section 6; RFC 3207, section 4), which no message is
		// refused by.
		e.Err, e.Untouched = fmt.Errorf("%w: %w", ErrLogin, err), true
	case errors.As(err, &reply) && !ends(reply):
		e.Message, e.Temporary, e.Untouched = true, reply.Temporary(), true
		if s.c.Reset() != nil {
			s.drop()
		}
		return e
	default:
		e.Temporary = true
	}
	s.drop()
	return e
}

// ends tells whether a reply says that the session ends (RFC 5321, section 4.2.3), whatever it was about to
// answer: 221, too, to anything but QUIT.
func ends(reply *smtp.SMTPError) bool { return reply.Code == 421 || reply.Code == 221 }

// lost tells whether the session has ended.
func lost(err error) bool {
	var reply *smtp.SMTPError
	return err != nil && (!errors.As(err, &reply) || ends(reply))
}

// hangUp ends the session politely. What it answers is of no interest: each message had its own yes.
func (s *SMTP) hangUp() {
	if s.c != nil {
		_ = s.c.Quit()
	}
	s.drop()
}

// drop closes the connection.
func (s *SMTP) drop() {
	if s.c != nil {
		s.c.Close()
	}
	s.c = nil
}
