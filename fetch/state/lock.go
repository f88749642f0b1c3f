package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrLocked is matched (errors.Is) by the error of a state file that another run has open.
var ErrLocked = errors.New("locked by another run")

// A LockedError tells who has a state file open.
type LockedError struct {
	Path  string
	Pid   int       // 0 if unknown, as on another host
	Since time.Time // when that process started; zero if unknown
}

func (e *LockedError) Error() string {
	who := ""
	switch {
	case e.Pid > 0 && !e.Since.IsZero():
		who = fmt.Sprintf(": process %d, started %s", e.Pid, e.Since.Local().Format(time.DateTime))
	case e.Pid > 0:
		who = fmt.Sprintf(": process %d", e.Pid)
	}
	return fmt.Sprintf("state file %q is %v%s", e.Path, ErrLocked, who)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// A lock is the open lock file. The state file itself cannot bear the lock, because compaction puts
// another file in its place; the lock file is never removed or renamed.
type lock struct{ file *os.File }

// lockPath is PATH with .lock in place of .uidl.
func lockPath(path string) string { return strings.TrimSuffix(path, suffix) + ".lock" }

// maxTries bounds how often a lock is tried, 2 ms apart, while its holder is not known: on a busy machine a
// process takes a while from the one of its locks to the other, and to its end.
const maxTries = 50

// acquire locks the state of path, making the directory and the lock file if they are missing.
func acquire(path string) (*lock, error) {
	name := lockPath(path)
	for try := 0; ; try++ {
		l, err := openLock(name)
		if err != nil {
			return nil, fmt.Errorf("lock of state file %q: %w", path, err)
		}
		err = setLock(l.file)
		if err == nil {
			// A lock on a file that somebody has removed locks nothing.
			have, err1 := l.file.Stat()
			now, err2 := os.Stat(name)
			if err1 == nil && err2 == nil && os.SameFile(have, now) {
				return l, nil
			}
			l.release()
			if try >= maxTries {
				return nil, fmt.Errorf("lock of state file %q: %w", path, errors.Join(err1, err2, ErrChanged))
			}
			continue
		}
		if !errors.Is(err, ErrLocked) {
			l.release()
			return nil, fmt.Errorf("lock of state file %q: %w", path, err)
		}
		pid := lockHolder(l.file)
		l.release()
		if pid == 0 && try < maxTries {
			// The holder is between its two locks, or has just gone.
			time.Sleep(2 * time.Millisecond)
			continue
		}
		return nil, &LockedError{Path: path, Pid: pid, Since: processStart(pid)}
	}
}

func openLock(name string) (*lock, error) {
	file, err := openFile(name, os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		dir := filepath.Dir(name)
		if err := makeDir(dir); err != nil {
			return nil, err
		}
		if file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = syncDir(dir)
		}
	}
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	return &lock{file}, nil
}

// A memo is what the lock file remembers of the state file, so that a cut that leaves a good file
// behind, and an old copy that was put back, are noticed.
type memo struct {
	ok  bool
	id  Identity
	seq uint64 // number of a line that was synced: the file must have it, or a later one
}

// remember writes the memo. It may fail or be lost in a crash: then less is noticed.
func (l *lock) remember(id Identity, seq uint64) {
	b := batch{seq: seq - 1}
	b.identity(lockKey+"=1", id)
	if _, err := l.file.WriteAt(b.buf, 0); err == nil {
		_ = l.file.Truncate(int64(len(b.buf)))
	}
}

// recall reads the memo through the lock: to open and close the file once more would cost a classic
// lock.
func (l *lock) recall() memo { return readMemo(l.file) }

func peekMemo(name string) memo {
	if holdsLock(name) {
		return memo{}
	}
	file, err := openFile(name, os.O_RDONLY)
	if err != nil {
		return memo{}
	}
	defer file.Close()
	return readMemo(file)
}

func readMemo(file *os.File) (m memo) {
	b, err := io.ReadAll(io.NewSectionReader(file, 0, maxLine))
	if err != nil || len(b) == 0 {
		return m
	}
	var l line
	if why := l.parse([]byte(strings.TrimSuffix(string(b), "\n"))); why != "" || !l.sealed || l.key != lockKey {
		return m
	}
	m.id, m.ok = identity(l.fields)
	m.seq = l.seq
	return m
}

// inUse tells whether the state file is open for a run, be it of this process.
func inUse(path string) bool {
	name := lockPath(path)
	if holdsLock(name) {
		return true
	}
	file, err := openFile(name, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	return lockTaken(file)
}

// InUse tells whether another process has the state file open for a run: the error is then a
// *LockedError. It takes no lock itself, so that a run may begin as soon as it returns.
func InUse(path string) error {
	name := lockPath(path)
	if holdsLock(name) {
		return nil // by this process
	}
	file, err := openFile(name, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock of state file %q: %w", path, err)
	}
	defer file.Close()
	if pid := lockHolder(file); pid != 0 {
		return &LockedError{Path: path, Pid: pid, Since: processStart(pid)}
	}
	return nil
}
