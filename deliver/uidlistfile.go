package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// staleUidlistLock is Dovecot's rule for the lock of its list.
const staleUidlistLock = 2 * time.Minute

// errTakenOver says that a lock was lost: Dovecot overrides one that stands for too long.
var errTakenOver = errors.New("the lock was taken over by another program")

// A uidlistFile is the dovecot-uidlist of a maildir, locked. While it is, Dovecot gives no UID to a
// message that it sees for the first time.
type uidlistFile struct {
	path    string
	access  access // of a list that is made
	places  *places
	dot     *dotLock
	touched time.Time
}

// lockUidlist takes the lock as Dovecot does, dovecot-uidlist.lock, and waits for it.
func (d *Maildir) lockUidlist(ctx context.Context) (*uidlistFile, error) {
	u := &uidlistFile{path: d.path("dovecot-uidlist"), access: d.access, places: &d.places}
	err := patiently(ctx, "maildir "+d.dir, d.timeout, func() (err error) {
		if u.dot, err = newDotLock(u.path+".lock", thisProcess().forDovecot(), staleUidlistLock); err != nil {
			return fmt.Errorf("dovecot-uidlist.lock: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	u.touched = time.Now()
	return u, nil
}

// atWork tells Dovecot, now and then, that the lock is not left behind.
func (u *uidlistFile) atWork() {
	if now := time.Now(); now.Sub(u.touched) > touchDotLock {
		u.touched = now
		u.dot.touch()
	}
}

// add puts the wanted records into the list and makes it durable. The list is replaced as a whole,
// as Dovecot does when it compresses it, so that a reader sees the old one or the new one. The error
// matches ErrUidlist if the list is not one; it stays as it is then.
func (u *uidlistFile) add(wanted []uidRecord) (err error) {
	defer func() {
		if err != nil && !errors.Is(err, errTakenOver) {
			if errors.Is(err, ErrUidlist) {
				err = fmt.Errorf("%w: %w", ErrCreate, err)
			}
			err = fmt.Errorf("dovecot-uidlist: %w", err)
		}
	}()
	var old io.ReadSeeker
	var info fs.FileInfo
	f, err := os.OpenFile(u.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case err == nil:
		defer f.Close()
		if info, err = f.Stat(); err != nil {
			return err
		}
		if err := checkFile(info); err != nil {
			return err
		}
		old = f
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	l := &uidlist{next: 1}
	if old != nil {
		if l, err = readUidlist(old, wanted); err != nil {
			return err
		}
		if _, err := old.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	u.places.give(l.order, wanted)
	return u.replace(info, func(w *bufio.Writer) error {
		return l.write(w, old, wanted, uint32(time.Now().Unix()))
	})
}

// replace writes the list anew and puts it in the place of the one that info is of, nil for none.
func (u *uidlistFile) replace(info fs.FileInfo, write func(*bufio.Writer) error) error {
	// Under the lock nobody else has a file of this name, so one that is there was left behind.
	temp := u.path + ".mailhaul"
	os.Remove(temp)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(bufio.NewWriterSize(f, 64<<10))
	if err == nil {
		err = u.access.like(f, info)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if !u.dot.held() {
			err = errTakenOver
		} else {
			err = os.Rename(temp, u.path)
		}
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return SyncDir(filepath.Dir(u.path))
}

// addSurely is add until it was done under the lock from beginning to end. u may be another file
// then: the lock is taken anew.
func (d *Maildir) addSurely(ctx context.Context, u *uidlistFile, wanted []uidRecord) (*uidlistFile, error) {
	for range 3 {
		err := u.add(wanted)
		if !errors.Is(err, errTakenOver) {
			return u, err
		}
		u.dot.unlock() // closes it: it is not ours
		again, err := d.lockUidlist(ctx)
		if err != nil {
			return u, err
		}
		u = again
	}
	return u, &Error{Target: "maildir " + d.dir, Err: fmt.Errorf("dovecot-uidlist: %w", errTakenOver), Temporary: true}
}
