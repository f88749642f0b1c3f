// Package pop3 is a POP3 client (RFC 1939, 2449, 2595, 5034) for programs that retrieve and delete.
//
// Methods named after commands queue the command and return at once. The value that they return
// waits for the reply, and waiting sends everything that is queued in one write:
//
//	first, second := c.Retr(1), c.Retr(2)
//	body, err := first.Body() // sends both
//
// Replies come in the order of the commands and never unasked, so this needs no goroutine, no tag
// and no channel. A program that waits for each command before it queues the next one works in
// lock-step with servers that do not announce PIPELINING.
//
// An -ERR is an *Error, and the session goes on. After an error of the connection or of the
// protocol it does not: Err tells the first one, every later call returns it, and nothing more is
// sent, not even QUIT, which would make deletions count that were made under wrong assumptions.
package pop3

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"
)

const (
	// bufferSize is what one read may bring. It also bounds the longest line, a SASL challenge.
	bufferSize = 64 << 10
	// maxStatus bounds a status line; RFC 2449, section 4, allows 512 octets.
	maxStatus = 8 << 10
	// reasonWait bounds the search for the server's reason after a failed write.
	reasonWait = 2 * time.Second
)

// Options are the wishes for one connection. A nil pointer is equivalent to the zero value.
type Options struct {
	// Timeout is the longest silence of the server; 0 means 60 s. Every octet that comes
	// starts it anew, so a slow server that goes on sending is never cut off.
	Timeout time.Duration
	// Dialogue, if not nil, is told what both sides say, one line each, "C: …" and "S: …".
	// Secrets are masked, the texts of messages are left out, and the server's octets are
	// escaped. Errors of the writer are ignored.
	Dialogue io.Writer
}

// A Client is one session with a POP3 server. Only Interrupt and Close may be called from another
// goroutine than the one that uses it.
type Client struct {
	wire     *wire    // the connection with its time-outs
	conn     net.Conn // wire, or TLS over it
	host     string   // as dialled: the name that the certificate must bear
	greeting string
	// stamp is the time stamp of the greeting that announces APOP, or "". After STLS it is still the
	// one that came in clear: fit for a user who demands APOP, and for no decision.
	stamp string

	buf  []byte // what was read ahead is buf[r:w]
	r, w int

	out       []byte     // queued and not yet written
	queue     []*command // replies not yet complete, in order
	sent      int        // how many of them have been written
	octets    int        // length of their command lines
	body      *Body      // multiline response of queue[0], if its status line has been read
	pipelined bool
	stls      bool      // TLS has been asked for
	byHand    *exchange // an AUTH of Do that waits for Respond
	quitting  bool      // QUIT is queued: nothing may follow it (RFC 1939, section 6)

	err  error // sticky
	werr error // a write failed: what has arrived is still read

	dialogue dialogue
}

// New reads the greeting from conn and returns the session. It takes conn over and closes it when
// it fails. A greeting of -ERR is an *Error.
func New(conn net.Conn, opts *Options) (*Client, error) {
	return start(context.Background(), conn, "", nil, opts)
}

// NewTLS begins TLS on conn (implicit TLS, RFC 8314) and goes on as New. cfg must have a
// ServerName or verify by itself; TLS 1.2 is its lowest version unless it says otherwise.
func NewTLS(ctx context.Context, conn net.Conn, cfg *tls.Config, opts *Options) (*Client, error) {
	if cfg == nil {
		cfg = new(tls.Config)
	}
	return start(ctx, conn, "", cfg, opts)
}

// start makes a session of a fresh connection; cfg is nil for a plain one.
func start(ctx context.Context, conn net.Conn, host string, cfg *tls.Config, opts *Options) (*Client, error) {
	if opts == nil {
		opts = new(Options)
	}
	w := newWire(conn, opts.Timeout)
	c := &Client{wire: w, conn: w, host: host, buf: make([]byte, bufferSize), dialogue: dialogue{w: opts.Dialogue}}
	if t, ok := conn.(*tls.Conn); ok { // begun by the caller
		c.conn = ready{w, t}
	}
	stop := context.AfterFunc(ctx, func() { c.Interrupt(0) })
	defer stop()
	err := c.begin(ctx, cfg)
	if err != nil {
		c.Close()
		if ctx.Err() != nil {
			err = &ctxError{cause: context.Cause(ctx), err: err}
		}
		return nil, err
	}
	return c, nil
}

