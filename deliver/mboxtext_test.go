package deliver

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The line ends at the end are what every writer of an mbox has got wrong once: one too many and
// the message grows at each copy, one too few and the next is part of it.
func TestMboxNewlines(t *testing.T) {
	for _, before := range []struct{ file, closed string }{
		{"", ""},
		{"\n", "\n"},
		{"From x\nA: b\n\ntext\n\n", "From x\nA: b\n\ntext\n\n"},
		{"From x\nA: b\n\ntext\n", "From x\nA: b\n\ntext\n\n"},
		{"From x\nA: b\n\ntext", "From x\nA: b\n\ntext\n\n"},
		{"x", "x\n\n"},
		{"From x\n\n\n\n", "From x\n\n\n\n"},
	} {
		for _, wire := range []string{
			"", "\r\n", "A: b", "A: b\r\n", "A: b\r\n\r\n", "A: b\r\n\r\ntext", "A: b\r\n\r\ntext\r\n", "A: b\r\n\r\ntext\r\n\r\n",
			"A: b\r\n\r\ntext\r\n\r\n\r\n", "A: b\r\n\r\nFrom", "A: b\r\n\r\nFrom ", "A: b\r\n\r\nlone CR\r", "From ", "\r\nFrom ", "A: b\r\r\n\r\nx\ny\n",
		} {
			for _, trace := range []bool{true, false} {
				path := filepath.Join(t.TempDir(), "mbox")
				if before.file != "" {
					write(t, path, before.file)
				}
				m := newMboxTest(t, path, MboxOptions{Create: true})
				msg := &Message{ID: mboxID(0), Body: strings.NewReader(wire)}
				if trace {
					msg.Trace = mboxTrace(0)
				}
				if err := m.Deliver(context.Background(), msg); err != nil {
					t.Fatal(err)
				}
				stageMbox(t, m, 1, "B: c\r\n\r\nsecond\r\n")
				commitMbox(t, m)
				rest, ok := strings.CutPrefix(readFileTest(t, path), before.closed)
				if !ok {
					t.Fatalf("%q did not become %q", before.file, before.closed)
				}
				_, texts := decodeMbox(t, rest)
				if len(texts) != 2 {
					t.Fatalf("%q behind %q: %d entries: %q", wire, before.file, len(texts), rest)
				}
				got := texts[0]
				if trace {
					got = bodyOf(t, 0, got)
				}
				if want := storedForm(wire); got != want {
					t.Errorf("%q behind %q, trace %v: got %q; want %q", wire, before.file, trace, got, want)
				}
				if got := bodyOf(t, 1, texts[1]); got != "B: c\n\nsecond\n" {
					t.Errorf("behind %q: got %q", wire, got)
				}
			}
		}
	}
}

func checkRoundTrip(t testingT, dir string, wires ...string) {
	t.Helper()
	path := filepath.Join(dir, "mbox")
	os.Remove(path)
	m := newMboxTest(t, path, MboxOptions{Create: true})
	defer m.Close()
	for i, w := range wires {
		stageMbox(t, m, i, w)
	}
	receipts := commitMbox(t, m)
	_, texts := decodeMbox(t, readFileTest(t, path))
	if len(texts) != len(wires) || len(receipts) != len(wires) {
		t.Fatalf("%d entries, %d receipts of %d messages", len(texts), len(receipts), len(wires))
	}
	for i, w := range wires {
		if got, want := bodyOf(t, i, texts[i]), storedForm(w); got != want {
			t.Fatalf("%q: got %q", want, got)
		}
	}
	found, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: mboxNonce})
	if err != nil || len(found) != len(receipts) {
		t.Fatalf("found %v, %v", found, err)
	}
	for i := range found {
		if found[i] != receipts[i] {
			t.Fatalf("found %+v where %+v was committed", found[i], receipts[i])
		}
	}
}

func TestMboxProperty(t *testing.T) {
	dir := t.TempDir()
	piece := rapid.SampledFrom([]string{"From ", ">", ">From a\r\n", "\r\n", "\r\n\r\n", "\r", "\n", "a", "A: b\r\n", "\x00", "\xff", " id " + mboxNonce, mboxTrace(1), "From x Tue Nov 14 22:13:20 2023\r\n"})
	rapid.Check(t, func(t *rapid.T) {
		wires := rapid.SliceOfN(rapid.Map(rapid.SliceOf(piece), func(p []string) string { return strings.Join(p, "") }), 1, 3).Draw(t, "messages")
		checkRoundTrip(t, dir, wires...)
	})
}

func FuzzMbox(f *testing.F) {
	for _, s := range []string{"", "From ", "A: b\r\n\r\n>From x\r\n", "\r\n\r\n", "a\r", "\x00\r\r\nFrom "} {
		f.Add(s, "A: b\r\n")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b string) { checkRoundTrip(t, dir, a, b) })
}

// A hostile sender must not become a line of its own.
func TestMboxSender(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true})
	for i, sender := range []string{"<>", "<a b@x>", "<a@x>\r\n\tFrom b", "<\xff@x>", "<" + strings.Repeat("a", 400) + ">", "a@x"} {
		stageMbox(t, m, i, "Return-Path: "+sender+"\r\n\r\n")
	}
	commitMbox(t, m)
	froms, _ := decodeMbox(t, readFileTest(t, path))
	if len(froms) != 6 {
		t.Fatalf("%d entries", len(froms))
	}
	for i, f := range froms {
		if sender, date, _ := strings.Cut(f, " "); i != 2 && sender != "MAILER-DAEMON" && sender != "a@x" || len(date) != len(time.ANSIC) {
			t.Errorf("separator %d: %q", i, f)
		}
	}
}

func TestMboxEndWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f memoryFile
		for range rapid.IntRange(0, 2).Draw(t, "before") {
			f.b = append(f.b, bytes.Repeat([]byte("before"), rapid.IntRange(0, 1500).Draw(t, "size"))...)
		}
		w, err := newEndWriter(&f, int64(len(f.b)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "writes") {
			w.Write(bytes.Repeat([]byte{byte('0' + i)}, rapid.IntRange(0, 6000).Draw(t, "size")))
		}
		if want, _ := readTail(&f, int64(len(f.b))); !bytes.Equal(w.tail, want) || w.end != int64(len(f.b)) {
			t.Fatalf("end %d of %d, tail of %d octets differs from that of %d", w.end, len(f.b), len(w.tail), len(want))
		}
	})
}

// A memoryFile is a file that costs no sync.
type memoryFile struct{ b []byte }

func (f *memoryFile) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(f.b).ReadAt(p, at)
}

func (f *memoryFile) WriteAt(p []byte, at int64) (int, error) {
	f.b = append(f.b[:at], p...)
	return len(p), nil
}

func BenchmarkMbox(b *testing.B) {
	path := filepath.Join(b.TempDir(), "mbox")
	m := newMboxTest(b, path, MboxOptions{Create: true})
	wire := "Subject: a\r\n\r\n" + strings.Repeat(strings.Repeat("x", 73)+"\r\n", 1<<20/75)
	b.SetBytes(16 * int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		for i := range 16 {
			stageMbox(b, m, i, wire)
		}
		commitMbox(b, m)
		if err := os.Truncate(path, 0); err != nil {
			b.Fatal(err)
		}
	}
}
