package state

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Whatever a file holds, it is refused and left alone, or it is read, mended, and means the same
// the next time, without a word.
func FuzzState(f *testing.F) {
	dir := f.TempDir()
	whole := sample(f, filepath.Join(dir, "seed.uidl"))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(whole[:len(whole)-30])
	f.Add(bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")))
	f.Add([]byte(""))
	f.Add([]byte("mailhaul-state=1 host=pop.example.com user=alice@example.com\nuid=a status=seen\nuid=b%20 status=failed " +
		"time=2026-03-01T12:00:00+01:00 size=3 head=00 body=ff copy=2 absent=2026-03-01T12:00:00Z attempts=2 reason=x%0A " +
		"reported=2026-03-01T12:00:00Z next=2026-03-02T12:00:00Z refused=1 quarantine=/q%20r other=1\nuid=a status=forgotten\nnote=caps value=TOP time=2026-03-01T12:00:00Z\nend\n"))
	f.Add([]byte("mailhaul-state=1 host=pop.example.com user=alice@example.com\nuid=a status=seen n=9 crc=00000000\n\x00\x00\nend"))
	path := filepath.Join(dir, "fuzz.uidl")
	f.Fuzz(func(t *testing.T, content []byte) {
		check(t, os.WriteFile(path, content, 0o600))
		os.Remove(lockPath(path))
		os.Remove(path + rejectedSuffix)
		st, err := Open(path, alice)
		if err != nil {
			if left, _ := os.ReadFile(path); !bytes.Equal(left, content) {
				t.Fatalf("refused (%v) and changed", err)
			}
			return
		}
		extra := full("one more")
		check(t, st.Record("", "", extra))
		if got := st.Lookup("one more"); len(got) == 0 || !reflect.DeepEqual(got[0], extra) {
			t.Fatalf("recorded %+v, got %+v", extra, got)
		}
		even := slices.DeleteFunc(all(st), func(uid string) bool { return len(uid)%2 == 1 })
		_, err = st.Listed(called(st, append(even, "another")...), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		check(t, err)
		want := entries(st)
		doubt, open := st.Interrupted()
		check(t, st.Close())
		if st, err = Open(path, alice); err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if d := st.Damage(); len(d) > 0 {
			t.Fatalf("mended, and yet: %q", d)
		}
		if got := entries(st); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if b, again := st.Interrupted(); open && doubt.Nonce != "" && (!again || b.Nonce != doubt.Nonce) {
			t.Fatalf("Begin %+v became %+v", doubt, b)
		}
	})
}

// The quick way to read a time gives what time.Parse gives.
func FuzzMoment(f *testing.F) {
	for _, s := range []string{"2026-03-01T12:00:00Z", "2026-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z", "0000-11-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2026-13-01T00:00:00Z", "2026-03-01T12:00:00+01:00", "2026-03-01T24:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseMoment([]byte(s))
		want, err := time.Parse(time.RFC3339, s)
		if y := want.UTC().Year(); err == nil && y >= 1 && y <= 9999 {
			if !ok || got != want.Unix() {
				t.Fatalf("%q: %d %v, want %d", s, got, ok, want.Unix())
			}
		} else if ok {
			t.Fatalf("%q: read as %d", s, got)
		}
	})
}
