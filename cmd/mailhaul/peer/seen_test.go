package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var seenPrograms = []Program{Fetchmail, Mpop, Getmail, Fdm, Thunderbird}

// readAll gives what a list says, one message a string: "USER@HOST UID UNIXTIME".
func readAll(p Program, text string) ([]string, error) {
	var all []string
	for s, err := range ReadSeen(p, "list", strings.NewReader(text)) {
		if err != nil {
			return all, err
		}
		at := int64(-1)
		if !s.Time.IsZero() {
			at = s.Time.Unix()
		}
		all = append(all, fmt.Sprintf("%s@%s %q %d", s.User, s.Host, s.UID, at))
	}
	return all, nil
}

// The files were written by fetchmail 6.4.37, mpop 1.4.18, getmail 6.18.11 and fdm 1.9, which had
// fetched the same 20 messages from Dovecot.
func TestSeenOfRealFiles(t *testing.T) {
	for _, p := range []Program{Fetchmail, Mpop, Getmail, Fdm} {
		f, err := os.Open("testdata/seen/" + string(p))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		uids := map[string]bool{}
		for s, err := range ReadSeen(p, f.Name(), f) {
			if err != nil {
				t.Fatal(err)
			}
			uids[s.UID] = true
			names := p == Fetchmail || p == Mpop
			if names && (s.Host != "127.0.0.1" || s.User != "bob@example.com") || !names && s.Host+s.User != "" {
				t.Errorf("%s: %+v", p, s)
			}
			if (p == Getmail) != (s.Time.Equal(time.Unix(1795633323, 0))) {
				t.Errorf("%s: %v", p, s.Time)
			}
		}
		for i := 1; i <= 20; i++ {
			if uid := fmt.Sprintf("%08x6b0730a3", i); !uids[uid] || len(uids) != 20 {
				t.Errorf("%s: %s is not among %d", p, uid, len(uids))
			}
		}
	}
}

func TestSeen(t *testing.T) {
	const popstate = "# POP3 State File\n# This is a generated file!  Do not edit.\n\n"
	for _, c := range []struct {
		p    Program
		text string
		want string // one a line, as of readAll, or the error
	}{
		{Fetchmail, "", ""},
		{Fetchmail, "\nalice@example.com@Pop.Example.com. \x80\xff \njoe@h  a b c\njoe@h a\n", "alice@example.com@pop.example.com \"\\x80\\xff\" -1\njoe@h \"a\" -1\njoe@h \"a\" -1\n"},
		{Fetchmail, "big joe@::1 u@1\n", "big joe@::1 \"u@1\" -1\n"},
		{Fetchmail, "joe@h a\njoe b\n", "list:2: not a line of fetchids, which has user@host, a blank and a unique-id"},
		{Fetchmail, "joe@h\n", "list:1: not a line of"},
		{Fetchmail, "joe@ a\n", "list:1: not a line of"},
		{Fetchmail, "@h a\n", "list:1: not a line of"},
		{Fetchmail, "joe@h \t\n", "list:1: not a line of"},
		{Fetchmail, "joe@h 12", "list:1: the last line has no end"},
		{Fetchmail, "joe@h " + strings.Repeat("x", maxSeenLine) + "\n", "list:1: the line is longer than 8192 octets"},

		{Mpop, mpopFirst + "1.4.18.\n#\n 2 h joe\na 1\n#b\n 1 /run/my pop.sock alice@example.com\n c\n",
			"joe@h \"a 1\" -1\njoe@h \"#b\" -1\nalice@example.com@unix:/run/my pop.sock \" c\" -1\n"},
		{Mpop, mpopFirst + "1.4.23.\n 3 h joe\na b 1465888909\nc 2\nold\n", "joe@h \"a b\" 1465888909\njoe@h \"c\" 2\njoe@h \"old\" -1\n"},
		{Mpop, mpopFirst + "1.10.0\n 1 h joe\na x\n", "list:3: the time is no number"},
		{Mpop, " 2 h joe\na\n", "list:3: the file was cut: its last list lacks 1 of its unique-ids"},
		{Mpop, " 1 h joe\na\nb\n", "list:3: not the heading of a list, a blank and then number, host and user"},
		{Mpop, " 0 h joe\n", "list:1: not the heading"},
		{Mpop, " 1 h\n", "list:1: not the heading"},
		{Mpop, " 1 h joe\n# comment\n#\n", "list:3: not the heading"},
		{Mpop, " 1 h joe\na\tb\n", "list:2: not a unique-id"},
		{Mpop, " 1 h joe\n\n", "list:2: not a unique-id"},
		{Mpop, "joe@h a\n", "list:1: not the heading"},

		{Getmail, " a-b\x001465888909\n\xe4 c\x000\r\n", "@ \"a-b\" 1465888909\n@ \"\\xe4 c\" 0\n"},
		{Getmail, "a\x001\nb\n", "list:2: not a line of an oldmail file, which has a unique-id, a NUL and a time"},
		{Getmail, "12/34\x001\n", "list:1: the unique-id is one of IMAP"},
		{Getmail, "a\x00x\n", "list:1: the line has no unique-id, or no time"},
		{Getmail, "a\x0099999999999999\n", "list:1: the line has no unique-id, or no time"},
		{Getmail, "\x001\n", "list:1: the line has no unique-id, or no time"},
		{Getmail, "joe@h a\n", "list:1: not a line of an oldmail file"},

		{Fdm, "3 a~!\n1 b\n", "@ \"a~!\" -1\n@ \"b\" -1\n"},
		{Fdm, "1 b\n3 ab\n", "list:2: the unique-id has 2 octets, and the line says 3"},
		{Fdm, "3 a b\n", "list:1: not a unique-id"},
		{Fdm, "1 \xff\n", "list:1: not a unique-id"},
		{Fdm, "0 \n", "list:1: not a line of a cache"},
		{Fdm, "joe@h a\n", "list:1: not a line of a cache"},
		{Fdm, "TDB file\n", "list:1: not a line of a cache"},

		{Thunderbird, popstate + "*pop.example.com alice@example.com\nk 55daa24b@12413 1465888909\nd b 1465902328\nf c 1465902328\nb e 1465902328\n*h joe smith\r\nk x\r\n",
			"alice@example.com@pop.example.com \"55daa24b@12413\" 1465888909\nalice@example.com@pop.example.com \"b\" 1465902328\njoe smith@h \"x\" -1\n"},
		{Thunderbird, popstate + "k a 1\n", "list:4: a list begins with a heading, *host user"},
		{Thunderbird, "*h\n", "list:1: not the heading of a list"},
		{Thunderbird, "*h u\nx a 1\n", "list:2: not a line of popstate.dat"},
		{Thunderbird, "*h u\nk a 1 2\n", "list:2: not a line of popstate.dat"},
		{Thunderbird, "*h u\nk a b\n", "list:2: the time is no number"},
		{"mutt", "a\n", `no list of seen unique-ids is known of "mutt"`},
	} {
		got, err := readAll(c.p, c.text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), c.want) || c.want == "" || strings.HasSuffix(c.want, "\n") {
				t.Errorf("%s %q: %v, want %q", c.p, c.text, err, c.want)
			}
			continue
		}
		if lines := strings.Join(append(got, ""), "\n"); lines != c.want {
			t.Errorf("%s %q:\n%s\nwant\n%s", c.p, c.text, lines, c.want)
		}
	}
}

