package deliver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// overtake does what a program does that takes a dot lock for one left behind: it takes the lock, and
// appends a message.
func overtake(t *testing.T, l *lockedMbox, path string) {
	t.Helper()
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	write(t, path+".lock", "0")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\n\n" + foreignEntry); err != nil {
		t.Fatal(err)
	}
}

// Where another program has taken the dot lock over, what it wrote is neither written over nor cut off.
func TestMboxLockLost(t *testing.T) {
	for name, step := range map[string]func(*Mbox, *lockedMbox, Begin) error{
		"append": func(m *Mbox, l *lockedMbox, _ Begin) error { _, _, err := m.appendSome(l); return err },
		"cut":    func(m *Mbox, l *lockedMbox, begin Begin) error { _, err := m.find(l, begin); return err },
		"take back": func(_ *Mbox, l *lockedMbox, _ Begin) error {
			return l.truncate(l.size)
		},
		"write on": func(_ *Mbox, l *lockedMbox, _ Begin) error {
			l.touched = time.Now().Add(-time.Hour) // as after a SIGSTOP in the midst of it
			_, err := l.WriteAt(make([]byte, 1<<10), l.size)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mbox")
			m := newMboxTest(t, path, MboxOptions{Create: true, Lock: []string{"dotlock"}})
			defer m.Close()
			stageMbox(t, m, 1, "A: b\r\n")
			commitMbox(t, m)
			hint, err := m.Hint()
			if err != nil {
				t.Fatal(err)
			}
			whole := readFileTest(t, path)
			write(t, path, whole+"From a@b Tue Nov 14 22:13:20 2023\nReceived: fr") // a torn tail
			stageMbox(t, m, 2, "A: "+strings.Repeat("b", 100)+"\r\n")
			l, err := m.open(context.Background(), false)
			if err != nil {
				t.Fatal(err)
			}
			overtake(t, l, path)
			var e *Error
			if err := step(m, l, Begin{Nonce: mboxNonce, Hint: hint}); !errors.Is(err, errTakenOver) || !errors.As(m.failed(err), &e) || !e.Temporary {
				t.Errorf("%v", err)
			}
			if text := readFileTest(t, path); !strings.HasSuffix(text, foreignEntry) {
				t.Errorf("the mbox has %q", text)
			}
			if err := l.close(); err != nil {
				t.Error(err)
			}
			if text := readFileTest(t, path+".lock"); text != "0" {
				t.Errorf("the other's lock has %q", text)
			}
		})
	}
}

// As long as an mbox is read or written the dot lock is kept from looking like one left behind.
func TestMboxLockKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	m := newMboxTest(t, path, MboxOptions{Create: true, Lock: []string{"dotlock"}})
	defer m.Close()
	stageMbox(t, m, 1, "A: b\r\n")
	commitMbox(t, m)
	stageMbox(t, m, 2, "A: b\r\n")
	for name, step := range map[string]func(*lockedMbox) error{
		"find":   func(l *lockedMbox) error { _, err := m.find(l, Begin{Nonce: mboxNonce}); return err },
		"append": func(l *lockedMbox) error { _, err := m.append(l, 1); return err },
	} {
		l, err := m.open(context.Background(), false)
		if err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path+".lock", old, old); err != nil {
			t.Fatal(err)
		}
		l.touched = old
		if err := step(l); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Stat(path + ".lock")
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(info.ModTime()); age > time.Minute {
			t.Errorf("%s: the lock looks %v old", name, age)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}
