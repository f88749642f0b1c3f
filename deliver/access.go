package deliver

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// An Owner is whom files are given to. -1 leaves the one as it would be.
type Owner struct{ UID, GID int }

// An access says who may use what is made. The zero value: this user alone.
type access struct {
	mode  fs.FileMode // of files; 0 is 0600
	owner *Owner      // nil: nobody is given anything
}

// file gives a file that was just made its mode and owner.
func (a access) file(f *os.File) error {
	if a.mode != 0 {
		if err := f.Chmod(a.mode); err != nil { // the umask has no part in it
			return err
		}
	}
	if a.owner == nil {
		return nil
	}
	return f.Chown(a.owner.UID, a.owner.GID)
}

// dirMode is the mode of directories: who may read a file may pass, and its owner may all.
func (a access) dirMode() fs.FileMode { return 0o700 | a.mode | a.mode&0o444>>2 }

// directory gives a directory that was just made its mode and owner. It is taken by its name without
// following a link: by now its owner may have put one there.
func (a access) directory(path string) error {
	if a.mode == 0 && a.owner == nil {
		return nil
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if a.mode != 0 {
		if err := f.Chmod(a.dirMode()); err != nil {
			return err
		}
	}
	if a.owner == nil {
		return nil
	}
	return f.Chown(a.owner.UID, a.owner.GID)
}

// mend gives a directory of the maildir, which is not yet in use, to its owner, where the run that
// made it was killed in between: it is still this program's.
func (a access) mend(path string) error {
	if a.owner == nil || a.owner.UID < 0 {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) == os.Geteuid() && int(st.Uid) != a.owner.UID {
		return a.directory(path)
	}
	return nil
}

// like gives f the mode and owner of the file that it is to replace, or those of a new one.
func (a access) like(f *os.File, info fs.FileInfo) error {
	if info == nil {
		return a.file(f)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		err := f.Chown(int(st.Uid), int(st.Gid))
		if errors.Is(err, fs.ErrPermission) {
			// It may be of a group that this user is in. If not, Dovecot does without, too.
			err = f.Chown(-1, int(st.Gid))
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.Chmod(info.Mode().Perm())
}
