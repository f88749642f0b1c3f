package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A taker is a mail server that keeps what it is given.
type taker struct {
	mu   sync.Mutex
	got  []string // "FROM>TO: text"
	auth int
}

func (k *taker) NewSession(*smtp.Conn) (smtp.Session, error) { return &taking{k: k}, nil }

type taking struct {
	k        *taker
	from, to string
}

func (s *taking) Reset()                                             {}
func (s *taking) Logout() error                                      { return nil }
func (s *taking) Mail(from string, _ *smtp.MailOptions) error        { s.from = from; return nil }
func (s *taking) AuthMechanisms() []string                           { return []string{"PLAIN"} }
func (s *taking) LMTPData(r io.Reader, _ smtp.StatusCollector) error { return s.Data(r) }

func (s *taking) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ann" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.k.mu.Lock()
		defer s.k.mu.Unlock()
		s.k.auth++
		return nil
	}), nil
}

func (s *taking) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "full"):
		return &smtp.SMTPError{Code: 452, Message: "no room"}
	case strings.HasPrefix(to, "nobody"):
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	s.to = to
	return nil
}

func (s *taking) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if strings.Contains(string(text), "spam") {
		return &smtp.SMTPError{Code: 554, Message: "spam"}
	}
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	s.k.got = append(s.k.got, fmt.Sprintf("%s>%s: %s", s.from, s.to, text))
	return nil
}

// serveMail starts a mail server on a socket.
func serveMail(t *testing.T, lmtp bool) (*taker, Receiver) {
	t.Helper()
	k := new(taker)
	srv := smtp.NewServer(k)
	srv.LMTP, srv.AllowInsecureAuth, srv.Domain = lmtp, true, "here"
	srv.ErrorLog = quiet{}
	path := filepath.Join(t.TempDir(), "mail")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l) // until Close
	t.Cleanup(func() { srv.Close() })
	return k, Receiver{Network: "unix", Addr: path, Timeout: 10 * time.Second}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func newSMTP(t *testing.T, o SMTPOptions) *SMTP {
	t.Helper()
	if o.Recipient == "" {
		o.Recipient = "%T"
	}
	o.SpoolDir, o.Account, o.User = t.TempDir(), "work", "ann@example.org"
	s, err := NewSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put delivers and commits one message.
func put(s *SMTP, text string) ([]Receipt, error) {
	m := &Message{Account: "work", UID: "u1", ID: "0123456789ab0123456789abcdef", Trace: "Received: by here\n", Body: strings.NewReader(text)}
	if err := s.Deliver(context.Background(), m); err != nil {
		return nil, err
	}
	return s.Commit(context.Background())
}

func TestSMTP(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		k, r := serveMail(t, lmtp)
		s := newSMTP(t, SMTPOptions{Receiver: r, LMTP: lmtp})
		text := "Return-Path: <bob@example.net>\r\nDelivered-To: c@d\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n.\r\nlast"
		got, err := put(s, text)
		if err != nil || len(got) != 1 || !strings.Contains(got[0].Where, "tp "+r.Addr) {
			t.Fatalf("%v, %v", got, err)
		}
		if _, err := put(s, "Subject: y\r\n\r\n\xff\x80\r\n"); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"bob@example.net>c@d: Received: by here\r\n" + text + "\r\n",
			">ann@example.org: Received: by here\r\nSubject: y\r\n\r\n\xff\x80\r\n",
		}
		if strings.Join(k.got, "|") != strings.Join(want, "|") {
			t.Errorf("lmtp %v: got %q", lmtp, k.got)
		}
	}
}

