package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// DialOptions are the wishes for Dial. A nil pointer is equivalent to the zero value.
type DialOptions struct {
	Options
	// ConnectTimeout bounds the making of one connection; 0 means 30 s.
	ConnectTimeout time.Duration
	// TLS, if not nil, means implicit TLS (RFC 8314); for its contents see NewTLS. Without a
	// ServerName the certificate must bear the name that is dialled.
	TLS *tls.Config
	// LocalAddr is the address to dial from, or nil.
	LocalAddr net.Addr
}

const defaultConnectTimeout = 30 * time.Second

// Dial connects to addr and returns the session with its greeting read. network is "tcp" (or
// "tcp4", "tcp6"), with host:port as address, or "unix". All addresses of a host are tried in
// turn, each with its own connect limit, as long as no server has answered. ctx bounds the whole.
func Dial(ctx context.Context, network, addr string, opts *DialOptions) (*Client, error) {
	if opts == nil {
		opts = new(DialOptions)
	}
	host, addrs, err := resolve(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return dialEach(ctx, network, host, addrs, opts)
}

// dialEach tries the addresses of host.
func dialEach(ctx context.Context, network, host string, addrs []string, opts *DialOptions) (*Client, error) {
	d := net.Dialer{Timeout: opts.ConnectTimeout, LocalAddr: opts.LocalAddr}
	if d.Timeout <= 0 {
		d.Timeout = defaultConnectTimeout
	}
	var first error
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, network, a)
		if err == nil {
			var c *Client
			if c, err = start(ctx, conn, host, opts.TLS, &opts.Options); err == nil {
				return c, nil
			}
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil || answered(err) {
			return nil, err
		}
	}
	if len(addrs) > 1 {
		return nil, fmt.Errorf("%w (and %d more addresses failed)", first, len(addrs)-1)
	}
	return nil, first
}

// answered tells whether err is a server's answer rather than the lack of one, so that the other
// addresses of the host are not tried.
func answered(err error) bool {
	var refused *Error
	var cert *tls.CertificateVerificationError
	return errors.As(err, &refused) || errors.As(err, &cert) || errors.Is(err, ErrProtocol) || errors.Is(err, ErrNotTLS)
}

// resolve returns the addresses behind addr. The host's name is what TLS goes by, never a name
// or an address that DNS has led to.
func resolve(ctx context.Context, network, addr string) (host string, addrs []string, err error) {
	if network == "unix" {
		return "", []string{addr}, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	if net.ParseIP(host) != nil || host == "" || network != "tcp" {
		return host, []string{addr}, nil
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return "", nil, err
	}
	for _, ip := range ips {
		addrs = append(addrs, net.JoinHostPort(ip.String(), port))
	}
	return host, addrs, nil
}
