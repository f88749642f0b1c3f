package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
)

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
