package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A Server is where an account's maildrop is.
type Server struct {
	Network string // "tcp" or "unix"
	Addr    string // host:port or a path, for Dial
	Host    string // name or address in lower case, without a port; "unix:/path" for a socket
	port    string // "" until setPort
}

// setServer reads host, host:port, [v6]:port or unix:/path.
func setServer(s *Server, v any) error {
	const how = `want a host, "host:port", "[v6]:port" or "unix:/path"`
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s, not %s", how, typeName(v))
	}
	if p, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\x00\r\n") {
			return errors.New("want unix: with an absolute path")
		}
		*s = Server{Network: "unix", Addr: p, Host: text}
		return nil
	}
	if strings.Contains(text, "://") {
		return errors.New(how + ", without a scheme")
	}
	host, port := text, ""
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
		// An IPv6 address without brackets is whole: it has no port.
	} else if strings.HasSuffix(text, "]") {
		host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	} else if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return errors.New(how)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("want a port from 1 to 65535")
		}
	}
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@"'[]<>,;`, r) }
	if host == "" || strings.ContainsFunc(host, bad) {
		return errors.New(how)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	*s = Server{Network: "tcp", Addr: host, Host: host, port: port}
	return nil
}

// setPort completes the address with the port of the TLS mode (RFC 8314: 995 is implicit TLS,
// 110 is STLS or clear).
func (s *Server) setPort(tls string) {
	s.setDefaultPort(map[string]string{"implicit": "995", "starttls": "110", "none": "110"}[tls])
}

func (s *Server) setDefaultPort(port string) {
	if s.Network == "unix" {
		return
	}
	if s.port == "" {
		s.port = port
	}
	s.Addr = net.JoinHostPort(s.Host, s.port)
}

// Port is the port's number as text, "" for a socket.
func (s *Server) Port() string { return s.port }

// Local tells whether the way to the server leaves this machine: what is said in clear there is
// seen by nobody else.
func (s *Server) Local() bool {
	if s.Network == "unix" || s.Host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(s.Host)
	return err == nil && addr.Unmap().IsLoopback()
}
