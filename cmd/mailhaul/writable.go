package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mayWrite tells whether files can be made in a directory or, if it is missing, it in what there
// is of the path to it. It makes nothing.
func mayWrite(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return &fs.PathError{Op: "write to", Path: dir, Err: unix.ENOTDIR}
		case err == nil:
			// The rights of the effective user count, and root is refused by a disk that is
			// mounted for reading.
			if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
				return &fs.PathError{Op: "write to", Path: dir, Err: err}
			}
			return nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
}
