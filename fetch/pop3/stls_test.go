package pop3_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

func TestSTLS(t *testing.T) {
	srv := newServer(t, pop3test.Config{TLS: pop3test.STLS})
	c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.TLS(); ok {
		t.Error("TLS too early")
	}
	// What is outstanding is waited for: STLS stands alone.
	capa, noop := c.Capa(), c.Capa()
	if err := c.STLS(roots(srv)); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.TLS(); !ok || c.Pipelined() {
		t.Errorf("TLS %v, pipelined %v", ok, c.Pipelined())
	}
	if _, err := capa.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := noop.Wait(); err != nil {
		t.Error(err)
	}
	caps, err := c.Capa().Wait()
	if err != nil || caps.Has("STLS") {
		t.Error(caps, err)
	}
	if err := errors.Join(c.UserPass("user", "secret"), c.Quit().Wait()); err != nil {
		t.Error(err)
	}
	if srv.Early() != 0 {
		t.Errorf("%d octets were sent too early", srv.Early())
	}
}

func TestSTLSRefused(t *testing.T) {
	srv := newServer(t, pop3test.Config{})
	c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var e *pop3.Error
	if err := c.STLS(new(tls.Config)); !errors.As(err, &e) || e.Command != "STLS" || c.Err() != nil {
		t.Error(err, c.Err())
	}
	if err := c.Quit().Wait(); err != nil {
		t.Error(err)
	}
}

// Octets in clear behind STLS's +OK are never taken for what the server says inside TLS, whether
// they come with it or after it.
func TestPlaintextAfterSTLS(t *testing.T) {
	for _, reply := range []string{"+OK\r\n+OK injected\r\n", "+OK\r\n+"} {
		srv := newServer(t, pop3test.Config{Reply: func(_ *pop3test.Session, cmd string) (string, bool) { return reply, cmd == "STLS" }})
		c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = c.STLS(roots(srv))
		if !errors.Is(err, pop3.ErrPlaintext) || c.Err() != err {
			t.Errorf("%q: %v", reply, err)
		}
		if err := c.UserPass("user", "secret"); err != c.Err() {
			t.Errorf("%q: then %v", reply, err)
		}
		c.Close()
		srv.Wait()
		if cmds := srv.Commands(0); len(cmds) != 1 {
			t.Errorf("%q: %q", reply, cmds)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		p := make([]byte, 4096)
		io.WriteString(conn, "+OK\r\n")
		conn.Read(p)
		io.WriteString(conn, "+OK\r\n")
		conn.Read(p) // the ClientHello
		io.WriteString(conn, "+OK injected\r\n")
		io.Copy(io.Discard, conn)
	}()
	c, err := pop3.Dial(t.Context(), "tcp", l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.STLS(new(tls.Config)); !errors.Is(err, pop3.ErrPlaintext) || c.Err() != err {
		t.Error(err)
	}
}
