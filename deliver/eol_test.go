package deliver

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What comes over the wire, what is stored of it, and the part of this that is the header.
var eolTests = []struct{ name, wire, stored, head string }{
	{"empty", "", "", ""},
	{"one line end", "\r\n", "\n", ""},
	{"message", "A: b\r\nC: d\r\n\r\nbody\r\n", "A: b\nC: d\n\nbody\n", "A: b\nC: d\n"},
	{"reply to TOP n 0", "A: b\r\nC: d\r\n\r\n", "A: b\nC: d\n\n", "A: b\nC: d\n"},
	{"no empty line", "A: b\r\n", "A: b\n", "A: b\n"},
	{"no last line end", "A: b", "A: b\n", "A: b\n"},
	{"no last line end in the body", "A: b\r\n\r\nbody", "A: b\n\nbody\n", "A: b\n"},
	{"no header", "\r\nbody\r\n", "\nbody\n", ""},
	{"two empty lines", "A: b\r\n\r\n\r\n", "A: b\n\n\n", "A: b\n"},
	{"lone CR", "a\rb\r\n", "a\rb\n", "a\rb\n"},
	{"lone CR at the end", "a\r", "a\r\n", "a\r\n"},
	{"nothing but a CR", "\r", "\r\n", "\r\n"},
	{"CR CR LF", "a\r\r\n", "a\r\n", "a\r\n"},
	{"CR CR CR LF CR", "\r\r\r\n\r", "\r\r\n\r\n", "\r\r\n\r\n"},
	{"lone LF", "a\nb\n", "a\nb\n", "a\nb\n"},
	{"empty line of lone LF", "A: b\n\nbody\n", "A: b\n\nbody\n", "A: b\n"},
	{"a CR on the line is not an empty line", "A: b\r\n\r\r\nbody\r\n", "A: b\n\r\nbody\n", "A: b\n\r\nbody\n"},
	{"NUL and 8 bit", "A: \x00\xff\r\n\r\n\x00", "A: \x00\xff\n\n\x00\n", "A: \x00\xff\n"},
	{"LF CR", "a\n\rb", "a\n\rb\n", "a\n\rb\n"},
	{"dots", "A: b\r\n\r\n.\r\n..\r\n", "A: b\n\n.\n..\n", "A: b\n"},
}

func digestOf(stored, head string) Digest {
	return Digest{int64(len(stored)), sha256.Sum256([]byte(head)), sha256.Sum256([]byte(stored))}
}

func TestStore(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "octets": iotest.OneByteReader,
		"halves": iotest.HalfReader, "with the error": iotest.DataErrReader}
	for _, tt := range eolTests {
		for name, reader := range readers {
			var b bytes.Buffer
			d, err := store(&b, reader(strings.NewReader(tt.wire)))
			if err != nil || b.String() != tt.stored {
				t.Errorf("%s, %s: %q, %v; want %q", tt.name, name, b.String(), err, tt.stored)
			}
			if d != digestOf(tt.stored, tt.head) {
				t.Errorf("%s, %s: another digest; size %d, want %d", tt.name, name, d.Size, len(tt.stored))
			}
		}
	}
}

func TestDigester(t *testing.T) {
	d := NewDigester()
	var h hasher
	for _, tt := range eolTests {
		want := digestOf(tt.stored, tt.head)
		for size := 1; size <= max(1, len(tt.wire)); size++ {
			d.Reset()
			h.reset()
			for p := []byte(tt.wire); len(p) > 0; p = p[min(size, len(p)):] {
				if n, err := d.Write(p[:min(size, len(p))]); n != min(size, len(p)) || err != nil {
					t.Fatal(n, err)
				}
			}
			if got := d.Digest(); got != want {
				t.Errorf("%s, pieces of %d: another digest; size %d, want %d", tt.name, size, got.Size, want.Size)
			}
			for p := []byte(tt.stored); len(p) > 0; p = p[min(size, len(p)):] {
				h.Write(p[:min(size, len(p))])
			}
			if h.digest() != want {
				t.Errorf("%s, pieces of %d: another digest of the stored form", tt.name, size)
			}
		}
	}
}

