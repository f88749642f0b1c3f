package pop3

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

var (
	// ErrProtocol says that the server does not keep to the protocol, or that its replies are
	// no longer those of our commands. It ends the session.
	ErrProtocol = errors.New("protocol error")
	// ErrPlaintext says that the server's octets went on in clear behind its answer to STLS:
	// an attack, or a server that does not begin TLS.
	ErrPlaintext = errors.New("plaintext behind the answer to STLS")
	// ErrNotTLS says that the other side did not answer TLS with TLS.
	ErrNotTLS = errors.New("the server does not speak TLS on this port")
	// ErrNoTLS says that a login was not sent, because STLS was, and has led to nothing.
	ErrNoTLS = errors.New("no login in clear after STLS was refused")
	// ErrInterrupted says that an error was brought about by Interrupt.
	ErrInterrupted = errors.New("interrupted")
	// ErrArgument says that an argument would break the command line (CR, LF or NUL in it) or
	// cannot be sent. Nothing was sent, and the session goes on.
	ErrArgument = errors.New("argument cannot be sent")
	// ErrChallenge says that the server has not answered AUTH yet, but wants a response.
	ErrChallenge = errors.New("the server wants a response")
	// ErrRefusedMechanism says that the server or the connection does not do a mechanism. No
	// secret was sent, so that another one may be tried.
	ErrRefusedMechanism = errors.New("mechanism refused")
)

// An Error is an -ERR of the server. It does not end the session.
type Error struct {
	Command string // keyword of the refused command; "greeting" for the greeting
	// Code is the response code (RFC 2449, section 8; RFC 3206; RFC 6856), in upper case and
	// without unknown deeper levels: "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH",
	// "UTF8", perhaps another, or "". It is recognised whether or not it was announced.
	Code string
	Text string // what the server said, the code included: raw and hostile octets
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Command + ": refused without a reason"
	}
	return fmt.Sprintf("%s: %q", e.Command, e.Text)
}

// A LoginError says that the server refused the login, and that trying another mechanism is not
// called for: a secret went out, or the reason is not the mechanism. See Err.Code for the reason.
type LoginError struct {
	Mechanism string // as in the configuration: "plain", "user", …
	Err       *Error
	Status    string // of an OAuth refusal, as "401"; else ""
	Cause     error  // why the exchange was cancelled by us; else nil
}

func (e *LoginError) Error() string {
	var b strings.Builder
	b.WriteString("login refused: ")
	if e.Cause != nil {
		b.WriteString(e.Cause.Error() + ": ")
	}
	b.WriteString(e.Err.Error())
	if e.Status != "" {
		fmt.Fprintf(&b, " (status %q)", e.Status)
	}
	return b.String()
}

func (e *LoginError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// A LostError is a connection that ended before its time, for whatever reason.
// errors.Is(err, io.ErrUnexpectedEOF) holds.
type LostError struct {
	Waiting string // for what
	Err     error
	Reason  *Error // what the server said before, if a write failed and it did
}

func (e *LostError) Error() string {
	s := "connection lost while waiting for " + e.Waiting
	if e.Reason != nil {
		return s + ": " + e.Reason.Error()
	}
	if errors.Is(e.Err, io.EOF) || e.Err == io.ErrUnexpectedEOF {
		return s + ": closed by the server"
	}
	return s + ": " + e.Err.Error()
}

func (e *LostError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

// Unwrap gives the reason only where it has a response code: any other -ERR would be taken for the
// refusal of a command, and the connection is lost all the same.
func (e *LostError) Unwrap() []error {
	if e.Reason == nil || e.Reason.Code == "" {
		return []error{e.Err}
	}
	return []error{e.Err, e.Reason}
}

// GreetingDue is what a TimeoutError has waited for where the server has not said a word.
const GreetingDue = "the greeting"

// A TimeoutError is a silence that was too long, or the end that Interrupt has set.
// errors.Is(err, os.ErrDeadlineExceeded) holds, and ErrInterrupted where it fits.
type TimeoutError struct {
	Waiting     string // for what
	After       time.Duration
	Interrupted bool
	Hint        string // what may be the reason
}

func (e *TimeoutError) Error() string {
	if e.Interrupted {
		return "interrupted while waiting for " + e.Waiting
	}
	s := fmt.Sprintf("time-out: the server was silent for %v while it owed %s", e.After, e.Waiting)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *TimeoutError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || e.Interrupted && target == ErrInterrupted
}

// Timeout makes a TimeoutError what package net calls one.
func (e *TimeoutError) Timeout() bool { return true }

// A ctxError is what came of the end of a context.
type ctxError struct{ cause, err error }

func (e *ctxError) Error() string { return e.cause.Error() + ": " + e.err.Error() }

func (e *ctxError) Unwrap() []error { return []error{e.cause, e.err} }

// protocolError makes an ErrProtocol. What it quotes must have gone through quote.
func (c *Client) protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// quote makes octets of the server fit for a message: short, escaped, without secrets.
func (c *Client) quote(b []byte) string {
	const most = 100
	s := c.dialogue.redact(string(b))
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// newError makes the Error of an -ERR.
func (c *Client) newError(command string, text []byte) *Error {
	code := responseCode(text)
	if code != "" && !knownCode(code) {
		code = c.dialogue.redact(code)
	}
	return &Error{Command: command, Code: code, Text: c.dialogue.redact(string(text))}
}

// isEnd tells whether the other side ended the connection.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