// ready is a TLS connection that the caller made: the wire is around it, not below.
type ready struct {
	*wire
	tls *tls.Conn
}

func (r ready) ConnectionState() tls.ConnectionState { return r.tls.ConnectionState() }

func (c *Client) begin(ctx context.Context, cfg *tls.Config) error {
	if cfg != nil {
		if err := c.handshake(ctx, cfg); err != nil {
			return err
		}
	}
	return c.greet()
}

// greet reads the greeting (RFC 1939, section 4).
func (c *Client) greet() error {
	kind, line, text, err := c.readStatus(maxStatus, "the ", "greeting")
	if err != nil {
		return err
	}
	switch kind {
	case statusOK:
		c.greeting = string(text)
		c.stamp = findStamp(text)
		return nil
	case statusErr:
		return c.newError("greeting", text)
	}
	return c.fail(c.protocolError("the greeting is not one of POP3: %s", c.quote(line)))
}

// Greeting returns the text of the server's greeting, as raw as it came.
func (c *Client) Greeting() string { return c.greeting }

// TLS returns the state of TLS, and whether the connection has it.
func (c *Client) TLS() (tls.ConnectionState, bool) {
	t, ok := c.conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return tls.ConnectionState{}, false
	}
	return t.ConnectionState(), true
}

// Pipelined tells whether in this session a reply, or the beginning of one, has come to a command
// that was sent behind an unanswered one. It does not tell that it was the right reply.
func (c *Client) Pipelined() bool { return c.pipelined }

// Unanswered returns how many commands are queued or sent without their reply being complete, and
// the octets of their lines. The caller keeps the octets below what always fits into the buffers
// of the transport (16 KiB), else both sides may wait for each other (RFC 2449, section 6.6).
func (c *Client) Unanswered() (commands, octets int) { return len(c.queue), c.octets }

// Err returns the error that ended the session, or nil. See the package comment.
func (c *Client) Err() error {
	switch {
	case c.err != nil:
		return c.err
	case c.werr != nil:
		return c.werr
	case c.wire.isClosed():
		return errClosed
	}
	return nil
}

// Interrupt makes all reading and writing fail when d has passed, whatever the silence time-out.
// It is safe from any goroutine, and reaches a read in progress. The first of several limits holds.
func (c *Client) Interrupt(d time.Duration) { c.wire.interrupt(d) }

// Close closes the connection and sends nothing: the server deletes nothing then (RFC 1939,
// section 6). It is safe from any goroutine.
func (c *Client) Close() error { return c.wire.Close() }

// fail makes err the error of the session, if it is the first, and returns the first.
func (c *Client) fail(err error) error {
	if c.err == nil {
		c.err = err
		if c.werr != nil { // the cause; err is what followed from it
			c.err = c.werr
		}
		clear(c.out)
		c.out = c.out[:0]
	}
	return c.err
}

// fill reads once. what and name, joined, say what is waited for, should it fail.
func (c *Client) fill(what, name string) error {
	if c.err != nil {
		return c.err
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	for range 100 { // a Reader may return nothing, but not for ever
		n, err := c.conn.Read(c.buf[c.w:])
		c.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return c.fail(c.lost(what+name, err))
		}
	}
	return c.fail(c.lost(what+name, io.ErrNoProgress))
}

// lost tells what it means that reading or writing failed.
func (c *Client) lost(waiting string, err error) error {
	switch {
	case c.wire.isClosed():
		return errClosed
	case isTimeout(err):
		return c.timeout(waiting)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return &LostError{Waiting: waiting, Err: err}
}

func (c *Client) timeout(waiting string) error {
	e := &TimeoutError{Waiting: waiting, After: c.wire.timeout, Interrupted: c.wire.interrupted()}
	_, secure := c.TLS()
	if !secure && !e.Interrupted && c.wire.received() == 0 && portOf(c.wire.RemoteAddr()) == "995" {
		// RFC 8314, section 3.2: there the client must begin TLS, and both sides wait.
		e.Hint = "nothing was received, and port 995 usually wants TLS"
	}
	return e
}

func portOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return port
}

// errClosed is what everything returns after Close.
var errClosed = &closedError{}

type closedError struct{}

func (*closedError) Error() string { return "the connection is closed" }

func (*closedError) Is(target error) bool { return target == os.ErrClosed || target == net.ErrClosed }
