package pop3test_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// FuzzServer has a client say anything: every line gets one reply, or the session ends.
func FuzzServer(f *testing.F) {
	f.Add("CAPA\r\nUSER user\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL 1\r\nRETR 2\r\nTOP 1 1\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n")
	f.Add("AUTH PLAIN\r\n*\r\nAUTH PLAIN =\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\nLIST 0\r\n")
	f.Add("AUTH PLAIN\r\n") // and no more: that is no answer to a challenge
	f.Add("\r\n\n \r\nRETR -1\nTOP 1 -1\r\nSTLS\r\nAPOP a\r\n")
	f.Add("USER user\r\nPASS secret\r\nDELE 1\r\nDELE 1\r\nUIDL\r\n")
	srv, err := pop3test.NewServer(pop3test.Config{Memory: true, Stamp: "<1@x>", Renumber: true, Expunge: pop3test.Never}, two...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, said string) {
		conn := srv.Dial()
		defer conn.Close()
		go func() { // the reader must not wait for the writer
			io.WriteString(conn, said)
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		b, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		replies := 0
		for rest := b; len(rest) > 0; {
			line, after, ok := bytes.Cut(rest, []byte("\r\n"))
			if !ok {
				t.Fatalf("%q ends within a line", b)
			}
			rest = after
			switch {
			case bytes.HasPrefix(line, []byte("-ERR ")), bytes.HasPrefix(line, []byte("+ ")):
				replies++
			case bytes.HasPrefix(line, []byte("+OK")):
				replies++
			}
		}
		// The greeting is one more; texts of messages have no line that looks like a reply.
		if lines := strings.Count(said, "\n"); replies > lines+1 {
			t.Errorf("%d replies to %d lines", replies, lines)
		}
	})
}

// FuzzDialogue has any script be refused or played without a panic.
func FuzzDialogue(f *testing.F) {
	f.Add(rfc1939)
	f.Add("S: +OK\nS! \\x00\\r\nC: QUIT\nclose")
	f.Add("S: <\n>\nS: \\777\nreset\nC: <close connection>")
	f.Fuzz(func(t *testing.T, script string) {
		d, conn, err := pop3test.DialDialogue(script)
		if err != nil {
			return
		}
		defer d.Close()
		conn.Close()
		d.Wait()
	})
}
