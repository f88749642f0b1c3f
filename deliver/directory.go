package deliver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// SyncDir makes the entries of a directory durable. File systems that know no such thing (EINVAL,
// ENOTSUP: CIFS, some of FUSE) are taken to do it without being asked.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncOpenDir(f), f.Close())
}

func syncOpenDir(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// makeDir makes dir and those of its parents that are missing, for whom a says, and makes the whole
// path to it durable. Existing parents are synced too: a run that was killed may have made them and
// not have come to the sync.
func makeDir(dir string, a access) error {
	err := mkdir(dir, a)
	parent := filepath.Dir(dir)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) && parent != dir:
		if err := makeDir(parent, a); err != nil {
			return err
		}
		if err := mkdir(dir, a); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return SyncDir(parent)
	default:
		// Whatever Mkdir says of a directory that exists (EEXIST, EROFS, EACCES).
		if serr := isDir(dir); serr != nil {
			if errors.Is(serr, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
				return err
			}
			return serr
		}
	}
	return syncParents(dir)
}

// mkdir makes one directory.
func mkdir(dir string, a access) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return a.directory(dir)
}

// syncParents makes the path to dir durable, as far as its directories may be read: those that
// may not were not made by this program.
func syncParents(dir string) error {
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		if err := SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// isDir tells what is wrong with dir, if it is not a directory. Symbolic links are followed.
func isDir(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	return nil
}

// mayMake tells whether files can be made in dir, to which there must be access in the given mode, or,
// if it is missing and create is set, in what there is of the path to it.
func mayMake(dir string, create bool, mode uint32) error {
	for {
		err := isDir(dir)
		if err == nil {
			return mayAccess(dir, mode)
		}
		parent := filepath.Dir(dir)
		if !create || !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
}

// mayAccess asks for this process as it runs (effective user and group).
func mayAccess(path string, mode uint32) error {
	if err := unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "write to", Path: path, Err: err}
	}
	return nil
}
