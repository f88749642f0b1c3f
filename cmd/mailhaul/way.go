package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"

	"mailhaul/fetch/pop3"
)

// Private tells whether nobody else sees what is said to the server in clear: on this machine, or
// by a tunnel, whose command answers for it. A proxy leads elsewhere, whatever the server's name.
func (a *Account) Private() bool {
	return len(a.Tunnel) > 0 || a.Server.Local() && a.Proxy == nil
}

// A wayError says that the way to the server, not the server, is the trouble.
type wayError struct {
	Way    string // "tunnel", "proxy", with what or where it is
	Err    error
	status int // the exit status, 0 if Err tells
}

func (e *wayError) Error() string { return e.Way + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *wayError) Unwrap() error { return e.Err }

// dial connects by the account's way and reads the greeting. opts say all else.
func (s *session) dial(ctx context.Context, opts *pop3.DialOptions) (*pop3.Client, error) {
	a := s.a
	switch {
	case len(a.Tunnel) > 0:
		t, err := startTunnel(a.Tunnel, os.Stderr)
		if err != nil {
			e := &wayError{Way: fmt.Sprintf("tunnel %q", a.Tunnel[0]), Err: err, status: exTempFail}
			if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				e.status = exConfig
			}
			return nil, e
		}
		c, err := greeted(ctx, t, opts)
		if err != nil {
			return nil, t.explain(err)
		}
		return c, nil
	case a.Proxy != nil:
		conn, err := a.Proxy.dial(ctx, opts, a.Server.Addr)
		if err != nil {
			return nil, &wayError{Way: "proxy " + a.Proxy.Addr, Err: err}
		}
		return greeted(ctx, conn, opts)
	}
	return pop3.Dial(ctx, a.network(), a.Server.Addr, opts)
}

// network is that of the server; of one family alone if the address to dial from is.
func (a *Account) network() string {
	switch {
	case !a.SourceAddress.IsValid():
		return a.Server.Network
	case a.SourceAddress.Is4():
		return "tcp4"
	}
	return "tcp6"
}

// localAddr is the address to dial from, or nil.
func (a *Account) localAddr() net.Addr {
	if !a.SourceAddress.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.SourceAddress, 0))
}

// greeted begins the session on a connection that is ready. It takes conn over.
func greeted(ctx context.Context, conn net.Conn, opts *pop3.DialOptions) (*pop3.Client, error) {
	if opts.TLS != nil {
		return pop3.NewTLS(ctx, conn, opts.TLS, &opts.Options)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, err := pop3.New(conn, &opts.Options)
	if err == nil && !stop() {
		c.Close()
		return nil, context.Cause(ctx)
	}
	return c, err
}

// portNumber is the server's port as OAUTHBEARER wants it, 0 for a socket.
func (s *Server) portNumber() int {
	n, _ := strconv.Atoi(s.port)
	return n
}

// The keys of the way.

func setTunnel(a *Account, v any, dir string) (err error) {
	a.Tunnel, err = asCommand(v, dir)
	return err
}

func setSourceAddress(a *Account, v any, _ string) error {
	s, err := asText(v)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return errors.New(`want an IP address of this machine, like "192.0.2.7" or "2001:db8::7"`)
	}
	a.SourceAddress = addr.Unmap()
	return nil
}

func wantsNoSocket(a *Account) string {
	if a.Server.Network == "unix" {
		return "does not go with a server on a unix socket"
	}
	return ""
}

func wantsNetwork(a *Account) string {
	if len(a.Tunnel) > 0 {
		return "does not go with tunnel: its command makes the connection"
	}
	return wantsNoSocket(a)
}
