package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const foreignEntry = "From eve@example.net Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nIts text.\n\n"

// tornWires are messages whose texts have what could be mistaken for something else.
var tornWires = []string{
	"Return-Path: <a@x>\r\nSubject: 0\r\n\r\nFrom a\r\n\r\n>From b Tue Nov 14 22:13:20 2023\r\n",
	"Subject: 1\r\n\r\n\r\n\r\nno line end",
	"",
}

// A torn mbox is one file that is written anew for each way to tear it.
type tornMbox struct {
	path, before string // before: what stood there when the run began
	hint, whole  string // whole: what the run wrote
}

func newTornMbox(t *testing.T, before string) *tornMbox {
	t.Helper()
	dir := t.TempDir()
	// Thousands of syncs are for the disk to do elsewhere.
	if shm, err := os.MkdirTemp("/dev/shm", "mbox"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		dir = shm
	}
	x := &tornMbox{path: filepath.Join(dir, "mbox"), before: before}
	write(t, x.path, before)
	m := newMboxTest(t, x.path, MboxOptions{})
	var err error
	if x.hint, err = m.Hint(); err != nil || x.hint == "" {
		t.Fatalf("hint %q, %v", x.hint, err)
	}
	for i, w := range tornWires {
		stageMbox(t, m, i, w)
	}
	commitMbox(t, m)
	x.whole = readFileTest(t, x.path)[len(before):]
	return x
}

// recover writes the file anew with after behind what stood there before, does what the next run
// does, and returns what is behind it then and how many messages were found.
func (x *tornMbox) recover(t *testing.T, hint, after string) (text string, found int) {
	t.Helper()
	if err := os.WriteFile(x.path, []byte(x.before+after), 0); err != nil {
		t.Fatal(err)
	}
	m := newMboxTest(t, x.path, MboxOptions{})
	defer m.Close()
	receipts, err := m.Find(Begin{Nonce: mboxNonce, Hint: hint})
	if err != nil {
		t.Fatal(err)
	}
	next, err := m.Hint()
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := newMboxTest(t, x.path, MboxOptions{}).Hint(); fresh != next || err != nil {
		t.Fatalf("hint after Find %q; it is %q, %v", next, fresh, err)
	}
	have := make(map[string]bool)
	for _, r := range receipts {
		have[r.ID] = true
	}
	for i, w := range tornWires {
		if !have[mboxID(i)] {
			stageMbox(t, m, i, w)
		}
	}
	commitMbox(t, m)
	if next, err = m.Hint(); err != nil {
		t.Fatal(err)
	}
	if fresh, err := newMboxTest(t, x.path, MboxOptions{}).Hint(); fresh != next || err != nil {
		t.Fatalf("hint after Commit %q; it is %q, %v", next, fresh, err)
	}
	text, ok := strings.CutPrefix(readFileTest(t, x.path), x.before)
	if !ok {
		t.Fatal("what stood there before is not there")
	}
	return text, len(receipts)
}

// once fails if not every message of the run is in the mbox exactly once, whole.
func (x *tornMbox) once(t *testing.T, what string) {
	t.Helper()
	text := readFileTest(t, x.path)
	s := &search{r: &memoryFile{[]byte(text)}, size: int64(len(text)), nonce: mboxNonce, buf: make([]byte, mboxBuffer)}
	if err := s.entries(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range s.found {
		if e.whole {
			got = append(got, e.receipt.ID)
		}
	}
	slices.Sort(got)
	if want := []string{mboxID(0), mboxID(1), mboxID(2)}; !slices.Equal(got, want) {
		t.Fatalf("%s: %q are there; want %q", what, got, want)
	}
}

// An append that was cut short, anywhere, leaves nothing behind.
func TestMboxTornEverywhere(t *testing.T) {
	for _, tt := range []struct {
		name, before string
		stride       int // not 1, where it is to save time
	}{
		{"foreign", foreignEntry, 1},
		{"foreign, unfinished line", foreignEntry[:len(foreignEntry)-2], 1},
		{"foreign, no empty line", foreignEntry[:len(foreignEntry)-1], 7},
		{"empty", "", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newTornMbox(t, tt.before)
			for _, hint := range []string{x.hint, ""} {
				if hint == "" && tt.before != "" {
					continue // it is "" only of what was not there
				}
				last := 0
				for n := len(x.whole) % tt.stride; n <= len(x.whole); n += tt.stride {
					for i, zeros := range []int{0, len(x.whole) - n, 5000} {
						if i > 0 && n%5 != 0 {
							continue
						}
						what := fmt.Sprintf("cut to %d of %d octets, %d zeros", n, len(x.whole), zeros)
						text, found := x.recover(t, hint, x.whole[:n]+strings.Repeat("\x00", zeros))
						x.once(t, what)
						if found < last && zeros == 0 || found == 3 && n < len(x.whole) {
							t.Fatalf("%s: %d found", what, found)
						}
						if zeros == 0 {
							last = found
						}
						if len(text) != len(x.whole) {
							t.Fatalf("%s: the mbox has %d octets behind; want %d: %q", what, len(text), len(x.whole), text)
						}
						_, texts := decodeMbox(t, strings.TrimLeft(text, "\n"))
						if len(texts) != 3 {
							t.Fatalf("%s: %d entries", what, len(texts))
						}
					}
				}
				if last != 3 {
					t.Errorf("of a whole append %d are found", last)
				}
			}
		})
	}
}