// What is about one message stops no other, and says whether it may pass.
func TestSMTPRefusals(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		k, r := serveMail(t, lmtp)
		s := newSMTP(t, SMTPOptions{Receiver: r, LMTP: lmtp, Sender: "list@example.org"})
		for _, tt := range []struct {
			text      string
			temporary bool
			want      string
		}{
			{"Delivered-To: nobody@x\r\n\r\n", false, "no such user"},
			{"Delivered-To: full@x\r\n\r\n", true, "no room"},
			{"\r\nspam\r\n", false, "spam"},
		} {
			_, err := put(s, tt.text)
			var e *Error
			if !errors.As(err, &e) || !e.Message || e.Temporary != tt.temporary || !e.Untouched || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("lmtp %v, %q: %#v", lmtp, tt.text, err)
			}
		}
		if _, err := put(s, "\r\nham\r\n"); err != nil || len(k.got) != 1 {
			t.Errorf("%v, %q", err, k.got)
		}
	}
}

func TestSMTPLogin(t *testing.T) {
	k, r := serveMail(t, false)
	with := func(password string) Receiver {
		r := r
		r.Login = func(_ context.Context, offers func(string) bool) (sasl.Client, error) {
			if !offers("PLAIN") {
				return nil, errors.New("no PLAIN")
			}
			return sasl.NewPlainClient("", "ann", password), nil
		}
		return r
	}
	if _, err := put(newSMTP(t, SMTPOptions{Receiver: with("secret")}), "\r\n"); err != nil || k.auth != 1 {
		t.Error(err)
	}
	_, err := put(newSMTP(t, SMTPOptions{Receiver: with("wrong")}), "\r\n")
	var e *Error
	if !errors.Is(err, ErrLogin) || !errors.As(err, &e) || e.Message || e.Temporary || !e.Untouched {
		t.Errorf("%#v", err)
	}
	for _, command := range []bool{false, true} { // no login was tried
		plain := with("secret")
		plain.TLS, plain.StartTLS = &tls.Config{ServerName: "localhost"}, command
		if _, err := put(newSMTP(t, SMTPOptions{Receiver: plain}), "\r\n"); !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), ErrLogin.Error()) {
			t.Errorf("STARTTLS %v: %v", command, err)
		}
	}
}

// A dialogue is a mail server that says what it is told to: each line answers one line of the
// client, "" closes the connection, and DATA is answered twice.
func dialogue(t *testing.T, sessions ...[]string) Receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // the server's side
		for _, lines := range sessions {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn, lines)
			conn.Close()
		}
	}()
	return Receiver{Network: "tcp", Addr: l.Addr().String(), Timeout: 10 * time.Second}
}

func answer(conn net.Conn, lines []string) {
	br := bufio.NewReader(conn)
	data := false
	for _, line := range lines {
		if line == "" {
			return
		}
		fmt.Fprintf(conn, "%s\r\n", line)
		for {
			got, err := br.ReadString('\n')
			if err != nil {
				return
			}
			if !data || got == ".\r\n" {
				data = got == "DATA\r\n"
				break
			}
		}
	}
}

