package pop3test_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// talk sends a burst in one write and returns all that comes back behind the login, and the
// error at its end.
func talk(t *testing.T, srv *pop3test.Server, burst ...string) (string, error) {
	t.Helper()
	conn := srv.Dial()
	defer conn.Close()
	r := bufio.NewReader(conn)
	for _, say := range []string{"", "USER user\r\n", "PASS secret\r\n"} {
		io.WriteString(conn, say)
		if s, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(s, "+OK") {
			t.Fatalf("login: %q, %v", s, err)
		}
	}
	if _, err := io.WriteString(conn, strings.Join(burst, "\r\n")+"\r\n"); err != nil {
		t.Fatal(err)
	}
	conn.(interface{ CloseWrite() error }).CloseWrite()
	b, err := io.ReadAll(r)
	return string(b), err
}

// TestFault has what comes of commands that arrive in one packet.
func TestFault(t *testing.T) {
	const (
		one  = "+OK 19 octets\r\nSubject: 1\r\n\r\none\r\n.\r\n"
		gone = "+OK message 1 deleted\r\n"
		bye  = "+OK bye\r\n"
	)
	for _, tt := range []struct {
		name  string
		fault pop3test.Fault
		burst []string
		want  string
		left  int
	}{
		{"refuse", pop3test.Fault{On: "DELE *"}, []string{"DELE 1", "QUIT"}, "-ERR refused\r\n" + bye, 2},
		{"refuse with a code", pop3test.Fault{On: "RETR 1", Text: "[SYS/TEMP] later"}, []string{"RETR 1", "NOOP"},
			"-ERR [SYS/TEMP] later\r\n+OK\r\n", 2},
		{"refuse the second", pop3test.Fault{On: "NOOP", Nth: 2}, []string{"NOOP", "noop", "NOOP"}, "+OK\r\n-ERR refused\r\n+OK\r\n", 2},
		{"refuse QUIT", pop3test.Fault{On: "QUIT"}, []string{"DELE 1", "QUIT", "NOOP"}, gone + "-ERR refused\r\n", 2},
		{"another session", pop3test.Fault{On: "*", Session: 2}, []string{"NOOP"}, "+OK\r\n", 2},
		{"answer", pop3test.Fault{On: "STAT", Do: pop3test.Answer, Text: "+OK many"}, []string{"STAT"}, "+OK many\r\n", 2},
		{"QUIT carried out, -ERR", pop3test.Fault{On: "QUIT", Do: pop3test.Answer, Text: "-ERR no"}, []string{"DELE 1", "QUIT"}, gone + "-ERR no\r\n", 1},
		{"drop", pop3test.Fault{On: "RETR 2", Do: pop3test.Drop}, []string{"RETR 2", "RETR 1"}, one, 2},
		{"mute", pop3test.Fault{On: "DELE 1", Do: pop3test.Mute}, []string{"DELE 1", "QUIT"}, bye, 1},
		{"drop what is behind", pop3test.Fault{On: "*", Behind: true, Do: pop3test.Drop}, []string{"RETR 1", "RETR 1", "NOOP"}, one, 2},
		{"any command is not the greeting", pop3test.Fault{On: "gree*"}, []string{"greeting"}, "-ERR unknown command\r\n", 2},
		{"repeat", pop3test.Fault{On: "RETR 1", Do: pop3test.Repeat}, []string{"RETR 1", "NOOP"}, one + one + "+OK\r\n", 2},
		{"swap", pop3test.Fault{On: "STAT", Do: pop3test.Swap}, []string{"STAT", "RETR 1", "NOOP"}, one + "+OK 2 46\r\n+OK\r\n", 2},
		{"swap with nothing", pop3test.Fault{On: "STAT", Do: pop3test.Swap}, []string{"STAT"}, "+OK 2 46\r\n", 2},
		{"overtake", pop3test.Fault{On: "RETR 2", Do: pop3test.Overtake}, []string{"RETR 1", "RETR 2", "NOOP"}, "-ERR refused\r\n" + one + "+OK\r\n", 2},
		{"interleave", pop3test.Fault{On: "RETR 1", Do: pop3test.Interleave, Nth: 1}, []string{"RETR 1", "RETR 1"},
			strings.TrimSuffix(one, ".\r\n") + "+OK 19 octets\r\n.\r\n" + strings.TrimPrefix(one, "+OK 19 octets\r\n"), 2},
		{"interleave with nothing", pop3test.Fault{On: "RETR 1", Do: pop3test.Interleave}, []string{"RETR 1"}, one, 2},
		{"overwrite", pop3test.Fault{On: "RETR 1", Do: pop3test.Overwrite, Text: "*KO", After: 0}, []string{"RETR 1"}, "*KO" + one[3:], 2},
		{"overwrite the end", pop3test.Fault{On: "NOOP", Do: pop3test.Overwrite, Text: "\nxx", After: -3}, []string{"NOOP"}, "+OK\nxx", 2},
		{"insert", pop3test.Fault{On: "RETR 1", Do: pop3test.Insert, Text: "\n.\r\n", After: 15}, []string{"RETR 1"}, one[:15] + "\n.\r\n" + one[15:], 2},
		{"truncate", pop3test.Fault{On: "RETR 1", Do: pop3test.Truncate, After: -4}, []string{"RETR 1", "NOOP"}, strings.TrimSuffix(one, ".\r\n") + "+OK\r\n", 2},
		{"drip", pop3test.Fault{On: "RETR 1", Do: pop3test.Drip}, []string{"RETR 1", "NOOP"}, one + "+OK\r\n", 2},
		{"cut at once", pop3test.Fault{On: "RETR 1", Do: pop3test.Cut}, []string{"NOOP", "RETR 1", "NOOP"}, "+OK\r\n", 2},
		{"cut within", pop3test.Fault{On: "RETR 1", Do: pop3test.Cut, After: 20}, []string{"NOOP", "RETR 1", "NOOP"}, "+OK\r\n" + one[:20], 2},
		{"cut behind the dot", pop3test.Fault{On: "RETR 1", Do: pop3test.Cut, After: -3}, []string{"RETR 1"}, strings.TrimSuffix(one, "\r\n"), 2},
		{"cut behind all", pop3test.Fault{On: "RETR 1", Do: pop3test.Cut, After: pop3test.Whole}, []string{"RETR 1", "NOOP"}, one, 2},
		{"cut too late", pop3test.Fault{On: "NOOP", Do: pop3test.Cut, After: 999}, []string{"NOOP", "NOOP"}, "+OK\r\n", 2},
		{"QUIT without answer", pop3test.Fault{On: "QUIT", Do: pop3test.Cut}, []string{"DELE 1", "QUIT"}, gone, 1},
		{"QUIT not carried out", pop3test.Fault{On: "QUIT", Do: pop3test.Cut, Skip: true}, []string{"DELE 1", "QUIT"}, gone, 2},
		{"stall", pop3test.Fault{On: "RETR 1", Do: pop3test.Stall, After: 3}, []string{"RETR 1", "NOOP"}, "+OK", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := serve(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{tt.fault}}, two...)
			got, err := talk(t, srv, tt.burst...)
			if got != tt.want || err != nil {
				t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
			}
			srv.Wait()
			if left := len(srv.Maildrop()); left != tt.left {
				t.Errorf("%d messages left, want %d", left, tt.left)
			}
		})
	}
}

