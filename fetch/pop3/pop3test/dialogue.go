package pop3test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// A Dialogue is a server that says exactly what a script says, on one connection, and checks
// that the client does, too.
type Dialogue struct {
	Addr string // host:port

	steps    []step
	listener net.Listener
	done     chan struct{}
	err      error // valid once done is closed

	mu     sync.Mutex
	wire   *wire // nil until there is a connection
	closed bool
}

// NewDialogue serves a script on a port of 127.0.0.1. The caller must call Close. The
// script is in the notation of RFC 1939:
//
//	S: +OK POP3 server ready       the server sends this line
//	C: STAT                        the client must send this line
//	S! +OK 2                       the server sends these octets without a CRLF
//	close                          the server ends the stream
//	reset                          the server resets the connection
//	C: <close connection>          the client must end the stream; the end of the script
//	                               says the same
//
// Lines may be indented. Behind the colon as many spaces are dropped as the first such line
// has, so that both styles of the RFC work and a text may begin with spaces. \r, \n, \t,
// \xHH and \\ are as in Go. Empty lines, "..." and the RFC's "<open connection>" and "<wait
// for …>" mean nothing; a line without a mark continues a text in angle brackets.
//
// The order of lines is strict. Two lines of the client in sequence may come as one packet;
// a line that comes before the server has said what stands in front of it is an error (as far
// as that can be seen: it must have arrived by then).
func NewDialogue(script string) (*Dialogue, error) {
	d, err := newDialogue(script)
	if err != nil {
		return nil, err
	}
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	d.Addr = d.listener.Addr().String()
	go func() { // ends with the script or with Close
		conn, err := d.listener.Accept()
		d.listener.Close()
		if err != nil {
			d.err = errors.New("no connection")
			close(d.done)
			return
		}
		d.serve(conn)
	}()
	return d, nil
}

// DialDialogue serves a script on a connection in memory, as for testing/synctest.
func DialDialogue(script string) (*Dialogue, net.Conn, error) {
	d, err := newDialogue(script)
	if err != nil {
		return nil, nil, err
	}
	client, server := pipe(0)
	go d.serve(server) // ends with the script or with Close
	return d, client, nil
}

func newDialogue(script string) (*Dialogue, error) {
	steps, err := parse(script)
	if err != nil {
		return nil, err
	}
	return &Dialogue{steps: steps, done: make(chan struct{})}, nil
}

// Wait returns when the dialogue is over. Its error is the first thing that was not as in the
// script, with the number of its line.
func (d *Dialogue) Wait() error {
	<-d.done
	return d.err
}

// Close ends the dialogue where it stands, and waits for it.
func (d *Dialogue) Close() {
	d.mu.Lock()
	d.closed = true
	if d.listener != nil {
		d.listener.Close()
	}
	if d.wire != nil {
		d.wire.Close()
	}
	d.mu.Unlock()
	<-d.done
}

func (d *Dialogue) serve(conn net.Conn) {
	defer close(d.done)
	p := &player{wire: newWire(conn)}
	d.mu.Lock()
	d.wire = p.wire
	if d.closed {
		conn.Close()
	}
	d.mu.Unlock()
	defer conn.Close()
	for _, st := range d.steps {
		if err := p.play(st); err != nil {
			d.err = fmt.Errorf("line %d: %w", st.num, err)
			return
		}
		if st.kind == stepClose || st.kind == stepReset {
			return
		}
	}
}

// A player is one side of a dialogue.
type player struct {
	wire *wire
	in   string // read and not yet compared
}

func (p *player) play(st step) error {
	switch st.kind {
	case stepClient:
		return p.hear(st.text)
	case stepEnd:
		if err := p.fill(); err == nil || p.in != "" {
			return fmt.Errorf("the client said %q, want the end", p.in)
		}
		return nil
	}
	p.wire.nonblock = true
	err := p.fill()
	p.wire.nonblock = false
	switch {
	case p.in != "":
		return fmt.Errorf("the client said %q before the server had said %q", p.in, st.text)
	case !errors.Is(err, os.ErrDeadlineExceeded) && st.kind == stepServer:
		return fmt.Errorf("the client ended the stream (%v) before the server had said %q", err, st.text)
	}
	switch st.kind {
	case stepClose:
		p.wire.end()
	case stepReset:
		p.wire.reset()
	default:
		if _, err := p.wire.Write([]byte(st.text)); err != nil {
			return err
		}
	}
	return nil
}

// hear compares what the client says with what it should. It does not wait for the end of a
// line that is wrong already.
func (p *player) hear(want string) error {
	for len(p.in) < len(want) && strings.HasPrefix(want, p.in) {
		if err := p.fill(); err != nil {
			return fmt.Errorf("the client said %q and then nothing (%v), want %q", p.in, err, want)
		}
	}
	rest, ok := strings.CutPrefix(p.in, want)
	if !ok {
		said, _, _ := strings.Cut(p.in, "\n")
		return fmt.Errorf("the client said %q, want %q", said, strings.TrimSuffix(want, "\n"))
	}
	p.in = rest
	return nil
}

func (p *player) fill() error {
	if p.wire.nonblock && p.in != "" {
		return nil
	}
	var buf [4 << 10]byte
	n, err := p.wire.Read(buf[:])
	p.in += string(buf[:n])
	if n > 0 {
		return nil
	}
	return err
}
