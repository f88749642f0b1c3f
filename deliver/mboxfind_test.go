package deliver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Where the mbox was rewritten, nothing is cut: what looks torn may be a recorded message.
func TestMboxRewritten(t *testing.T) {
	x := newTornMbox(t, foreignEntry)
	cut := x.whole[:len(x.whole)/2]
	for _, before := range []string{foreignEntry, strings.Replace(foreignEntry, "Subject", "X-Seen: 1\nSubject", 1)} {
		// Once as another file with the same text, once with another text.
		write(t, x.path+".new", before+cut)
		if err := os.Rename(x.path+".new", x.path); err != nil {
			t.Fatal(err)
		}
		m := newMboxTest(t, x.path, MboxOptions{})
		got, err := m.Find(Begin{Nonce: mboxNonce, Hint: x.hint})
		if err != nil || len(got) != 1 || got[0].ID != mboxID(0) {
			t.Errorf("found %v, %v", got, err)
		}
		if text := readFileTest(t, x.path); text != before+cut {
			t.Errorf("the mbox was changed: %q", text)
		}
	}
	// The same file, with another text.
	x = newTornMbox(t, foreignEntry)
	write(t, x.path, strings.ToUpper(foreignEntry)+cut)
	if _, err := newMboxTest(t, x.path, MboxOptions{}).Find(Begin{Nonce: mboxNonce, Hint: x.hint}); err != nil {
		t.Error(err)
	}
	if text := readFileTest(t, x.path); text != strings.ToUpper(foreignEntry)+cut {
		t.Errorf("the mbox was changed: %q", text)
	}
}

func TestMboxFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, foreignEntry)
	m := newMboxTest(t, path, MboxOptions{})
	hint, err := m.Hint()
	if err != nil || strings.ContainsFunc(hint, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		t.Fatalf("hint %q, %v", hint, err)
	}
	// A program that quotes nothing has put a copy of an entry into a text.
	var b strings.Builder
	bw := bufio.NewWriter(&b)
	var h hasher
	h.reset()
	h.Write([]byte("A: b\n"))
	inside := &spooled{ID: mboxID(8), Trace: mboxTrace(8), Digest: h.digest()}
	if err := writeEntry(bw, inside, io.NewSectionReader(strings.NewReader("A: b\n"), 0, 5), 5, false, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	bw.Flush()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.TrimSuffix(foreignEntry, "\n") + b.String()); err != nil {
		t.Fatal(err)
	}
	// Text that has all of an entry of the run in it, as a returned message has.
	inner := "From x Tue Nov 14 22:13:20 2023\r\n" + strings.ReplaceAll(announce(mboxTrace(7), mboxID(7), 0, [32]byte{}), "\n", "\r\n")
	var want []Receipt
	for i := range 4 {
		stageMbox(t, m, i, fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n%s%s", i, strings.Repeat("a", 100_000*i), inner, inner))
		want = append(want, commitMbox(t, m)...)
		if _, err := f.WriteString(foreignEntry); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Deliver(context.Background(), &Message{ID: mboxID(9), Body: strings.NewReader("A: no trace field\r\n")}); err != nil {
		t.Fatal(err)
	}
	commitMbox(t, m)
	size := len(readFileTest(t, path))
	for _, h := range []string{hint, "", "rubbish", strings.Replace(hint, "1-", "2-", 1), hint[:len(hint)-1] + "x", "1-0-0-0-", "1-1-1--5-00"} {
		got, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: mboxNonce, Hint: h})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("hint %q: found %v, %v; want %v", h, got, err, want)
		}
	}
	for _, nonce := range []string{"", "0123456789ac", "0123456789aB", "0123"} {
		if got, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: nonce, Hint: hint}); len(got) != 0 || err != nil {
			t.Errorf("nonce %q: found %v, %v", nonce, got, err)
		}
	}
	// From the second on.
	l, err := m.open(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	text := readFileTest(t, path)
	at := int64(strings.Index(text, " id "+mboxID(1)))
	at = int64(strings.LastIndex(text[:at], "\nFrom ")) + 1
	tail, _ := readTail(l.f, at)
	second := makeHint(l.info, at, tail)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Find(Begin{Nonce: mboxNonce, Hint: second}); err != nil || !slices.Equal(got, want[1:]) {
		t.Errorf("from the second on: %v, %v", got, err)
	}
	if now := len(readFileTest(t, path)); now != size {
		t.Errorf("Find changed the mbox from %d to %d octets", size, now)
	}
}

// The lock of a run that was killed is removed by the next.
func TestMboxFindDeadLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "")
	o := thisProcess()
	o.pid = deadProcess(t)
	write(t, path+".lock", o.String())
	if _, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: mboxNonce}); err != nil {
		t.Error(err)
	}
	leftovers(t, filepath.Dir(path), "mbox")
}