// Line ends, empty lines and what looks like them, at each place near the end of a buffer.
func TestStoreAcrossBuffers(t *testing.T) {
	for _, size := range []int{8 << 10, storeBuffer} {
		for _, at := range []string{"\r\n", "\r\r\n", "\r", "\n", "\r\n\r\n", "\r\n\r\r\n\r\n"} {
			for n := size - 8; n <= size+1; n++ {
				wire := strings.Repeat("x", n) + at + strings.Repeat("y", size) + at
				stored := reference(wire)
				head, _, _ := strings.Cut(stored, "\n\n")
				if head != stored {
					head += "\n"
				}
				var b bytes.Buffer
				d, err := store(&b, strings.NewReader(wire))
				if err != nil || b.String() != stored {
					t.Fatalf("%q at %d: stored differently, %v", at, n, err)
				}
				dg := NewDigester()
				io.WriteString(dg, wire)
				if want := digestOf(stored, head); d != want || dg.Digest() != want {
					t.Fatalf("%q at %d: another digest", at, n)
				}
			}
		}
	}
}

// reference is the stored form by the shortest of definitions.
func reference(wire string) string {
	s := strings.ReplaceAll(wire, "\r\n", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

func FuzzEOL(f *testing.F) {
	for _, tt := range eolTests {
		f.Add([]byte(tt.wire), 1)
		f.Add([]byte(tt.wire), 3)
	}
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		stored := reference(string(wire))
		head := stored
		if strings.HasPrefix(stored, "\n") {
			head = ""
		} else if before, _, ok := strings.Cut(stored, "\n\n"); ok {
			head = before + "\n"
		}
		want := digestOf(stored, head)
		size = max(1, size)
		var b bytes.Buffer
		d, err := store(&b, &pieces{wire, size})
		if err != nil || b.String() != stored || d != want {
			t.Fatalf("%q, %v; want %q", b.String(), err, stored)
		}
		g := NewDigester()
		if _, err := io.CopyBuffer(struct{ io.Writer }{g}, &pieces{wire, size}, make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
		if g.Digest() != want {
			t.Fatal("another digest")
		}
	})
}

// pieces is a reader that gives at most n octets at once.
type pieces struct {
	p []byte
	n int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.p)
	r.p = r.p[n:]
	return n, nil
}

func TestStoreErrors(t *testing.T) {
	cut := errors.New("cut")
	_, err := store(io.Discard, io.MultiReader(strings.NewReader("A: b\r\n"), iotest.ErrReader(cut)))
	var r *readError
	if !errors.As(err, &r) || r.err != cut {
		t.Errorf("error of the text: %#v", err)
	}
	_, err = store(io.Discard, io.MultiReader(strings.NewReader("A: b\r\n"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !errors.As(err, &r) || r.err != io.ErrUnexpectedEOF {
		t.Errorf("a text without its end was stored: %#v", err)
	}
	w := errors.New("full")
	_, err = store(failingWriter{w}, strings.NewReader("A: b\r\n"))
	if errors.As(err, &r) || !errors.Is(err, w) {
		t.Errorf("error of the file: %#v", err)
	}
	_, err = store(io.Discard, idle{})
	if !errors.As(err, &r) || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %#v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func BenchmarkEOL(b *testing.B) {
	for name, line := range map[string]string{"lines": strings.Repeat("x", 74) + "\r\n", "short": "\r\n", "CR": "\r\r"} {
		wire := []byte("A: b\r\n\r\n" + strings.Repeat(line, 1<<20/len(line)))
		r := bytes.NewReader(wire)
		b.Run("store/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(wire)
				if _, err := store(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("digester/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			d := NewDigester()
			for b.Loop() {
				d.Reset()
				d.Write(wire)
				d.Digest()
			}
		})
	}
}
