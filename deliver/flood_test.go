package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// flooding starts a server that says first, one answer a line, and to the next line begins with what it never
// ends. sent gives how many octets of that it could send, up to most.
func flooding(t *testing.T, first []string, head, more string, most int) (r Receiver, sent chan int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	sent = make(chan int, 1)
	go func() { // the server's side
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		br := bufio.NewReader(conn)
		for _, say := range first {
			line := ""
			if say != first[0] {
				line, _ = br.ReadString('\n')
			}
			tag, _, _ := strings.Cut(line, " ")
			fmt.Fprint(conn, strings.ReplaceAll(say, "TAG", tag))
		}
		br.ReadString('\n')
		fmt.Fprint(conn, head)
		piece := []byte(strings.Repeat(more, 64<<10/len(more)))
		n := 0
		for n < most {
			m, err := conn.Write(piece)
			if n += m; err != nil {
				break
			}
		}
		sent <- n
	}()
	return Receiver{Network: "tcp", Addr: l.Addr().String(), Timeout: time.Minute, Login: plainLogin("x")}, sent
}

// A server whose answer does not end is left, before it fills the memory.
func TestReceiverFlood(t *testing.T) {
	const most, enough = 200 << 20, 32 << 20
	greeting := "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n"
	for name, tt := range map[string]struct {
		first      []string
		head, more string
	}{
		"imap line":   {[]string{greeting}, "* OK ", "x"},
		"imap text":   {[]string{greeting}, "* LIST () \"/\" {1000000000}\r\n", "x"},
		"imap lines":  {[]string{greeting}, "", "* OK x\r\n"},
		"imap status": {[]string{greeting, "TAG OK x\r\n"}, "* STATUS INBOX (UIDNEXT ", "1"},
		"smtp lines":  {[]string{"220 x\r\n"}, "", "250-" + strings.Repeat("x", 500) + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r, sent := flooding(t, tt.first, tt.head, tt.more, most)
			var err error
			if strings.HasPrefix(name, "smtp") {
				r.Login = nil
				err = newSMTP(t, SMTPOptions{Receiver: r}).connect(context.Background())
			} else {
				err = newIMAP(t, IMAPOptions{Receiver: r}).connect(context.Background())
			}
			var e *Error
			if !errors.As(err, &e) || e.Message || !strings.Contains(err.Error(), "does not end") {
				t.Errorf("%.200v", err)
			}
			if n := <-sent; n > enough {
				t.Errorf("it sent %d MB", n>>20)
			}
		})
	}
}

// What it says is told and recorded, and is cut to what a person may read.
func TestReceiverLongAnswer(t *testing.T) {
	long := strings.Repeat("550-"+strings.Repeat("x ", 200)+"\r\n", 1000) + "550 x"
	hello := []string{"220 x", "250 x", "250 a"}
	s := newSMTP(t, SMTPOptions{Receiver: dialogue(t, append(hello, long, "250 x"))})
	if _, err := put(s, "x\r\n"); err == nil || len(err.Error()) > 2*maxOutput {
		t.Errorf("%.100v", err)
	}
	s = newSMTP(t, SMTPOptions{Receiver: dialogue(t, append(hello, "250 b", "354 c", strings.ReplaceAll(long, "550", "250")))})
	if got, err := put(s, "x\r\n"); err != nil || len(got) != 1 || len(got[0].Where) > 2*maxOutput {
		t.Errorf("%d receipts, %v", len(got), err)
	}
	m := newIMAP(t, IMAPOptions{Receiver: appends(t, "+NO "+strings.Repeat("x", 100<<10))})
	stageIMAP(t, m, 1, "Subject: x\r\n")
	if _, err := m.Commit(context.Background()); err == nil || len(err.Error()) > 2*maxOutput {
		t.Errorf("%.100v", err)
	}
}

// A message that is read back may be of any length.
func TestReceiverNoFlood(t *testing.T) {
	r := serveIMAP(t)
	m := newIMAP(t, IMAPOptions{Receiver: r})
	hint, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		stageIMAP(t, m, n, "Subject: x\r\n\r\n"+strings.Repeat("text\r\n", maxAnswer/3))
	}
	if _, err := m.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{hint, ""} {
		got, err := newIMAP(t, IMAPOptions{Receiver: r}).Find(Begin{Nonce: testID(0)[:nonceLen], Hint: hint})
		if err != nil || len(got) != 2 || got[1].Size < maxAnswer {
			t.Errorf("%q: %v, %v", hint, got, err)
		}
	}
}

// The folder's last message may be of any length, too: it comes where nothing has been added since.
func TestReceiverLastIsLarge(t *testing.T) {
	r := serveIMAP(t)
	m := newIMAP(t, IMAPOptions{Receiver: r})
	stageIMAP(t, m, 1, "Subject: x\r\n\r\n"+strings.Repeat("text\r\n", maxAnswer/3))
	if _, err := m.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	hint, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := newIMAP(t, IMAPOptions{Receiver: r}).Find(Begin{Nonce: testID(0)[:nonceLen], Hint: hint}); len(got) > 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
