package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// appends is an IMAP server of one folder that answers each APPEND as it is told to: "+" asks for the
// text, and what follows is said when it is there; without one it is said at once. "" ends the session.
func appends(t *testing.T, answers ...string) Receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // the server's side
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answers = serveAppends(conn, answers)
			conn.Close()
		}
	}()
	return Receiver{Network: "tcp", Addr: l.Addr().String(), Timeout: time.Minute, Login: plainLogin("x")}
}

func serveAppends(conn net.Conn, answers []string) []string {
	br := bufio.NewReader(conn)
	fmt.Fprint(conn, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n")
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return answers
		}
		words := strings.Fields(line)
		tag, ok := words[0], words[0]+" OK x\r\n"
		switch strings.ToUpper(words[1]) {
		case "CAPABILITY":
			ok = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n" + ok
		case "STATUS":
			ok = "* STATUS INBOX (UIDNEXT 1 UIDVALIDITY 1)\r\n" + ok
		case "NOOP":
			if len(answers) > 0 && answers[0] == "silence" {
				io.Copy(io.Discard, br)
				return answers[1:]
			}
		case "APPEND":
			answer := "+OK x"
			if len(answers) > 0 {
				answer, answers = answers[0], answers[1:]
			}
			said, wants := strings.CutPrefix(answer, "+")
			if wants {
				size, _ := strconv.ParseInt(strings.Trim(words[len(words)-1], "{}+"), 10, 64)
				fmt.Fprint(conn, "+ go on\r\n")
				if _, err := io.CopyN(io.Discard, br, size+2); err != nil {
					return answers
				}
			}
			if said == "" {
				return answers
			}
			ok = tag + " " + said + "\r\n"
			if strings.HasPrefix(said, "*") { // goodbye
				fmt.Fprint(conn, said+"\r\n")
				return answers
			}
		}
		fmt.Fprint(conn, ok)
	}
}

// What a server refuses is one message, whenever it says so; what ends the session is none.
func TestIMAPAppendAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer  string
		message bool // it is about the one message, and the others come
	}{
		{"+NO too large", true},
		{"NO [LIMIT] too large", true},
		{"BAD too large", true},
		{"+BAD x", true},
		{"", false},
		{"+", false},
		{"* BYE x", false},
		{"+* BYE x", false},
	} {
		m := newIMAP(t, IMAPOptions{Receiver: appends(t, "+OK x", tt.answer)})
		for n := range 4 {
			stageIMAP(t, m, n, "Subject: x\r\n\r\n"+strings.Repeat("text\r\n", 20_000))
		}
		got, refused := 0, 0
		var e *Error
		for range 5 {
			receipts, err := m.Commit(context.Background())
			got += len(receipts)
			if err == nil {
				break
			}
			if !errors.As(err, &e) || !e.Message {
				if tt.message || e == nil || !e.Temporary {
					t.Errorf("%q: %#v", tt.answer, err)
				}
				break
			}
			refused++
		}
		if tt.message && (got != 3 || refused != 1) || !tt.message && (got != 1 || refused != 0) {
			t.Errorf("%q: %d there, %d refused", tt.answer, got, refused)
		}
	}
}

