package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
)

// serveIMAP starts an IMAP server that keeps everything in memory, with an INBOX.
func serveIMAP(t *testing.T) Receiver {
	t.Helper()
	user := imapmemserver.NewUser("ann", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	mem := imapmemserver.New()
	mem.AddUser(user)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		InsecureAuth: true,
		Logger:       quiet{},
	})
	path := filepath.Join(t.TempDir(), "imap")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l) // until Close
	t.Cleanup(func() { srv.Close() })
	return Receiver{Network: "unix", Addr: path, Timeout: 10 * time.Second, Login: plainLogin("secret")}
}

func plainLogin(password string) func(context.Context, func(string) bool) (sasl.Client, error) {
	return func(_ context.Context, offers func(string) bool) (sasl.Client, error) {
		if !offers("PLAIN") {
			return nil, errors.New("no PLAIN")
		}
		return sasl.NewPlainClient("", "ann", password), nil
	}
}

func newIMAP(t *testing.T, o IMAPOptions) *IMAP {
	t.Helper()
	o.SpoolDir = t.TempDir()
	m, err := NewIMAP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func stageIMAP(t *testing.T, m *IMAP, n int, wire string) {
	t.Helper()
	id := testID(n)
	trace := "Received: from pop by host with POP3 id " + id + "\n\tfor <ann>; Wed, 25 Nov 2026 19:00:00 +0000\n"
	if err := m.Deliver(context.Background(), &Message{UID: fmt.Sprint(n), ID: id, Trace: trace, Body: strings.NewReader(wire)}); err != nil {
		t.Fatal(err)
	}
}

// a message as the folder has it
type shelved struct {
	text  string
	date  time.Time
	flags []imap.Flag
}

func folder(t *testing.T, r Receiver, name string) (all []shelved) {
	t.Helper()
	conn, err := net.Dial(r.Network, r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	defer c.Close()
	if err := c.Login("ann", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	box, err := c.Select(name, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if box.NumMessages == 0 {
		return nil
	}
	msgs, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		all = append(all, shelved{string(m.BodySection[0].Bytes), m.InternalDate, m.Flags})
	}
	return all
}

func TestIMAP(t *testing.T) {
	r := serveIMAP(t)
	m := newIMAP(t, IMAPOptions{Receiver: r, Folder: "Old/Büro", Flags: []string{`\Seen`}, Create: true})
	wires := []string{
		"Date: Tue, 14 Nov 2023 22:13:20 +0100\r\nSubject: x\r\n\r\n.dot\r\n8bit \xff\r\nlast",
		"Received: from a by b; Mon, 13 Nov 2023 10:00:00 +0000\r\nDate: nonsense\r\n\r\nbare\rCR\r\n",
	}
	for i, w := range wires {
		stageIMAP(t, m, i, w)
	}
	got, err := m.Commit(context.Background())
	if err != nil || len(got) != 2 || !strings.HasSuffix(got[1].Where, "UID 2") {
		t.Fatalf("%+v, %v", got, err)
	}
	all := folder(t, r, "Old/Büro")
	for i, s := range all {
		_, text, _ := strings.Cut(s.text, "+0000\r\n")
		if want := strings.TrimSuffix(wires[i], "\r\n") + "\r\n"; text != want {
			t.Errorf("got %q, want %q", text, want)
		}
		if len(s.flags) == 0 || s.flags[0] != imap.FlagSeen || s.date.Day() != 14-i {
			t.Errorf("%v, %v", s.flags, s.date)
		}
	}
	if len(all) != 2 {
		t.Errorf("%d messages", len(all))
	}
	// What stands behind the trace field is what the receipt says.
	hint, err := m.Hint()
	if err != nil || !strings.HasSuffix(hint, " 3") {
		t.Errorf("%q, %v", hint, err)
	}
	found, err := newIMAP(t, IMAPOptions{Receiver: r, Folder: "Old/Büro"}).Find(Begin{Nonce: testID(0)[:nonceLen]})
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	for i, f := range found {
		if f != got[i] {
			t.Errorf("found %+v, want %+v", f, got[i])
		}
	}
}

// An interrupted run is looked for from where it began, and in all of a folder that is another.
func TestIMAPFind(t *testing.T) {
	r := serveIMAP(t)
	nonce := testID(0)[:nonceLen]
	m := newIMAP(t, IMAPOptions{Receiver: r})
	stageIMAP(t, m, 0, "\r\nold\r\n")
	if _, err := m.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	hint, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	stageIMAP(t, m, 1, "\r\nnew\r\n")
	stageIMAP(t, m, 2, "\r\nPOP3 id "+nonce+"\r\n")
	if _, err := m.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		begin Begin
		want  int
	}{
		{Begin{Nonce: nonce, Hint: hint}, 2},
		{Begin{Nonce: nonce}, 3},
		{Begin{Nonce: nonce, Hint: "imap 99999 100"}, 3},
		{Begin{Nonce: "ffffffffffff"}, 0},
	} {
		found, err := newIMAP(t, IMAPOptions{Receiver: r}).Find(tt.begin)
		if err != nil || len(found) != tt.want {
			t.Errorf("%v: %d, %v", tt.begin, len(found), err)
		}
	}
}

func TestIMAPRefusals(t *testing.T) {
	r := serveIMAP(t)
	var e *Error
	wrong := r
	wrong.Login = plainLogin("wrong")
	if err := newIMAP(t, IMAPOptions{Receiver: wrong}).Check(); !errors.Is(err, ErrLogin) || !errors.As(err, &e) || e.Temporary {
		t.Errorf("%#v", err)
	}
	for _, command := range []bool{false, true} { // no login was tried
		plain := r
		plain.TLS, plain.StartTLS = &tls.Config{ServerName: "localhost"}, command
		if err := newIMAP(t, IMAPOptions{Receiver: plain}).Check(); !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), ErrLogin.Error()) {
			t.Errorf("STARTTLS %v: %v", command, err)
		}
	}
	if err := newIMAP(t, IMAPOptions{Receiver: r, Folder: "none"}).Check(); !errors.Is(err, ErrCreate) {
		t.Errorf("%#v", err)
	}
	if err := newIMAP(t, IMAPOptions{Receiver: r, Folder: "none", Create: true}).Check(); err != nil {
		t.Errorf("%#v", err)
	}
	gone := r
	gone.Addr += "x"
	if err := newIMAP(t, IMAPOptions{Receiver: gone}).Check(); !errors.As(err, &e) || !e.Temporary {
		t.Errorf("%#v", err)
	}
	for _, o := range []IMAPOptions{{}, {Receiver: r, Flags: []string{`\Recent`}}, {Receiver: r, Flags: []string{"a b"}}, {Receiver: r, Flags: []string{`\`}}} {
		if _, err := NewIMAP(o); !errors.Is(err, ErrArgument) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A server that falls silent, or ends the session, is no yes; nor does it keep anyone waiting.
func TestIMAPSilence(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
	}{
		{"no greeting", nil},
		{"closed", []string{""}},
		{"bye", []string{"* BYE later"}},
		{"no answer to CAPABILITY", []string{"* OK hello"}},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		held := make(chan net.Conn, 1)
		go func() { // the server's side
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for _, line := range tt.lines {
				if line == "" {
					conn.Close()
				}
				fmt.Fprintf(conn, "%s\r\n", line)
			}
			held <- conn
		}()
		m := newIMAP(t, IMAPOptions{Receiver: Receiver{Network: "tcp", Addr: l.Addr().String(), Timeout: 200 * time.Millisecond, Login: plainLogin("x")}})
		var e *Error
		if err := m.Check(); !errors.As(err, &e) || e.Message || errors.Is(err, ErrLogin) {
			t.Errorf("%s: %#v", tt.name, err)
		}
		(<-held).Close()
	}
}

func TestReadTraced(t *testing.T) {
	id := testID(3)
	field := "Received: from pop by host with POP3 id " + id + "\r\n\tfor <ann>; now\r\n"
	for _, text := range []string{"", "\r\n", "A: b\r\n\r\n" + strings.Repeat("x\r\n", 9000), "no end"} {
		got, d, err := readTraced(strings.NewReader(field+text), id[:nonceLen])
		want := NewDigester()
		io.WriteString(want, text)
		if err != nil || got != id || d != want.Digest() {
			t.Errorf("%q: %s, %v", text[:min(9, len(text))], got, err)
		}
		// A server may give lines as its files have them.
		got, d, err = readTraced(strings.NewReader(strings.ReplaceAll(field+text, "\r\n", "\n")), id[:nonceLen])
		if err != nil || got != id || d != want.Digest() {
			t.Errorf("%q, LF alone: %s, %v", text[:min(9, len(text))], got, err)
		}
	}
	if got, _, _ := readTraced(strings.NewReader("A: b\r\n"+field), id[:nonceLen]); got != "" {
		t.Error("a field further below was taken for ours")
	}
}

func TestCRLFWriter(t *testing.T) {
	const in = "\na\r\n\n\rb\n"
	for cut := 1; cut <= len(in); cut++ {
		var b bytes.Buffer
		var n lineCounter
		w := io.MultiWriter(&crlfWriter{&b}, &n)
		for p := in; p != ""; p = p[min(cut, len(p)):] {
			if _, err := io.WriteString(w, p[:min(cut, len(p))]); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != "\r\na\r\r\n\r\n\rb\r\n" || int(n) != b.Len() {
			t.Errorf("cut %d: %q, %d", cut, b.String(), n)
		}
	}
}
