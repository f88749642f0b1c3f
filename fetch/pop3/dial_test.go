package pop3

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// listen serves each of the scripts on an address of its own.
func listen(t *testing.T, scripts ...string) (addrs []string) {
	t.Helper()
	for _, script := range scripts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		addrs = append(addrs, l.Addr().String())
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				play(conn, script)
				conn.Close()
			}
		}()
	}
	return addrs
}

// The next address is tried as long as no greeting has come.
func TestDialAddresses(t *testing.T) {
	addrs := listen(t, "close", `S: -ERR [SYS/TEMP] busy`, `S: +OK good`, `S: 220 smtp`)
	mute, refused, good, smtp := addrs[0], addrs[1], addrs[2], addrs[3]
	var e *Error
	for _, tt := range []struct {
		addrs []string
		ok    func(c *Client, err error) bool
	}{
		{[]string{mute, good, refused}, func(c *Client, err error) bool { return err == nil && c.Greeting() == "good" }},
		{[]string{mute, mute}, func(c *Client, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && strings.Contains(err.Error(), "1 more")
		}},
		{[]string{refused, good}, func(c *Client, err error) bool { return errors.As(err, &e) && e.Code == "SYS/TEMP" }},
		{[]string{smtp, good}, func(c *Client, err error) bool { return errors.Is(err, ErrProtocol) }},
	} {
		c, err := dialEach(t.Context(), "tcp", "host", tt.addrs, new(DialOptions))
		if !tt.ok(c, err) {
			t.Errorf("%v: %v", tt.addrs, err)
		}
		if c != nil {
			c.Close()
		}
	}
}

func TestDial(t *testing.T) {
	addr := listen(t, `S: +OK`)[0]
	_, port, _ := net.SplitHostPort(addr)
	for _, a := range []string{addr, "localhost:" + port} {
		c, err := Dial(t.Context(), "tcp", a, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for _, a := range []string{"127.0.0.1", "localhost:pop4", ""} {
		if _, err := Dial(t.Context(), "tcp", a, nil); err == nil {
			t.Errorf("%q: no error", a)
		}
	}
}

func TestDialUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			play(conn, "S: +OK\nC: QUIT\nS: +OK")
			conn.Close()
		}
	}()
	c, err := Dial(t.Context(), "unix", path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Quit().Wait(); err != nil {
		t.Error(err)
	}
}

// The end of the context reaches the wait for the greeting.
func TestDialContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			cancel()
			io.Copy(io.Discard, conn)
		}
	}()
	if _, err := Dial(ctx, "tcp", l.Addr().String(), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
