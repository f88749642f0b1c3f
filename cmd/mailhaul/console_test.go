package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
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
