package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMboxLocked(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold []string
		want []string
		free bool
	}{
		{"both, by default", nil, nil, false},
		{"fcntl alone", []string{"fcntl"}, nil, false},
		{"dot lock alone", []string{"dotlock"}, nil, false},
		{"dot lock, asked for fcntl", []string{"dotlock"}, []string{"fcntl"}, true},
		{"fcntl, asked for dot lock", []string{"fcntl"}, []string{"dotlock"}, true},
		{"dot lock, asked for both", []string{"dotlock"}, []string{"fcntl", "dotlock"}, false},
		{"fcntl, asked for both", []string{"fcntl"}, []string{"dotlock", "fcntl"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mbox")
			write(t, path, "")
			holder := newMboxTest(t, path, MboxOptions{Lock: tt.hold})
			l, err := holder.open(context.Background(), false)
			if err != nil {
				t.Fatal(err)
			}
			m := newMboxTest(t, path, MboxOptions{Lock: tt.want, Timeout: 30 * time.Millisecond})
			stageMbox(t, m, 1, "A: b\r\n")
			got, err := m.Commit(context.Background())
			if tt.free {
				defer l.close()
				if err != nil || len(got) != 1 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			var e *Error
			if got != nil || !errors.As(err, &e) || !e.Temporary || e.Message || errors.Is(err, ErrCreate) || !errors.Is(err, errLocked) {
				t.Errorf("got %v, %v", got, err)
			}
			if more, err := m.Commit(context.Background()); more != nil || err != nil {
				t.Errorf("something is staged still: %v, %v", more, err)
			}
			if text := readFileTest(t, path); text != "" {
				t.Errorf("the mbox has %q", text)
			}
			if _, err := m.Find(Begin{Nonce: mboxNonce}); !errors.As(err, &e) || !e.Temporary {
				t.Errorf("Find: %v", err)
			}
			// The one lock it could get must be free again.
			if err := l.close(); err != nil {
				t.Error(err)
			}
			stageMbox(t, m, 2, "A: b\r\n")
			commitMbox(t, m)
			leftovers(t, filepath.Dir(path), "mbox")
		})
	}
}

// A run that is stopped delivers what it has, but does not wait.
func TestMboxStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true, Timeout: time.Hour})
	ctx, stop := context.WithCancel(context.Background())
	stop()
	stageMbox(t, m, 1, "A: b\r\n")
	if got, err := m.Commit(ctx); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	l, err := newMboxTest(t, path, MboxOptions{}).open(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	stageMbox(t, m, 2, "A: b\r\n")
	var e *Error
	if _, err := m.Commit(ctx); !errors.As(err, &e) || !e.Temporary {
		t.Errorf("got %v", err)
	}
}

// A directory that lets no dot lock be made is a hindrance only if one is demanded.
func TestMboxNoDotLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("m", 253)) // no room for .lock
	m := newMboxTest(t, path, MboxOptions{Create: true})
	stageMbox(t, m, 1, "A: b\r\n")
	commitMbox(t, m)
	m = newMboxTest(t, path, MboxOptions{Create: true, Lock: []string{"dotlock"}})
	stageMbox(t, m, 2, "A: b\r\n")
	var e *Error
	if _, err := m.Commit(context.Background()); !errors.Is(err, ErrCreate) || !errors.As(err, &e) || e.Temporary {
		t.Errorf("got %v", err)
	}
}

// A mail reader that replaces the mbox between open and lock must not have the mail go into the file
// that is no more.
func TestMboxReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	write(t, path, "")
	m := newMboxTest(t, path, MboxOptions{})
	f, _, err := m.openFile(false)
	if err != nil {
		t.Fatal(err)
	}
	l := &lockedMbox{f: f, leave: func() {}}
	defer l.close()
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := m.lock(l); !errors.Is(err, errReplaced) {
		t.Errorf("gone: %v", err)
	}
	write(t, path, "From x\n\nnew\n\n")
	if err := l.dot.unlock(); err != nil {
		t.Fatal(err)
	}
	if err := m.lock(l); !errors.Is(err, errReplaced) {
		t.Errorf("replaced: %v", err)
	}
}

const mboxChildEnv = "MAILHAUL_TEST_MBOX"

// TestMboxChild is the other process of TestMboxWriters.
func TestMboxChild(t *testing.T) {
	path := os.Getenv(mboxChildEnv)
	if path == "" {
		t.Skip("started by another test")
	}
	manyCommits(t, path, os.Getenv("MAILHAUL_TEST_LOCK"), 100)
}

// manyCommits appends messages first to first+29, two at a time.
func manyCommits(t testingT, path, lock string, first int) {
	o := MboxOptions{Create: true}
	if lock != "" {
		o.Lock = []string{lock}
	}
	m, err := NewMbox(path, o)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer m.Close()
	for n := first; n < first+30; n += 2 {
		for k := n; k < n+2; k++ {
			body := fmt.Sprintf("A: %d\r\n\r\n%s", k, strings.Repeat("From x\r\n", 1000))
			if err := m.Deliver(context.Background(), &Message{ID: mboxID(k), Trace: mboxTrace(k), Body: strings.NewReader(body)}); err != nil {
				t.Errorf("%v", err)
				return
			}
		}
		if got, err := m.Commit(context.Background()); err != nil || len(got) != 2 {
			t.Errorf("%v, %v", got, err)
			return
		}
	}
}

func TestMboxWriters(t *testing.T) {
	for _, lock := range []string{"", "fcntl", "dotlock"} {
		t.Run("lock "+lock, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mbox")
			child := exec.Command(os.Args[0], "-test.run=^TestMboxChild$", "-test.v")
			child.Env = append(os.Environ(), mboxChildEnv+"="+path, "MAILHAUL_TEST_LOCK="+lock)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			bufio.NewReader(out).ReadString('\n') // it runs
			var wg sync.WaitGroup
			for first := range 2 {
				wg.Go(func() { manyCommits(t, path, lock, 30*first) })
			}
			wg.Wait()
			for s := bufio.NewScanner(out); s.Scan(); {
				if text := s.Text(); strings.HasPrefix(strings.TrimSpace(text), "lock_test") {
					t.Error(text)
				}
			}
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
			_, texts := decodeMbox(t, readFileTest(t, path))
			found, err := newMboxTest(t, path, MboxOptions{}).Find(Begin{Nonce: mboxNonce})
			if len(texts) != 90 || len(found) != 90 || err != nil {
				t.Errorf("%d entries, %d found, %v", len(texts), len(found), err)
			}
			leftovers(t, dir, "mbox")
		})
	}
}
