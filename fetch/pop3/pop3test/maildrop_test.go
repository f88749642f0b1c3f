package pop3test_test

import (
	"slices"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

func TestMaildrop(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   pop3test.Config
		burst []string
		want  string
		left  string
	}{
		{"closed without QUIT", pop3test.Config{}, []string{"DELE 1", "RETR 2"}, "", "a b c"},
		{"QUIT", pop3test.Config{}, []string{"DELE 1", "DELE 3", "QUIT"}, "", "b"},
		{"RSET", pop3test.Config{}, []string{"DELE 1", "RSET", "DELE 2", "QUIT"}, "", "a c"},
		{"at DELE", pop3test.Config{Expunge: pop3test.AtDele}, []string{"DELE 1"}, "", "b c"},
		{"at DELE, RSET", pop3test.Config{Expunge: pop3test.AtDele}, []string{"DELE 1", "RSET", "QUIT"}, "", "b c"},
		{"at the end", pop3test.Config{Expunge: pop3test.AtEnd}, []string{"DELE 1"}, "", "b c"},
		{"never", pop3test.Config{Expunge: pop3test.Never}, []string{"DELE 1", "QUIT"}, "+OK message 1 deleted\r\n+OK bye\r\n", "a b c"},
		{"EXPIRE 0", pop3test.Config{ExpireRetrieved: true}, []string{"RETR 1", "TOP 2 0", "DELE 3", "QUIT"}, "", "b"},
		{"EXPIRE 0 without QUIT", pop3test.Config{ExpireRetrieved: true}, []string{"RETR 1"}, "", "a b c"},
		{"renumbered", pop3test.Config{Renumber: true}, []string{"DELE 1", "UIDL", "UIDL 3", "DELE 1", "UIDL 1", "DELE 0", "QUIT"},
			"+OK message 1 deleted\r\n+OK\r\n1 b\r\n2 c\r\n.\r\n-ERR no such message\r\n+OK message 1 deleted\r\n+OK 1 c\r\n-ERR no such message\r\n+OK bye\r\n", "c"},
		{"numbers stay", pop3test.Config{}, []string{"DELE 1", "UIDL", "UIDL 3", "UIDL 1"},
			"+OK message 1 deleted\r\n+OK\r\n2 b\r\n3 c\r\n.\r\n+OK 3 c\r\n-ERR no such message\r\n", "a b c"},
		{"per session", pop3test.Config{PerSession: 2}, []string{"STAT", "DELE 1", "DELE 2", "DELE 3", "QUIT"},
			"+OK 2 10\r\n+OK message 1 deleted\r\n+OK message 2 deleted\r\n-ERR no such message\r\n+OK bye\r\n", "c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Memory = true
			srv := serve(t, tt.cfg,
				pop3test.Message{UID: "a", Text: "1\r\n"}, pop3test.Message{UID: "b", Text: "two\r\n", Size: 7}, pop3test.Message{UID: "c", Text: ""})
			got, err := talk(t, srv, tt.burst...)
			if err != nil || tt.want != "" && got != tt.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
			}
			srv.Wait()
			if left := strings.Join(srv.UIDs(), " "); left != tt.left {
				t.Errorf("left %q, want %q", left, tt.left)
			}
		})
	}
}

