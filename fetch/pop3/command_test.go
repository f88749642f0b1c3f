package pop3

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// All that is queued goes out in one write, replies are read in order, and those that nobody has
// waited for yet are kept.
func TestQueue(t *testing.T) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		server.Write([]byte("+OK\r\n"))
		p := make([]byte, 1000)
		n, _ := server.Read(p) // a pipe gives each write apart
		if want := "CAPA\r\nSTAT\r\nUIDL\r\nLIST\r\nDELE 9\r\nNOOP\r\n"; string(p[:n]) != want {
			t.Errorf("the first write is %q", p[:n])
			return
		}
		server.Write([]byte("+OK\r\nPIPELINING\r\n.\r\n+OK 1 10\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 10\r\n.\r\n-ERR gone\r\n+OK\r\n"))
	}()
	c, err := New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	capa, stat, uidl, list, dele, noop := c.Capa(), c.Stat(), c.UIDL(), c.List(), c.Dele(9), c.Noop()
	if n, octets := c.Unanswered(); n != 6 || octets != 38 {
		t.Errorf("%d unanswered, %d octets", n, octets)
	}
	if err := noop.Wait(); err != nil {
		t.Fatal(err)
	}
	if n, octets := c.Unanswered(); n != 0 || octets != 0 || !c.Pipelined() {
		t.Errorf("%d unanswered, %d octets, pipelined %v", n, octets, c.Pipelined())
	}
	if caps, err := capa.Wait(); err != nil || !caps.Has("PIPELINING") {
		t.Errorf("CAPA: %v, %v", caps, err)
	}
	if n, _, err := stat.Wait(); n != 1 || err != nil {
		t.Errorf("STAT: %v, %v", n, err)
	}
	if u, err := uidl.Wait(1); err != nil || len(u.Messages) != 1 {
		t.Errorf("UIDL: %v, %v", u, err)
	}
	if l, err := list.Wait(1); err != nil || len(l.Messages) != 1 {
		t.Errorf("LIST: %v, %v", l, err)
	}
	if err := dele.Wait(); err == nil || err.Error() != `DELE: "gone"` {
		t.Errorf("DELE: %v", err)
	}
}

// Flush sends ahead while a body is on its way.
func TestFlush(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: RETR 1
	S: +OK
	S: a
	C: RETR 2
	S: .
	S: +OK
	S: b
	S: .`)
	b, err := c.Retr(1).Body()
	if err != nil {
		t.Fatal(err)
	}
	second := c.Retr(2)
	if n, _ := c.Unanswered(); n != 2 {
		t.Errorf("%d unanswered", n)
	}
	p := make([]byte, 3)
	if _, err := io.ReadFull(b, p); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(p); err != io.EOF || c.Pipelined() {
		t.Errorf("%v, pipelined %v", err, c.Pipelined())
	}
	if b, err = second.Body(); err != nil || !c.Pipelined() {
		t.Fatalf("%v, pipelined %v", err, c.Pipelined())
	}
	if text, err := io.ReadAll(b); string(text) != "b\r\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// What arrives before its command was sent is never taken for its reply.
func TestEarlyReply(t *testing.T) {
	for _, s := range []string{
		`S= "+OK\r\n+OK\r\n"`,
		"S: +OK\nC: NOOP\n" + `S= "+OK\r\n+O"`,
		"S: +OK\nC: RETR 1\n" + `S= "+OK\r\na\r\n.\r\n.\r\n"`,
		"S: +OK\nC: RETR 1\n" + `S= "-ERR no\r\n.\r\n"`,
	} {
		c := converse(t, nil, s)
		if strings.Contains(s, "NOOP") {
			c.Noop().Wait()
		}
		if strings.Contains(s, "RETR") {
			c.Retr(1).Body()
		}
		err := c.Quit().Wait()
		if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "before QUIT") {
			t.Errorf("%s: %v", s, err)
		}
	}
}
