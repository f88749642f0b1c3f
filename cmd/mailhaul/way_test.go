package main

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// relay is a command for tunnels: it connects its input and output to the address in its arguments.
func relay() {
	if len(os.Args) != 2 {
		os.Exit(7)
	}
	conn, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		os.Exit(9)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		conn.Close()
	}()
	_, _ = io.Copy(os.Stdout, conn)
}

// A testProxy speaks SOCKS5 or HTTP CONNECT. Names that end in .example it knows to be this machine.
type testProxy struct {
	net.Listener
	kind, login string // login is "" or user:password
}

func cmdProxy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: proxy NAME KIND [USER:PASSWORD]")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	p := &testProxy{Listener: l, kind: args[1], login: strings.Join(args[2:], "")}
	go p.serve()
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

func (p *testProxy) serve() {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if p.kind == "http" {
				p.http(conn)
			} else {
				p.socks5(conn)
			}
		}()
	}
}

// forward connects both ways. HTTP puts what the server says first into one write with its own
// answer: a client must not lose it.
func (p *testProxy) forward(conn net.Conn, r io.Reader, target, yes, no string) {
	host, port, _ := net.SplitHostPort(target)
	if strings.HasSuffix(host, ".example") {
		host = "127.0.0.1"
	}
	server, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		_, _ = io.WriteString(conn, no)
		return
	}
	defer server.Close()
	first, n := make([]byte, 512), 0
	if p.kind == "http" { // used with servers that speak first
		n, _ = server.Read(first)
	}
	_, _ = io.WriteString(conn, yes+string(first[:n]))
	go func() {
		_, _ = io.Copy(server, r)
		server.Close()
	}()
	_, _ = io.Copy(conn, server)
}

func (p *testProxy) http(conn net.Conn) {
	r := bufio.NewReader(conn)
	q, err := http.ReadRequest(r)
	if err != nil || q.Method != http.MethodConnect {
		return
	}
	if p.login != "" && q.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(p.login)) {
		_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	p.forward(conn, r, q.Host, "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno")
}

func (p *testProxy) socks5(conn net.Conn) {
	r := bufio.NewReader(conn)
	octets := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return b
	}
	counted := func() string { return string(octets(int(octets(1)[0]))) }
	octets(1)
	methods := counted()
	switch {
	case p.login == "":
		_, _ = conn.Write([]byte{5, 0})
	case !strings.Contains(methods, "\x02"):
		_, _ = conn.Write([]byte{5, 0xff})
		return
	default:
		_, _ = conn.Write([]byte{5, 2})
		octets(1)
		user := counted()
		if user+":"+counted() != p.login {
			_, _ = conn.Write([]byte{1, 1})
			return
		}
		_, _ = conn.Write([]byte{1, 0})
	}
	host := ""
	switch octets(4)[3] {
	case 1:
		host = net.IP(octets(4)).String()
	case 3:
		host = counted()
	case 4:
		host = net.IP(octets(16)).String()
	}
	port := octets(2)
	target := net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1])))
	p.forward(conn, r, target, "\x05\x00\x00\x03\x04name\x12\x34", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
}

// The password of a proxy makes its file a secret one, and is in nothing that is printed.
func TestProxyPasswordIsSecret(t *testing.T) {
	text := head + "netrc = true\nproxy = \"socks5://u:" + theSecret + "@p:1080\"\n"
	p := write(t, t.TempDir(), "c.toml", text, 0o644)
	if _, err := loadConfig(p, nil); err == nil || !strings.Contains(err.Error(), "6: accounts.work.proxy: the file holds a password") || strings.Contains(err.Error(), theSecret) {
		t.Errorf("error %v", err)
	}
	p = write(t, t.TempDir(), "c.toml", strings.Replace(text, "u:"+theSecret+"@", "", 1), 0o644)
	if _, err := loadConfig(p, nil); err != nil {
		t.Error(err)
	}
}