// A power cut may keep the length of a file and lose any part of the text.
func TestMboxHoles(t *testing.T) {
	x := newTornMbox(t, foreignEntry)
	for n := 0; n < len(x.whole); n++ {
		for _, size := range []int{1, 64, 512} {
			if n%3 != 0 && (size != 64 || n%2 != 0) {
				continue
			}
			end := min(n+size, len(x.whole))
			what := fmt.Sprintf("zeros from %d to %d of %d", n, end, len(x.whole))
			text, _ := x.recover(t, x.hint, x.whole[:n]+strings.Repeat("\x00", end-n)+x.whole[end:])
			x.once(t, what)
			if strings.Contains(text, "\x00") {
				t.Fatalf("%s: there are some still: %q", what, text)
			}
			if _, texts := decodeMbox(t, text); len(texts) != 3 {
				t.Fatalf("%s: %d entries", what, len(texts))
			}
			// Not if another has delivered since.
			text, _ = x.recover(t, x.hint, x.whole[:n]+strings.Repeat("\x00", end-n)+x.whole[end:]+foreignEntry)
			x.once(t, what)
			if strings.Count(text, foreignEntry) != 1 {
				t.Fatalf("%s: what stood behind is not there: %q", what, text)
			}
		}
	}
}

// Of a long append a power cut may lose one block and keep the next, again and again.
func TestMboxManyHoles(t *testing.T) {
	x := newTornMbox(t, foreignEntry)
	for _, size := range []int{40, 64, 200, 512} {
		for phase := range 2 * size {
			text := []byte(x.whole)
			for i := range text {
				if (i+phase)/size%2 == 0 {
					text[i] = 0
				}
			}
			what := fmt.Sprintf("every other %d octets lost, from %d on", size, phase)
			got, _ := x.recover(t, x.hint, string(text))
			x.once(t, what)
			if strings.Contains(got, "\x00") {
				t.Fatalf("%s: there are some still: %q", what, got)
			}
			if _, texts := decodeMbox(t, got); len(texts) != 3 {
				t.Fatalf("%s: %d entries", what, len(texts))
			}
		}
	}
}

// What another program has written behind a torn entry stays, whether it closed the torn line or
// not, and so stays the torn entry.
func TestMboxTornThenForeign(t *testing.T) {
	x := newTornMbox(t, foreignEntry)
	for n := 0; n <= len(x.whole); n++ {
		for i, between := range []string{"", "\n", "\n\n"} {
			if i > 0 && n%5 != 0 {
				continue
			}
			foreign := strings.ReplaceAll(foreignEntry, "foreign", "behind")
			what := fmt.Sprintf("cut to %d of %d octets, %q and another", n, len(x.whole), between)
			text, _ := x.recover(t, x.hint, x.whole[:n]+between+foreign)
			x.once(t, what)
			if strings.Count(text, foreign) != 1 {
				t.Fatalf("%s: it is not there: %q", what, text)
			}
			if !strings.HasPrefix(text, x.whole[:n]) {
				t.Fatalf("%s: something before it is gone", what)
			}
		}
	}
}

// The run wrote behind what another program had written since the hint.
func TestMboxForeignThenTorn(t *testing.T) {
	x := newTornMbox(t, foreignEntry)
	foreign := strings.ReplaceAll(foreignEntry, "foreign", "between")
	for n := 0; n <= len(x.whole); n++ {
		what := fmt.Sprintf("another, and then cut to %d of %d octets", n, len(x.whole))
		text, _ := x.recover(t, x.hint, foreign+x.whole[:n])
		x.once(t, what)
		rest, ok := strings.CutPrefix(text, foreign)
		if !ok {
			t.Fatalf("%s: it is not there: %q", what, text)
		}
		// So much of a From_ line could be a sentence of the other.
		if short := n <= len("From MAILER-DAEMON Tue "); len(rest) != len(x.whole) && !short {
			t.Fatalf("%s: the mbox has %d octets behind; want %d: %q", what, len(rest), len(x.whole), rest)
		}
	}
}

// Directly behind our end a From_ line that has begun is our own; behind an entry of another program
// it is that one's, as long as it does not look otherwise.
func TestMboxUnfinishedForeign(t *testing.T) {
	for _, tail := range []string{
		"From here on it is text", "From eve@x Tue Nov 14 22:13:20 2023\nSubject: a", "From eve@x Tue Nov 14 22:13:20 2023\nReceived: from x by y with ESMTP id 1",
		"\nFrom", "text", "\x00\x00text\n", "From a b c\nReceived: from",
	} {
		x := newTornMbox(t, foreignEntry)
		between := foreignEntry + tail
		text, _ := x.recover(t, x.hint, between)
		x.once(t, tail)
		if rest, ok := strings.CutPrefix(text, between); !ok || !strings.HasPrefix(rest, unfinished([]byte(between))+"From ") {
			t.Errorf("%q: got %q", tail, text)
		}
	}
}
