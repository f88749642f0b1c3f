package pop3

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// RFC 1939, section 10, with the commands of section 5 that it lacks.
func TestSession(t *testing.T) {
	c := converse(t, nil, `
	S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
	C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
	S: +OK mrose's maildrop has 2 messages (320 octets)
	C: STAT
	S: +OK 2 320
	C: LIST
	S: +OK 2 messages (320 octets)
	S: 1 120
	S: 2 200
	S: .
	C: UIDL
	S: +OK
	S: 1 whqtswO00WBw418f9t5JxYwZ
	S: 2 QhdPYR:00WBw1Ph7x7
	S: .
	C: RETR 1
	S: +OK 120 octets
	S: Subject: one
	S:
	S: text
	S: .
	C: DELE 1
	S: +OK message 1 deleted
	C: UIDL 2
	S: +OK 2 QhdPYR:00WBw1Ph7x7
	C: TOP 2 10
	S: +OK
	S: ..
	S: .
	C: RETR 3
	S: -ERR no such message, only 2 messages in maildrop
	C: NOOP
	S: +OK
	C: QUIT
	S: +OK dewey POP3 server signing off (maildrop empty)
	close`)
	if err := c.Apop("mrose", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	if n, octets, err := c.Stat().Wait(); n != 2 || octets != 320 || err != nil {
		t.Errorf("STAT: %d, %d, %v", n, octets, err)
	}
	l, err := c.List().Wait(2)
	if err != nil || len(l.Messages) != 2 || l.Messages[1] != (Size{2, 200}) {
		t.Errorf("LIST: %v, %v", l, err)
	}
	u, err := c.UIDL().Wait(2)
	if err != nil || len(u.Messages) != 2 || u.Messages[0] != (Unique{1, "whqtswO00WBw418f9t5JxYwZ"}) {
		t.Errorf("UIDL: %v, %v", u, err)
	}
	b, err := c.Retr(1).Body()
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := c.Unanswered(); n != 1 {
		t.Errorf("%d unanswered while the text is on its way", n)
	}
	if text, err := io.ReadAll(b); string(text) != "Subject: one\r\n\r\ntext\r\n" || err != nil || b.Octets() != 22 {
		t.Errorf("RETR: %q, %v, %d octets", text, err, b.Octets())
	}
	if n, octets := c.Unanswered(); n != 0 || octets != 0 {
		t.Errorf("%d unanswered, %d octets", n, octets)
	}
	if err := c.Dele(1).Wait(); err != nil {
		t.Errorf("DELE: %v", err)
	}
	if num, uid, err := c.UIDLOne(2).Wait(); num != 2 || uid != "QhdPYR:00WBw1Ph7x7" || err != nil {
		t.Errorf("UIDL 2: %d, %q, %v", num, uid, err)
	}
	if b, err = c.Top(2, 10).Body(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(b); string(text) != ".\r\n" || err != nil {
		t.Errorf("TOP: %q, %v", text, err)
	}
	_, err = c.Retr(3).Body()
	var e *Error
	if !errors.As(err, &e) || e.Command != "RETR" || e.Text != "no such message, only 2 messages in maildrop" || c.Err() != nil {
		t.Errorf("RETR 3: %v; Err %v", err, c.Err())
	}
	if err := errors.Join(c.Noop().Wait(), c.Quit().Wait(), c.Err()); err != nil {
		t.Error(err)
	}
	if err := c.Noop().Wait(); !errors.Is(err, errAfterQuit) {
		t.Errorf("behind QUIT: %v", err)
	}
	if c.Pipelined() {
		t.Error("pipelined")
	}
}

func TestGreeting(t *testing.T) {
	c := converse(t, nil, `
	S: +OK hello <a@b>`)
	if c.Greeting() != "hello <a@b>" || c.stamp != "<a@b>" {
		t.Errorf("%q, %q", c.Greeting(), c.stamp)
	}
	_, err := New(serve(t, `S: -ERR [SYS/TEMP] too many connections`), nil)
	var e *Error
	if !errors.As(err, &e) || e.Code != "SYS/TEMP" || e.Command != "greeting" {
		t.Errorf("refused: %v", err)
	}
	for _, s := range []string{"220 smtp.example.com ESMTP", "* OK IMAP", "+ OK", "+OKAY"} {
		if _, err := New(serve(t, "S: "+s), nil); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := New(serve(t, "close"), nil); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the greeting") {
		t.Errorf("close: %v", err)
	}
}

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

func TestLost(t *testing.T) {
	for _, s := range []string{"close", "S= \"+O\"\nclose", "S= \"+OK\"\nclose", "S= \"+OK\\r\"\nclose"} {
		c := converse(t, nil, "S: +OK\nC: NOOP\n"+s)
		err := c.Noop().Wait()
		if !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() != err {
			t.Errorf("%q: %v; Err %v", s, err, c.Err())
		}
		if err := c.Quit().Wait(); err != c.Err() {
			t.Errorf("%q: QUIT: %v", s, err)
		}
	}
}

// A write that fails still yields what the server has said, and nothing of it is a success.
func TestFailedWrite(t *testing.T) {
	for _, tt := range []struct {
		said, code string
	}{
		{"-ERR [IN-USE] autologout\r\n", "IN-USE"},
		{"-ERR autologout\r\n", ""}, // no refusal of QUIT
		{"+OK bye\r\n", ""},
		{"", ""},
	} {
		broken := &stream{Reader: &parts{[]io.Reader{strings.NewReader("+OK\r\n"), strings.NewReader(tt.said)}}}
		c, err := New(&failWriter{broken}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Quit().Wait()
		var lost *LostError
		var e *Error
		if !errors.As(err, &lost) || !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() != err {
			t.Errorf("%q: %v; Err %v", tt.said, err, c.Err())
		}
		if errors.As(err, &e) != (tt.code != "") || e != nil && e.Code != tt.code {
			t.Errorf("%q: %v", tt.said, e)
		}
	}
}

type failWriter struct{ *stream }

func (failWriter) Write(p []byte) (int, error) { return 0, errors.New("broken pipe") }

// Of a write that fails half-way, the commands that went out whole are still answered.
func TestPartialWrite(t *testing.T) {
	s := &stream{Reader: &parts{[]io.Reader{strings.NewReader("+OK\r\n"), strings.NewReader("+OK\r\na\r\n.\r\n+OK\r\n")}}}
	c, err := New(&halfWriter{s, len("RETR 1\r\nDELE 1\r")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	retr, dele := c.Retr(1), c.Dele(1)
	b, err := retr.Body()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(b); string(text) != "a\r\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := dele.Wait(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a +OK to half a DELE: %v", err)
	}
	if err := c.Quit().Wait(); err == nil || s.written != 0 {
		t.Errorf("then %v", err)
	}
}

type halfWriter struct {
	*stream
	n int
}

func (w halfWriter) Write(p []byte) (int, error) { return w.n, errors.New("broken pipe") }

func TestArguments(t *testing.T) {
	const secret = "sec\r\nDELE 1"
	c := converse(t, nil, "S: +OK <a@b>")
	for _, bad := range []string{secret, "a\rb", "a\nb", "a\x00b"} {
		for i, err := range []error{
			c.UserPass(bad, "x"), c.UserPass("x", bad), c.Apop(bad, "x"), c.Apop("x", bad),
			c.Auth(&plain{bad, "x"}, true), c.Auth(&plain{"x", bad}, false), c.Auth(&login{user: bad}, false),
			c.Auth(&cramMD5{pass: bad}, false), c.Auth(&external{bad}, false), c.Auth(&xoauth2{token: bad}, false),
			c.Auth(&oauthBearer{user: bad}, false), loginError(c, Credentials{User: bad}), loginError(c, Credentials{Token: bad}),
		} {
			if !errors.Is(err, ErrArgument) || strings.Contains(err.Error(), "sec") {
				t.Errorf("%d: %q: %v", i, bad, err)
			}
		}
	}
	if err := c.Auth(&xoauth2{token: "a\x01b"}, false); !errors.Is(err, ErrArgument) {
		t.Errorf("separator: %v", err)
	}
	if _, err := c.Retr(0).Body(); !errors.Is(err, ErrArgument) {
		t.Errorf("RETR 0: %v", err)
	}
	if err := c.Dele(-1).Wait(); !errors.Is(err, ErrArgument) || c.Err() != nil {
		t.Errorf("DELE -1: %v, %v", err, c.Err())
	}
}

func loginError(c *Client, cred Credentials) error {
	_, err := Login(c, nil, false, "auto", cred)
	return err
}

func TestClose(t *testing.T) {
	c := converse(t, nil, "S: +OK")
	c.Close()
	if err := c.Err(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := c.Noop().Wait(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// Silence ends after the time-out, and each octet puts it off.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\r\n"))
			server.Read(make([]byte, 100))
			for _, b := range []byte("+OK\r\na\r\n") {
				time.Sleep(9 * time.Second)
				server.Write([]byte{b})
			}
		}()
		c, err := New(client, &Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		b, err := c.Retr(1).Body()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(b)
		if string(text) != "a\r\n" || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrInterrupted) {
			t.Errorf("%q, %v", text, err)
		}
		if want := "time-out: the server was silent for 10s while it owed the text of RETR"; err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if took := time.Since(begin); took != 82*time.Second {
			t.Errorf("took %v", took)
		}
		if err := c.Quit().Wait(); err != c.Err() || err == nil {
			t.Errorf("then %v", err)
		}
	})
}

// A server that does not read is silent, too. What it has said is still heard.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+OK\r\n"))
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		err = c.Noop().Wait()
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.Err() == nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != defaultTimeout+reasonWait {
			t.Errorf("took %v", took)
		}
		if !strings.Contains(err.Error(), "1m0s") || !strings.Contains(err.Error(), "NOOP") {
			t.Error(err)
		}
	})
}

