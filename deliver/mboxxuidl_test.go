package deliver

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A unique-id in the header of an mbox's messages: what was delivered is found again as it was.
func TestMboxXUIDL(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mbox")
	open := func() *Mbox {
		m, err := NewMbox(path, MboxOptions{Create: true, SpoolDir: dir, UIDL: HeaderUIDL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	texts := []string{
		"A: b\r\nx-uidl: other\r\n folded\r\nX-Was-X-UIDL: c\r\n\r\nFrom me\r\nX-UIDL: body\r\n",
		"", "X-UIDL:", "X-UIDL: x\r\nX-Was-", "\r\nX-UIDL: body", "From x\r\nX-UIDL: y\r\n",
	}
	m := open()
	hint, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	for n, wire := range append(texts, "no unique-id") {
		msg, _ := testMessage(n)
		if msg.Body = strings.NewReader(wire); n == len(texts) {
			msg.UID = "a\x01b"
		}
		if err := m.Deliver(context.Background(), msg); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Commit(context.Background())
	if err != nil || len(got) != len(texts)+1 {
		t.Fatalf("%d receipts, %v", len(got), err)
	}
	for n, wire := range texts {
		d := NewDigester()
		d.Write([]byte(wire))
		if g := d.Digest(); g.Sum != got[n].Sum || g.Head != got[n].Head || g.Size != got[n].Size || got[n].Warning != "" {
			t.Errorf("the receipt of %q is not of it: %+v", wire, got[n])
		}
	}
	if got[len(texts)].Warning == "" {
		t.Error("no warning")
	}
	found, err := open().Find(Begin{Nonce: testNonce, Hint: hint})
	if err != nil || len(found) != len(got) {
		t.Fatalf("found %d, %v", len(found), err)
	}
	for n, f := range found {
		if f.Warning = got[n].Warning; f != got[n] {
			t.Errorf("found %+v, want %+v", f, got[n])
		}
	}
	check := func() {
		t.Helper()
		n := 0
		for s, err := range open().Stored(func(int64) bool { return false }) {
			if err != nil || s.ID != got[n].ID || s.Sum != got[n].Sum || s.Altered {
				t.Errorf("read back %+v, %v, want %+v", s, err, got[n])
			}
			n++
		}
		if n != len(got) {
			t.Errorf("read back %d", n)
		}
	}
	check()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "\nX-UIDL: uid0\nA: b\nX-Was-x-uidl: other\n folded\nX-Was-X-Was-X-UIDL: c\n\n>From me\nX-UIDL: body\n\nFrom ") {
		t.Errorf("%s\n%v", text, err)
	}
	// A reader notes what was read.
	write(t, path, strings.Replace(string(text), "\n\n>From me", "\nStatus: RO\n\n>From me", 1))
	check()
}
