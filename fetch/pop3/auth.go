package pop3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"
)

const (
	// maxCommand is the longest command line with its CRLF (RFC 2449, section 4). Responses of a
	// SASL exchange are not commands.
	maxCommand = 255
	// maxChallenge bounds a line of the server within AUTH.
	maxChallenge = bufferSize
	// maxRounds bounds an exchange; no mechanism has as many challenges.
	maxRounds = 16
)

// UserPass logs in with USER and PASS (RFC 1939, section 7). The password goes out as it is, and
// only after a +OK to USER.
func (c *Client) UserPass(user, pass string) error {
	if err := errors.Join(checkArgument("user name", user), checkArgument("password", pass)); err != nil {
		return err
	}
	if err := c.beginLogin(); err != nil {
		return err
	}
	c.Mask(pass)
	if err := c.secretly("USER", "USER "+user, "USER "+user).Wait(); err != nil {
		return refused("user", err, false)
	}
	return refused("user", c.secretly("PASS", "PASS "+pass, "PASS "+masked).Wait(), true)
}

// Apop logs in with APOP (RFC 1939, section 7), which keeps the secret from those who listen, but
// not from those who also compute. Without a stamp in the greeting it is ErrRefusedMechanism.
func (c *Client) Apop(user, secret string) error {
	if err := errors.Join(checkArgument("user name", user), checkArgument("password", secret)); err != nil {
		return err
	}
	if c.stamp == "" {
		return fmt.Errorf("%w: APOP: the greeting has no time stamp", ErrRefusedMechanism)
	}
	if err := c.beginLogin(); err != nil {
		return err
	}
	sum := md5.Sum([]byte(c.stamp + secret))
	digest := hex.EncodeToString(sum[:])
	c.Mask(secret)
	c.Mask(digest)
	return refused("apop", c.secretly("APOP", "APOP "+user+" "+digest, "APOP "+user+" "+masked).Wait(), true)
}

// beginLogin is before everything that tells who the user is. Who has asked for TLS does not want to
// log in without, whatever the server has answered (RFC 2595, section 2.2).
func (c *Client) beginLogin() error {
	if err := c.settle(); err != nil {
		return err
	}
	if _, secure := c.TLS(); c.stls && !secure {
		return ErrNoTLS
	}
	return nil
}

// secretly queues a command of the login.
func (c *Client) secretly(name, line, shown string) *Cmd {
	cmd := new(Cmd)
	c.enqueue(&cmd.command, name, line, shown)
	return cmd
}

// refused tells what an -ERR at login is about. Where no secret went out and the response code
// does not say otherwise, it is about the mechanism.
func refused(mech string, err error, secret bool) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	var lost *LostError
	if errors.As(err, &lost) {
		return err
	}
	if secret || knownCode(e.Code) {
		return &LoginError{Mechanism: mech, Err: e}
	}
	return fmt.Errorf("%w: %w", ErrRefusedMechanism, e)
}

// A finisher is a mechanism that knows whether the exchange is complete. It is asked when the
// server says +OK: an error means that this comes too early, and is no success.
type finisher interface{ finish() error }

// Auth logs in by a SASL mechanism (RFC 5034). initial asks for the initial response to be sent
// within the command, which saves a wait; some servers do not understand it. It is sent only where
// the line stays within 255 octets.
//
// Everything that mech makes is treated as a secret. If it returns an error, or if a challenge
// cannot be decoded, the exchange is cancelled and the session goes on.
func (c *Client) Auth(mech sasl.Client, initial bool) error {
	name, ir, err := mech.Start()
	if err != nil {
		return err
	}
	if err := checkMechanism(name); err != nil {
		return err
	}
	if err := c.beginLogin(); err != nil {
		return err
	}
	x := &exchange{c: c, mech: mech, name: name, ir: ir}
	line, shown := "AUTH "+name, "AUTH "+name
	if initial && ir != nil {
		enc := x.encode(ir)
		if enc == "" {
			enc = "=" // RFC 5034, section 4
		}
		if len(line)+len(" ")+len(enc)+len("\r\n") <= maxCommand {
			line, shown = line+" "+enc, shown+" "+masked
			x.ir, x.responses = nil, 1
		}
	}
	x.cmd = c.secretly("AUTH", line, shown)
	c.flush()
	if c.werr != nil && c.sent == 0 {
		return c.readReason(&x.cmd.command)
	}
	return x.run()
}

// An exchange is one run of a SASL mechanism.
type exchange struct {
	c         *Client
	cmd       *Cmd
	mech      sasl.Client
	name      string
	ir        []byte // not yet sent
	responses int    // sent
}

