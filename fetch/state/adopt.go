package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrExists is matched (errors.Is) by the error of Adopt when the new name has entries of its own.
var ErrExists = errors.New("there is a state already")

// Adopt makes the state file from, whose ever it is, the state of id under the name to, which may be
// the same. Both are locked meanwhile. What Damage would have told is returned. After a crash
// within Adopt the same call completes it.
func Adopt(from, to string, id Identity) (damage []string, err error) {
	if _, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("state file: %w", err) // before a lock file is made for it
	}
	f, err := open(from, nil)
	if err != nil {
		return nil, err
	}
	defer f.discard()
	f.id = id
	if to == from {
		return f.damage, f.rewrite()
	}
	target, err := open(to, nil)
	if err != nil {
		return nil, err
	}
	defer target.discard()
	if target.Len() > 0 {
		return nil, fmt.Errorf("state file %q: %w, with %d entries", to, ErrExists, target.Len())
	}
	// The new identity first, under the old name: a crash then leaves from as it is or as it will
	// be. Numbers must be greater than any that the lock file of the new name remembers.
	f.seq = max(f.seq, target.seq)
	if err := f.rewrite(); err != nil {
		return nil, err
	}
	if err := os.Rename(f.real, target.real); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(target.real)); err != nil {
		return nil, err
	}
	target.lock.remember(id, f.seq)
	return f.damage, syncDir(filepath.Dir(f.real))
}

// discard unlocks a file without mending it.
func (f *File) discard() {
	if f.file != nil {
		f.file.Close()
	}
	f.lock.release()
	f.lock = nil
}

// Remove takes the state file away, under its lock, so that the account starts anew.
func Remove(path string) error {
	l, err := acquire(path)
	if err != nil {
		return err
	}
	defer l.release()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	if err := os.Remove(real); err != nil {
		return err
	}
	return syncDir(filepath.Dir(real))
}

// A Found is a state file of a directory.
type Found struct {
	Path     string
	Identity Identity
	Err      error // why its Identity is not known
}

// List returns the state files of a directory by name. A directory that does not exist has none.
func List(dir string) ([]Found, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Found
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
			path := filepath.Join(dir, e.Name())
			id, err := readIdentity(path)
			found = append(found, Found{path, id, err})
		}
	}
	return found, nil
}

// readIdentity reads no more of a state file than whose it is.
func readIdentity(path string) (Identity, error) {
	file, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return Identity{}, fmt.Errorf("state file: %w", err)
	}
	defer file.Close()
	text, err := bufio.NewReader(io.LimitReader(file, maxLine)).ReadBytes('\n')
	if err == nil {
		var l line
		if l.parse(text[:len(text)-1]) == "" && l.key == stateKey {
			if id, ok := identity(l.fields); ok && string(l.fields[0].value) == "1" {
				return id, nil
			}
		}
	} else if err != io.EOF {
		return Identity{}, fmt.Errorf("state file %q: %w", path, err)
	}
	if m := peekMemo(lockPath(path)); m.ok {
		return m.id, nil
	}
	return Identity{}, fmt.Errorf("state file %q: %w", path, ErrUnreadable)
}