func TestFaultGreeting(t *testing.T) {
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{{On: "greeting", Text: "[SYS/TEMP] no"}}}, two...)
	conn := srv.Dial()
	if b, err := io.ReadAll(conn); string(b) != "-ERR [SYS/TEMP] no\r\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	srv.Mend()
	c := login(t, srv)
	if err := srv.Inject(pop3test.Fault{On: "NOOP"}); err != nil {
		t.Fatal(err)
	}
	c.say("NOOP")
	c.wantERR()
}

func TestFaultPattern(t *testing.T) {
	if _, err := pop3test.NewServer(pop3test.Config{Faults: []pop3test.Fault{{On: "[RETR"}}}); err == nil {
		t.Error("a malformed pattern was taken")
	}
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{{On: "AUTH PLAIN *", Text: "slash"}}})
	c := dial(t, srv)
	c.say("auth PLAIN AAAA/AAA/AA=")
	c.want("-ERR slash")
}

func TestFaultReset(t *testing.T) {
	fault := pop3test.Fault{On: "NOOP", Do: pop3test.Reset}
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{fault}})
	for name, conn := range map[string]net.Conn{"tcp": login(t, srv).Conn, "memory": srv.Dial()} {
		io.WriteString(conn, "NOOP\r\n")
		if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want a reset", name, err)
		}
	}
}

func TestFaultEndless(t *testing.T) {
	fault := pop3test.Fault{On: "UIDL", Do: pop3test.Endless, Text: "7 x\r\n", After: 5}
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{fault}}, two...)
	c := login(t, srv)
	c.say("UIDL")
	c.want("+OK")
	for range 100_000 {
		c.want("7 x")
	}
	c.Close()
	srv.Wait() // the server must notice
}

func TestDripIsOneOctetPerWrite(t *testing.T) {
	srv := serve(t, pop3test.Config{Segment: 1})
	conn := srv.Dial()
	defer conn.Close()
	buf := make([]byte, 100)
	for _, want := range "+OK pop3test ready\r\n" {
		if n, err := conn.Read(buf); n != 1 || rune(buf[0]) != want {
			t.Fatalf("read %q, %v; want %q alone", buf[:n], err, want)
		}
	}
}