// run answers challenges until the server says +OK or -ERR.
func (x *exchange) run() error {
	c := x.c
	for range maxRounds {
		kind, text, err := x.reply()
		switch {
		case err != nil:
			return err
		case kind == statusOK:
			return x.succeed()
		case kind == statusErr:
			return x.refuse(c.newError("AUTH", text), nil)
		}
		resp, err := x.respond(text)
		if err != nil {
			return x.cancel(err)
		}
		x.responses++
		if err := x.send(x.encode(resp), masked); err != nil {
			return err
		}
	}
	return x.cancel(errors.New("too many challenges"))
}

// reply reads a line of the server. +OK and -ERR complete the command.
func (x *exchange) reply() (statusKind, []byte, error) {
	c := x.c
	if c.err != nil {
		return statusBad, nil, c.err
	}
	kind, line, text, err := c.readStatus(maxChallenge, "the reply to ", "AUTH")
	if err != nil {
		return statusBad, nil, err
	}
	if x.cmd.keep {
		x.cmd.status = c.dialogue.redact(string(line))
	}
	switch {
	case kind == statusBad, kind != statusChallenge && len(line) > maxStatus:
		return statusBad, nil, c.fail(c.protocolError("the reply to AUTH is none: %s", c.quote(line)))
	case kind != statusChallenge:
		x.cmd.replied = true
		c.pop()
	}
	return kind, text, nil
}

// respond makes the response to a challenge. "+" without a blank is an empty challenge, too.
func (x *exchange) respond(challenge []byte) ([]byte, error) {
	dec, err := base64.StdEncoding.DecodeString(string(challenge))
	if err != nil {
		return nil, errors.New("the challenge is not base64")
	}
	if x.ir != nil {
		// The server asks for what could have been the initial response, with an empty
		// challenge; one that says something has nothing to say to it.
		ir := x.ir
		x.ir = nil
		return ir, nil
	}
	return x.mech.Next(dec)
}

// send writes a line that is no command.
func (x *exchange) send(line, shown string) error {
	c := x.c
	if c.unread() {
		return c.fail(c.protocolError("unexpected input within AUTH: %s", c.quote(c.buf[c.r:c.w])))
	}
	c.dialogue.command(shown)
	c.dialogue.written()
	out := []byte(line + "\r\n")
	_, err := c.conn.Write(out)
	clear(out)
	if err != nil {
		c.werr = c.lost("the reply to AUTH", err)
		c.wire.interrupt(reasonWait)
		c.sent = 0
		return c.readReason(&x.cmd.command)
	}
	return nil
}

// cancel ends the exchange from our side and reads the -ERR that answers it (RFC 5034, section 4).
func (x *exchange) cancel(cause error) error {
	// It may repeat what the server has said in a challenge.
	cause = fmt.Errorf("AUTH %s cancelled: %s", x.name, x.c.dialogue.redact(cause.Error()))
	if err := x.send("*", "*"); err != nil {
		return err
	}
	kind, text, err := x.reply()
	if err != nil {
		return err
	}
	if kind != statusErr {
		return x.c.fail(x.c.protocolError("%v, and not answered by -ERR", cause))
	}
	return x.refuse(x.c.newError("AUTH", text), cause)
}

// succeed looks at a +OK. One that comes before the exchange is complete is no success: the server
// may not be the one that knows the password.
func (x *exchange) succeed() error {
	if x.responses == 0 {
		return x.c.fail(x.c.protocolError("+OK to AUTH %s before any response", x.name))
	}
	if f, ok := x.mech.(finisher); ok {
		if err := f.finish(); err != nil {
			return x.c.fail(x.c.protocolError("+OK to AUTH %s: %v", x.name, err))
		}
	}
	return nil
}

// refuse makes the error for an -ERR.
func (x *exchange) refuse(e *Error, cause error) error {
	if b, ok := x.mech.(interface{ bound() bool }); ok && b.bound() {
		return &LoginError{Mechanism: x.label(), Err: e, Cause: cause}
	}
	if x.responses == 0 && cause != nil {
		return fmt.Errorf("%w: %w: %w", ErrRefusedMechanism, cause, e)
	}
	err := refused(x.label(), e, x.responses > 0)
	var login *LoginError
	if errors.As(err, &login) {
		login.Cause = cause
		if s, ok := x.mech.(interface{ status() string }); ok {
			login.Status = x.c.dialogue.redact(s.status())
		}
	}
	return err
}

// encode makes the line of a response, which is from then on masked wherever it comes back.
func (x *exchange) encode(resp []byte) string {
	enc := base64.StdEncoding.EncodeToString(resp)
	x.c.Mask(enc)
	return enc
}

func (x *exchange) label() string { return configName(x.name) }

// checkMechanism keeps what is no mechanism name (RFC 4422, section 3.1) off the line.
func checkMechanism(name string) error {
	if len(name) == 0 || len(name) > 20 {
		return fmt.Errorf("%w: mechanism %q", ErrArgument, name)
	}
	for _, b := range []byte(name) {
		if (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return fmt.Errorf("%w: mechanism %q", ErrArgument, name)
		}
	}
	return nil
}
