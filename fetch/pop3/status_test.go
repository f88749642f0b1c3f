package pop3

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseStatus(t *testing.T) {
	for _, tt := range []struct {
		line string
		kind statusKind
		text string
	}{
		{"+OK", statusOK, ""},
		{"+OK ", statusOK, ""},
		{"+OK  two blanks ", statusOK, "two blanks"},
		{"+OK\ttab", statusOK, "tab"},
		{"+ok lower", statusOK, "lower"},
		{"-ERR", statusErr, ""},
		{"-err no", statusErr, "no"},
		{"+", statusChallenge, ""},
		{"+ ", statusChallenge, ""},
		{"+ VXNlcg==", statusChallenge, "VXNlcg=="},
		{"+OKAY", statusBad, ""},
		{"+O", statusBad, ""},
		{"+OK.", statusBad, ""},
		{"-ERROR", statusBad, ""},
		{"OK", statusBad, ""},
		{" +OK", statusBad, ""},
		{"", statusBad, ""},
		{"220 mail.example.com ESMTP", statusBad, ""},
		{"HTTP/1.1 400 Bad Request", statusBad, ""},
		{"* OK IMAP4rev1", statusBad, ""},
	} {
		kind, text := parseStatus([]byte(tt.line))
		if kind != tt.kind || string(text) != tt.text {
			t.Errorf("%q: %v %q, want %v %q", tt.line, kind, text, tt.kind, tt.text)
		}
	}
}

func TestResponseCode(t *testing.T) {
	for _, tt := range []struct{ text, code string }{
		{"[IN-USE] Do you have another POP session running?", "IN-USE"}, // RFC 2449, section 8.1.2
		{"[in-use/x] a", "IN-USE"},
		{"[SYS/TEMP/DISK] full", "SYS/TEMP"},
		{"[SYS/PERM]", "SYS/PERM"},
		{"[SYS] a", "SYS"},
		{"[LOGIN-DELAY] a", "LOGIN-DELAY"},
		{"[AUTH] a", "AUTH"},
		{"[AUTHX] a", "AUTHX"},
		{"[utf8] a", "UTF8"},
		{"[]", ""},
		{"[IN-USE", ""},
		{"[IN USE] a", ""},
		{"sorry [IN-USE]", ""},
		{"[[AUTH]]", ""},
		{"[" + strings.Repeat("a", 100) + "]", ""},
		{"", ""},
	} {
		if got := responseCode([]byte(tt.text)); got != tt.code {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.code)
		}
	}
}

func TestStamp(t *testing.T) {
	for _, tt := range []struct{ greeting, stamp string }{
		{"POP3 server ready <1896.697170952@dbc.mtview.ca.us>", "<1896.697170952@dbc.mtview.ca.us>"},
		{"ready <a> text <b@c>", "<b@c>"},
		{"<<b@c>", "<b@c>"},
		{"<a@b> <c@d>", "<a@b>"},
		{"<a b@c>", ""},
		{"<a@b@c>", ""},
		{"<@b>", ""},
		{"<a@>", ""},
		{"<a@b\xff>", ""},
		{"<a@b", ""},
		{"[AAECAwQ=]", ""},
		{"", ""},
	} {
		if got := findStamp([]byte(tt.greeting)); got != tt.stamp {
			t.Errorf("%q: %q, want %q", tt.greeting, got, tt.stamp)
		}
	}
}

func TestReplyLenient(t *testing.T) {
	for _, reply := range []string{"+OK\r\n", "+OK\n", "+ok done\r\n", "+OK \t x\r\r\n", "+OK " + strings.Repeat("x", maxStatus-6) + "\r\n"} {
		if err := streamClient(t, strings.NewReader(reply)).Noop().Wait(); err != nil {
			t.Errorf("%.40q: %v", reply, err)
		}
	}
}

func TestReplyBad(t *testing.T) {
	for _, reply := range []string{
		"+OKAY\r\n", "+ abc\r\n", "HTTP/1.1 200 OK\r\n", "\r\n", "ok\r\n",
		"+OK " + strings.Repeat("x", maxStatus-5) + "\r\n",
		"+OK " + strings.Repeat("x", 2*bufferSize),
	} {
		c := streamClient(t, strings.NewReader(reply))
		err := c.Noop().Wait()
		if !errors.Is(err, ErrProtocol) || c.Err() != err {
			t.Errorf("%.40q: %v; Err %v", reply, err, c.Err())
		}
		if len(err.Error()) > 300 {
			t.Errorf("an error of %d octets", len(err.Error()))
		}
		if err2 := c.Quit().Wait(); err2 != err || c.wire.Conn.(*stream).written != 1 {
			t.Errorf("%.40q: then %v", reply, err2)
		}
	}
}

func FuzzStatusLine(f *testing.F) {
	for _, s := range []string{"+OK 2 320", "-ERR no such message, only 2 messages in maildrop", "+ ", "+OKAY", "-ERR [IN-USE] busy", "+OK\t<a@b>", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		kind, text := parseStatus(line)
		upper := bytes.ToUpper(line)
		switch kind {
		case statusOK:
			if !bytes.HasPrefix(upper, []byte("+OK")) {
				t.Fatalf("%q is +OK", line)
			}
		case statusErr:
			if !bytes.HasPrefix(upper, []byte("-ERR")) {
				t.Fatalf("%q is -ERR", line)
			}
		case statusBad:
			if text != nil {
				t.Fatalf("%q has a text", line)
			}
		}
		if code := responseCode(text); code != "" && !bytes.HasPrefix(bytes.ToUpper(text), []byte("["+code)) {
			t.Fatalf("%q has code %q", text, code)
		}
		if s := findStamp(text); s != "" && !bytes.Contains(text, []byte(s)) {
			t.Fatalf("%q has stamp %q", text, s)
		}
	})
}
