package deliver

import (
	"fmt"
	"time"
)

// touchDotLock is how often others are told that the owner of a dot lock is at work. It is far
// below what any program takes for the age of one left behind.
const touchDotLock = 20 * time.Second

// ReadAt reads from the mbox. To go through a large one may take longer than others let a lock stand.
func (l *lockedMbox) ReadAt(p []byte, off int64) (int, error) {
	if err := l.atWork(); err != nil {
		return 0, err
	}
	return l.f.ReadAt(p, off)
}

// WriteAt writes to the mbox.
func (l *lockedMbox) WriteAt(p []byte, off int64) (int, error) {
	if err := l.atWork(); err != nil {
		return 0, err
	}
	return l.f.WriteAt(p, off)
}

// atWork tells others, now and then, that the dot lock is not left behind. Behind a pause in which nobody could
// be told, such as after SIGSTOP, it may be another's.
func (l *lockedMbox) atWork() error {
	now := time.Now()
	if l.dot == nil || now.Sub(l.touched) <= touchDotLock {
		return nil
	}
	if err := l.held(); err != nil {
		return err
	}
	l.dot.touch()
	l.touched = now
	return nil
}

// held tells whether the dot lock, if there was one, is ours still. What another program writes that has
// taken it over stands where this one is about to write or to cut.
func (l *lockedMbox) held() error {
	if l.dot != nil && !l.dot.held() {
		return fmt.Errorf("dot lock: %w", errTakenOver)
	}
	return nil
}

// truncate cuts the mbox to this size, for good.
func (l *lockedMbox) truncate(size int64) error {
	if err := l.held(); err != nil {
		return err
	}
	if err := l.f.Truncate(size); err != nil {
		return err
	}
	return l.f.Sync()
}
