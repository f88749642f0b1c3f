package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample writes a file as two runs leave it: 20 entries, one tombstone, one forgotten.
func sample(t testing.TB, path string) []byte {
	t.Helper()
	for run := range 2 {
		f := mustOpen(t, path)
		_, err := f.Begin("hint", "")
		check(t, err)
		for batch := range 2 {
			var es []Entry
			for i := range 5 {
				es = append(es, full(fmt.Sprintf("uid-%d-%d-%d", run, batch, i)))
			}
			check(t, f.Record("hint", "", es...))
		}
		check(t, f.End())
		gone := full("uid-0-0-1")
		gone.Status = Deleted
		check(t, f.Record("", "", gone))
		_, err = f.Forget("uid-0-0-2")
		check(t, err)
		check(t, f.Close())
	}
	b, err := os.ReadFile(path)
	check(t, err)
	return b
}

// put makes a state file with these octets, and the memo of another state file if there is one.
func put(t testing.TB, content []byte, memoOf string) string {
	t.Helper()
	path := tempPath(t)
	check(t, makeDir(filepath.Dir(path)))
	var memo []byte
	if memoOf != "" {
		var err error
		memo, err = os.ReadFile(lockPath(memoOf))
		check(t, err)
	}
	putAt(t, path, content, memo)
	return path
}

func putAt(t testing.TB, path string, content, memo []byte) {
	t.Helper()
	check(t, os.WriteFile(path, content, 0o600))
	check(t, os.WriteFile(lockPath(path), memo, 0o600))
}

// mended closes a damaged file and demands that the next Open finds the same, and no damage.
func mended(t testing.TB, f *File) {
	t.Helper()
	want := entries(f)
	check(t, f.Close())
	again, err := Open(f.Path(), f.Identity())
	check(t, err)
	defer again.Close()
	if d := again.Damage(); len(d) > 0 {
		t.Errorf("told twice: %q", d)
	}
	if got := entries(again); !reflect.DeepEqual(got, want) {
		t.Errorf("after mending:\n%+v\nbefore:\n%+v", got, want)
	}
}

func TestSampleIsUndamaged(t *testing.T) {
	path := tempPath(t)
	sample(t, path)
	f := mustOpen(t, path)
	if f.Len() != 19 || len(f.Damage()) > 0 {
		t.Fatal(f.Len(), f.Damage())
	}
}

// However much of the end is missing, what is left is read, nothing is invented, and with the lock
// file's memo every cut is noticed, also one between two lines, also one that looks like a run that
// was interrupted. Without the memo that last one alone is not.
func TestTruncatedAnywhere(t *testing.T) {
	origin := tempPath(t)
	whole := sample(t, origin)
	memo, err := os.ReadFile(lockPath(origin))
	check(t, err)
	for _, memo := range [][]byte{nil, memo} {
		t.Run(fmt.Sprintf("memo %t", memo != nil), func(t *testing.T) {
			t.Parallel() // they wait for the disk
			path := put(t, nil, "")
			for n := 0; n < len(whole); n++ {
				putAt(t, path, whole[:n], memo)
				f, err := Open(path, alice)
				if err != nil {
					t.Fatalf("cut at %d: %v", n, err)
				}
				lines := bytes.Count(whole[:n], []byte("\n"))
				if whole[n] == '\n' {
					lines++
				}
				looksInterrupted := false
				if i := bytes.LastIndexByte(whole[:max(n-1, 0)], '\n'); n > 0 && whole[n-1] == '\n' {
					looksInterrupted = bytes.HasPrefix(whole[i+1:], []byte("begin="))
				}
				// An End is not synced, and its mark is no record: the memo knows nothing of it.
				last := n == bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1
				if len(f.Damage()) == 0 && !(looksInterrupted && (memo == nil || last)) {
					t.Fatalf("cut at %d not noticed:\n%s", n, whole[:n])
				}
				if _, open := f.Interrupted(); !open && n > 0 && n != len(whole)-1 {
					t.Fatalf("cut at %d: nothing is in doubt", n)
				}
				found := 0
				for e := range f.All() {
					found++
					if !reflect.DeepEqual(e, full(e.UID)) && e.Status != Deleted && e.UID != "uid-0-0-2" {
						t.Fatalf("cut at %d: %+v was never recorded", n, e)
					}
				}
				// Each whole line counts: 1 header and 1 begin, 5 entries and 1 begin, …
				if want := min(max(lines-2, 0), 5); lines < 8 && found != want {
					t.Fatalf("cut at %d, %d lines: %d entries, want %d", n, lines, found, want)
				}
				if n%53 == 0 {
					mended(t, f)
				} else {
					f.discard()
				}
			}
		})
	}
}

