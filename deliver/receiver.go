package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
)

// A Receiver says how the server is reached that takes messages over: by LMTP, SMTP or IMAP.
type Receiver struct {
	Network string // "tcp", "unix"
	Addr    string // host:port, or the path of a socket
	TLS     *tls.Config
	// StartTLS begins TLS by a command; without it TLS begins at once. Nothing that tells who the
	// user is goes out before it, and a server that refuses it is given nothing.
	StartTLS bool
	// Timeout bounds each silence of the server; 0 is a minute.
	Timeout time.Duration
	// Login gives the mechanism to log in by, of those that the server offers; nil is without a
	// login. It is asked at each connection, since a token may have to be a new one.
	Login func(ctx context.Context, offers func(mechanism string) bool) (sasl.Client, error)
	// Redact takes the secret of Login out of what the server says, which some repeat; nil: there is
	// none.
	Redact func(text string) string
}

// A redactedError is an error with the secret taken out of its text.
type redactedError struct {
	error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.error }

// said makes an error with the server's words in it fit to be told.
func (r *Receiver) said(err error) error {
	if text := r.redact(err.Error()); text != err.Error() {
		return &redactedError{err, text}
	}
	return err
}

// redact is for all that a server says: it is recorded, too, and of a bounded length there.
func (r *Receiver) redact(text string) string {
	if r.Redact != nil {
		text = r.Redact(text)
	}
	if len(text) > maxOutput {
		text = strings.ToValidUTF8(text[:maxOutput], "") + "…"
	}
	return text
}

var (
	// ErrLogin is matched by the Error of a receiver that refuses the login, whose certificate is
	// refused, or that has not the encryption that is demanded.
	ErrLogin = errors.New("login refused")
	// ErrUnavailable is matched by the Error of a receiver that refuses the session for good.
	ErrUnavailable = errors.New("the server refuses the session")
)

// A noTLSError is the ErrLogin of a receiver that no login was sent to, because it could have been read.
type noTLSError struct{ error }

func (e *noTLSError) Unwrap() error        { return e.error }
func (e *noTLSError) Is(target error) bool { return target == ErrLogin }

// aboutTLS tells whether the trouble is the encryption: who the server is, or that it speaks none.
func aboutTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &header) || errors.As(err, &alert)
}

// dial connects, with TLS if that begins at once. The connection's deadlines are its own: a receiver
// that takes nothing for Timeout is gone.
func (r *Receiver) dial(ctx context.Context) (conn net.Conn, p *patient, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	conn, err = new(net.Dialer).DialContext(ctx, r.Network, r.Addr)
	if err != nil {
		return nil, nil, err
	}
	p = &patient{Conn: conn, timeout: r.timeout()}
	if r.TLS == nil || r.StartTLS {
		return p, p, nil
	}
	secure := tls.Client(p, r.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		p.Close()
		return nil, nil, err
	}
	return secure, p, nil
}

func (r *Receiver) timeout() time.Duration {
	if r.Timeout <= 0 {
		return time.Minute
	}
	return r.Timeout
}

// maxAnswer bounds what a server may say to one thing that it was told, in octets, beside the messages that
// it is asked for: the libraries hold an answer in memory.
const maxAnswer = 1 << 20

var errEndless = fmt.Errorf("the server's answer does not end: more than %d octets", maxAnswer)

// patient is a connection on which each write has so long. Reads have the deadline that is set: only
// the protocol knows how long an answer may take. It ends with an answer that is too long.
type patient struct {
	net.Conn
	timeout time.Duration
	hurried bool         // no read has longer, either, whatever deadline is set
	came    atomic.Int64 // octets since something was said, or since heard
}

func (p *patient) Read(b []byte) (int, error) {
	if p.endless() {
		return 0, errEndless
	}
	n, err := p.Conn.Read(b)
	p.came.Add(int64(n))
	return n, err
}

// heard says that what came until now was no part of an answer that is too long.
func (p *patient) heard() { p.came.Store(0) }

// endless tells whether the answer was too long.
func (p *patient) endless() bool { return p.came.Load() > maxAnswer }

func (p *patient) Write(b []byte) (int, error) {
	if !p.endless() {
		p.heard()
	}
	if err := p.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// SetDeadline is of reads alone, since each write sets its own.
func (p *patient) SetDeadline(t time.Time) error {
	if most := time.Now().Add(p.timeout); p.hurried && t.After(most) {
		t = most
	}
	return p.SetReadDeadline(t)
}
