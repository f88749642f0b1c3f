package pop3test_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// serve starts a server that ends with the test.
func serve(t testing.TB, cfg pop3test.Config, msgs ...pop3test.Message) *pop3test.Server {
	t.Helper()
	srv, err := pop3test.NewServer(cfg, msgs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

// A client says exactly what a test says.
type client struct {
	testing.TB
	net.Conn
	*textproto.Reader
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Cleanup(func() { conn.Close() })
	c := textproto.NewConn(conn)
	return &client{t, conn, &c.Reader}
}

func dial(t testing.TB, srv *pop3test.Server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.wantOK()
	return c
}

func login(t testing.TB, srv *pop3test.Server) *client {
	t.Helper()
	c := dial(t, srv)
	c.say("USER user")
	c.wantOK()
	c.say("PASS secret")
	c.wantOK()
	return c
}

// say writes lines as one packet.
func (c *client) say(lines ...string) {
	c.Helper()
	if _, err := c.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		c.Fatal(err)
	}
}

func (c *client) want(lines ...string) {
	c.Helper()
	for _, want := range lines {
		got, err := c.ReadLine()
		if err != nil {
			c.Fatalf("%q: %v", want, err)
		}
		if got != want {
			c.Fatalf("got %q, want %q", got, want)
		}
	}
}

func (c *client) wantOK() {
	c.Helper()
	if got, err := c.ReadLine(); err != nil || !strings.HasPrefix(got, "+OK") {
		c.Fatalf("got %q, %v; want +OK", got, err)
	}
}

func (c *client) wantERR() {
	c.Helper()
	if got, err := c.ReadLine(); err != nil || !strings.HasPrefix(got, "-ERR") {
		c.Fatalf("got %q, %v; want -ERR", got, err)
	}
}

var two = []pop3test.Message{
	{UID: "a", Text: "Subject: 1\r\n\r\none\r\n"},
	{UID: "b", Text: "Subject: 2\r\n\r\n.two\r\nthree\r\n"},
}

func TestSession(t *testing.T) {
	srv := serve(t, pop3test.Config{}, two...)
	c := login(t, srv)
	c.say("STAT", "LIST", "UIDL", "LIST 2", "UIDL 2", "RETR 2", "TOP 2 1", "TOP 2 0")
	c.want("+OK 2 46")
	c.want("+OK", "1 19", "2 27", ".")
	c.want("+OK", "1 a", "2 b", ".")
	c.want("+OK 2 27", "+OK 2 b")
	c.want("+OK 27 octets", "Subject: 2", "", "..two", "three", ".")
	c.want("+OK", "Subject: 2", "", "..two", ".")
	c.want("+OK", "Subject: 2", "", ".")
	c.say("DELE 1", "DELE 1", "RETR 1", "STAT", "RSET", "DELE 2", "NOOP", "UIDL")
	c.wantOK()
	c.wantERR()
	c.wantERR()
	c.want("+OK 1 27")
	c.wantOK()
	c.wantOK()
	c.wantOK()
	c.want("+OK", "1 a", ".")
	if got := srv.UIDs(); len(got) != 2 {
		t.Errorf("deleted before QUIT: %q", got)
	}
	c.say("QUIT")
	c.wantOK()
	if got := srv.UIDs(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("left: %q", got)
	}
	if got := srv.Commands(1); got[0] != "USER user" || got[len(got)-1] != "QUIT" {
		t.Errorf("log: %q", got)
	}
}

func TestStates(t *testing.T) {
	srv := serve(t, pop3test.Config{Stamp: "<1896.697170952@dbc.mtview.ca.us>", Greeting: "hello"})
	srv.AddTo("mrose", two...)
	c := newClient(t, srv.Dial())
	c.want("+OK hello <1896.697170952@dbc.mtview.ca.us>")
	for _, tt := range []struct{ say, want string }{
		{"STAT", "-ERR log in first"},
		{"PASS secret", "-ERR USER first"},
		{"USER user", "+OK"},
		{"NOOP", "-ERR log in first"},
		{"PASS secret", "-ERR USER first"}, // not directly behind it
		{"user user", "+OK"},
		{"pass wrong", "-ERR [AUTH] refused"},
		{"USER nobody", "+OK"},
		{"PASS secret", "-ERR [AUTH] refused"},
		{"APOP user c4c9334bac560ecc979e58001b3e22fb", "-ERR [AUTH] refused"},
		{"STLS", "-ERR unknown command"},
		{"XYZ", "-ERR unknown command"},
		{"", "-ERR unknown command"},
		{"USER user", "+OK"},
		{"PASS secret", "+OK logged in"},
		{"USER user", "-ERR you are logged in"},
		{"RETR 1", "-ERR no such message"},
		{"RETR", "-ERR no such message"},
		{"LIST 99999999999999999999", "-ERR no such message"},
		{"TOP 1", "-ERR no such message"},
		{"STAT", "+OK 0 0"},
		{"QUIT", "+OK bye"},
	} {
		c.say(tt.say)
		c.want(tt.want)
	}
	if _, err := c.ReadLine(); err != io.EOF {
		t.Errorf("behind QUIT: %v", err)
	}
}

func TestRefused(t *testing.T) {
	srv := serve(t, pop3test.Config{NoLIST: true, NoUIDL: true, NoTOP: true}, two...)
	c := login(t, srv)
	for _, say := range []string{"LIST", "LIST 1", "UIDL", "UIDL 1", "TOP 1 0"} {
		c.say(say)
		c.want("-ERR unknown command")
	}
}

// TestEarly has what becomes of a command that comes in one packet with the one before.
func TestEarly(t *testing.T) {
	plain := []string{"USER"}
	for _, tt := range []struct {
		name  string
		cfg   pop3test.Config
		want  string
		early int64
	}{
		{"announced", pop3test.Config{}, "+OK 1\r\n+OK 2\r\n", 0},
		{"not announced", pop3test.Config{Caps: plain}, "+OK 1\r\n", 3},
		{"no CAPA", pop3test.Config{NoCAPA: true}, "+OK 1\r\n", 3},
		{"kept", pop3test.Config{Caps: plain, Early: pop3test.EarlyKeep}, "+OK 1\r\n+OK 2\r\n", 0},
		{"announced and discarded", pop3test.Config{Early: pop3test.EarlyDiscard}, "+OK 1\r\n", 3},
		{"announced and closed", pop3test.Config{Early: pop3test.EarlyClose}, "+OK 1\r\n", 0},
	} {
		for _, mode := range []pop3test.TLSMode{pop3test.NoTLS, pop3test.ImplicitTLS} {
			tt.cfg.TLS = mode
			tt.cfg.Reply = func(s *pop3test.Session, command string) (string, bool) { return "+OK " + command, true }
			srv := serve(t, tt.cfg)
			conn, err := net.Dial("tcp", srv.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if mode == pop3test.ImplicitTLS {
				conn = tls.Client(conn, srv.ClientTLS())
			}
			c := newClient(t, conn)
			c.wantOK()
			c.say("1", "2")
			conn.(interface{ CloseWrite() error }).CloseWrite()
			if got, _ := io.ReadAll(c.R); string(got) != tt.want || srv.Early() != tt.early {
				t.Errorf("%s, mode %d: got %q, %d early", tt.name, mode, got, srv.Early())
			}
		}
	}
}

// TestManyAtOnce has 5000 commands in one burst answered in order (RFC 2449, 6.6).
func TestManyAtOnce(t *testing.T) {
	srv := serve(t, pop3test.Config{}, two...)
	c := login(t, srv)
	go io.WriteString(c.Conn, strings.Repeat("UIDL 1\r\nLIST 2\r\nRETR 1\r\n", 1700))
	for range 1700 {
		c.want("+OK 1 a", "+OK 2 27", "+OK 19 octets", "Subject: 1", "", "one", ".")
	}
}

func TestAwait(t *testing.T) {
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR *", Do: pop3test.Stall}}}, two...)
	c := login(t, srv)
	go io.WriteString(c.Conn, "NOOP\r\nRETR 1\r\n")
	if err := srv.Await(t.Context(), "RETR *", 1); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Await(ctx, "RETR *", 2); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := srv.Await(ctx, "[", 1); err == nil {
		t.Error("a malformed pattern was taken")
	}
	go srv.Close() // with a client that is still there
	if err := srv.Await(t.Context(), "RETR *", 2); err == nil {
		t.Error("nothing came, and no error")
	}
	if _, err := c.ReadLine(); err == nil { // the +OK of NOOP
		_, err = c.ReadLine()
		if err == nil {
			t.Error("RETR was answered")
		}
	}
}

// TestTogether has many clients and observers at once, for the race detector.
func TestTogether(t *testing.T) {
	srv := serve(t, pop3test.Config{}, two...)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			conn := srv.Dial()
			defer conn.Close()
			io.WriteString(conn, "USER user\r\nPASS secret\r\nUIDL\r\nDELE 1\r\nQUIT\r\n")
			io.Copy(io.Discard, conn)
		})
		wg.Go(func() {
			srv.Add(two...)
			srv.Log()
			srv.Commands(1)
			srv.Octets()
			srv.Waits()
			srv.Early()
			srv.Maildrop()
			srv.Inject(pop3test.Fault{On: "X"})
			srv.Mend()
		})
	}
	wg.Wait()
	srv.Wait()
	if srv.Sessions() != 8 {
		t.Errorf("%d sessions", srv.Sessions())
	}
}

// TestLockStepIsNotEarly has a client that waits for long replies and must not be taken for one
// that does not, however fast it is.
func TestLockStepIsNotEarly(t *testing.T) {
	srv := serve(t, pop3test.Config{
		Caps:   []string{"UIDL"},
		Faults: []pop3test.Fault{{On: "*", Behind: true, Do: pop3test.Drop}, {On: "TOP *", Do: pop3test.Drip}},
	}, pop3test.Message{Text: "X: y\r\n\r\n" + strings.Repeat("0123456789\r\n", 20_000)})
	c := login(t, srv)
	for range 50 {
		c.say("RETR 1")
		c.wantOK()
		if b, err := c.ReadDotBytes(); len(b) != 6+11*20_000 || err != nil {
			t.Fatalf("%d octets, %v", len(b), err)
		}
		c.say("TOP 1 0")
		c.wantOK()
		c.ReadDotBytes()
	}
	if srv.Early() != 0 {
		t.Errorf("%d octets early", srv.Early())
	}
}
