package deliver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storedTest reads a destination. Sizes of no delivery id are wanted if they are 5.
func storedTest(t *testing.T, r Reader) []Stored {
	t.Helper()
	var all []Stored
	for s, err := range r.Stored(func(size int64) bool { return size == 5 }) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// What is read back is what the receipts say, wherever a reader has moved it.
func TestMaildirStored(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	if got := storedTest(t, d); len(got) != 0 {
		t.Errorf("before it is made: %+v", got)
	}
	deliverTest(t, d, 0, 5)
	receipts := map[string]Receipt{}
	for i, r := range commitTest(t, d) {
		to := r.Where
		switch i {
		case 1:
			to = filepath.Join(dir, "cur", filepath.Base(r.Where)+":2,RS")
		case 2:
			to = filepath.Join(dir, ".Sent.2025", "cur", "renamed:2,")
		case 3:
			to = filepath.Join(dir, "Folder", "Below", "new", "x")
		}
		os.MkdirAll(filepath.Dir(to), 0o700)
		if err := os.Rename(r.Where, to); err != nil {
			t.Fatal(err)
		}
		r.Where = to
		receipts[r.ID] = r
	}
	write(t, filepath.Join(dir, "new", "foreign"), "12345")
	write(t, filepath.Join(dir, "new", "longer"), "123456")
	write(t, filepath.Join(dir, "cur", ".hidden"), "12345")
	write(t, filepath.Join(dir, "cur", maildirName(time.Now(), testID(9), "h")), "Message-ID: <a@b>\n\nno trace\n")
	os.Mkdir(filepath.Join(dir, "cur", "directory"), 0o700)
	os.Symlink("../new/foreign", filepath.Join(dir, "cur", "link"))
	os.Symlink(dir, filepath.Join(dir, ".Loop"))
	for _, s := range storedTest(t, d) {
		switch {
		case s.ID == "":
			if filepath.Base(s.Where) != "foreign" || s.Size != 5 {
				t.Errorf("%+v", s)
			}
		case s.ID == testID(9):
			if s.From != "" || s.MessageID != "<a@b>" {
				t.Errorf("%+v", s)
			}
		default:
			want := receipts[s.ID]
			delete(receipts, s.ID)
			if want.Where != s.Where || (Digest{want.Size, want.Head, want.Sum}) != s.Digest || s.From != "pop.example.com" {
				t.Errorf("%+v, want %+v", s, want)
			}
		}
	}
	if len(receipts) > 0 {
		t.Errorf("not read: %v", receipts)
	}
}

// Out of a folder, mail is moved to those beside it, and to the maildir itself.
// Without a trace field of ours (received = false), one that the message came with is part of it: it may have
// come by this program before.
func TestMaildirStoredTwice(t *testing.T) {
	for _, trace := range []string{"", mboxTrace(2)} {
		d := newTestMaildir(t, t.TempDir(), true)
		if err := d.Deliver(t.Context(), &Message{ID: testID(1), UID: "1", Trace: strings.ReplaceAll(trace, mboxID(2), testID(1)), Body: strings.NewReader(mboxTrace(7) + "Subject: x\n\ntext\n")}); err != nil {
			t.Fatal(err)
		}
		want := commitTest(t, d)[0]
		got := storedTest(t, d)
		if len(got) != 1 || got[0].ID != want.ID || got[0].Sum != want.Sum || got[0].Size != want.Size {
			t.Errorf("with %q: %+v, want %+v", trace, got, want)
		}
	}
}

func TestMaildirStoredFolder(t *testing.T) {
	dir := t.TempDir()
	newTestMaildir(t, dir, true).prepare()
	d := openMaildir(t, filepath.Join(dir, ".Lists"), MaildirOptions{Create: true, Folder: true})
	deliverTest(t, d, 0, 3)
	for i, r := range commitTest(t, d) {
		to := []string{dir, filepath.Join(dir, ".Lists"), filepath.Join(dir, ".Other")}[i]
		os.MkdirAll(filepath.Join(to, "cur"), 0o700)
		os.Rename(r.Where, filepath.Join(to, "cur", filepath.Base(r.Where)))
	}
	if got := storedTest(t, d); len(got) != 3 {
		t.Errorf("%+v", got)
	}
}

// What a reader moves while the maildir is read comes once.
func TestMaildirStoredMoved(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 20)
	for _, r := range commitTest(t, d)[10:] {
		os.Rename(r.Where, filepath.Join(dir, "cur", filepath.Base(r.Where)))
	}
	seen := map[string]int{}
	for s, err := range d.Stored(func(int64) bool { return false }) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 { // all of new/ to cur/, all of cur/ to a folder that is read before
			os.MkdirAll(filepath.Join(dir, ".A", "new"), 0o700)
			cur, _ := filepath.Glob(filepath.Join(dir, "cur", "*"))
			for _, p := range cur {
				os.Rename(p, filepath.Join(dir, ".A", "new", filepath.Base(p)))
			}
			fresh, _ := filepath.Glob(filepath.Join(dir, "new", "*"))
			for _, p := range fresh {
				os.Rename(p, filepath.Join(dir, "cur", filepath.Base(p)+":2,S"))
			}
		}
		seen[s.ID]++
	}
	for n := range 20 {
		if seen[testID(n)] != 1 {
			t.Errorf("message %d came %d times", n, seen[testID(n)])
		}
	}
}

