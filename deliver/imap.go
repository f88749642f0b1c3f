package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// IMAPOptions are of an IMAP target.
type IMAPOptions struct {
	Receiver
	Folder   string   // as the server names it, in UTF-8; "" is INBOX
	Flags    []string // that each message gets: \Seen, \Flagged, … or a keyword
	Create   bool     // make the folder if it is missing
	SpoolDir string   // where messages wait, in files without a name
}

// An IMAP is a Target that puts messages into a folder of an IMAP server, by APPEND (RFC 3501,
// section 6.3.11). The server's OK is its yes. After an interrupted run it looks for the delivery id
// in the trace fields of what has come since, so that each message arrives once. One way to two copies
// is left: a server that has all of an APPEND when its client dies, and carries it out only after the next
// run has looked. Nothing in IMAP (RFC 3501, RFC 9051) ties a command to the life of its connection, tells
// what other sessions have pending, or makes an APPEND the same one when it is repeated.
type IMAP struct {
	o     IMAPOptions
	name  string
	spool *spool
	c     *imapclient.Client // nil: not connected
	conn  *watched           // of c
	// Which folder it is, and the UID that its next message gets at the earliest (RFC 3501, section
	// 2.3.1.1): what an interrupted run delivered is from there on.
	validity uint32
	next     imap.UID
}

// NewIMAP returns an IMAP. An error matches ErrArgument: it is of the configuration.
func NewIMAP(o IMAPOptions) (*IMAP, error) {
	if o.Folder == "" {
		o.Folder = "INBOX"
	}
	for _, f := range o.Flags {
		if !validFlag(f) {
			return nil, fmt.Errorf("%w: %q is no flag", ErrArgument, f)
		}
	}
	if o.Login == nil {
		return nil, fmt.Errorf("%w: no login", ErrArgument)
	}
	return &IMAP{o: o, name: fmt.Sprintf("imap %s %q", o.Addr, o.Folder), spool: newSpool(o.SpoolDir)}, nil
}

