package deliver

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Check tells whether messages could be delivered now, and changes nothing. The error matches
// ErrCreate if not.
func (d *Maildir) Check() error {
	dirs := []string{d.path("tmp"), d.path("new"), d.path("cur")}
	if d.uidl == DovecotUIDL {
		dirs = append(dirs, d.dir) // where dovecot-uidlist is
	}
	for _, p := range dirs {
		if err := d.mayUse(p); err != nil {
			return d.failed(err)
		}
	}
	return nil
}

// mayUse tells whether files can be made in dir, or, if it is missing and may be made, dir in
// what there is of the path to it.
func (d *Maildir) mayUse(dir string) error {
	for {
		err := isDir(dir)
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if !d.create || !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}
