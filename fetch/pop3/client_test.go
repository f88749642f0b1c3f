package pop3

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
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
