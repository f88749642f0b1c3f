package deliver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

// scripted is a mail server that says what a fuzzer makes up: parts with "|" between them, the first as
// a greeting and each other one when a line of the client is there. TAG is the first word of that line.
// What it has heard comes when the session has ended. Where both wait for each other, it is the script's
// doing, and ends after patience.
func scripted(t testing.TB, patience time.Duration) (Receiver, chan<- string, <-chan string) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	scripts, heard := make(chan string, 1), make(chan string, 1)
	go func() { // the server's side
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case script := <-scripts:
				heard <- play(conn, strings.Split(script, "|"), patience)
			default: // the session has ended, and is begun anew
			}
			conn.Close()
		}
	}()
	return Receiver{Network: "unix", Addr: l.Addr().String(), Timeout: 10 * time.Second}, scripts, heard
}

// play says the parts and returns all that was heard.
func play(conn net.Conn, parts []string, patience time.Duration) string {
	var all strings.Builder
	br := bufio.NewReader(io.TeeReader(conn, &all))
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	say := func(tag string) bool {
		if len(parts) == 0 {
			return false
		}
		part := parts[0]
		parts = parts[1:]
		_, err := io.WriteString(conn, strings.ReplaceAll(part, "TAG", tag))
		return err == nil
	}
	for tag := ""; say(tag) && len(parts) > 0; {
		line, err := br.ReadString('\n')
		if err != nil {
			break
		}
		for err == nil && strings.HasSuffix(line, " CAPABILITY\r\n") { // the library sends it when it likes
			_, _ = io.WriteString(conn, "* CAPABILITY IMAP4rev1\r\n"+strings.Replace(line, "CAPABILITY", "OK x", 1))
			line, err = br.ReadString('\n')
		}
		tag, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.LastIndexByte(line, '{'); i >= 0 {
			if n, err := strconv.ParseInt(strings.TrimRight(line[i+1:], "+}\r\n"), 10, 32); err == nil {
				if !say(tag) {
					break
				}
				if _, err := io.CopyN(io.Discard, br, n+2); err != nil {
					break // it is not the one to say yes
				}
			}
		}
		if line == "DATA\r\n" && len(parts) > 0 && strings.HasPrefix(parts[0], "354") {
			if !say(tag) {
				break
			}
			for line != ".\r\n" && err == nil {
				line, err = br.ReadString('\n')
			}
		}
	}
	if u, ok := conn.(*net.UnixConn); ok {
		_ = u.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.Copy(io.Discard, br)
	return all.String()
}

const fuzzSecret = "hunter2secret"

// fit fails for an error with the secret in it.
func fit(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), fuzzSecret) {
		t.Fatalf("the secret is in %q", err)
	}
}

// Whatever a mail server answers: a message counts as taken over only if all of it and the final dot
// went out, as untouched only if the dot did not or the server has refused it, and nothing that is told
// has the secret or a control character in it.
func FuzzSMTPAnswers(f *testing.F) {
	const whole = "220 x\r\n|250-x\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n|"
	f.Add(whole+"235 ok\r\n|250 a\r\n|250 b\r\n|354 c\r\n|250 2.0.0 taken as 1\r\n|221 bye\r\n", "Subject: x\r\n\r\n.dot\r\n.\r\nlast", false) // RFC 5321, D.1
	f.Add(whole+"235 ok\r\n|250 a\r\n|250 b\r\n|354 c\r\n|250 2.1.5 <a@b> ok\r\n", "x", true)                                                  // RFC 2033, 4.2
	f.Add(whole+"535 5.7.8 "+fuzzSecret+"\r\n", "", false)                                                                                     // RFC 4954, 6
	f.Add(whole+"334 aHVudGVyMnNlY3JldA==\r\n|501 x\r\n", "", true)
	f.Add(whole+"235 ok\r\n|250 a\r\n|552-too\r\n552 large\r\n|250 reset\r\n", "x\r\n", false)
	f.Add(whole+"235 ok\r\n|250 a\r\n|250 b\r\n|354 c\r\n|421 4.3.2 \x1b[2J\x00\r\n", "x\r\n", false)
	f.Add("421 busy\r\n", "", false)
	f.Add("554-no\r\n554\r\n", "", true)
	r, scripts, heard := scripted(f, 50*time.Millisecond)
	r.Login = plainLogin(fuzzSecret)
	r.Redact = func(s string) string { return strings.ReplaceAll(s, fuzzSecret, "***") }
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, script, text string, lmtp bool) {
		s, err := NewSMTP(SMTPOptions{Receiver: r, LMTP: lmtp, Sender: "a@b", Recipient: "c@d", SpoolDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		scripts <- script
		const trace = "Received: by here\n"
		err = s.Deliver(context.Background(), &Message{UID: "u1", ID: testID(1), Trace: trace, Body: strings.NewReader(text)})
		var got []Receipt
		if err == nil {
			got, err = s.Commit(context.Background())
		}
		s.hangUp()
		said := <-heard
		fit(t, err)
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("%v and %v", got, err)
		}
		dotted := strings.Contains(said, "\r\n.\r\n")
		var e *Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("%#v", err)
		case err != nil:
			if dotted && e.Untouched && !e.Message {
				t.Fatalf("untouched, and heard %q: %v", said, err)
			}
		default:
			_, data, _ := strings.Cut(said, "DATA\r\n")
			data, _, whole := strings.Cut(data, "\r\n.\r\n")
			data = strings.ReplaceAll("\r\n"+data+"\r\n", "\r\n..", "\r\n.")
			want := "\r\n" + strings.ReplaceAll(trace+stored(text), "\n", "\r\n")
			if !whole || strings.ReplaceAll(data, "\r", "") != strings.ReplaceAll(want, "\r", "") {
				t.Fatalf("taken over: %q\nheard %q", want, data)
			}
			if strings.ContainsFunc(got[0].Where, unicode.IsControl) || strings.Contains(got[0].Where, fuzzSecret) {
				t.Fatalf("where: %q", got[0].Where)
			}
		}
	})
}

