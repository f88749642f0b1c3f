package deliver

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// prepare makes the maildir if it may, and removes stale files, before the first message.
func (d *Maildir) prepare() error {
	if d.closed {
		return fs.ErrClosed
	}
	if d.ready {
		return nil
	}
	if d.create {
		if err := d.make(); err != nil {
			return err
		}
	} else if err := d.look(); err != nil {
		return err
	}
	removeOld(d.path("tmp"), time.Now())
	d.ready = true
	return nil
}

func (d *Maildir) make() error {
	if err := makeDir(d.dir, d.access); err != nil {
		return err
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		err := mkdir(d.path(sub), d.access)
		if err == nil {
			continue
		}
		switch serr := isDir(d.path(sub)); {
		case serr != nil && errors.Is(err, fs.ErrExist):
			return serr
		case serr != nil:
			return err
		}
		if err := d.access.mend(d.path(sub)); err != nil {
			return err
		}
	}
	if err := errors.Join(d.access.mend(d.dir), d.mark()); err != nil {
		return err
	}
	return SyncDir(d.dir)
}

// mark makes the empty file by which delivery agents tell a subfolder from a maildir of its own.
func (d *Maildir) mark() error {
	if !d.folder {
		return nil
	}
	f, err := os.OpenFile(d.path("maildirfolder"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.access.file(f), f.Close())
}