// A session that has ended, or is no more known to what is in between, while the message was on its way, is
// begun anew.
func TestIMAPAnotherSession(t *testing.T) {
	m := newIMAP(t, IMAPOptions{Receiver: appends(t)})
	stageIMAP(t, m, 1, "Subject: x\r\n")
	m.conn.Conn.Close()
	<-m.c.Closed()
	if got, err := m.Commit(context.Background()); len(got) != 1 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	m = newIMAP(t, IMAPOptions{Receiver: appends(t, "silence")})
	stageIMAP(t, m, 1, "Subject: x\r\n")
	m.conn.last.Store(0)
	m.o.Timeout = 100 * time.Millisecond
	if m.awake(context.Background()) {
		t.Error("a silent server was taken for a session")
	}
	m.o.Timeout = time.Minute
	if got, err := m.Commit(context.Background()); len(got) != 1 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// Where the folder was made anew and the server refuses to search, the beginnings of all messages tell:
// else the next run would fail for ever.
func TestIMAPSearchRefused(t *testing.T) {
	id := testID(1)
	text := "Received: from pop by host with POP3 id " + id + "\r\n\t; Wed, 25 Nov 2026 19:00:00 +0000\r\nSubject: x\r\n\r\ntext\r\n"
	fetch := func(num int, partial, text string) string {
		return fmt.Sprintf("* %d FETCH (UID %d BODY[]%s {%d}\r\n%s)\r\n", num, num+10, partial, len(text), text)
	}
	for _, refusal := range []string{"TAG NO [CANNOT] no search\r\n", "TAG BAD what\r\n"} {
		r, scripts, heard := scripted(t, 5*time.Second)
		r.Login = plainLogin("x")
		m := newIMAP(t, IMAPOptions{Receiver: r})
		scripts <- strings.Join([]string{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n", "TAG OK in\r\n",
			"* STATUS INBOX (UIDNEXT 14 UIDVALIDITY 8)\r\nTAG OK x\r\n", "* 2 EXISTS\r\nTAG OK x\r\n", refusal,
			fetch(1, "<0>", "Subject: POP3 id "+id[:nonceLen]+"\r\n\r\n") + fetch(2, "<0>", text[:100]) + "TAG OK x\r\n",
			fetch(2, "", text) + "TAG OK x\r\n", "TAG OK x\r\n", "* BYE x\r\nTAG OK x\r\n"}, "|")
		got, err := m.Find(Begin{Nonce: id[:nonceLen], Hint: "imap 7 4"})
		m.hangUp()
		said := <-heard
		if err != nil || len(got) != 1 || got[0].ID != id || !strings.HasSuffix(got[0].Where, "UID 12") || got[0].Size != int64(len("Subject: x\n\ntext\n")) {
			t.Errorf("%v, %v", got, err)
		}
		if !strings.Contains(said, " UID FETCH 1:* (UID BODY.PEEK[]<0.2048>)\r\n") || !strings.Contains(said, " UID FETCH 12 (UID BODY.PEEK[])\r\n") {
			t.Errorf("it was told %q", said)
		}
	}
}

// A number that no message has is no end of the program: to the library it is "*".
func TestIMAPSearchZero(t *testing.T) {
	id := testID(1)
	r, scripts, heard := scripted(t, 5*time.Second)
	r.Login = plainLogin("x")
	m := newIMAP(t, IMAPOptions{Receiver: r})
	scripts <- strings.Join([]string{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n", "TAG OK in\r\n",
		"* STATUS INBOX (UIDNEXT 14 UIDVALIDITY 8)\r\nTAG OK x\r\n", "* 2 EXISTS\r\nTAG OK x\r\n", "* SEARCH 0\r\nTAG OK x\r\n",
		"* 2 FETCH (UID 12 BODY[] {3}\r\nx\r\n)\r\nTAG OK x\r\n", "TAG OK x\r\n", "* BYE x\r\nTAG OK x\r\n"}, "|")
	if got, err := m.Find(Begin{Nonce: id[:nonceLen], Hint: "imap 7 4"}); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
	m.hangUp()
	<-heard
}

// A session that ends within a message has not told of it, and what has come is not read beside the library, by
// which the whole program might end (with -race it is seen).
func TestIMAPFindCutOff(t *testing.T) {
	id := testID(1)
	trace := "Received: from pop by host with POP3 id " + id + "\r\n\t; Wed, 25 Nov 2026 19:00:00 +0000\r\n"
	for _, cut := range []string{
		"* 2 FETCH (UID 12 BODY[] {3000}\r\n" + trace,                                       // asked for
		"* 2 FETCH (UID 12 BODY[] {90000}\r\n" + trace + strings.Repeat("x", maxTraceField), // the same, and behind its trace field
		"* 2 FETCH (UID 4 BODY[] {3000}\r\n" + trace,                                        // not asked for
		"TAG NO no search\r\n|* 2 FETCH (UID 12 BODY[]<0> {2000}\r\n" + trace,               // looked at
	} {
		hint := "imap 8 12"
		if strings.HasPrefix(cut, "TAG") {
			hint = "imap 7 4"
		}
		for range 10 {
			r, scripts, heard := scripted(t, 5*time.Second)
			r.Login = plainLogin("x")
			m := newIMAP(t, IMAPOptions{Receiver: r})
			scripts <- strings.Join([]string{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n", "TAG OK in\r\n",
				"* STATUS INBOX (UIDNEXT 14 UIDVALIDITY 8)\r\nTAG OK x\r\n", "* 2 EXISTS\r\nTAG OK x\r\n", cut}, "|")
			got, err := m.Find(Begin{Nonce: id[:nonceLen], Hint: hint})
			var e *Error
			if len(got) > 0 || !errors.As(err, &e) || !e.Temporary {
				t.Errorf("%v, %v", got, err)
			}
			<-heard
		}
	}
}

// A message may take as long to be read back as it does, if only something comes.
func TestIMAPFindSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := testID(1)
		trace := "Received: from pop by host with POP3 id " + id + "\r\n\t; Wed, 25 Nov 2026 19:00:00 +0000\r\n"
		here, there := net.Pipe()
		done := make(chan struct{})
		defer func() { there.Close(); <-done }()
		go func() { // the server's side
			defer close(done)
			br := bufio.NewReader(there)
			fmt.Fprint(there, "* OK [CAPABILITY IMAP4rev1] x\r\n")
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					return
				}
				switch words := strings.Fields(line); words[1] {
				case "EXAMINE":
					fmt.Fprint(there, "* 1 EXISTS\r\n")
				case "UID":
					fmt.Fprintf(there, "* 1 FETCH (UID 5 BODY[] {%d}\r\n%s", len(trace)+2*20, trace)
					for range 20 {
						time.Sleep(50 * time.Second)
						fmt.Fprint(there, "\r\n")
					}
					fmt.Fprint(there, ")\r\n")
				}
				tag, _, _ := strings.Cut(line, " ")
				fmt.Fprint(there, tag+" OK x\r\n")
			}
		}()
		m, err := NewIMAP(IMAPOptions{Receiver: Receiver{Login: plainLogin("x"), Timeout: time.Minute}, SpoolDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		p := &patient{Conn: here, timeout: time.Minute}
		m.conn = newWatched(p, p)
		m.c, m.validity = imapclient.New(m.conn, nil), 7
		got, err := m.Find(Begin{Nonce: id[:nonceLen], Hint: "imap 7 5"})
		if err != nil || len(got) != 1 || got[0].Size != 20 {
			t.Errorf("%v, %v", got, err)
		}
		m.Close()
	})
}

// A step that the library never ends is left, with its client, and the next one gets a connection.
func TestIMAPStuck(t *testing.T) {
	m := newIMAP(t, IMAPOptions{Receiver: appends(t)})
	stageIMAP(t, m, 1, "Subject: x\r\n")
	m.o.Timeout = 20 * time.Millisecond
	end := make(chan struct{})
	defer close(end)
	err := m.during(context.Background(), func() error { <-end; return nil })
	if e := m.failed(err, true); !e.Temporary || e.Message || !strings.Contains(err.Error(), "no answer within 20ms") || m.c != nil {
		t.Errorf("%#v", e)
	}
	m.o.Timeout = time.Minute
	if got, err := m.Commit(context.Background()); len(got) != 1 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
