package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"mailhaul/fetch/pop3"
)

// Each reply of a proxy becomes the right exit status, and what follows a yes is left for POP3.
func TestProxyReplies(t *testing.T) {
	const v6 = "[2001:db8::1]:995"
	tests := []struct {
		name, scheme, user, target string
		says                       []string // in turn, each after one write of ours
		heard                      string   // all that we write; "" is not looked at
		status                     int
	}{
		{"by name", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x00\x00\x01aaaapp+OK"}, "\x05\x01\x00\x05\x01\x00\x03\x01h\x03\xe3", 0},
		{"by IPv4 address", "socks5", "", "192.0.2.1:110", []string{"\x05\x00", "\x05\x00\x00\x04aaaaaaaaaaaaaaaapp+OK"}, "\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x6e", 0},
		{"by IPv6 address", "socks5", "", v6, []string{"\x05\x00", "\x05\x00\x00\x03\x00pp+OK"}, "\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x03\xe3", 0},
		{"with a login", "socks5", "ann", "h:995", []string{"\x05\x02", "\x01\x00", "\x05\x00\x00\x01aaaapp+OK"}, "\x05\x02\x00\x02\x01\x03ann\x02pw\x05\x01\x00\x03\x01h\x03\xe3", 0},
		{"login not wanted", "socks5", "ann", "h:995", []string{"\x05\x00", "\x05\x00\x00\x01aaaapp+OK"}, "\x05\x02\x00\x02\x05\x01\x00\x03\x01h\x03\xe3", 0},
		{"login wanted", "socks5", "", "h:995", []string{"\x05\xff"}, "\x05\x01\x00", exNoPerm},
		{"login we never offered", "socks5", "", "h:995", []string{"\x05\x02"}, "\x05\x01\x00", exNoPerm},
		{"login refused", "socks5", "ann", "h:995", []string{"\x05\x02", "\x01\x01"}, "", exNoPerm},
		{"failure", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x01\x00\x01aaaapp"}, "", exTempFail},
		{"not allowed", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x02\x00\x01aaaapp"}, "", exUnavailable},
		{"unknown code", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x99\x00\x01aaaapp"}, "", exUnavailable},
		{"not SOCKS", "socks5", "", "h:995", []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, "", exProtocol},
		{"unknown address", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x00\x00\x09aaaapp"}, "", exProtocol},
		{"half a reply", "socks5", "", "h:995", []string{"\x05\x00", "\x05\x00"}, "", exTempFail},
		{"yes", "http", "", "h:995", []string{"HTTP/1.0 200 Connection established\r\n\r\n+OK"}, "CONNECT h:995 HTTP/1.1\r\nHost: h:995\r\n\r\n", 0},
		{"with a login", "http", "ann", v6, []string{"HTTP/1.1 200 OK\r\nX: y\r\n\r\n+OK"}, "CONNECT " + v6 + " HTTP/1.1\r\nHost: " + v6 + "\r\nProxy-Authorization: Basic YW5uOnB3\r\n\r\n", 0},
		{"login wanted", "http", "", "h:995", []string{"HTTP/1.1 407 x\r\nContent-Length: 3\r\n\r\nabc"}, "", exNoPerm},
		{"forbidden", "http", "", "h:995", []string{"HTTP/1.1 403 x\r\n\r\n"}, "", exUnavailable},
		{"busy", "http", "", "h:995", []string{"HTTP/1.1 503 x\r\n\r\n"}, "", exTempFail},
		{"not HTTP", "http", "", "h:995", []string{"+OK POP3\r\n\r\n"}, "", exProtocol},
		{"endless", "http", "", "h:995", []string{"HTTP/1.1 200 " + string(make([]byte, maxProxyHeader))}, "", exProtocol},
		{"cut", "http", "", "h:995", []string{"HTTP/1.1 200 OK\r\n"}, "", exTempFail},
	}
	for _, tt := range tests {
		t.Run(tt.scheme+" "+tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			heard := make(chan string, 1)
			go func() {
				all := ""
				defer func() { heard <- all }()
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				buf := make([]byte, 4096)
				for _, s := range tt.says {
					n, _ := conn.Read(buf)
					all += string(buf[:n])
					_, _ = io.WriteString(conn, s)
				}
			}()
			p := &Proxy{Scheme: tt.scheme, Addr: l.Addr().String(), User: tt.user, Password: NewSecret("pw")}
			conn, err := p.dial(t.Context(), &pop3.DialOptions{ConnectTimeout: 10 * time.Second}, tt.target)
			if err == nil {
				rest, _ := io.ReadAll(conn)
				conn.Close()
				if string(rest) != "+OK" {
					t.Errorf("left for POP3: %q", rest)
				}
			}
			if got := <-heard; tt.heard != "" && got != tt.heard {
				t.Errorf("it was told %q", got)
			}
			if got := exitStatus(err); got != tt.status {
				t.Errorf("%v: status %d, want %d", err, got, tt.status)
			}
		})
	}
}

// A proxy that says nothing is left after the limit for connecting, whatever the silence time-out.
func TestProxySilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &Proxy{Scheme: "socks5", Addr: l.Addr().String()}
	opts := &pop3.DialOptions{ConnectTimeout: 50 * time.Millisecond}
	opts.Timeout = time.Hour
	_, err = p.dial(t.Context(), opts, "h:995")
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() || exitStatus(err) != exTempFail {
		t.Errorf("error %v", err)
	}
}
