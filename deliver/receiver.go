package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
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

func (r *Receiver) redact(text string) string {
	if r.Redact == nil {
		return text
	}
	return r.Redact(text)
}

var (
	// ErrLogin is matched by the Error of a receiver that refuses the login, whose certificate is
	// refused, or that has not the encryption that is demanded.
	ErrLogin = errors.New("login refused")
	// ErrUnavailable is matched by the Error of a receiver that refuses the session for good.
	ErrUnavailable = errors.New("the server refuses the session")
)

// aboutTLS tells whether the trouble is the encryption: who the server is, or that it speaks none.
func aboutTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &header) || errors.As(err, &alert)
}

// dial connects, with TLS if that begins at once. The connection's deadlines are its own: a receiver
// that takes nothing for Timeout is gone.
func (r *Receiver) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, r.Network, r.Addr)
	if err != nil {
		return nil, err
	}
	conn = &patient{Conn: conn, timeout: r.timeout()}
	if r.TLS == nil || r.StartTLS {
		return conn, nil
	}
	secure := tls.Client(conn, r.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (r *Receiver) timeout() time.Duration {
	if r.Timeout <= 0 {
		return time.Minute
	}
	return r.Timeout
}

// patient is a connection on which each write has so long. Reads have the deadline that is set: only
// the protocol knows how long an answer may take.
type patient struct {
	net.Conn
	timeout time.Duration
	hurried bool // no read has longer, either, whatever deadline is set
}

func (p *patient) Write(b []byte) (int, error) {
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