// Zeros over any 512 octets, as a disk leaves them, are told, and cost no more than they cover.
func TestZeroBlockAnywhere(t *testing.T) {
	origin := tempPath(t)
	whole := sample(t, origin)
	all := entries(mustOpen(t, origin))
	for _, memo := range []string{"", origin} {
		for from := 0; from < len(whole); from += 64 {
			b := bytes.Clone(whole)
			to := min(from+512, len(b))
			clear(b[from:to])
			path := put(t, b, memo)
			f, err := Open(path, alice)
			if from < bytes.IndexByte(whole, '\n') && memo == "" {
				if !errors.Is(err, ErrUnreadable) {
					t.Fatalf("zeros from %d: %v, of a file that may be anybody's", from, err)
				}
				if left, _ := os.ReadFile(path); !bytes.Equal(left, b) {
					t.Fatal("changed a file that could not be read")
				}
				continue
			}
			if err != nil {
				t.Fatalf("zeros from %d: %v", from, err)
			}
			if len(f.Damage()) == 0 {
				t.Fatalf("zeros from %d not noticed", from)
			}
			got := map[string]Entry{}
			for e := range f.All() {
				got[e.UID] = e
			}
			for _, e := range all {
				line := fmt.Appendf(nil, "uid=%s status=%s ", e.UID, e.Status)
				at := bytes.LastIndex(whole, line)
				end := at + bytes.IndexByte(whole[at:], '\n') + 1
				if (end <= from || at >= to) && !reflect.DeepEqual(got[e.UID], e) && e.UID != "uid-0-0-2" {
					// A line that the zeros have joined to the one behind them is lost too.
					if joined := at == to || bytes.IndexByte(whole[to-1:at], '\n') < 0; !joined {
						t.Fatalf("zeros from %d to %d: lost %s (line at %d to %d)", from, to, e.UID, at, end)
					}
				}
			}
			mended(t, f)
			if kept, _ := os.ReadFile(path + rejectedSuffix); bytes.IndexByte(kept, 0) >= 0 {
				t.Fatalf("zeros were kept: %q", kept)
			}
		}
	}
}

// Each line taken out, and each run of two, is noticed, and so is each line that comes twice.
func TestLinesCutOut(t *testing.T) {
	origin := tempPath(t)
	lines := bytes.SplitAfter(sample(t, origin), []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := 1; i < len(lines); i++ {
		for n := 1; n <= 2 && i+n <= len(lines); n++ {
			b := bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+n:]...), nil)
			f := mustOpen(t, put(t, b, ""))
			d := strings.Join(f.Damage(), "\n")
			if !strings.Contains(d, "missing") && !(i+n == len(lines) && bytes.HasPrefix(lines[i-1], []byte("begin="))) {
				t.Fatalf("%d lines from %d cut out: %q", n, i, d)
			}
			if n == 1 && i+1 < len(lines) && !strings.Contains(d, "1 record is missing before line "+fmt.Sprint(i+1)) {
				t.Fatalf("line %d cut out: %q", i, d)
			}
			mended(t, f)
		}
		double := bytes.Join(append(append([][]byte{}, lines[:i+1]...), lines[i:]...), nil)
		f := mustOpen(t, put(t, double, ""))
		d := strings.Join(f.Damage(), "\n")
		if !strings.Contains(d, fmt.Sprintf("line %d was dropped, because its number was given before", i+2)) {
			t.Fatalf("line %d twice: %q", i, d)
		}
		if f.Len() != 19 {
			t.Fatalf("line %d twice: %d entries", i, f.Len())
		}
		mended(t, f)
	}
}