func TestMessage(t *testing.T) {
	srv := serve(t, pop3test.Config{Memory: true},
		pop3test.Message{UID: "x", Text: ".\r\n.x\n.\r\n"},
		pop3test.Message{UID: "x", Text: "no line end"},
		pop3test.Message{UID: "", Text: ""},
		pop3test.Message{UID: "r", Text: ".x\r\n", Repeat: 3, Size: -1},
		pop3test.Message{UID: "w", Text: "abc\r\n", Wire: "abc\n.\n"},
		pop3test.Message{UID: "n", NoUID: true},
	)
	got, err := talk(t, srv, "UIDL", "UIDL 6", "LIST", "RETR 1", "RETR 2", "RETR 3", "RETR 4", "RETR 5", "DELE 2", "QUIT")
	want := "+OK\r\n1 x\r\n2 x\r\n3 uid-000003\r\n4 r\r\n5 w\r\n.\r\n-ERR not known\r\n" +
		"+OK\r\n1 9\r\n2 13\r\n3 0\r\n4 0\r\n5 5\r\n6 0\r\n.\r\n" +
		"+OK 9 octets\r\n..\r\n..x\n.\r\n.\r\n" +
		"+OK 13 octets\r\nno line end\r\n.\r\n" +
		"+OK 0 octets\r\n.\r\n" +
		"+OK 0 octets\r\n..x\r\n..x\r\n..x\r\n.\r\n" +
		"+OK 5 octets\r\nabc\n.\n" +
		"+OK message 2 deleted\r\n+OK bye\r\n"
	if got != want || err != nil {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
	if left := srv.Maildrop(); len(left) != 5 || left[0].UID != "x" || left[0].Text[0] != '.' {
		t.Errorf("of two messages with one unique-id the wrong one went: %+v", left)
	}
}

func TestNoStuff(t *testing.T) {
	srv := serve(t, pop3test.Config{Memory: true, NoStuff: true}, pop3test.Message{Text: "a\r\n.b\r\n"})
	if got, _ := talk(t, srv, "RETR 1"); got != "+OK 7 octets\r\na\r\n.b\r\n.\r\n" {
		t.Errorf("got %q", got)
	}
}

// TestRepeat has a message of 64 MiB that is nowhere in memory.
func TestRepeat(t *testing.T) {
	big := pop3test.Message{Text: strings.Repeat("x", 1<<20-2) + "\r\n", Repeat: 64}
	srv := serve(t, pop3test.Config{}, big)
	c := login(t, srv)
	c.say("LIST 1", "RETR 1")
	c.want("+OK 1 67108864", "+OK 67108864 octets")
	n := 0
	for {
		line, err := c.ReadLineBytes()
		if err != nil {
			t.Fatal(err)
		}
		if string(line) == "." {
			break
		}
		n += len(line) + 2
	}
	if n != 64<<20 || int64(n) != big.Octets() {
		t.Errorf("%d octets", n)
	}
}

func TestUsers(t *testing.T) {
	srv := serve(t, pop3test.Config{
		User: "ann", Password: "a b ",
		Users: map[string]pop3test.User{"bob": {Password: "b", Messages: two}},
	}, two[0])
	srv.AddTo("carl", two...)
	for _, u := range []struct {
		user, pass, stat string
	}{{"ann", "a b ", "+OK 1 19"}, {"bob", "b", "+OK 2 46"}, {"carl", "", "+OK 2 46"}} {
		c := dial(t, srv)
		c.say("USER " + u.user)
		c.wantOK()
		c.say("PASS " + u.pass)
		c.wantOK()
		c.say("STAT")
		c.want(u.stat)
		c.say("DELE 1")
		c.wantOK()
		c.say("QUIT")
		c.wantOK()
	}
	if len(srv.Maildrop()) != 0 || len(srv.MaildropOf("bob")) != 1 || srv.MaildropOf("nobody") != nil {
		t.Errorf("left: %v, %v", srv.Maildrop(), srv.MaildropOf("bob"))
	}
}

// TestNewMail has a session not see what came after it began (RFC 1939, 8).
func TestNewMail(t *testing.T) {
	srv := serve(t, pop3test.Config{}, two...)
	c := login(t, srv)
	srv.Add(pop3test.Message{UID: "c"})
	c.say("STAT")
	c.want("+OK 2 46")
	c.say("DELE 1")
	c.wantOK()
	c.say("QUIT")
	c.wantOK()
	if got := srv.UIDs(); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("left: %q", got)
	}
}

func TestExclusive(t *testing.T) {
	done, goOn := make(chan bool), make(chan bool)
	srv := serve(t, pop3test.Config{
		Exclusive: true,
		Reply: func(s *pop3test.Session, command string) (string, bool) {
			if command != "QUIT" {
				return "", false
			}
			reply := s.Do(command)
			done <- true
			<-goOn
			return reply, true
		},
	}, two...)
	first := login(t, srv)
	second := dial(t, srv)
	second.say("USER user", "PASS secret")
	second.wantOK()
	second.want("-ERR [IN-USE] maildrop is locked")
	first.say("QUIT")
	<-done
	second.say("USER user", "PASS secret") // QUIT has not even been answered
	second.wantOK()
	second.wantOK()
	goOn <- true
	first.wantOK()
	second.Close()
	srv.Wait() // the lock is gone when the session is
	login(t, srv)
}
