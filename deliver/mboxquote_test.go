package deliver

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// quoteWith quotes s, given in pieces of n octets.
func quoteWith(t interface{ Fatal(...any) }, s string, n int) (string, int64) {
	var b bytes.Buffer
	q := quoter{w: &b}
	for p := []byte(s); len(p) > 0; {
		k := min(n, len(p))
		if _, err := q.Write(p[:k]); err != nil {
			t.Fatal(err)
		}
		p = p[k:]
	}
	if err := q.finish(); err != nil {
		t.Fatal(err)
	}
	return b.String(), q.quoted
}

func unquoteWith(t interface{ Fatal(...any) }, s string, n int) string {
	var b bytes.Buffer
	u := unquoter{w: &b}
	for p := []byte(s); len(p) > 0; {
		k := min(n, len(p))
		if _, err := u.Write(p[:k]); err != nil {
			t.Fatal(err)
		}
		p = p[k:]
	}
	if err := u.finish(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// quoteLines is the rule of mboxrd said once more, the simple way.
func quoteLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimLeft(l, ">"), "From ") {
			lines[i] = ">" + l
		}
	}
	return strings.Join(lines, "")
}

func TestQuote(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"From ", ">From "},
		{"From", "From"},
		{"From\n", "From\n"},
		{"From a\n", ">From a\n"},
		{">From a\n", ">>From a\n"},
		{">>From a\n", ">>>From a\n"},
		{" From a\n", " From a\n"},
		{"> From a\n", "> From a\n"},
		{">F>From a\n", ">F>From a\n"},
		{"FFrom a\n", "FFrom a\n"},
		{"FroFrom a\n", "FroFrom a\n"},
		{"from a\nFROM a\nFrom: a\n", "from a\nFROM a\nFrom: a\n"},
		{"a\nFrom b\nFrom c\n\nFrom d", "a\n>From b\n>From c\n\n>From d"},
		{"a\rFrom b\n", "a\rFrom b\n"},
		{"\x00From b\n", "\x00From b\n"},
		{"a\r\nFrom b\n", "a\r\n>From b\n"},
		{"Fr\nFrom b\n", "Fr\n>From b\n"},
		{">\nFrom b\n>", ">\n>From b\n>"},
	} {
		for n := 1; n <= len(tt.text)+1; n++ {
			got, quoted := quoteWith(t, tt.text, n)
			if got != tt.want || quoted != int64(len(tt.want)-len(tt.text)) {
				t.Errorf("%q in pieces of %d: got %q, %d lines; want %q", tt.text, n, got, quoted, tt.want)
			}
			if got := unquoteWith(t, tt.want, n); got != tt.text {
				t.Errorf("%q unquoted in pieces of %d: got %q; want %q", tt.want, n, got, tt.text)
			}
		}
		if got := quoteLines(tt.text); got != tt.want {
			t.Errorf("%q: the simple way gives %q; want %q", tt.text, got, tt.want)
		}
	}
}

func TestUnquoteForeign(t *testing.T) {
	// What no quoter has written must not get lost either.
	for _, tt := range []struct{ text, want string }{
		{"From a\n", "From a\n"},
		{">Fro", ">Fro"},
		{">", ">"},
		{">>>", ">>>"},
		{">F\n>>From a", ">F\n>From a"},
	} {
		for n := 1; n <= len(tt.text); n++ {
			if got := unquoteWith(t, tt.text, n); got != tt.want {
				t.Errorf("%q in pieces of %d: got %q; want %q", tt.text, n, got, tt.want)
			}
		}
	}
}

func TestQuoteProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			">", "From ", "F", "Fro", "\n", "\r", "\r\n", "a", " ", "From a\n", ">>From b\n", "\x00"})).Draw(t, "text"), "")
		n := rapid.IntRange(1, 8).Draw(t, "pieces")
		got, quoted := quoteWith(t, text, n)
		if want := quoteLines(text); got != want || quoted != int64(len(want)-len(text)) {
			t.Fatalf("%q: got %q, %d lines; want %q", text, got, quoted, want)
		}
		if back := unquoteWith(t, got, rapid.IntRange(1, 8).Draw(t, "pieces back")); back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
	})
}

func FuzzSender(f *testing.F) {
	for _, s := range []string{"", "a@b", "a b", "a\nFrom x", "\x7f", "\xc3\xa9@x", strings.Repeat("a", 321)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := fromSender(s)
		if got != s && got != "MAILER-DAEMON" || got == "" || len(got) > 320 || strings.ContainsAny(got, " \t\r\n\x00\v\f") {
			t.Errorf("%q: got %q", s, got)
		}
	})
}
