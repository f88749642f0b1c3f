package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// writeParts writes text in parts of every size, and gives what came out of each.
func writeParts(t *testing.T, text, want string, write func(out *bytes.Buffer, parts [][]byte)) {
	t.Helper()
	for size := 1; size <= len(text)+1; size++ {
		var out bytes.Buffer
		var parts [][]byte
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		write(&out, parts)
		if out.String() != want {
			t.Errorf("in parts of %d: %q, want %q", size, out.String(), want)
		}
	}
}

func TestLineEnds(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "",
		"a\r\nb\r\n":        "a\nb\n",
		"a\r\r\nb\r":        "a\r\nb\r",
		"\r\r\r":            "\r\r\r",
		"a\nb\r\n\r\n":      "a\nb\n\n",
		"nul\x00 \r x\r\n.": "nul\x00 \r x\n.",
	} {
		writeParts(t, text, want, func(out *bytes.Buffer, parts [][]byte) {
			l := &lineEnds{w: out}
			for _, p := range parts {
				if n, err := l.Write(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := l.finish(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestScreen(t *testing.T) {
	text := "\tgr\u00fcn \\ 日\n\x1b]0;x\x07 \xe4\xf6 \r\u202e\n"
	want := "\tgr\u00fcn \\ 日\n" + `\x1b]0;x\x07 \xe4\xf6 \x0d\u{202e}` + "\n"
	writeParts(t, text, want, func(out *bytes.Buffer, parts [][]byte) {
		s := &screen{w: bufio.NewWriter(out)}
		for _, p := range parts {
			if n, err := s.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		s.w.Flush()
	})
}

func TestShowKeepsMemoryFlat(t *testing.T) {
	l := &lineEnds{w: &bytes.Buffer{}}
	text := []byte(strings.Repeat("a line of a message\r\n", 1000))
	if n := testing.AllocsPerRun(10, func() {
		l.w.(*bytes.Buffer).Reset()
		l.Write(text)
	}); n > 1 {
		t.Errorf("%v allocations for 1000 lines", n)
	}
}
