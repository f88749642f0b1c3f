package deliver

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// moveNew moves a file to a name that nothing has. An existing name is an error, never a yes: what
// has it may be anything. Where no call does that at once, hard links do, which all file systems of
// mail servers have.
func moveNew(from, to string) error {
	err := renameNoReplace(from, to)
	if lacksNoReplace(err) {
		return moveByLink(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func moveByLink(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		// What is left behind by a failure is removed when it is old.
		os.Remove(from)
		return nil
	}
	if mayLackLinks(err) {
		return moveUnlessThere(from, to)
	}
	return err
}

// moveUnlessThere is for where no call does all of it. Names have something random in them, so that
// nobody makes this one between the look and the move.
func moveUnlessThere(from, to string) error {
	_, err := os.Lstat(to)
	if err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EEXIST}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}

// mayLackLinks tells whether link failed as it does where there are no hard links: FAT says EPERM,
// FUSE ENOSYS or ENOTSUP, a security module EACCES.
func mayLackLinks(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOTSUP) ||
		errors.Is(err, syscall.EMLINK)
}

// lacksNoReplace tells whether renameat2 failed as an old kernel, or a file system that does not
// know the flag, makes it.
func lacksNoReplace(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}