func TestMpopTimed(t *testing.T) {
	for version, want := range map[string]bool{
		"1.4.23.": true, "1.4.23": true, "1.4.24": true, "1.4.100": true, "1.5.0": true, "2.0.0": true, "1.10.1rc2": true,
		"1.4.22.": false, "1.4.18.": false, "1.3.99": false, "0.9": false, "1.4": false, "": false, "x": false,
	} {
		if mpopTimed(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}

func TestGetmailFile(t *testing.T) {
	for _, c := range []struct {
		file, host, user string
		want             bool
	}{
		{"/h/.getmail/oldmail-pop.example.com-110-alice@example.com", "pop.example.com", "alice@example.com", true},
		{"oldmail-POP.example.com-995-alice", "pop.example.com", "alice", true},
		{"oldmail-pop.example.com-995-Alice", "pop.example.com", "alice", false},
		{"oldmail-my-host-995-a-b", "my-host", "a-b", true},
		{"oldmail--1-110-a-b-c", "::1", "a/:b|c", true},
		{"oldmail-pop.example.com-110-alice-INBOX", "pop.example.com", "alice", false}, // of IMAP
		{"oldmail-pop.example.com-x-alice", "pop.example.com", "alice", false},
		{"oldmail-pop.example.com-110", "pop.example.com", "", false},
		{"oldmail", "pop.example.com", "alice", false},
		{"", "", "", false},
	} {
		if GetmailFile(c.file, c.host, c.user) != c.want {
			t.Errorf("%s, %s at %s: %v", c.file, c.user, c.host, !c.want)
		}
	}
}

// FuzzSeen gives any text to each reader: what one accepts has a unique-id in each message, no more
// of them than lines, and is the same when it is read in pieces.
func FuzzSeen(f *testing.F) {
	for i, p := range seenPrograms {
		text, err := os.ReadFile("testdata/seen/" + string(p))
		if err == nil {
			f.Add(i, text)
		}
	}
	f.Add(0, []byte("joe@127.0.0.1 000001000015f3c\n"))
	f.Add(1, []byte(mpopFirst+"1.4.23.\n#\n 1 127.0.0.1 joe\n000001000015f3c 1465888909\n"))
	f.Add(2, []byte("000001000035f3c\x001795464000\n"))
	f.Add(3, []byte("15 000001000015f3c\n"))
	f.Add(4, []byte("*h u\nk 55daa24b@12413 1465888909\n"))
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		p := seenPrograms[uint(which)%uint(len(seenPrograms))]
		n := 0
		for s, err := range ReadSeen(p, "list", bytes.NewReader(text)) {
			if err != nil {
				var wrong *SyntaxError
				if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Line > bytes.Count(text, []byte("\n"))+1 {
					t.Fatalf("%v", err)
				}
				return
			}
			n++
			if s.UID == "" || strings.Contains(s.UID, "\n") || (s.Host == "") != (s.User == "") || !bytes.Contains(text, []byte(s.UID)) {
				t.Fatalf("%+v", s)
			}
		}
		if n > bytes.Count(text, []byte("\n")) {
			t.Fatalf("%d of %d lines", n, bytes.Count(text, []byte("\n")))
		}
	})
}
