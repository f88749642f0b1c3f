package pop3test_test

import (
	"net"
	"net/textproto"
	"slices"
	"strings"
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