// validFlag tells whether f is a flag that APPEND can set: an atom, or one with a backslash in front
// that is not \Recent (RFC 3501, sections 2.3.2 and 9).
func validFlag(f string) bool {
	name := strings.TrimPrefix(f, `\`)
	return name != "" && !strings.EqualFold(f, `\Recent`) && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
	})
}

// Check connects, logs in and looks at the folder. It changes nothing.
func (m *IMAP) Check() error {
	create := m.o.Create
	m.o.Create = false
	defer func() { m.o.Create = create }()
	err := m.connect(context.Background())
	if create && errors.Is(err, ErrCreate) {
		err = nil // it is made when the first message comes
	}
	m.hangUp()
	return err
}

// Deliver spools the message. Before the first one it connects, so that nothing is retrieved for a
// server that is not there.
func (m *IMAP) Deliver(ctx context.Context, msg *Message) error {
	if m.c == nil {
		if err := m.connect(ctx); err != nil {
			return err
		}
	}
	return m.spool.stage(m.name, msg)
}

// Drop unstages the n messages staged last.
func (m *IMAP) Drop(n int) { m.spool.drop(n) }

// Close ends the session, unstages what is staged and frees the spool.
func (m *IMAP) Close() error {
	m.hangUp()
	return m.spool.close()
}

// Commit appends the staged messages, each after the yes to the one before: the server may refuse
// one, and what stands behind it would be there twice if it were tried again with it.
func (m *IMAP) Commit(ctx context.Context) (receipts []Receipt, err error) {
	if len(m.spool.staged) > 0 && !m.awake(ctx) {
		if err := m.connect(ctx); err != nil {
			m.spool.reset()
			return nil, err
		}
	}
	for len(m.spool.staged) > 0 {
		sp := m.spool.staged[0]
		uid, err := m.append(ctx, sp)
		if err != nil {
			var e *Error
			if errors.As(err, &e) && e.Message {
				m.spool.shift(1)
			} else {
				m.spool.reset()
			}
			return receipts, err
		}
		m.spool.shift(1)
		where := m.name
		if uid != 0 {
			where = fmt.Sprintf("%s, UID %d", m.name, uid)
		}
		receipts = append(receipts, sp.receipt(sp.ID, where))
	}
	return receipts, nil
}

// append appends one message and returns its UID, 0 if the server does not tell (RFC 4315).
func (m *IMAP) append(ctx context.Context, sp *spooled) (imap.UID, error) {
	text := func() io.Reader { return io.MultiReader(strings.NewReader(sp.Trace), m.spool.reader(sp)) }
	var lines lineCounter
	var date dateField
	if _, err := io.Copy(io.MultiWriter(&lines, &date), text()); err != nil {
		return 0, classify(m.name, fmt.Errorf("spool: %w", err))
	}
	opts := &imap.AppendOptions{Time: date.value()}
	for _, f := range m.o.Flags {
		opts.Flags = append(opts.Flags, imap.Flag(f))
	}
	var got *imap.AppendData
	cut := false
	err := m.during(ctx, func() (err error) {
		cmd := m.c.Append(m.o.Folder, int64(lines), opts)
		_, err = io.Copy(&crlfWriter{w: cmd}, text())
		if err != nil {
			// The size has been announced: only the end of the connection takes it back. A server
			// that has refused it before the text came has not, but has said so by now.
			m.conn.Close()
			cut = true
		}
		err = errors.Join(err, cmd.Close())
		var werr error
		if got, werr = cmd.Wait(); werr != nil {
			return werr // it knows the cause, if there is one
		}
		return err
	})
	if err != nil {
		e := m.failed(err, true)
		if cut {
			m.drop() // the next one needs another connection
		}
		e.Broke = e.broke() && ctx.Err() == nil
		return 0, e
	}
	if got.UIDValidity == m.validity && got.UID >= m.next && m.validity != 0 {
		m.next = got.UID + 1
	}
	return got.UID, nil
}

// failed makes the Error of a step. about: of one message.
func (m *IMAP) failed(err error, about bool) *Error {
	var reply *imap.Error
	err = m.o.said(err)
	e := &Error{Target: m.name, Err: err}
	switch {
	case errors.Is(err, ErrLogin):
	case aboutTLS(err):
		e.Err = &noTLSError{err}
	case errors.As(err, &reply) && reply.Type != imap.StatusResponseTypeBye:
		switch reply.Code {
		case imap.ResponseCodeNonExistent, imap.ResponseCodeTryCreate, imap.ResponseCodeNoPerm:
			e.Err = fmt.Errorf("%w: %w", ErrCreate, err)
		case imap.ResponseCodeUnavailable, imap.ResponseCodeServerBug, imap.ResponseCodeInUse, imap.ResponseCodeOverQuota, imap.ResponseCodeLimit:
			e.Temporary = true
		}
		e.Message = about && !errors.Is(e.Err, ErrCreate)
		return e
	default:
		e.Temporary = true
	}
	m.drop()
	return e
}

// hangUp ends the session politely.
func (m *IMAP) hangUp() {
	if m.c != nil {
		_ = m.during(context.Background(), func() error { return m.c.Logout().Wait() })
	}
	m.drop()
}

// drop closes the connection.
func (m *IMAP) drop() {
	switch {
	case m.c == nil:
	case m.conn.stuck:
		m.conn.Close() // the client would wait for itself
	default:
		m.c.Close()
	}
	m.c, m.conn = nil, nil
}

// A lineCounter counts the octets of text whose LF will be CRLF.
type lineCounter int64

func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(len(p) + bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// A crlfWriter writes each LF as CRLF (RFC 3501, section 2.2: lines of a message end so).
type crlfWriter struct{ w io.Writer }

func (c *crlfWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		part := p[n:]
		i := bytes.IndexByte(part, '\n')
		if i >= 0 {
			part = part[:i]
		}
		if len(part) > 0 {
			if _, err := c.w.Write(part); err != nil {
				return n, err
			}
			n += len(part)
		}
		if i >= 0 {
			if _, err := c.w.Write([]byte("\r\n")); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
