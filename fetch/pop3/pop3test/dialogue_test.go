package pop3test_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// The session of RFC 1939, section 10, as it stands there.
const rfc1939 = `
      S: <wait for connection on TCP port 110>
      C: <open connection>
      S:    +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
      C:    APOP mrose c4c9334bac560ecc979e58001b3e22fb
      S:    +OK mrose's maildrop has 2 messages (320 octets)
      C:    STAT
      S:    +OK 2 320
      C:    LIST
      S:    +OK 2 messages (320 octets)
      S:    1 120
      S:    2 200
      S:    .
      C:    RETR 1
      S:    +OK 120 octets
      S:    <the POP3 server sends message 1>
      S:    .
      C:    DELE 1
      S:    +OK message 1 deleted
      C:    RETR 2
      S:    +OK 200 octets
      S:    <the POP3 server sends message 2>
      S:    .
      C:    DELE 2
      S:    +OK message 2 deleted
      C:    QUIT
      S:    +OK dewey POP3 server signing off (maildrop empty)
      C:  <close connection>
      S:  <wait for next connection>
`

func TestDialogueOfRFC1939(t *testing.T) {
	d, err := pop3test.NewDialogue(rfc1939)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	conn, err := net.Dial("tcp", d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	for _, line := range strings.Split(rfc1939, "\n") {
		mark, text, _ := strings.Cut(strings.TrimSpace(line), ":    ")
		switch mark {
		case "C":
			c.say(text)
		case "S":
			c.want(text)
		}
	}
	c.Close()
	if err := d.Wait(); err != nil {
		t.Error(err)
	}
}

func TestDialogue(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		client       []string // one write each; in between, all is read that has come
		got, err     string
	}{
		{"escapes and spaces", "S: +OK\nS:  two\\x20\\x00\\\\\nS!  a\\r\nS! b\nclose", nil, "+OK\r\n two \x00\\\r\n a\rb", ""},
		{"list between dots", "S: +OK\n...\n\nC: LIST 2\nS: +OK 2 200\n...", []string{"", "LIST 2\r\n"}, "+OK\r\n+OK 2 200\r\n", ""},
		{"continued text", "S: +OK\nS: <the server sends\n   a message>\nS: <html\nS: .\nclose", nil, "+OK\r\n<the server sends a message>\r\n<html\r\n.\r\n", ""},
		{"a burst", "S: +OK\nC: NOOP\nC: NOOP\nS: +OK 1\nS: +OK 2\nclose", []string{"", "NOOP\r\nNOOP\r\n"}, "+OK\r\n+OK 1\r\n+OK 2\r\n", ""},
		{"a wrong line", "S: +OK\nC: STAT\nS: +OK", []string{"", "LIST\r\n"}, "+OK\r\n", `line 2: the client said "LIST\r", want "STAT\r"`},
		{"a wrong line, not ended", "S: +OK\nC: STAT\nS: +OK", []string{"", "L"}, "+OK\r\n", `line 2: the client said "L", want "STAT\r"`},
		{"too early", "S: +OK\nC: STAT\nS: +OK 2\nC: LIST\nS: +OK", []string{"", "STAT\r\nLIST\r\n"}, "+OK\r\n", `line 3: the client said "LIST\r\n" before`},
		{"too much", "S: +OK\nC: QUIT\nS: +OK\n", []string{"", "QUIT\r\n", "NOOP\r\n"}, "+OK\r\n+OK\r\n", `line 4: the client said "NOOP\r\n", want the end`},
		{"the end too soon", "S: +OK\nC: QUIT\nS: +OK\n", []string{"", "QUI"}, "+OK\r\n", `line 2: the client said "QUI" and then nothing (EOF)`},
		{"the end where it should be", "S: +OK\nC: <close connection>\n", nil, "+OK\r\n", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, conn, err := pop3test.DialDialogue(tt.script)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var got strings.Builder
			for _, say := range tt.client {
				if say != "" {
					io.WriteString(conn, say)
				}
				if got.Len() < len(tt.got) {
					buf := make([]byte, 100)
					n, _ := conn.Read(buf)
					got.Write(buf[:n])
				}
			}
			if len(tt.client) == 0 { // then it ends only when it has heard all
				b := make([]byte, len(tt.got))
				io.ReadFull(conn, b)
				got.Write(b)
			}
			conn.(interface{ CloseWrite() error }).CloseWrite()
			rest, err := io.ReadAll(conn)
			if err != nil {
				t.Error(err)
			}
			got.Write(rest)
			err = d.Wait()
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got.String() != tt.got {
				t.Errorf("got %q, want %q", got.String(), tt.got)
			}
		})
	}
}

func TestDialogueScript(t *testing.T) {
	for _, script := range []string{"+OK", "S +OK", "S: \\q", "X: QUIT"} {
		if _, err := pop3test.NewDialogue(script); err == nil {
			t.Errorf("%q was taken", script)
		}
	}
	d, err := pop3test.NewDialogue("S: +OK")
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if d.Wait() == nil {
		t.Error("no connection, and no error")
	}
}
