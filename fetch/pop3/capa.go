package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
)

const maxCapa = 64 << 10

// Caps are the capabilities that the server has announced (RFC 2449), one line each, such as
// "SASL PLAIN LOGIN". They hold for the state in which they were asked for: before TLS, before the
// login, after it. What is not announced may work all the same (RFC 2449, section 7).
type Caps []string

// Has tells whether name is announced. Case does not matter.
func (caps Caps) Has(name string) bool {
	_, ok := caps.find(name)
	return ok
}

// Args returns the arguments of name, nil if it has none or is not announced.
func (caps Caps) Args(name string) []string {
	fields, _ := caps.find(name)
	if len(fields) < 2 {
		return nil
	}
	return fields[1:]
}

// SASL tells whether a SASL mechanism is announced.
func (caps Caps) SASL(mech string) bool {
	for _, line := range caps {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.EqualFold(fields[0], "SASL") {
			continue
		}
		for _, f := range fields[1:] {
			if strings.EqualFold(f, mech) {
				return true
			}
		}
	}
	return false
}

func (caps Caps) find(name string) ([]string, bool) {
	for _, line := range caps {
		// Whole words: "X-NO-STLS" is not STLS.
		if fields := strings.Fields(line); len(fields) > 0 && strings.EqualFold(fields[0], name) {
			return fields, true
		}
	}
	return nil, false
}

// A CapaCmd is a CAPA.
type CapaCmd struct {
	command
	caps Caps
}

// Capa asks for the capabilities.
func (c *Client) Capa() *CapaCmd {
	cmd := &CapaCmd{command: command{multi: true}}
	cmd.read = cmd.parse
	c.enqueuePlain(&cmd.command, "CAPA")
	return cmd
}

// Wait returns the capabilities. An -ERR means that they are unknown, not that there are none
// (RFC 2449, section 5).
func (cmd *CapaCmd) Wait() (Caps, error) {
	if err := cmd.wait(); err != nil {
		return nil, err
	}
	return cmd.caps, nil
}

func (cmd *CapaCmd) parse(b *Body) error {
	var over error
	err := b.eachLine(0, func(line []byte) {
		if b.octets > maxCapa && over == nil {
			over = b.c.protocolError("CAPA has more than %d octets", maxCapa)
		}
		if len(line) > 0 && over == nil {
			cmd.caps = append(cmd.caps, string(line))
		}
	})
	if over != nil {
		return over
	}
	return err
}

// STLS begins TLS on a connection in clear (RFC 2595, section 4). An -ERR is an *Error, and the
// session goes on in clear, but takes no login any more (ErrNoTLS). Every other error ends it.
//
// What the server has said before is worthless then, for anyone may have said it: the caller must
// forget the capabilities and ask again. cfg as for NewTLS; without a ServerName the certificate
// must bear the name that was dialled.
func (c *Client) STLS(cfg *tls.Config) error {
	if _, secure := c.TLS(); secure {
		return errors.New("STLS: the connection has TLS already")
	}
	if err := c.settle(); err != nil {
		return err
	}
	c.stls = true
	if err := c.plain("STLS").Wait(); err != nil {
		return err
	}
	if c.unread() {
		// It would be taken for the answers to what is sent inside TLS.
		return c.fail(ErrPlaintext)
	}
	clear(c.buf)
	c.r, c.w = 0, 0
	c.pipelined = false
	if cfg == nil {
		cfg = new(tls.Config)
	}
	err := c.handshake(context.Background(), cfg)
	if errors.Is(err, ErrNotTLS) { // it came a moment later, and in a packet of its own
		err = fmt.Errorf("%w: %w", ErrPlaintext, err)
	}
	if err != nil {
		return c.fail(err)
	}
	return nil
}

// handshake puts TLS over the wire. After an error nothing more can be said on it.
func (c *Client) handshake(ctx context.Context, cfg *tls.Config) error {
	cfg = cfg.Clone()
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12 // RFC 8996; RFC 8314, section 4.1
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.host
	}
	t := tls.Client(c.wire, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &record):
			return fmt.Errorf("%w: %w", ErrNotTLS, err)
		case isTimeout(err) || isEnd(err) || c.wire.isClosed():
			return c.lost("the TLS handshake", err)
		}
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.conn = t
	c.dialogue.note("TLS")
	return nil
}
