package pop3

import (
	"errors"
	"fmt"
	"strings"
)

// Do sends a command line as it is, for a user who writes the commands, and waits for the reply.
// It returns the status line without its line end: raw and hostile octets, but secrets are masked. multi says that a +OK
// is followed by a multiline response, which is the Body then. An -ERR is an *Error, with the
// status line beside it, and the session goes on.
//
// Do is not for what takes more than a line: it refuses STLS, which would leave both sides waiting
// for each other, and a challenge of AUTH ends the session. In the dialogue the arguments of PASS,
// APOP and AUTH are masked. After QUIT nothing more can be sent.
func (c *Client) Do(line string, multi bool) (status string, body *Body, err error) {
	if err := checkArgument("command line", line); err != nil {
		return "", nil, err
	}
	verb, arg := line, ""
	if i := strings.IndexAny(line, blanks); i >= 0 {
		verb, arg = line[:i], line[i+1:]
	}
	name, shown := strings.ToUpper(verb), line
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
