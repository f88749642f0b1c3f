package pop3

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A command is what the values that the Client's methods return have in common: its place in the
// queue, and its reply once that has come.
type command struct {
	c      *Client
	name   string // keyword
	octets int    // of the line
	behind bool   // was sent behind an unanswered command
	multi  bool   // +OK is followed by a multiline response
	keep   bool   // the status line is wanted as it is
	// read takes the multiline response as soon as its turn comes; nil leaves it to a reader.
	read func(*Body) error

	replied bool
	text    string // of a +OK
	status  string // if it is to be kept
	body    *Body
	err     error
}

// A Cmd is a command whose reply is a status line without further contents.
type Cmd struct{ command }

// Wait waits for the reply.
func (cmd *Cmd) Wait() error { return cmd.wait() }

// Dele marks message num as deleted. Only the +OK to QUIT makes it count.
func (c *Client) Dele(num int) *Cmd {
	cmd := new(Cmd)
	c.enqueueNum(&cmd.command, "DELE", num)
	return cmd
}

// Noop does nothing, but keeps the server from closing a silent connection.
func (c *Client) Noop() *Cmd { return c.plain("NOOP") }

// Quit ends the session; after a login the server then deletes what DELE has marked. No command
// can be queued behind it.
func (c *Client) Quit() *Cmd {
	cmd := c.plain("QUIT")
	c.quitting = true
	return cmd
}

func (c *Client) plain(name string) *Cmd {
	cmd := new(Cmd)
	c.enqueuePlain(&cmd.command, name)
	return cmd
}

var errAfterQuit = errors.New("command behind QUIT")

// enqueueNum queues a command with numbers for arguments.
func (c *Client) enqueueNum(cmd *command, name string, num int, more ...int) {
	line := name + " " + strconv.Itoa(num)
	for _, n := range more {
		line += " " + strconv.Itoa(n)
	}
	if num <= 0 {
		cmd.c, cmd.name = c, name
		cmd.refuse(fmt.Errorf("%s: %w: no message has number %d", name, ErrArgument, num))
		return
	}
	c.enqueue(cmd, name, line, line)
}

// enqueuePlain queues a command without arguments.
func (c *Client) enqueuePlain(cmd *command, name string) { c.enqueue(cmd, name, name, name) }

// enqueue queues a command line, of which shown is what may be told. Lines with arguments from
// outside have been through checkArgument.
func (c *Client) enqueue(cmd *command, name, line, shown string) {
	cmd.c, cmd.name, cmd.octets = c, name, len(line)+2
	if err := c.Err(); err != nil {
		cmd.refuse(err)
		return
	}
	if c.quitting {
		cmd.refuse(fmt.Errorf("%s: %w", name, errAfterQuit))
		return
	}
	c.out = append(append(c.out, line...), '\r', '\n')
	c.queue = append(c.queue, cmd)
	c.octets += cmd.octets
	c.dialogue.command(shown)
}

// refuse gives the command its result without sending it.
func (cmd *command) refuse(err error) { cmd.replied, cmd.err = true, err }

// checkArgument keeps an argument from becoming another command. The value is not told: it may be
// a secret.
func checkArgument(what, s string) error {
	if strings.ContainsAny(s, "\r\n\x00") {
		return fmt.Errorf("%w: CR, LF or NUL in the %s", ErrArgument, what)
	}
	return nil
}

// Flush sends what is queued, in one write, without waiting for a reply. The methods that wait
// do it by themselves.
func (c *Client) Flush() error {
	c.flush()
	return c.Err()
}

func (c *Client) flush() {
	if c.err != nil || c.werr != nil || len(c.out) == 0 {
		return
	}
	if c.sent == 0 && c.unread() {
		// A reply that was there before its command: an attack, or a server that is out of step.
		c.fail(c.protocolError("unexpected input before %s: %s", c.queue[0].name, c.quote(c.buf[c.r:c.w])))
		return
	}
	c.dialogue.written()
	n, err := c.conn.Write(c.out)
	clear(c.out) // passwords
	c.out = c.out[:0]
	for c.sent < len(c.queue) && (err == nil || n >= c.queue[c.sent].octets) {
		n -= c.queue[c.sent].octets
		c.queue[c.sent].behind = c.sent > 0
		c.sent++
	}
	if err != nil {
		// No end yet: the server's reason is often in the receive buffer.
		c.werr = c.lost("the reply to "+c.queue[min(c.sent, len(c.queue)-1)].name, err)
		c.wire.interrupt(reasonWait)
	}
}