// Interrupt reaches a read in progress, bounds a drip that no silence would end, and does not
// lengthen anything.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		done := make(chan bool)
		go func() {
			defer close(done)
			server.Write([]byte("+OK\r\n"))
			server.Read(make([]byte, 100))
			server.Write([]byte("+OK\r\n"))
			for {
				time.Sleep(time.Second)
				if _, err := server.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Retr(1).Body()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(10*time.Second+time.Millisecond, func() { c.Interrupt(5 * time.Second); c.Interrupt(time.Hour) })
		text, err := io.ReadAll(b)
		if len(text) != 15 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, ErrInterrupted) {
			t.Errorf("%q, %v", text, err)
		}
		if took := time.Since(begin); took != 15*time.Second+time.Millisecond {
			t.Errorf("took %v", took)
		}
		c.Close()
		<-done
	})
}

func TestInterruptSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\r\n"))
			io.Copy(io.Discard, server)
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(time.Second, func() { c.Interrupt(time.Second) })
		if err := c.Noop().Wait(); !errors.Is(err, ErrInterrupted) || time.Since(begin) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		c.Close()
	})
}

func TestInterruptAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+OK\r\n"))
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Interrupt(0)
		if err := c.Noop().Wait(); !errors.Is(err, ErrInterrupted) {
			t.Error(err)
		}
	})
}

// port is a connection that says which port it goes to.
type port struct {
	net.Conn
	n int
}

func (p port) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: p.n} }

func TestTimeoutHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			port int
			hint bool
		}{{995, true}, {110, false}} {
			client, server := net.Pipe()
			_, err := New(port{client, tt.port}, nil)
			if !errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "port 995 usually wants TLS") != tt.hint {
				t.Errorf("port %d: %v", tt.port, err)
			}
			server.Close()
		}
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+"))
		if _, err := New(port{client, 995}, nil); !errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "TLS") {
			t.Errorf("not from the beginning: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\n"))
			server.Read(make([]byte, 100))
			server.Write([]byte("+OK\nTOP\n.\n"))
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Capa().Wait(); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "bare LF") {
			t.Error(err)
		}
	})
}

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