func TestDripAtOneCommand(t *testing.T) {
	srv := serve(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{{On: "XYZ", Do: pop3test.Drip}}})
	conn := srv.Dial()
	defer conn.Close()
	buf := make([]byte, 100)
	conn.Read(buf) // the greeting
	io.WriteString(conn, "XYZ\r\n")
	for _, want := range "-ERR unknown command\r\n" {
		if n, err := conn.Read(buf); n != 1 || rune(buf[0]) != want {
			t.Fatalf("read %q, %v; want %q alone", buf[:n], err, want)
		}
	}
	io.WriteString(conn, "ABC\r\n")
	if n, err := conn.Read(buf); n != len("-ERR unknown command\r\n") {
		t.Errorf("the next: read %q, %v", buf[:n], err)
	}
}

// TestCutBetweenReplies has the cut come with the last octet, not with the next.
func TestCutBetweenReplies(t *testing.T) {
	srv := serve(t, pop3test.Config{CutAfter: func(int) int64 { return int64(len("+OK pop3test ready\r\n")) }})
	if b, err := io.ReadAll(srv.Dial()); string(b) != "+OK pop3test ready\r\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestCutIsNoReset has a client see the end of the stream and nothing worse, though it has sent
// and sends what the server will not take.
func TestCutIsNoReset(t *testing.T) {
	srv := serve(t, pop3test.Config{Faults: []pop3test.Fault{{On: "NOOP", Do: pop3test.Cut, After: 3}}})
	c := login(t, srv)
	c.say("NOOP", strings.Repeat("x", 100_000))
	if b, err := io.ReadAll(c.R); string(b) != "+OK" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	for range 20 {
		c.say(strings.Repeat("x", 100_000))
	}
}

// TestCutAfter has a client that comes again and again gets a little further each time, and
// an exact number of octets.
func TestCutAfter(t *testing.T) {
	for _, reset := range []bool{false, true} {
		srv := serve(t, pop3test.Config{
			CutReset: reset,
			CutAfter: func(session int) int64 { return int64(100 * session) },
		}, pop3test.Message{Text: strings.Repeat("x", 500)})
		for session := 1; session <= 5; session++ {
			conn := srv.Dial()
			io.WriteString(conn, "USER user\r\nPASS secret\r\nRETR 1\r\n")
			b, err := io.ReadAll(conn)
			conn.Close()
			if reset != errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("end: %v", err)
			}
			if !reset && len(b) != 100*session || srv.Session(session).Octets() != int64(100*session) {
				t.Errorf("session %d: %d octets came, %d were written", session, len(b), srv.Session(session).Octets())
			}
		}
		if srv.Octets() != 1500 {
			t.Errorf("%d octets in all", srv.Octets())
		}
	}
}

// TestReply has what a hook can do.
func TestReply(t *testing.T) {
	srv := serve(t, pop3test.Config{
		Memory: true,
		Reply: func(s *pop3test.Session, command string) (string, bool) {
			switch command {
			case "ONE":
				return "+OK one", true
			case "RAW":
				return "+OK\n", true
			case "SEND":
				s.Send("abc")
				return "def", true
			case "LIST":
				return strings.ReplaceAll(s.Do(command), "19", "20"), true
			case "CLOSE":
				return "", true
			case "CUT":
				s.Cut()
				return "", true
			case "RESET":
				s.Reset()
				return "not sent", true
			case "STALL":
				s.Stall()
				return "not sent", true
			case "COUNT":
				return s.User() + string(rune('0'+s.Count())), true
			}
			return "", false
		},
	}, two...)
	for _, tt := range []struct {
		burst []string
		want  string
		err   error
	}{
		{[]string{"ONE", "RAW", "SEND", "NOOP"}, "+OK one\r\n+OK\nabcdef\r\n+OK\r\n", nil},
		{[]string{"LIST"}, "+OK\r\n1 20\r\n2 27\r\n.\r\n", nil},
		{[]string{"NOOP", "CLOSE", "NOOP"}, "+OK\r\n", nil},
		{[]string{"NOOP", "CUT", "NOOP"}, "+OK\r\n", nil},
		{[]string{"NOOP", "STALL", "NOOP"}, "+OK\r\n", nil},
		{[]string{"RESET"}, "", syscall.ECONNRESET},
		{[]string{"COUNT", "NOOP", "COUNT"}, "user3\r\n+OK\r\nuser5\r\n", nil},
	} {
		got, err := talk(t, srv, tt.burst...)
		if tt.err == nil && got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %v", tt.burst, got, err, tt.want, tt.err)
		}
	}
	if !slices.Contains(srv.Log(), "3 CLOSE") {
		t.Errorf("log: %q", srv.Log())
	}
}