// unread tells whether there is input that nobody asked for, where no reply is outstanding.
func (c *Client) unread() bool { return c.w > c.r }

// wait brings the reply of cmd: everything queued is sent, and the replies before it are read.
func (cmd *command) wait() error {
	c := cmd.c
	for !cmd.replied {
		if c.sent <= 1 && c.body != nil {
			// In lock-step nothing is sent before the last reply is read to its end.
			if err := c.body.drain(); err != nil {
				cmd.refuse(err)
				break
			}
		}
		c.flush()
		if err := c.readReply(); err != nil {
			cmd.refuse(err)
		}
	}
	return cmd.err
}

// settle sends all that is queued and reads all replies, so that the next command stands alone.
func (c *Client) settle() error {
	for len(c.queue) > 0 {
		c.queue[len(c.queue)-1].wait()
		if c.body != nil {
			c.body.drain()
		}
		if c.err != nil {
			return c.err
		}
	}
	return c.Err()
}

// readReply reads the reply of the first command in the queue: its status line, and the multiline
// response if the command reads that itself. The error is one of the session, not an -ERR.
func (c *Client) readReply() error {
	if c.err != nil {
		return c.err
	}
	if c.body != nil {
		return c.body.drain()
	}
	cmd := c.queue[0]
	if c.sent == 0 { // and the write has failed: all that can come is a reason
		return c.readReason(cmd)
	}
	kind, line, text, err := c.readStatusOf(cmd)
	if err != nil {
		return err
	}
	if cmd.keep {
		cmd.status = c.dialogue.redact(string(line))
	}
	switch kind {
	case statusOK:
		cmd.replied, cmd.text = true, string(text)
		if !cmd.multi {
			c.pop()
			return nil
		}
		cmd.body = &Body{c: c, name: cmd.name}
		c.body = cmd.body
		if cmd.read == nil {
			return nil
		}
		if cmd.err = cmd.read(cmd.body); cmd.err != nil {
			return c.fail(cmd.err)
		}
		return nil
	case statusErr:
		cmd.replied, cmd.err = true, c.newError(cmd.name, text)
		c.pop()
		return nil
	}
	return c.fail(c.protocolError("the reply to %s is neither +OK nor -ERR: %s", cmd.name, c.quote(line)))
}

// readStatusOf reads the status line of the reply to cmd, and notes what it tells of pipelining.
func (c *Client) readStatusOf(cmd *command) (kind statusKind, line, text []byte, err error) {
	kind, line, text, err = c.readStatus(maxStatus, "the reply to ", cmd.name)
	begun := err != nil && c.unread() && (c.buf[c.r] == '+' || c.buf[c.r] == '-')
	if begun || kind == statusOK || kind == statusErr {
		c.pipelined = c.pipelined || cmd.behind
	}
	return kind, line, text, err
}

// readReason looks for the reason why a write failed. A +OK is none: the command was not sent.
func (c *Client) readReason(cmd *command) error {
	kind, _, text, err := c.readStatusOf(cmd)
	if err != nil {
		return err
	}
	if kind == statusErr {
		c.werr = &LostError{Waiting: "the reply to " + cmd.name, Err: c.werr, Reason: c.newError(cmd.name, text)}
	}
	return c.fail(c.werr)
}

// pop takes the first command from the queue: its reply is complete.
func (c *Client) pop() {
	c.octets -= c.queue[0].octets
	c.queue[0] = nil
	c.queue = c.queue[1:]
	c.sent--
	if len(c.queue) == 0 {
		c.queue = nil
	}
}