// An mbox is read as it was written, between other people's mail, whatever is in the texts.
func TestMboxStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "\n\n"+foreignEntry+"From a\nFrom b\n1\n345\n\nFrom c\n\n\n\n")
	m := newMboxTest(t, path, MboxOptions{})
	wires := append(tornWires, "Message-ID:\r\n <folded@x> \r\n\r\nFrom me\r\n", "X: 1\r\n")
	for i, w := range wires {
		stageMbox(t, m, i, w)
	}
	receipts := commitMbox(t, m)
	write(t, path, readFileTest(t, path)+foreignEntry+"From last")
	own := 0
	for _, s := range storedTest(t, m) {
		if s.ID == "" {
			continue
		}
		r := receipts[own]
		own++
		if s.ID != r.ID || (Digest{r.Size, r.Head, r.Sum}) != s.Digest || s.Altered || s.Where != path {
			t.Errorf("%+v, want %+v", s, r)
		}
		if own == len(tornWires)+1 && s.MessageID != "<folded@x>" {
			t.Errorf("%q", s.MessageID)
		}
	}
	if own != len(wires) {
		t.Errorf("%d of %d", own, len(wires))
	}
	for s, err := range m.Stored(func(int64) bool { return true }) { // stopped: the locks are given back
		if s.Size == 0 && err != nil {
			t.Fatal(err)
		}
		break
	}
	if _, err := os.Stat(path + ".lock"); err == nil {
		t.Error("the dot lock is still there")
	}
}

// What readers note in the header is no change; any other octet is.
func TestMboxStoredAltered(t *testing.T) {
	for _, tt := range []struct {
		old, new string
		altered  bool
	}{
		{"Subject: 1\n", "Subject: 1\nStatus: RO\nX-Keywords: a\n\tb\n", false},
		{"Subject: 1\n", "status : O\nSubject: 1\nContent-Length: 12\n", false},
		{"Subject: 1\n", "Subject: 2\n", true},
		{"Subject: 1\n", "Subject: 1\nX-Other: 1\n", true},
		{"text\n", "text\nStatus: RO\n", true},
		{"text\n", "text\n\nFrom here\n", false}, // somebody has put an entry behind it
		{"text\n", "", true},
	} {
		path := filepath.Join(t.TempDir(), "mbox")
		m := newMboxTest(t, path, MboxOptions{Create: true})
		stageMbox(t, m, 0, "Subject: 1\r\n\r\ntext\r\n")
		stageMbox(t, m, 1, "Subject: 3\r\n\r\nnext\r\n")
		receipts := commitMbox(t, m)
		write(t, path, strings.Replace(readFileTest(t, path), tt.old, tt.new, 1))
		own := map[string]Stored{}
		for _, s := range storedTest(t, m) {
			own[s.ID] = s
		}
		first, second := own[receipts[0].ID], own[receipts[1].ID]
		if first.Altered != tt.altered || (first.Sum == receipts[0].Sum) == tt.altered {
			t.Errorf("%q for %q: %+v", tt.new, tt.old, first)
		}
		if second.Sum != receipts[1].Sum || second.Altered {
			t.Errorf("%q for %q: the next: %+v", tt.new, tt.old, second)
		}
	}
}

// The filter for what readers note gives the same however its input is cut.
func TestUnmarker(t *testing.T) {
	const in = "Status: RO\nA: 1\n folded\nX-UID: 3\n 4\nStat: us\nLines: 3\n\nStatus: text\n"
	const want = "A: 1\n folded\nStat: us\n\nStatus: text\n"
	for cut := 1; cut < len(in); cut++ {
		var b bytes.Buffer
		u := &unmarker{w: &b}
		for p := in; len(p) > 0; {
			n := min(cut, len(p))
			fmt.Fprint(u, p[:n])
			p = p[n:]
		}
		if b.String() != want {
			t.Fatalf("cut at %d: %q", cut, b.String())
		}
	}
}

// Whatever stands in an mbox, each octet belongs to at most one entry, and there is an end.
func FuzzMboxStored(f *testing.F) {
	f.Add([]byte(foreignEntry))
	f.Add([]byte("From a\n\nFrom b\n\n\nFrom c"))
	f.Add([]byte("From a b\nReceived: from x by y with POP3 id 000000000000000000000000000 (3 octets, sha256 00)\n\tfor <u>; d\nA\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		last, sum := int64(-1), int64(0)
		s := &search{r: bytes.NewReader(text), size: int64(len(text)), buf: make([]byte, 64)}
		err := s.all(func(e Stored) bool {
			if e.Offset <= last {
				t.Fatalf("entry at %d behind %d", e.Offset, last)
			}
			last = e.Offset
			sum += e.Size
			return true
		})
		if err != nil || sum > int64(len(text))+1 {
			t.Fatalf("%v, %d octets of %d", err, sum, len(text))
		}
	})
}