func TestSMTPDoubt(t *testing.T) {
	hello := []string{"220 x", "250 x"}
	for _, tt := range []struct {
		name      string
		sessions  [][]string
		untouched bool
		is        error
		temporary bool
		broke     bool // it may be the message
	}{
		{"no yes to the dot", [][]string{append(hello, "250 a", "250 b", "354 c", "")}, false, nil, true, true},
		{"221 to the dot", [][]string{append(hello, "250 a", "250 b", "354 c", "221 good bye")}, false, nil, true, true},
		{"closed at RCPT", [][]string{append(hello, "250 a", "")}, true, nil, true, true},
		{"421 at DATA", [][]string{append(hello, "250 a", "250 b", "421 c")}, true, nil, true, true},
		// They are about us, and no message: else all would be refused, one by one, and quarantined. But it may be
		// demanded for this sender or recipient alone.
		{"530 at MAIL", [][]string{append(hello, "530 5.7.0 authentication required", "250 x")}, true, ErrLogin, false, true},
		{"530 at RCPT", [][]string{append(hello, "250 a", "530 5.7.0 begin TLS first", "250 x")}, true, ErrLogin, false, true},
		{"538 at the dot", [][]string{append(hello, "250 a", "250 b", "354 c", "538 5.7.11 encryption required", "250 x")}, true, ErrLogin, false, true},
		{"554 greeting", [][]string{{"554 no"}}, true, ErrUnavailable, false, false},
		{"421 greeting", [][]string{{"421 later"}}, true, nil, true, false},
		{"no answer", [][]string{{""}}, true, nil, true, false},
	} {
		s := newSMTP(t, SMTPOptions{Receiver: dialogue(t, tt.sessions...)})
		_, err := put(s, "\r\nx\r\n")
		var e *Error
		if !errors.As(err, &e) || e.Message || e.Untouched != tt.untouched || e.Temporary != tt.temporary || e.Broke != tt.broke || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
}

// Each reply of 2xx to the dot is a yes: what the server has taken must not be given to it again.
func TestSMTPOtherYes(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		for _, yes := range []string{"200 taken", "251 taken", "252-taken\r\n252 it"} {
			s := newSMTP(t, SMTPOptions{LMTP: lmtp, Receiver: dialogue(t, []string{"220 x", "250 x", "250 a", "250 b", "354 c", yes})})
			if got, err := put(s, "\r\nx\r\n"); err != nil || len(got) != 1 || !strings.Contains(got[0].Where, "taken") {
				t.Errorf("lmtp %v, %q: %v, %v", lmtp, yes, got, err)
			}
		}
	}
}

// A session that the server has ended while nothing was said is begun anew.
func TestSMTPAnotherSession(t *testing.T) {
	whole := []string{"220 x", "250 x", "250 a", "250 b", "354 c", "250 yes"}
	s := newSMTP(t, SMTPOptions{Receiver: dialogue(t, append(whole, "421 too long"), whole)})
	for range 2 {
		if _, err := put(s, "\r\nx\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	// Also the first: what is handed over took its time to come.
	for _, end := range []string{"421 too long", "221 too long", ""} {
		s := newSMTP(t, SMTPOptions{Receiver: dialogue(t, []string{"220 x", "250 x", end}, whole)})
		if _, err := put(s, "\r\nx\r\n"); err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
	// One that ends each session is not asked for ever.
	dead := []string{"220 x", "250 x", ""}
	s = newSMTP(t, SMTPOptions{Receiver: dialogue(t, dead, dead, whole)})
	if _, err := put(s, "\r\nx\r\n"); err == nil {
		t.Error("no error")
	}
}

// A silent server costs the time-out, not more, also where TLS is to be begun by a command.
func TestSMTPSilent(t *testing.T) {
	for name, lines := range map[string][]string{
		"greeting": {},
		"EHLO":     {"220 x"},
		"STARTTLS": {"220 x", "250-x\r\n250 STARTTLS"},
		"TLS":      {"220 x", "250-x\r\n250 STARTTLS", "220 go on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() { // the server's side
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				answer(conn, lines)
				io.Copy(io.Discard, conn)
			}()
			s := newSMTP(t, SMTPOptions{Receiver: Receiver{Network: "tcp", Addr: l.Addr().String(), Timeout: time.Second, StartTLS: true, TLS: &tls.Config{ServerName: "x"}}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = s.connect(ctx)
			var e *Error
			if !errors.As(err, &e) || !e.Temporary || errors.Is(err, ErrLogin) || !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
				t.Error(err)
			}
		})
	}
}

func TestSMTPConfiguration(t *testing.T) {
	for _, o := range []SMTPOptions{{}, {Recipient: "%Q"}, {Recipient: "a@b", Sender: "100%"}} {
		if _, err := NewSMTP(o); !errors.Is(err, ErrArgument) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	k, r := serveMail(t, true)
	_, err := put(newSMTP(t, SMTPOptions{Receiver: r, LMTP: true, Recipient: "a b@c"}), "\r\n")
	var e *Error
	if !errors.As(err, &e) || !e.Message || len(k.got) > 0 {
		t.Errorf("%v", err)
	}
}
