package pop3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// bodyOf returns the text of RETR 1 from a server that says +OK and then wire.
func bodyOf(t testing.TB, wire io.Reader) *Body {
	t.Helper()
	b, err := streamClient(t, io.MultiReader(strings.NewReader("+OK\r\n"), wire)).Retr(1).Body()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var dotTests = []struct{ name, wire, want string }{
	{"empty", ".\r\n", ""},
	{"one line", "a\r\n.\r\n", "a\r\n"},
	{"empty line", "\r\n.\r\n", "\r\n"},
	{"trailing empty lines", "a\r\n\r\n\r\n.\r\n", "a\r\n\r\n\r\n"},
	{"stuffed first line", "..\r\n.\r\n", ".\r\n"},
	{"stuffed", "a\r\n..b\r\n.\r\n", "a\r\n.b\r\n"},
	{"stuffed dot line", "a\r\n..\r\n.\r\n", "a\r\n.\r\n"},
	{"three dots", "...\r\n.\r\n", "..\r\n"},
	{"not stuffed", ".foo\r\na\r\n.bar\r\n.\r\n", ".foo\r\na\r\n.bar\r\n"},
	{"dots within a line", "a..b.\r\n.\r\n", "a..b.\r\n"},
	{"LF . CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
	{"LF . LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"},
	{"CRLF . LF", "a\r\n.\nb\r\n.\r\n", "a\r\n.\nb\r\n"},
	{"CR . CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n"},
	{"CRLF . CR", "a\r\n.\rb\r\n.\r\n", "a\r\n.\rb\r\n"},
	{"CRLF . CR CRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n.\r\r\nb\r\n"},
	{"CR CRLF .", "a\r\r\n.\r\n", "a\r\r\n"},
	{"LF CR . CRLF", "a\n\r.\r\nb\r\n.\r\n", "a\n\r.\r\nb\r\n"},
	{"LF .. stays", "a\n..b\r\n.\r\n", "a\n..b\r\n"},
	{"first line LF", "\n.\r\nb\r\n.\r\n", "\n.\r\nb\r\n"},
	{"lone CR", "a\rb\r\n.\r\n", "a\rb\r\n"},
	{"NUL and 8-bit", "\x00\xff\xfe\r\n.\r\n", "\x00\xff\xfe\r\n"},
}

func TestDotReader(t *testing.T) {
	const next = "+OK next\r\n" // belongs to the next reply, whatever the segments
	long := strings.Repeat("x", bufferSize-3)
	tests := dotTests
	for _, s := range []string{"..", ".a", "a."} { // around the seam of the buffer
		for cut := range 6 {
			l := long[cut:]
			tests = append(tests, struct{ name, wire, want string }{
				fmt.Sprintf("seam %d %q", cut, s), l + "\r\n" + s + "\r\n.\r\n", l + "\r\n" + strings.TrimPrefix(s, "..") + map[bool]string{true: "."}[s == ".."] + "\r\n"})
		}
	}
	for _, tt := range tests {
		for _, seg := range []struct {
			name string
			f    func(io.Reader) io.Reader
		}{
			{"whole", func(r io.Reader) io.Reader { return r }},
			{"octets", iotest.OneByteReader},
			{"pairs", func(r io.Reader) io.Reader { b, _ := io.ReadAll(r); return &chunks{b, 2} }},
			{"triples", func(r io.Reader) io.Reader { b, _ := io.ReadAll(r); return &chunks{b, 3} }},
		} {
			t.Run(tt.name+"/"+seg.name, func(t *testing.T) {
				b := bodyOf(t, seg.f(strings.NewReader(tt.wire+next)))
				got, err := io.ReadAll(b)
				if err != nil || string(got) != tt.want {
					t.Fatalf("got %.80q, %v, want %.80q", got, err, tt.want)
				}
				if b.Octets() != int64(len(tt.want)) {
					t.Errorf("%d octets, want %d", b.Octets(), len(tt.want))
				}
				if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
				if line, err := b.c.readLine(maxStatus, "next", ""); err != nil || string(line) != "+OK next" {
					t.Errorf("next line %q, %v", line, err)
				}
			})
		}
	}
}

// Whatever the size of the destination, and with iotest's own demands on a Reader.
func TestDotReaderContract(t *testing.T) {
	for _, tt := range dotTests {
		if err := iotest.TestReader(bodyOf(t, strings.NewReader(tt.wire)), []byte(tt.want)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(bodyOf(t, strings.NewReader(tt.wire))))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestDotReaderTruncated(t *testing.T) {
	for _, tt := range dotTests {
		for n := range len(tt.wire) {
			b := bodyOf(t, iotest.OneByteReader(strings.NewReader(tt.wire[:n])))
			got, err := io.ReadAll(b)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %q: error %v", tt.name, tt.wire[:n], err)
			}
			if !strings.HasPrefix(tt.want, string(got)) {
				t.Errorf("%s: %q: got %q", tt.name, tt.wire[:n], got)
			}
			if b.c.Err() == nil || b.c.Noop().Wait() != b.c.Err() {
				t.Error("the session goes on")
			}
			if w := b.c.wire.Conn.(*stream).written; w != 1 {
				t.Errorf("%d writes after the end", w-1)
			}
		}
	}
}

// unstuff is the definition, by lines: slow, and with all of the text in hand.
func unstuff(wire []byte) (text []byte, ok bool) {
	for {
		i := bytes.Index(wire, []byte("\r\n"))
		if i < 0 {
			return text, false
		}
		line := wire[:i+2]
		wire = wire[i+2:]
		switch {
		case string(line) == ".\r\n":
			return text, true
		case bytes.HasPrefix(line, []byte("..")):
			line = line[1:]
		}
		text = append(text, line...)
	}
}

func FuzzDotReader(f *testing.F) {
	for _, tt := range dotTests {
		f.Add([]byte(tt.wire), 3, 7)
	}
	f.Add([]byte("..a\r\n...\r\n.\r"), 1, 1)
	f.Fuzz(func(t *testing.T, wire []byte, in, out int) {
		if in <= 0 || out <= 0 {
			return
		}
		want, ok := unstuff(wire)
		b := bodyOf(t, &chunks{wire, in})
		var got []byte
		p := make([]byte, min(out, 1<<16))
		var err error
		for err == nil {
			var n int
			n, err = b.Read(p)
			got = append(got, p[:n]...)
		}
		if ok != (err == io.EOF) || !ok && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%q: end %v, error %v", wire, ok, err)
		}
		if ok && !bytes.Equal(got, want) || !ok && !bytes.HasPrefix(got, want) {
			t.Fatalf("%q: got %q, want %q", wire, got, want)
		}
		if b.Octets() != int64(len(got)) {
			t.Fatalf("%d octets, got %d", b.Octets(), len(got))
		}
	})
}

// A body that is not read is drained before the next reply, and cannot be read then.
func TestBodyDrained(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: RETR 1
	C: RETR 2
	C: RETR 3
	S: +OK
	S: one
	S: +OK this is text
	S: .
	S: +OK
	S: two
	S: .
	S: +OK
	S: three
	S: .
	C: NOOP
	S: +OK`)
	first, second, third := c.Retr(1), c.Retr(2), c.Retr(3)
	b, err := first.Body()
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 2)
	if _, err := io.ReadFull(b, p); err != nil || string(p) != "on" {
		t.Fatalf("%q, %v", p, err)
	}
	b3, err := third.Body()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(p); err != errDrained {
		t.Errorf("first: %v", err)
	}
	if _, err := second.Body(); err != errDrained {
		t.Errorf("second: %v", err)
	}
	if got, err := io.ReadAll(b3); err != nil || string(got) != "three\r\n" {
		t.Errorf("third: %q, %v", got, err)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Error(err)
	}
}

// In lock-step nothing is sent while a body is on its way, even if it is given up.
func TestBodyDrainedInLockstep(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: RETR 1
	S: +OK
	S: one
	S: .
	C: NOOP
	S: +OK`)
	if _, err := c.Retr(1).Body(); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Error(err)
	}
	if c.Pipelined() {
		t.Error("pipelined")
	}
}

var benchTexts = []struct{ name, text string }{
	{"base64", strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 1<<14)},
	{"prose", strings.Repeat("It was a dark and stormy night. The rain fell in torrents, except at times.\r\n", 1<<14)},
	{"dots", strings.Repeat("..............................\r\n", 1<<15)},
}

func BenchmarkDotReader(b *testing.B) {
	for _, tt := range benchTexts {
		reply := []byte("+OK\r\n" + tt.text + ".\r\n")
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(reply)))
			b.ReportAllocs()
			src := bytes.NewReader(nil)
			c := streamClient(b, src)
			p := make([]byte, 32<<10)
			for b.Loop() {
				src.Reset(reply)
				body, err := c.Retr(1).Body()
				for err == nil {
					_, err = body.Read(p)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		wire := []byte(benchTexts[0].text)
		b.SetBytes(int64(len(wire)))
		src := bytes.NewReader(nil)
		buf, p := make([]byte, bufferSize), make([]byte, 32<<10)
		for b.Loop() {
			src.Reset(wire)
			for {
				n, err := src.Read(buf)
				if err != nil {
					break
				}
				for done := 0; done < n; {
					done += copy(p, buf[done:n])
				}
			}
		}
	})
}
