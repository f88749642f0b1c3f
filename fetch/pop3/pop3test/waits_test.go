package pop3test_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// idle is an idle run in as few flights as can be behind the greeting: CAPA, AUTH, the
// listings, QUIT.
func idle(c *client) {
	c.wantOK()
	c.say("CAPA")
	c.ReadDotLines()
	c.say("AUTH PLAIN AHVzZXIAc2VjcmV0")
	c.wantOK()
	c.say("STAT", "UIDL", "LIST")
	c.wantOK()
	c.ReadDotLines()
	c.ReadDotLines()
	c.say("QUIT")
	c.wantOK()
}

func TestWaits(t *testing.T) {
	for _, tt := range []struct {
		mode  pop3test.TLSMode
		waits int
	}{
		{pop3test.NoTLS, 4},
		{pop3test.ImplicitTLS, 6}, // and the client's two flights of the handshake
	} {
		srv := serve(t, pop3test.Config{TLS: tt.mode}, two...)
		for range 20 { // it must not depend on who is faster
			var conn net.Conn
			conn, err := net.Dial("tcp", srv.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if tt.mode == pop3test.ImplicitTLS {
				conn = tls.Client(conn, srv.ClientTLS())
			}
			c := newClient(t, conn)
			idle(c)
			c.Close()
		}
		srv.Wait()
		for i := 1; i <= 20; i++ {
			if got := srv.Session(i).Waits(); got != tt.waits {
				t.Errorf("mode %d: session %d waited %d times, want %d", tt.mode, i, got, tt.waits)
			}
		}
		if got := srv.Waits(); got != 20*tt.waits {
			t.Errorf("mode %d: %d waits in all", tt.mode, got)
		}
	}
}

// TestFlight has what counts as a round trip: a command in a packet of its own behind "ONE".
func TestFlight(t *testing.T) {
	for _, tt := range []struct {
		name  string
		caps  []string
		early bool // TWO is sent before the reply to ONE is
		first []string
		waits int
	}{
		{"before the reply", nil, true, []string{"ONE"}, 1},
		{"behind the reply", nil, false, []string{"ONE"}, 2},
		{"behind one of two replies", nil, false, []string{"ONE", "X"}, 1},
		{"behind the reply of a server that does not pipeline", []string{}, false, []string{"ONE"}, 2},
	} {
		asked, sent := make(chan bool), make(chan bool)
		srv := serve(t, pop3test.Config{
			Memory: true,
			Caps:   tt.caps,
			Reply: func(s *pop3test.Session, command string) (string, bool) {
				if command == "ONE" {
					if !tt.early {
						s.Send("+OK a\r\n")
					}
					asked <- true
					<-sent
					if tt.early {
						s.Send("+OK a\r\n")
					}
				}
				return "+OK b", true
			},
		})
		c := newClient(t, srv.Dial())
		c.wantOK()
		c.say(tt.first...)
		<-asked
		c.say("TWO")
		sent <- true
		c.want("+OK a", "+OK b", "+OK b")
		if got := srv.Waits(); got != tt.waits {
			t.Errorf("%s: %d waits, want %d", tt.name, got, tt.waits)
		}
	}
}

// TestLatency has the clock of synctest count the round trips, which agrees.
func TestLatency(t *testing.T) {
	for _, mode := range []pop3test.TLSMode{pop3test.NoTLS, pop3test.ImplicitTLS} {
		synctest.Test(t, func(t *testing.T) {
			srv := serve(t, pop3test.Config{Memory: true, TLS: mode, Latency: time.Second / 2}, two...)
			begin := time.Now()
			conn := srv.Dial()
			if mode == pop3test.ImplicitTLS {
				conn = tls.Client(conn, srv.ClientTLS())
			}
			c := newClient(t, conn)
			idle(c)
			c.Close()
			srv.Wait()
			// The greeting takes half a second; TLS, whose client speaks first, has it in its
			// second round trip.
			want := time.Duration(srv.Waits()) * time.Second
			if mode == pop3test.NoTLS {
				want += time.Second / 2
			}
			if got := time.Since(begin); got != want {
				t.Errorf("mode %d: took %v, want %v, after %d waits", mode, got, want, srv.Waits())
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := serve(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{{On: "NOOP", Do: pop3test.Stall}}})
		conn := srv.Dial()
		c := newClient(t, conn)
		c.wantOK()
		c.say("NOOP")
		begin := time.Now()
		conn.SetReadDeadline(begin.Add(time.Minute))
		_, err := c.ReadLine()
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// TestWriteAhead has a client write as much as TCP would let it, and no more.
func TestWriteAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := serve(t, pop3test.Config{Memory: true, TLS: pop3test.NoTLS}, pop3test.Message{Text: strings.Repeat("x", 70_000)})
		conn := srv.Dial()
		defer conn.Close()
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		io.WriteString(conn, "USER user\r\nPASS secret\r\n")
		n, err := io.WriteString(conn, strings.Repeat("RETR 1\r\n", 200_000)) // nobody reads the replies
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() || n < 256<<10 {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}
