package pop3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Do sends a command line as it is, for a user who writes the commands, and waits for the reply.
// It returns the status line without its line end: raw and hostile octets, but secrets are masked. multi says that a +OK
// is followed by a multiline response, which is the Body then. An -ERR is an *Error, with the
// status line beside it, and the session goes on.
//
// Do refuses STLS, which is more than a line and would leave both sides waiting for each other. A
// challenge of AUTH comes back as the status line with ErrChallenge, and Respond goes on. In the
// dialogue the arguments of PASS, APOP and AUTH are masked. After QUIT nothing more can be sent.
func (c *Client) Do(line string, multi bool) (status string, body *Body, err error) {
	if err := checkArgument("command line", line); err != nil {
		return "", nil, err
	}
	verb, arg := line, ""
	if i := strings.IndexAny(line, blanks); i >= 0 {
		verb, arg = line[:i], line[i+1:]
	}
	name, shown := strings.ToUpper(verb), line
	if c.byHand != nil {
		return "", nil, fmt.Errorf("%w: %s within AUTH", ErrArgument, name)
	}
	switch name {
	case "":
		return "", nil, fmt.Errorf("%w: the command line is empty", ErrArgument)
	case "STLS":
		return "", nil, fmt.Errorf("%w: STLS is more than a line", ErrArgument)
	case "USER", "PASS", "APOP", "AUTH":
		if err := c.beginLogin(); err != nil {
			return "", nil, err
		}
		shown = c.maskLine(name, verb, arg)
		if name == "AUTH" && strings.Trim(arg, blanks) != "" { // bare, it asks for a list
			status, err = c.authByHand(line, shown)
			return status, nil, err
		}
	default:
		if err := c.settle(); err != nil {
			return "", nil, err
		}
	}
	cmd := &command{multi: multi, keep: true}
	c.enqueue(cmd, name, line, shown)
	c.quitting = c.quitting || name == "QUIT"
	err = cmd.wait()
	var e *Error
	if err != nil && !errors.As(err, &e) || cmd.body == nil {
		return cmd.status, nil, err
	}
	return cmd.status, cmd.body, err
}

// maskLine returns what may be told of a command of the login, and masks its secret from then on.
func (c *Client) maskLine(name, verb, arg string) string {
	if name == "USER" {
		return verb + " " + arg
	}
	secret := arg
	if name != "PASS" { // the name of the user or of the mechanism comes first
		var first string
		first, secret, _ = strings.Cut(arg, " ")
		verb += " " + first
	}
	if secret == "" {
		return verb
	}
	c.Mask(secret)
	c.Mask(strings.TrimSpace(secret))
	return verb + " " + masked
}

// authByHand begins an exchange of SASL in which a person makes the responses.
func (c *Client) authByHand(line, shown string) (status string, err error) {
	cmd := c.secretly("AUTH", line, shown)
	cmd.keep = true
	c.byHand = &exchange{c: c, cmd: cmd}
	c.flush()
	if c.werr != nil && c.sent == 0 {
		return "", c.readReason(&cmd.command)
	}
	return c.replyByHand()
}

// Respond sends a line in answer to a challenge (ErrChallenge), as it is: a response in base64, or
// "*", which cancels (RFC 5034, section 4). It returns as Do. What is sent is masked from then on,
// also where the server says it decoded.
func (c *Client) Respond(line string) (status string, err error) {
	if err := checkArgument("response", line); err != nil {
		return "", err
	}
	if c.byHand == nil {
		return "", fmt.Errorf("%w: there is no challenge to respond to", ErrArgument)
	}
	shown := line
	if line != "*" && line != "" {
		shown = masked
		c.Mask(line)
		if dec, err := base64.StdEncoding.DecodeString(line); err == nil {
			// The secret is what stands last (RFC 4616, section 2), or the whole of it.
			c.Mask(string(dec[bytes.LastIndexByte(dec, 0)+1:]))
		}
	}
	if err := c.byHand.send(line, shown); err != nil {
		return "", err
	}
	return c.replyByHand()
}

func (c *Client) replyByHand() (status string, err error) {
	x := c.byHand
	kind, text, err := x.reply()
	if err == nil && kind == statusChallenge {
		return x.cmd.status, ErrChallenge
	}
	c.byHand = nil
	if err == nil && kind == statusErr {
		err = c.newError("AUTH", text)
	}
	return x.cmd.status, err
}
