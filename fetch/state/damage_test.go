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

func ptr(e Entry) *Entry { return &e }
