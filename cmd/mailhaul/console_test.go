package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct {
		line  string
		sent  string
		name  string
		multi bool
		known bool
	}{
		{"", "", "", false, false},
		{"stat", "stat", "STAT", false, true},
		{"  LIST", "LIST", "LIST", true, true},
		{"LIST ", "LIST ", "LIST", true, true},
		{"LIST 1", "LIST 1", "LIST", false, true},
		{"uidl", "uidl", "UIDL", true, true},
		{"uidl\t3", "uidl\t3", "UIDL", false, true},
		{"RETR 1", "RETR 1", "RETR", true, true},
		{"TOP 1 0", "TOP 1 0", "TOP", true, true},
		{"CAPA", "CAPA", "CAPA", true, true},
		{"AUTH", "AUTH", "AUTH", true, true},
		{"AUTH PLAIN", "AUTH PLAIN", "AUTH", false, true},
		{"LANG", "LANG", "LANG", true, true},
		{"LANG de", "LANG de", "LANG", false, true},
		{"PASS  two words ", "PASS  two words ", "PASS", false, true},
		{"XTND a", "XTND a", "XTND", false, false},
		{"!XTND a", "XTND a", "XTND", true, true},
		{"! XTND a", "XTND a", "XTND", true, true},
	} {
		r := parseRequest(tt.line)
		if r.line != tt.sent || r.name != tt.name || r.multi != tt.multi || r.known != tt.known {
			t.Errorf("%q: %+v", tt.line, r)
		}
	}
}

func TestHiddenAfter(t *testing.T) {
	for begun, want := range map[string]string{
		"PASS": "password", " pass": "password", "!PASS": "password", "APOP tim": "digest", "auth PLAIN": "initial response",
		"": "", "USER": "", "PASS x": "", "APOP": "", "AUTH": "", "RETR 1": "", "xPASS": "",
	} {
		what, hidden := hiddenAfter(begun)
		if what != want || hidden != (want != "") {
			t.Errorf("%q: %q, %v", begun, what, hidden)
		}
	}
}

func TestHistoryForgetsSecrets(t *testing.T) {
	var h history
	for _, line := range []string{"USER tim", "pass x", "  PASS x y", "PASS\tx", "APOP tim 00", "AUTH PLAIN AHg=", "", "  ", "RETR 1", "RETR 1", "AUTH PLAIN", "APOP tim"} {
		h.Add(line)
	}
	var got []string
	for i := range h.Len() {
		got = append(got, h.At(i))
	}
	if want := []string{"APOP tim", "AUTH PLAIN", "RETR 1", "USER tim"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	for range 2 * maxHistory {
		h.Add("NOOP")
		h.Add("STAT")
	}
	if h.Len() != maxHistory || h.At(0) != "STAT" {
		t.Errorf("%d lines, the last is %q", h.Len(), h.At(0))
	}
}

func TestCompleteVerb(t *testing.T) {
	for _, tt := range []struct{ begun, line, several string }{
		{"q", "QUIT ", ""},
		{"re", "RETR ", ""},
		{"r", "r", "RSET RETR"},
		{"S", "ST", ""},
		{"ST", "ST", "STAT STLS"},
		{"h", "help ", ""},
		{"help l", "help l", "LANG LIST"},
		{"help li", "help LIST ", ""},
		{"!ret", "!RETR ", ""},
		{"RETR r", "RETR r", ""},
		{"x", "x", ""},
	} {
		line, several := completeVerb(tt.begun)
		if got := strings.Join(several, " "); line != tt.line || len(got) != len(tt.several) {
			t.Errorf("%q: %q, %q", tt.begun, line, got)
		}
	}
}

// What is printed has an end that can be told, whatever the chunks.
func TestStuffer(t *testing.T) {
	const text, want = ".\n..a\nb.\n\n.c", "..\n...a\nb.\n\n..c"
	for size := 1; size <= len(text); size++ {
		var b bytes.Buffer
		s := &stuffer{w: &b, start: true}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if b.String() != want {
			t.Errorf("chunks of %d: %q", size, b.String())
		}
	}
}

// What follows PASS is on no screen, whatever is typed or pasted, and in no history.
func TestEditorHidesSecrets(t *testing.T) {
	const up, left, back = "\x1b[A", "\x1b[D", "\x7f"
	keys := "USER tim\rPASS hunter2 x\rpass " + "hunter3" + back + "9\r" +
		up + "\r" + // the last that is remembered
		"AUTH PLAIN AGhpZGRlbg==\rAUTH PLAIN\r" +
		"APOP tim 0123456789abcdef\r" +
		"ST" + left + back + "\tat\r" +
		"q\t\r"
	var screen bytes.Buffer
	e := edit(iotest.OneByteReader(strings.NewReader(keys)), &screen)
	for _, want := range []string{"USER tim", "PASS hunter2 x", "pass hunter9", "USER tim", "AUTH PLAIN AGhpZGRlbg==", "AUTH PLAIN",
		"APOP tim 0123456789abcdef", "atT", "QUIT "} {
		line, err := e.line("> ")
		if line != want || err != nil {
			t.Fatalf("%q, %v, want %q", line, err, want)
		}
	}
	if _, err := e.line("> "); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, secret := range []string{"hunter", "AGhp", "0123456789abcdef"} {
		if strings.Contains(screen.String(), secret) {
			t.Errorf("%s on the screen:\n%q", secret, screen.String())
		}
	}
	if !strings.Contains(screen.String(), "USER tim") || !strings.Contains(screen.String(), "password (not shown): ") {
		t.Errorf("the screen: %q", screen.String())
	}
	// All at once, as a paste comes.
	screen.Reset()
	e = edit(strings.NewReader(keys), &screen)
	for range 3 {
		if _, err := e.line("> "); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(screen.String(), "hunter") {
		t.Errorf("on the screen:\n%q", screen.String())
	}
}

// The editor of the library drops what is beyond its limit; that is no line to send.
func TestEditorRefusesLongLines(t *testing.T) {
	e := edit(strings.NewReader(strings.Repeat("x", 2*maxEdited)+"\rNOOP\r"), io.Discard)
	if _, err := e.line(""); !errors.Is(err, errLongLine) {
		t.Errorf("%v", err)
	}
	if line, err := e.line(""); line != "NOOP" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

func TestAfterPause(t *testing.T) {
	called := make(chan struct{}, 1)
	stop := afterPause(func() { called <- struct{}{} })
	if err := syscall.Kill(os.Getpid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-called
	stop()
}