func TestMendedByHand(t *testing.T) {
	origin := tempPath(t)
	whole := string(sample(t, origin))
	mtime := start.Add(time.Hour)
	for name, c := range map[string]struct {
		edit   func(string) string
		damage string // "" for none
		uid    string
		want   *Entry // nil: not there
	}{
		"edited, checksum left": {
			func(s string) string { return strings.Replace(s, "size=1234", "size=1235", 1) },
			"line 3 was dropped, because its checksum is wrong", "uid-0-0-0", nil},
		"edited, checksum taken off": {
			func(s string) string {
				before, after, _ := strings.Cut(s, "size=1234")
				i := strings.Index(after, " crc=")
				return before + "size=1235" + after[:i] + after[i+crcLen:]
			},
			"line 3 has no checksum", "uid-0-0-0", func() *Entry { e := full("uid-0-0-0"); e.Size = 1235; return &e }()},
		"edited, number taken off too": {
			func(s string) string { return s[:strings.Index(s, " n=3")] + s[strings.Index(s, "\nuid=uid-0-0-1"):] },
			"line 3 has no checksum", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"added at the end": {
			func(s string) string { return s + "uid=typed status=seen\n" },
			"has no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"added in the middle": {
			func(s string) string {
				return strings.Replace(s, "\nuid=uid-1-0-0", "\nuid=typed status=delivered time=2026-03-01T13:00:00+01:00 size=7\nuid=uid-1-0-0", 1)
			},
			"has no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Delivered, Time: start, Size: 7}},
		"forgotten by hand": {
			func(s string) string { return s + "uid=uid-0-0-0 status=forgotten\n" },
			"has no checksum", "uid-0-0-0", nil},
		"added at the end, unfinished": {
			func(s string) string { return s + "uid=typed status=seen" },
			"was not written to its end", "typed", nil},
		"added in one place, deleted in another": {
			func(s string) string {
				s = strings.Replace(s, "\nuid=uid-0-0-1", "\nuid=typed status=seen\nuid=uid-0-0-1", 1)
				return s[:strings.Index(s, "uid=uid-1-0-0")] + s[strings.Index(s, "uid=uid-1-0-1"):]
			},
			"1 record is missing before line ", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"unknown status": {
			func(s string) string { return s + "uid=typed status=read\n" }, "was dropped", "typed", nil},
		"field twice": {
			func(s string) string { return s + "uid=typed status=seen status=seen\n" }, "was dropped", "typed", nil},
		"a time that is none": {
			func(s string) string { return s + "uid=typed status=failed next=tomorrow\n" }, "was dropped", "typed", nil},
		"refused no time at all": {
			func(s string) string { return s + "uid=typed status=failed refused=0\n" }, "was dropped", "typed", nil},
		"put into a quarantine by hand": {
			func(s string) string {
				return s + "uid=typed status=delivered quarantine=/q%20r\nuid=other status=failed next=2026-03-01T12:00:00Z refused=3\n"
			},
			"have no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Delivered, Time: mtime, Quarantine: "/q r"}},
		"two spaces": {
			func(s string) string { return s + "uid=typed  status=seen\n" }, "was dropped", "typed", nil},
		"an end mark typed": {
			func(s string) string { return strings.Replace(s, "\nend n=", "\nend\nend n=", 1) }, "was dropped", "", nil},
		"line deleted": {
			func(s string) string {
				return s[:strings.Index(s, "uid=uid-0-0-0")] + s[strings.Index(s, "uid=uid-0-0-1"):]
			},
			"1 record is missing before line 3", "uid-0-0-0", nil},
		"comments and empty lines": {
			func(s string) string {
				return "# mine\n\n" + strings.Replace(s, "\nuid=", "\n# next\nuid=", 3) + "\n# end" + strings.Repeat(" of it", 200) + "\n"
			},
			"", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"CRLF": {
			func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, "", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"last line end taken off": {
			func(s string) string { return strings.TrimSuffix(s, "\n") }, "has no line end", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"all of it written by hand": {
			func(string) string {
				return "mailhaul-state=1 host=POP.example.com user=alice@example.com\nuid=typed status=seen"
			},
			"lines 1, 2 have no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"first line without its checksum": {
			func(s string) string { return s[:strings.Index(s, " n=1")] + s[strings.IndexByte(s, '\n'):] },
			"line 1 has no checksum", "uid-0-0-0", ptr(full("uid-0-0-0"))},
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, []byte(c.edit(whole)), "")
			check(t, os.Chtimes(path, mtime, mtime))
			f := mustOpen(t, path)
			d := strings.Join(f.Damage(), "\n")
			if c.damage == "" && d != "" || !strings.Contains(d, c.damage) || d != "" && !strings.Contains(d, path) {
				t.Errorf("damage %q, want %q", d, c.damage)
			}
			if got := f.Lookup(c.uid); c.want == nil && got != nil || c.want != nil && !reflect.DeepEqual(got, []Entry{*c.want}) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if b, open := f.Interrupted(); open {
				t.Errorf("interrupted: %+v", b)
			}
			check(t, f.Record("", "", full("next"))) // over whatever stands at the end
			mended(t, f)
		})
	}
}

// The beginning of one of our lines, written over the longer rest of an end mark, may look like a
// line by hand. It was never recorded.
func TestTornLineLooksMended(t *testing.T) {
	whole := sample(t, tempPath(t))
	end := bytes.LastIndex(whole, []byte("\nend n=")) + 1
	f := mustOpen(t, put(t, append(bytes.Clone(whole[:end]), "uid=typed status=seen\n"...), ""))
	if f.Lookup("typed") != nil || len(f.Damage()) != 2 {
		t.Errorf("%+v; damage %q", f.Lookup("typed"), f.Damage())
	}
	mended(t, f)
}

func ptr(e Entry) *Entry { return &e }
