package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mailhaul/fetch/pop3"
)

// A Proxy is what connects us to the server. It looks up the server's name.
type Proxy struct {
	Scheme   string // "socks5" or "http"
	Addr     string // host:port
	User     string // "" for no login
	Password Secret
}

const howProxy = `want "socks5://[user:password@]host:port" or "http://…"`

// setProxy reads the URL of a proxy. No error quotes it: it may hold a password.
func setProxy(a *Account, v any, _ string) error {
	text, err := asLine(v)
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return errors.New(howProxy)
	}
	p := &Proxy{Scheme: u.Scheme, Addr: strings.ToLower(u.Host)}
	switch u.Scheme {
	case "socks5h":
		p.Scheme = "socks5" // names are always looked up by the proxy
	case "socks5", "http":
	default:
		return errors.New(howProxy)
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return errors.New(howProxy)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		p.User, p.Password = u.User.Username(), NewSecret(password)
		// RFC 1929, section 2: both are 1 to 255 octets long.
		if p.User == "" || len(p.User) > 255 || len(password) > 255 || p.Scheme == "socks5" && password == "" {
			return errors.New("want a user and a password of 1 to 255 octets")
		}
		if strings.ContainsAny(p.User+password, "\r\n\x00") || p.Scheme == "http" && strings.Contains(p.User, ":") {
			return errors.New("has a character in user or password that cannot be sent")
		}
	}
	a.Proxy = p
	return nil
}

// holdsPassword tells whether a configured proxy has a password in it.
func holdsPassword(v any) bool {
	text, _ := v.(string)
	u, err := url.Parse(text)
	return err != nil && strings.Contains(text, "@") || err == nil && u.User != nil
}

// A refusedError is a proxy's no.
type refusedError struct {
	text   string
	status int
}

func (e *refusedError) Error() string { return e.text }

// dial connects to target by the proxy, within the limit for connecting.
func (p *Proxy) dial(ctx context.Context, opts *pop3.DialOptions, target string) (net.Conn, error) {
	d := net.Dialer{Timeout: opts.ConnectTimeout, LocalAddr: opts.LocalAddr}
	conn, err := d.DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(opts.ConnectTimeout))
	if p.Scheme == "socks5" {
		err = p.socks5(conn, target)
	} else {
		err = p.connect(conn, target)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("connecting to %s: %w", target, err)
	}
	return conn, nil
}

// socksReplies are the meanings of a reply (RFC 1928, section 6).
var socksReplies = map[byte]refusedError{
	1: {"general failure", exTempFail},
	2: {"its rules do not allow it", exUnavailable},
	3: {"network unreachable", exUnavailable},
	4: {"host unreachable", exUnavailable},
	5: {"connection refused", exUnavailable},
	6: {"time-out", exTempFail},
	7: {"it cannot connect", exUnavailable},
	8: {"it does not know this kind of address", exUnavailable},
}

// errNotSOCKS says that the other side is no SOCKS5 server.
var errNotSOCKS = &refusedError{"it does not speak SOCKS5", exProtocol}

// socks5 asks for a connection (RFC 1928), with a login if there is one (RFC 1929).
func (p *Proxy) socks5(conn net.Conn, target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	const none, login = 0, 2
	hello := []byte{5, 1, none}
	if p.User != "" {
		hello = []byte{5, 2, none, login}
	}
	var reply [4]byte
	if err := exchange(conn, hello, reply[:2]); err != nil {
		return err
	}
	switch {
	case reply[0] != 5:
		return errNotSOCKS
	case reply[1] == none:
	case reply[1] == login && p.User != "":
		if err := p.login(conn); err != nil {
			return err
		}
	default:
		return &refusedError{"it demands another login than is configured", exNoPerm}
	}
	request := []byte{5, 1, 0}
	if ip := net.ParseIP(host); ip.To4() != nil {
		request = append(append(request, 1), ip.To4()...)
	} else if ip != nil {
		request = append(append(request, 4), ip...)
	} else if len(host) > 255 {
		return errors.New("the server's name is too long")
	} else {
		request = append(append(request, 3, byte(len(host))), host...)
	}
	request = append(request, byte(n>>8), byte(n))
	if err := exchange(conn, request, reply[:]); err != nil {
		return err
	}
	if reply[0] != 5 {
		return errNotSOCKS
	}
	if reply[1] != 0 {
		if refusal, ok := socksReplies[reply[1]]; ok {
			return &refusal
		}
		return &refusedError{fmt.Sprintf("refused with code %d", reply[1]), exUnavailable}
	}
	return skipAddress(conn, reply[3])
}

// login logs in to the proxy (RFC 1929).
func (p *Proxy) login(conn net.Conn) error {
	request := append([]byte{1, byte(len(p.User))}, p.User...)
	password := p.Password.Reveal()
	request = append(append(request, byte(len(password))), password...)
	var reply [2]byte
	if err := exchange(conn, request, reply[:]); err != nil {
		return err
	}
	if reply[1] != 0 {
		return &refusedError{"it refuses user or password", exNoPerm}
	}
	return nil
}

func exchange(conn net.Conn, request, reply []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, reply)
	return err
}

// skipAddress reads the address that the proxy connects from, and not an octet more: the server
// speaks first.
func skipAddress(conn net.Conn, kind byte) error {
	rest := 0
	switch kind {
	case 1:
		rest = 4
	case 4:
		rest = 16
	case 3:
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return err
		}
		rest = int(n[0])
	default:
		return errNotSOCKS
	}
	_, err := io.CopyN(io.Discard, conn, int64(rest+2))
	return err
}

// maxProxyHeader bounds what an HTTP proxy may say.
const maxProxyHeader = 16 << 10

// connect asks an HTTP proxy for a connection (RFC 9110, section 9.3.6).
func (p *Proxy) connect(conn net.Conn, target string) error {
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if p.User != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password.Reveal())) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return err
	}
	// By single octets: behind the header comes the greeting, which is not ours to take.
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
		if len(head) > maxProxyHeader {
			return &refusedError{"it sends no end of its header", exProtocol}
		}
		if _, err := io.ReadFull(conn, one); err != nil {
			return err
		}
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return &refusedError{"it does not speak HTTP", exProtocol}
	}
	r.Body.Close()
	switch {
	case r.StatusCode >= 200 && r.StatusCode < 300:
		return nil
	case r.StatusCode == http.StatusProxyAuthRequired:
		return &refusedError{"it refuses user or password (status 407)", exNoPerm}
	case r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusTooManyRequests:
		return &refusedError{fmt.Sprintf("it refuses for now (status %d)", r.StatusCode), exTempFail}
	}
	return &refusedError{fmt.Sprintf("it refuses (status %d)", r.StatusCode), exUnavailable}
}
