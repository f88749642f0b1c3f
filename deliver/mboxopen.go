package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A lockedMbox is an mbox that nobody else changes until it is closed.
type lockedMbox struct {
	f       *os.File
	info    fs.FileInfo
	size    int64
	made    bool // by us, just now
	fcntl   bool // lock held
	dot     *dotLock
	leave   func()
	touched time.Time // the dot lock, when others were last told that its owner is at work
}

var (
	errReplaced  = errors.New("replaced by another file while it was waited for")
	errSymlink   = errors.New("a symbolic link: name the file itself")
	errIrregular = errors.New("not a regular file")
	errLinks     = errors.New("has other names (hard links), and this runs as root")
)

// open opens the mbox and takes its locks, and waits for them if it must. The mbox is made if it is
// missing and create is set. When ctx is done it is still tried, but not waited for: what is
// staged is to be delivered even by a run that is stopped.
func (m *Mbox) open(ctx context.Context, create bool) (*lockedMbox, error) {
	var l *lockedMbox
	err := patiently(ctx, m.name(), m.timeout, func() (err error) {
		l, err = m.tryOpen(create)
		return err
	})
	return l, err
}

// tryOpen is open without waiting. Programs differ in which lock they take first: to hold one and
// wait for the other would be a deadlock with some of them, so all are given back at once.
func (m *Mbox) tryOpen(create bool) (_ *lockedMbox, err error) {
	leave, ok := enterPath(m.path)
	if !ok {
		return nil, errLocked
	}
	l := &lockedMbox{leave: leave}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.f, l.made, err = m.openFile(create); err != nil {
		return nil, err
	}
	if err := m.lock(l); err != nil {
		return nil, err
	}
	return l, nil
}

// lock takes the locks of the file that is open in l, and makes sure that it is the mbox still.
func (m *Mbox) lock(l *lockedMbox) (err error) {
	if m.fcntl {
		if err := lockFile(l.f); err != nil {
			return fmt.Errorf("fcntl lock: %w", err)
		}
		l.fcntl = true
	}
	if m.dot {
		if l.dot, err = m.takeDotLock(); err != nil {
			return fmt.Errorf("dot lock %s.lock: %w", m.path, err)
		}
		l.touched = time.Now()
	}
	// A mail reader may have put another file in the place of the one that was opened.
	if l.info, err = l.f.Stat(); err != nil {
		return err
	}
	l.size = l.info.Size()
	there, err := os.Lstat(m.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(l.info, there) {
		return errReplaced
	}
	return err
}

// takeDotLock takes the dot lock. Unless it is demanded, a directory that does not let one be made
// is no hindrance; one that another program has made there is.
func (m *Mbox) takeDotLock() (*dotLock, error) {
	path := m.path + ".lock"
	l, err := newDotLock(path, thisProcess().String(), staleDotLock)
	if err == nil || m.dotDemanded || !forbidden(err) || errors.Is(err, errLocked) {
		return l, err
	}
	if err := removeStale(path, staleDotLock); err != nil && !forbidden(err) {
		return nil, err
	}
	return nil, nil
}

// openFile opens the mbox, or makes it. It is not opened for appending, because a failed append is
// taken back by truncating to an offset that must be known.
func (m *Mbox) openFile(create bool) (f *os.File, made bool, err error) {
	const flags = os.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	info, err := os.Lstat(m.path)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err := makeDir(filepath.Dir(m.path), access{}); err != nil {
			return nil, false, err
		}
		f, err = os.OpenFile(m.path, flags|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil, false, errReplaced // another was faster
		}
		return f, err == nil, err
	}
	if err == nil {
		err = checkFile(info)
	}
	if err != nil {
		return nil, false, err
	}
	if f, err = os.OpenFile(m.path, flags, 0); err != nil {
		if errors.Is(err, fs.ErrNotExist) && create {
			err = errReplaced
		}
		return nil, false, err
	}
	if info, err = f.Stat(); err == nil {
		err = checkFile(info)
	}
	if err != nil {
		f.Close()
		return nil, false, err
	}
	return f, false, nil
}

// checkFile tells what is wrong with a file that is to be an mbox. Where root delivers into a
// directory of somebody else, links are how that one would have another file written.
func checkFile(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %w", ErrCreate, errSymlink)
	case !mode.IsRegular():
		return fmt.Errorf("%w: %w", ErrCreate, errIrregular)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 && os.Geteuid() == 0 {
		return fmt.Errorf("%w: %w", ErrCreate, errLinks)
	}
	return nil
}

// close gives the locks back. An error is of a dot lock that stays.
func (l *lockedMbox) close() error {
	err := l.dot.unlock()
	if l.f != nil {
		if l.fcntl {
			unlockFile(l.f)
		}
		l.f.Close()
	}
	l.leave()
	return err
}
