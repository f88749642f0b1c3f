package pop3

import (
	"io"
	"strings"
	"testing"
)

// Whatever a server says, the client ends, and only by its rules.
func FuzzClient(f *testing.F) {
	f.Add([]byte("+OK <a@b>\r\n"), []byte("+OK\r\n"), []byte("+OK\r\nCAPA\r\n.\r\n+OK 1 2\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 2\r\n.\r\n+OK\r\ntext\r\n.\r\n+OK 1 a\r\n+OK\r\n-ERR\r\n"), 1)
	f.Add([]byte("+OK\r\n"), []byte("+ VXNlcg==\r\n"), []byte("-ERR\r\n"), 3)
	f.Add([]byte("-ERR [SYS/TEMP]\r\n"), []byte(""), []byte(""), 100)
	f.Fuzz(func(t *testing.T, greeting, login, rest []byte, size int) {
		size = max(size, 1)
		s := &stream{Reader: &parts{[]io.Reader{&chunks{greeting, size}, &chunks{login, size}, &chunks{rest, size}}}}
		var said strings.Builder
		c, err := New(s, &Options{Dialogue: &said})
		if err != nil {
			return
		}
		for _, mech := range []string{"auto", "login", "cram-md5", "scram-sha-256", "xoauth2", "oauthbearer"} {
			if _, err := Login(c, Caps{"SASL PLAIN LOGIN"}, true, mech, Credentials{User: "u", Password: "passw0rd", Token: "t0ken-t0ken"}); err == nil {
				break
			}
		}
		capa, stat, uidl, list := c.Capa(), c.Stat(), c.UIDL(), c.List()
		retr, one, dele := c.Retr(1), c.UIDLOne(1), c.Dele(1)
		capa.Wait()
		stat.Wait()
		if l, err := list.Wait(1); err == nil {
			for _, m := range l.Messages {
				if m.Num <= 0 || m.Octets < -1 {
					t.Fatalf("%v", m)
				}
			}
		}
		if u, err := uidl.Wait(1); err == nil {
			for i, m := range u.Messages {
				if m.Num <= 0 || i > 0 && m.Num <= u.Messages[i-1].Num || strings.ContainsAny(m.UID, "\r\n") {
					t.Fatalf("%v", m)
				}
			}
		}
		if b, err := retr.Body(); err == nil {
			io.CopyN(io.Discard, b, 10)
		}
		one.Wait()
		dele.Wait()
		failed, written := c.Err(), s.written
		quit := c.Quit().Wait()
		if failed != nil && (quit != failed || s.written != written) {
			t.Fatalf("after %v: %v", failed, quit)
		}
		for _, line := range strings.Split(said.String(), "\n") {
			if strings.Contains(line, "passw0rd") || strings.Contains(line, "t0ken-t0ken") {
				t.Fatalf("said %q", line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("not escaped: %q", line)
			}
		}
	})
}