// stored is the stored form of a text.
func stored(wire string) string {
	var b strings.Builder
	if _, err := store(&b, strings.NewReader(wire)); err != nil {
		panic(err)
	}
	return b.String()
}

var circular = regexp.MustCompile(`(?i)CAPABILITY[^\r\n]*\(`)

// Whatever an IMAP server answers: a message counts as appended only if all of it went out, what is
// found is of that run and no larger than what came, and no error has the secret in it.
func FuzzIMAPAnswers(f *testing.F) {
	const login = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n|TAG OK in\r\n|"
	const ready = login + "* STATUS INBOX (UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK x\r\n|"
	id := testID(1)
	text := "Received: from pop by host with POP3 id " + id + "\r\n\t; Wed, 25 Nov 2026 19:00:00 +0000\r\nSubject: x\r\n\r\ntext\r\n"
	fetched := "* 1 FETCH (UID 4 BODY[] {" + strconv.Itoa(len(text)) + "}\r\n" + text + ")\r\n"
	f.Add(ready+"+ go\r\n|TAG OK [APPENDUID 7 4] x\r\n|* BYE x\r\nTAG OK x\r\n", "Subject: x\r\n\r\ntext\r\n", false) // RFC 4315, 3
	f.Add(ready+"TAG NO [TRYCREATE] no such folder\r\n", "x", false)                                                  // RFC 3501, 6.3.11
	f.Add(ready+"* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK [READ-ONLY] x\r\n|"+fetched+"TAG OK x\r\n|TAG OK x\r\n", "", true)
	f.Add(ready+"TAG OK x\r\n|* 1 FETCH (UID 4 BODY[] {1000}\r\nshort", "", true)
	f.Add(ready+"TAG OK x\r\n|* 1 FETCH (UID 4294967295 BODY[] NIL)\r\nTAG OK x\r\n", "", true)
	f.Add(login+"TAG NO [AUTHENTICATIONFAILED] "+fuzzSecret+"\r\n", "", false)
	f.Add("* BYE [UNAVAILABLE] x\r\n", "", true)
	f.Add("* PREAUTH x\r\n|TAG BAD {5}\r\n", "x", true)
	r, scripts, heard := scripted(f, 50*time.Millisecond)
	r.Login = plainLogin(fuzzSecret)
	r.Redact = func(s string) string { return strings.ReplaceAll(s, fuzzSecret, "***") }
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, script, wire string, find bool) {
		if circular.MatchString(script) {
			t.Skip("the library never ends: see TestIMAPStuck")
		}
		m, err := NewIMAP(IMAPOptions{Receiver: r, SpoolDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		scripts <- script
		var got []Receipt
		if find {
			got, err = m.Find(Begin{Nonce: id[:nonceLen], Hint: "imap 7 4"})
		} else if err = m.Deliver(context.Background(), &Message{UID: "u1", ID: id, Body: strings.NewReader(wire)}); err == nil {
			got, err = m.Commit(context.Background())
		}
		m.hangUp()
		said := <-heard
		fit(t, err)
		var e *Error
		if err != nil && (!errors.As(err, &e) || len(got) > 0) {
			t.Fatalf("%v and %#v", got, err)
		}
		for _, g := range got {
			switch {
			case strings.ContainsFunc(g.Where, unicode.IsControl):
				t.Fatalf("where: %q", g.Where)
			case find && (!strings.HasPrefix(g.ID, id[:nonceLen]) || g.Size > int64(len(script))+8*int64(len(script))):
				t.Fatalf("found %+v", g)
			case !find && !strings.Contains(said, "}\r\n"+strings.ReplaceAll(stored(wire), "\n", "\r\n")+"\r\n"):
				t.Fatalf("appended %q\nheard %q", wire, said)
			}
		}
	})
}
