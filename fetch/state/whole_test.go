package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	path := tempPath(t)
	sample(t, path)
	if f, err := Open(path, Identity{"POP.Example.COM", alice.User}); err != nil {
		t.Errorf("host in capitals: %v", err)
	} else {
		check(t, f.Close())
	}
	before := snapshot(t, filepath.Dir(path))
	for _, id := range []Identity{{"pop.example.net", alice.User}, {alice.Host, "Alice@example.com"}, {}} {
		_, err := Open(path, id)
		var ie *IdentityError
		if !errors.As(err, &ie) || ie.Have != alice || ie.Want != id || ie.Path != path {
			t.Errorf("%v: %v", id, err)
		}
	}
	// The file may be damaged as well: it must not be mended by whom it does not belong to.
	if after := snapshot(t, filepath.Dir(path)); after != before {
		t.Error("changed by a stranger")
	}
	check(t, mustOpen(t, path).Close()) // and the lock is free again
}

func TestUnreadable(t *testing.T) {
	for name, content := range map[string]string{
		"another program's":   "AAAB1 1234\nAAAB2 1235\n",
		"newer version":       "mailhaul-state=2 host=pop.example.com user=alice@example.com\nend\n",
		"first line edited":   "mailhaul-state=1 host=pop.example.com user=alice n=1 crc=e4cd8b72\n",
		"no user":             "mailhaul-state=1 host=pop.example.com\n",
		"another's, torn":     "mailhaul-state=1 host=pop.example.net",
		"only comments":       "# nothing\n",
		"octets":              "\x7fELF\x02\x01\x01\x00\x00\xff",
		"first line zeroed":   strings.Repeat("\x00", 60) + "\n",
		"a record, no header": "uid=a status=seen\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, []byte(content), "")
			before := snapshot(t, filepath.Dir(path))
			_, err := Open(path, alice)
			if name == "first line zeroed" { // nothing but zeros: tells nothing, is nobody's
				check(t, err)
				return
			}
			if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), path) {
				t.Fatal(err)
			}
			if after := snapshot(t, filepath.Dir(path)); after != before {
				t.Error("changed")
			}
			if _, err := readIdentity(path); !errors.Is(err, ErrUnreadable) {
				t.Errorf("readIdentity: %v", err)
			}
		})
	}
}

// A file that has lost everything is no new state.
func TestEmptied(t *testing.T) {
	for _, content := range []string{"", "\x00", strings.Repeat("\x00", 5000), "mailhaul-state=1 host=pop.ex"} {
		f := mustOpen(t, put(t, []byte(content), ""))
		d := strings.Join(f.Damage(), "\n")
		if f.New() || !strings.Contains(d, "lost all its records") || !strings.Contains(d, "delivered again") {
			t.Errorf("%q: new %v, damage %q", content, f.New(), d)
		}
		if b, open := f.Interrupted(); !open || b.Nonce != "" {
			t.Errorf("%q: interrupted %+v %v", content, b, open)
		}
		mended(t, f)
	}
	origin := tempPath(t)
	sample(t, origin)
	path := put(t, nil, origin)
	var ie *IdentityError
	if _, err := Open(path, Identity{"pop.example.net", "bob"}); !errors.As(err, &ie) || ie.Have != alice {
		t.Errorf("taken over by another account: %v", err)
	}
}

// A good file that is older than the one the lock file knows is told.
func TestOldCopy(t *testing.T) {
	path := tempPath(t)
	old := sample(t, path)
	f := mustOpen(t, path)
	check(t, f.Record("", "", full("newer"), full("newest")))
	check(t, f.Close())
	last := peekMemo(lockPath(path)).seq
	check(t, os.WriteFile(path, old, 0o600))
	f = mustOpen(t, path)
	if d := strings.Join(f.Damage(), "\n"); !strings.Contains(d, "the last 2 records are missing") {
		t.Errorf("damage %q", d)
	}
	mended(t, f)
	if m := peekMemo(lockPath(path)); m.seq <= last {
		t.Errorf("numbers went back from %d to %d", last, m.seq)
	}
}

// Dropped lines are kept, once, in a file that is private.
func TestRejected(t *testing.T) {
	path := tempPath(t)
	whole := string(sample(t, path))
	edited := strings.Replace(whole, "size=1234", "size=1235", 2)
	check(t, os.WriteFile(path, []byte(edited), 0o600))
	r, err := Read(path)
	check(t, err)
	if len(r.Damage()) != 1 || !strings.Contains(r.Damage()[0], "lines 3, 4 were dropped") {
		t.Errorf("damage %q", r.Damage())
	}
	check(t, r.Close())
	if _, err := os.Stat(path + rejectedSuffix); err == nil {
		t.Error("written by a reader")
	}
	f := mustOpen(t, path)
	check(t, f.SetNote("a", "b", start))
	check(t, f.Close())
	mended(t, mustOpen(t, path))
	got, err := os.ReadFile(path + rejectedSuffix)
	check(t, err)
	lines := strings.SplitAfter(edited, "\n")
	if string(got) != lines[2]+lines[3] {
		t.Errorf("kept %q", got)
	}
	if info, _ := os.Stat(path + rejectedSuffix); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}
