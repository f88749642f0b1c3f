package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mailhaul/deliver"
)

// A replacement is a file that is to take the place of another: whoever reads that sees the whole of
// the old or the new one, whenever the program dies. One of save and discard must be called.
type replacement struct {
	*os.File
	path string
}

// replace begins a file that save puts in place of path, readable and writable by us alone. tmp is its
// name until then, in the same directory: a fixed one is for those who hold a lock, since what stands there
// is of a crash, and removed; "" makes up one. What is no file, as a pipe or a device, stays what it is.
func replace(path, tmp string) (*replacement, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("not a file")}
	}
	var f *os.File
	var err error
	if tmp == "" {
		f, err = os.CreateTemp(filepath.Dir(path), ".mailhaul-*")
	} else {
		// Whoever else may write to the directory could have put a link there, to a file that root
		// may write.
		syscall.Unlink(tmp)
		f, err = os.OpenFile(tmp, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	}
	if err != nil {
		var of *fs.PathError
		if errors.As(err, &of) {
			of.Path = path // the other name tells nobody anything
		}
		return nil, err
	}
	return &replacement{f, path}, nil
}

// discard leaves the old file as it is.
func (r *replacement) discard() {
	r.Close()
	os.Remove(r.Name())
}

// save puts the file in its place, with its mode whatever the umask. nil means that it is on the disk.
func (r *replacement) save(mode fs.FileMode) error {
	err := errors.Join(r.Chmod(mode), r.Sync(), r.Close())
	if err == nil {
		err = os.Rename(r.Name(), r.path)
	}
	if err != nil {
		os.Remove(r.Name())
		return err
	}
	return deliver.SyncDir(filepath.Dir(r.path))
}
