package pop3_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

func newServer(t *testing.T, cfg pop3test.Config) *pop3test.Server {
	t.Helper()
	srv, err := pop3test.NewServer(cfg, pop3test.Message{UID: "a", Text: "Subject: one\r\n\r\n.dot\r\n"}, pop3test.Message{UID: "b", Text: "two\r\n"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func roots(srv *pop3test.Server) *tls.Config { return &tls.Config{RootCAs: srv.CAPool()} }

// A whole session over implicit TLS, in no more waits than it needs: two for TLS, the greeting
// among them; CAPA; AUTH PLAIN with its initial response; the listings; RETR; DELE; QUIT.
func TestImplicitTLS(t *testing.T) {
	srv := newServer(t, pop3test.Config{TLS: pop3test.ImplicitTLS, Names: []string{"127.0.0.1"}})
	c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, &pop3.DialOptions{TLS: roots(srv)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if state, ok := c.TLS(); !ok || state.Version != tls.VersionTLS13 {
		t.Errorf("%v, %v", state.Version, ok)
	}
	caps, err := c.Capa().Wait()
	if err != nil {
		t.Fatal(err)
	}
	if used, err := pop3.Login(c, caps, true, "auto", pop3.Credentials{User: "user", Password: "secret"}); used != "plain" || err != nil {
		t.Fatal(used, err)
	}
	capa, stat, uidl, list := c.Capa(), c.Stat(), c.UIDL(), c.List()
	if _, err := capa.Wait(); err != nil {
		t.Fatal(err)
	}
	n, _, err := stat.Wait()
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	u, err := uidl.Wait(n)
	if err != nil || len(u.Messages) != 2 || u.Messages[1].UID != "b" {
		t.Fatal(u, err)
	}
	l, err := list.Wait(n)
	if err != nil || len(l.Messages) != 2 {
		t.Fatal(l, err)
	}
	first, second, one := c.Retr(1), c.Retr(2), c.UIDLOne(2)
	for i, cmd := range []*pop3.TextCmd{first, second} {
		b, err := cmd.Body()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(b)
		if want := []string{"Subject: one\r\n\r\n.dot\r\n", "two\r\n"}[i]; string(text) != want || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		if b.Octets() != l.Messages[i].Octets {
			t.Errorf("%d octets, LIST says %d", b.Octets(), l.Messages[i].Octets)
		}
	}
	if num, uid, err := one.Wait(); num != 2 || uid != "b" || err != nil {
		t.Error(num, uid, err)
	}
	if !c.Pipelined() {
		t.Error("not pipelined")
	}
	dele1, dele2 := c.Dele(2), c.Dele(1)
	if err := errors.Join(dele1.Wait(), dele2.Wait(), c.Quit().Wait()); err != nil {
		t.Error(err)
	}
	srv.Wait()
	if left := srv.UIDs(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	if waits := srv.Waits(); waits > 8 {
		t.Errorf("%d waits", waits)
	}
}

// A failed check ends all before any command.
func TestTLSRefused(t *testing.T) {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	for _, tt := range []struct {
		name string
		cfg  pop3test.Config
		tls  func(*pop3test.Server) *tls.Config
		ok   func(error) bool
	}{
		{"name", pop3test.Config{Names: []string{"pop.example.com"}}, roots, func(err error) bool { return errors.As(err, &name) }},
		{"authority", pop3test.Config{}, func(*pop3test.Server) *tls.Config { return new(tls.Config) }, func(err error) bool { return errors.As(err, &authority) }},
		{"expired", pop3test.Config{Expired: true}, roots, func(err error) bool {
			var invalid x509.CertificateInvalidError
			return errors.As(err, &invalid) && invalid.Reason == x509.Expired
		}},
		{"TLS 1.1", pop3test.Config{TLSConfig: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }}, roots,
			func(err error) bool { return strings.Contains(err.Error(), "version") }},
	} {
		for _, mode := range []pop3test.TLSMode{pop3test.ImplicitTLS, pop3test.STLS} {
			cfg := tt.cfg
			cfg.TLS = mode
			srv := newServer(t, cfg)
			var err error
			if mode == pop3test.ImplicitTLS {
				_, err = pop3.Dial(t.Context(), "tcp", srv.Addr, &pop3.DialOptions{TLS: tt.tls(srv)})
			} else {
				var c *pop3.Client
				if c, err = pop3.Dial(t.Context(), "tcp", srv.Addr, nil); err != nil {
					t.Fatal(err)
				}
				err = c.STLS(tt.tls(srv))
				if quit := c.Quit().Wait(); quit != err || c.Err() != err {
					t.Errorf("%s: QUIT: %v", tt.name, quit)
				}
				c.Close()
			}
			if err == nil || !tt.ok(err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			srv.Wait()
			if cmds := srv.Commands(0); len(cmds) > 0 && (mode == pop3test.ImplicitTLS || len(cmds) != 1 || cmds[0] != "STLS") {
				t.Errorf("%s: %q", tt.name, cmds)
			}
		}
	}
}

func TestNotTLS(t *testing.T) {
	srv := newServer(t, pop3test.Config{})
	_, err := pop3.Dial(t.Context(), "tcp", srv.Addr, &pop3.DialOptions{TLS: new(tls.Config)})
	if !errors.Is(err, pop3.ErrNotTLS) || !strings.Contains(err.Error(), "does not speak TLS on this port") {
		t.Error(err)
	}
}

// A caller may begin TLS by itself.
func TestOwnTLS(t *testing.T) {
	srv := newServer(t, pop3test.Config{TLS: pop3test.ImplicitTLS})
	conn, err := tls.Dial("tcp", srv.Addr, srv.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	c, err := pop3.New(conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if state, ok := c.TLS(); !ok || !state.HandshakeComplete {
		t.Error("no TLS")
	}
	if err := c.STLS(nil); err == nil || c.Err() != nil {
		t.Error(err, c.Err())
	}
	if err := c.Quit().Wait(); err != nil {
		t.Error(err)
	}
}

// The handshake ends as any other wait does.
func TestHandshakeSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\r\n"))
			server.Read(make([]byte, 100))
			server.Write([]byte("+OK\r\n"))
			io.Copy(io.Discard, server)
		}()
		c, err := pop3.New(client, &pop3.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		err = c.STLS(&tls.Config{ServerName: "a"})
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "TLS handshake") || time.Since(begin) != 10*time.Second {
			t.Error(err, time.Since(begin))
		}
	})
	client, server := net.Pipe()
	go func() {
		server.Read(make([]byte, 4096))
		server.Close()
	}()
	if _, err := pop3.NewTLS(t.Context(), client, &tls.Config{ServerName: "a"}, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// slow passes on what it reads octet by octet, each after a pause.
type slow struct {
	net.Conn
	pause time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.pause > 0 {
		time.Sleep(s.pause)
	}
	return s.Conn.Read(p[:min(len(p), 1)])
}

// Below TLS every octet counts as a sign of life, not only every record.
func TestTLSDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := pop3test.NewServer(pop3test.Config{TLS: pop3test.ImplicitTLS, Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		conn := &slow{Conn: srv.Dial()}
		c, err := pop3.NewTLS(t.Context(), conn, srv.ClientTLS(), &pop3.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conn.pause = 9 * time.Second
		begin := time.Now()
		if err := c.UserPass("user", "secret"); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
