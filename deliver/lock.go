package deliver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// staleDotLock is how long the dot lock of an mbox of an unknown owner must stand unchanged before
// it is taken for one that was left behind. Procmail and liblockfile say the same; dovecot says two
// minutes.
const staleDotLock = 5 * time.Minute

// errLocked says that somebody else holds a lock. It may pass by itself.
var errLocked = errors.New("locked by another program")

// A dotLock is a held lock file NAME.lock, by which programs exclude each other from the mbox NAME
// wherever they run, also on a file system that knows no other locks.
type dotLock struct {
	path string
	info fs.FileInfo // of our lock file, which tells it from that of somebody who took it over
	file *os.File    // it stays open: else theirs may get its inode number, as on ext4
}

// newDotLock makes the lock file without waiting. The error matches errLocked while another
// program has it. One that was left by a dead process is removed first, and so is one of an unknown
// owner that has stood unchanged for longer than stale. text is of an owner, this process.
func newDotLock(path, text string, stale time.Duration) (*dotLock, error) {
	// Twice, because the way may have been free only after the first.
	for range 2 {
		l, err := linkDotLock(path, text)
		if !errors.Is(err, fs.ErrExist) {
			return l, err
		}
		if err := removeStale(path, stale); err != nil {
			return nil, err
		}
	}
	return nil, errLocked
}

// linkDotLock makes the lock file with its text in it, or fails because one is there. The text is
// complete before the name appears, so that nobody can read half an owner.
func linkDotLock(path, text string) (*dotLock, error) {
	l, err := linkUnnamed(path, text)
	if errors.Is(err, errors.ErrUnsupported) {
		l, err = linkNamed(path, text)
	}
	return l, err
}

// linkNamed makes the lock file from one with another name, as every file system can.
func linkNamed(path, text string) (*dotLock, error) {
	// The name is short, because a long one of the mbox may leave no room for more.
	unique := filepath.Join(filepath.Dir(path), "_"+strings.ToLower(rand.Text()))
	f, err := os.OpenFile(unique, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	defer os.Remove(unique)
	l, err := linkOpened(f, unique, path, text)
	if err != nil {
		f.Close()
	}
	return l, err
}

func linkOpened(f *os.File, unique, path, text string) (*dotLock, error) {
	if _, err := f.WriteString(text); err != nil {
		return nil, err
	}
	err := os.Link(unique, path)
	info, serr := f.Stat()
	if serr != nil {
		return nil, serr
	}
	// Over NFS the reply to a link that was made may be lost. The number of links tells.
	if st, ok := info.Sys().(*syscall.Stat_t); err != nil && (!ok || st.Nlink != 2) {
		return nil, err
	}
	return &dotLock{path, info, f}, nil
}

// forbidden tells whether the directory does not let a lock file be made, so that a program may
// go without one, as those do that are not of group mail in /var/mail.
func forbidden(err error) bool {
	for _, e := range []error{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENAMETOOLONG, errors.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// removeStale removes a lock file that was left behind. The error matches errLocked if it was not.
func removeStale(path string, stale time.Duration) error {
	const flags = unix.O_NOFOLLOW | unix.O_NONBLOCK
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.OpenFile(path, os.O_RDONLY|flags, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errLocked, err)
	}
	defer f.Close()
	return removeOpened(f, path, stale)
}

// removeOpened removes the lock file that is open as f, if it was left behind and is still there.
func removeOpened(f *os.File, path string, stale time.Duration) error {
	// Two that find the same dead lock file must not both remove what stands at its name: the
	// second would remove the lock that the first has taken. So it is locked, and looked at
	// again, before it goes. With flock, which needs no right to write.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errLocked
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, there) {
		return nil
	}
	if err != nil {
		return err
	}
	left, err := leftBehind(f, info, stale)
	if err != nil {
		return err
	}
	if !left {
		return errLocked
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dot lock of a process that is gone: %w", err)
	}
	return nil
}

// leftBehind tells whether nobody will remove a lock file.
func leftBehind(f *os.File, info fs.FileInfo, stale time.Duration) (bool, error) {
	if !info.Mode().IsRegular() {
		return false, nil
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return false, err
	}
	if o, ok := parseOwner(strings.ReplaceAll(strings.TrimRight(string(text), "\n"), "\x00", "")); ok {
		switch o.fate(thisProcess()) {
		case ownerDead:
			return true, nil
		case ownerAlive:
			return false, nil
		}
	}
	return time.Since(info.ModTime()) > stale, nil
}

// held tells whether the lock file is ours still: another program may have taken it for one that was
// left behind.
func (l *dotLock) held() bool {
	there, err := os.Lstat(l.path)
	return err == nil && os.SameFile(there, l.info)
}

// touch tells others, who know only the lock file's age, that its owner is at work.
func (l *dotLock) touch() {
	if l.held() {
		now := time.Now()
		os.Chtimes(l.path, now, now)
	}
}

// unlock removes the lock file, unless it is no longer ours, and closes it: whatever stands there afterwards is
// another's.
func (l *dotLock) unlock() error {
	if l == nil || l.file == nil {
		return nil
	}
	defer func() {
		l.file.Close()
		l.file = nil
	}()
	there, err := os.Lstat(l.path)
	if err == nil && os.SameFile(there, l.info) {
		err = os.Remove(l.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
