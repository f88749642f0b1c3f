package pop3

import (
	"net"
	"testing"
)

func TestGone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conns := make(chan net.Conn)
	go func() {
		s, err := ln.Accept()
		if err != nil {
			return
		}
		s.Write([]byte("+OK ready\r\n"))
		conns <- s
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Gone() {
		t.Error("gone while the server is there")
	}
	(<-conns).Close()
	for !c.Gone() { // the end needs a moment to arrive
	}
}

// A reply that breaks off is one: the server had taken the command behind the first.
func TestPipelinedHalfReply(t *testing.T) {
	a, b := net.Pipe()
	go func() {
		b.Write([]byte("+OK ready\r\n"))
		buf := make([]byte, 100)
		b.Read(buf)
		b.Write([]byte("+OK\r\n+O"))
		b.Close()
	}()
	c, err := New(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first, second := c.Noop(), c.Noop()
	if err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err == nil || !c.Pipelined() {
		t.Errorf("%v, pipelined %v", err, c.Pipelined())
	}
}
