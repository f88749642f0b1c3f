package deliver

import (
	"bytes"
	"strings"
	"testing"
)

func rename(text string, undo bool, cut int) string {
	var b bytes.Buffer
	r := renamer{w: &b, undo: undo}
	for len(text) > 0 {
		n := min(cut, len(text))
		r.Write([]byte(text[:n]))
		text = text[n:]
	}
	r.finish()
	return b.String()
}

func TestRenamer(t *testing.T) {
	long, blanks := strings.Repeat(wasText, 200), strings.Repeat(" ", maxFieldName)
	for in, want := range map[string]string{
		"":                                  "",
		"X-UIDL: a\n":                       "X-Was-X-UIDL: a\n",
		"A: b\nx-uidl \t: a\n b\nC: d\n\nx": "A: b\nX-Was-x-uidl \t: a\n b\nC: d\n\nx",
		"X-UIDL: a\nX-UIDL: b\n":            "X-Was-X-UIDL: a\nX-Was-X-UIDL: b\n",
		"X-Was-X-UIDL: a\n":                 "X-Was-X-Was-X-UIDL: a\n",
		"X-Was-X-UIDLs: a\nX-U":             "X-Was-X-UIDLs: a\nX-U",
		" X-UIDL: a\nX-UIDL a:\nX-UIDL\n":   " X-UIDL: a\nX-UIDL a:\nX-UIDL\n",
		"\nX-UIDL: a\n":                     "\nX-UIDL: a\n", // the body
		"A: b\n\nX-UIDL: a\n":               "A: b\n\nX-UIDL: a\n",
		"A: b\rX-UIDL: a\n":                 "A: b\rX-UIDL: a\n",
		"X-UIDL:":                           "X-Was-X-UIDL:",
		"X-UIDL  ":                          "X-UIDL  ",
		long + "X-UIDL: a\n":                wasText + long + "X-UIDL: a\n",
		long + "\nX-UIDL: a\n":              long + "\nX-Was-X-UIDL: a\n", // not the end of the header
		"X-UIDL" + blanks + ": a\n":         "X-UIDL" + blanks + ": a\n",  // nobody reads that as a field
		"X-Was-":                            "X-Was-",
	} {
		for _, cut := range []int{1, 2, 7, 1 << 20} {
			got := rename(in, false, cut)
			if got != want {
				t.Errorf("%.60q cut at %d: %.60q, want %.60q", in, cut, got, want)
			}
			if back := rename(got, true, cut); back != in {
				t.Errorf("%.60q cut at %d came back as %.60q", in, cut, back)
			}
		}
	}
}

// What is renamed comes back as it was, however it is cut, and has no X-UIDL in its header.
func FuzzRenamer(f *testing.F) {
	f.Add("X-UIDL: a\nX-Was-X-UIDL: b\n\nX-UIDL: c\n", 3)
	f.Add("x-uidl\t : a\n\tb\nX-Was-X-", 1)
	f.Add(strings.Repeat(wasText, 165)+"X-UIDL:", 100)
	f.Fuzz(func(t *testing.T, in string, cut int) {
		if cut < 1 || len(in) > 1<<14 {
			return
		}
		got := rename(in, false, cut)
		if back := rename(got, true, cut/2+1); back != in {
			t.Fatalf("%q came back as %q", in, back)
		}
		head, _, _ := strings.Cut("\n"+got, "\n\n")
		for _, line := range strings.Split(head, "\n") {
			name, _, ok := strings.Cut(line, ":")
			if ok && strings.EqualFold(strings.TrimRight(name, " \t"), xuidlName) && len(name) < maxFieldName {
				t.Fatalf("%q still has %q", in, line)
			}
		}
	})
}

func TestXuidlField(t *testing.T) {
	for uid, want := range map[string]string{
		"a b": "X-UIDL: a b\n", "\xff:": "X-UIDL: \xff:\n", "": "", " a": "", "a\n": "", "a\x00": "", strings.Repeat("a", 901): "",
	} {
		field, why := xuidlField(uid)
		if field != want || (why == "") != (field != "" || uid == "") {
			t.Errorf("%q: %q, %q", uid, field, why)
		}
	}
}

func TestSizer(t *testing.T) {
	for text, want := range map[string][2]int64{
		"": {0, 0}, "a\nb\n": {4, 6}, "a\r\nb\n": {5, 6}, "\r\r\n\n": {4, 5}, "\n": {1, 2}, "a\rb\x00": {4, 4},
	} {
		for cut := 1; cut < 6; cut++ {
			s := sizer{w: &bytes.Buffer{}}
			for rest := text; rest != ""; {
				n := min(cut, len(rest))
				s.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if got := [2]int64{s.S, s.W()}; got != want {
				t.Errorf("%q cut at %d: %v, want %v", text, cut, got, want)
			}
		}
	}
}
