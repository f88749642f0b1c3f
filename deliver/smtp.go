package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
)

// SMTPOptions are of an SMTP target.
type SMTPOptions struct {
	Receiver
	LMTP bool // LMTP (RFC 2033) in place of SMTP (RFC 5321)
	// Sender and Recipient are of the envelope, with the placeholders of a Command. Sender "" is
	// %F, where an unknown one is the null sender.
	Sender, Recipient string
	SpoolDir          string // where messages wait, in files without a name
	Account, User     string // for %A and %T
}

// An SMTP is a Target that hands messages to a mail server, one recipient each. The server's reply
// to the final dot is its yes: until it comes nobody knows whether it has the message (RFC 1047), and
// it cannot be asked later. So it is no Finder, and a message may arrive twice if the connection or
// the run dies in that moment. The server is given a message only whole.
type SMTP struct {
	o     SMTPOptions
	name  string
	spool *spool
	c     *smtp.Client // nil: not connected
}

// dotPatience is the least time that a server has to answer the final dot (RFC 5321, section
// 4.5.3.2.6): to give up earlier makes duplicates.
const dotPatience = 10 * time.Minute

// NewSMTP returns an SMTP. An error matches ErrArgument: it is of the configuration.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	if o.Sender == "" {
		o.Sender = "%F"
	}
	name := "smtp " + o.Addr
	if o.LMTP {
		name = "lmtp " + o.Addr
	}
	s := &SMTP{o: o, name: name, spool: newSpool(o.SpoolDir)}
	if o.Recipient == "" {
		return nil, fmt.Errorf("%w: no recipient", ErrArgument)
	}
	v := values{"", o.User, o.Account, noUID}
	for _, template := range []string{o.Sender, o.Recipient} {
		if _, err := v.expand(template); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrArgument, template, err)
		}
	}
	return s, nil
}

// Check connects and logs in, and gives the server nothing.
func (s *SMTP) Check() error {
	if err := s.connect(context.Background()); err != nil {
		return err
	}
	s.hangUp()
	return nil
}

// Deliver spools the message. Before the first one it connects, so that nothing is retrieved for a
// server that is not there.
func (s *SMTP) Deliver(ctx context.Context, m *Message) error {
	if s.c == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	return s.spool.stage(s.name, m)
}

// Drop unstages the n messages staged last.
func (s *SMTP) Drop(n int) { s.spool.drop(n) }

// Close ends the session, unstages what is staged and frees the spool.
func (s *SMTP) Close() error {
	s.hangUp()
	return s.spool.close()
}

// Commit hands over the message staged first.
func (s *SMTP) Commit(ctx context.Context) ([]Receipt, error) {
	return s.spool.handOver(ctx, s.name, s.give)
}

// give hands one message over and returns the server's answer.
func (s *SMTP) give(ctx context.Context, sp *spooled) (string, error) {
	from, to, err := s.envelope(sp)
	if err != nil {
		return "", &Error{Target: s.name, Err: err, Message: true, Untouched: true}
	}
	opts := &smtp.MailOptions{Size: int64(len(sp.Trace)) + sp.Size, UTF8: !ascii(from + to)}
	waited := s.c != nil // for the message to come, or since the one before
	if !waited {
		if err := s.connect(ctx); err != nil {
			return "", err
		}
	}
	err = s.mail(from, opts)
	if waited && lost(err) {
		// It was closed while we were silent: nothing of the message has reached it.
		if err := s.connect(ctx); err != nil {
			return "", err
		}
		err = s.mail(from, opts)
	}
	if err == nil {
		err = s.c.Rcpt(to, nil)
	}
	var data *smtp.DataCommand
	if err == nil {
		data, err = s.c.Data()
	}
	if err != nil {
		e := s.refused(err, true)
		e.Broke = e.broke()
		return "", e
	}
	n, err := io.Copy(data, io.MultiReader(strings.NewReader(sp.Trace), s.spool.reader(sp)))
	if size := int64(len(sp.Trace)) + sp.Size; err == nil && n != size {
		err = fmt.Errorf("spool: %d of %d octets: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		// The connection ends without the final dot, so that half a message is none (RFC 5321,
		// section 4.1.1.4).
		s.drop()
		e := s.refused(err, true)
		e.Broke = e.broke()
		return "", e
	}
	answer, err := s.dot(data, to)
	if err != nil {
		e := s.refused(err, false)
		e.Broke = e.broke()
		return "", e
	}
	return s.o.redact(answer), nil
}

// dot ends the message and returns the server's yes, whose first digit counts (RFC 5321, section 4.2.1); the
// library wants all three.
func (s *SMTP) dot(data *smtp.DataCommand, to string) (string, error) {
	answer, err := s.answerToDot(data, to)
	var reply *smtp.SMTPError
	if errors.As(err, &reply) && reply.Code/100 == 2 && !ends(reply) {
		return reply.Message, nil
	}
	return answer, err
}

func (s *SMTP) answerToDot(data *smtp.DataCommand, to string) (string, error) {
	if !s.o.LMTP {
		r, err := data.CloseWithResponse()
		if err != nil {
			return "", err
		}
		return r.StatusText, nil
	}
	rs, err := data.CloseWithLMTPResponse()
	var each smtp.LMTPDataError
	if errors.As(err, &each) && each[to] != nil {
		return "", each[to]
	}
	if err != nil {
		return "", err
	}
	if rs[to] == nil {
		return "", errors.New("no answer for the recipient")
	}
	return rs[to].StatusText, nil
}

// mail begins a message.
func (s *SMTP) mail(from string, opts *smtp.MailOptions) error {
	if opts.UTF8 {
		if ok, _ := s.c.Extension("SMTPUTF8"); !ok {
			return &smtp.SMTPError{Code: 553, Message: "the address is not in ASCII, and the server has no SMTPUTF8 (RFC 6531)"}
		}
	}
	return s.c.Mail(from, opts)
}

// envelope makes sender and recipient of a message.
func (s *SMTP) envelope(sp *spooled) (from, to string, err error) {
	v := &values{sp.Sender, sp.Recipient, s.o.Account, escapeUID(sp.UID)}
	if v.recipient == "" {
		v.recipient = s.o.User
	}
	if from, err = v.expand(s.o.Sender); err != nil {
		return "", "", err
	}
	if to, err = v.expand(s.o.Recipient); err != nil {
		return "", "", err
	}
	if !mailbox(from) || !ascii(from) && s.o.Sender == "%F" {
		from = "" // whom nobody may answer: RFC 5321, section 4.5.5
	}
	if to == "" || !mailbox(to) {
		return "", "", fmt.Errorf("the recipient %q is no address", to)
	}
	return from, to, nil
}

// mailbox tells whether an address can stand in a command: one word, without brackets.
func mailbox(a string) bool {
	return len(a) <= maxAddress && utf8.ValidString(a) && !strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' })
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
