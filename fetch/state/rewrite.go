package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	suffix         = ".uidl"
	rejectedSuffix = ".rejected"
	newSuffix      = ".new"

	// compactSize is the size below which a file is not worth compacting, in octets.
	compactSize = 64 << 10
)

// compact rewrites a file that is more than half stale lines. If it cannot, the file is as good as
// before: only what must be written is allowed to fail.
func (f *File) compact() {
	live := 2 + f.table.live + len(f.notes)
	if f.file == nil || f.damaged || f.size < compactSize || f.lines < 2*live {
		return
	}
	if f.writable() == nil {
		_ = f.rewrite() // what matters of a failure, a new file that may not stay, is in f.err
	}
}

// rewrite puts a file with only what counts in the place of the old one, which stays until the
// new one is complete and on disk. Line numbers go on where the old ones ended: the numbers of one
// account's state only grow.
func (f *File) rewrite() error {
	tmp := f.real + newSuffix
	next, err := f.writeNew(tmp)
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("state file %q: %w", f.path, err)
	}
	if err := os.Rename(tmp, f.real); err != nil {
		next.file.Close()
		os.Remove(tmp)
		return fmt.Errorf("state file %q: %w", f.path, err)
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.info, f.size, f.tail = next.file, next.info, next.size, next.tail
	f.seq, f.lines = next.seq, next.lines
	f.damaged, f.bad = false, nil
	if err := syncDir(filepath.Dir(f.real)); err != nil {
		return f.fail(err)
	}
	f.synced = f.seq
	f.lock.remember(f.id, f.seq)
	return nil
}

// writeNew writes the live lines to a new file, and those that were dropped to PATH.rejected.
func (f *File) writeNew(tmp string) (*File, error) {
	if len(f.bad) > 0 {
		if err := appendSynced(f.real+rejectedSuffix, f.bad); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if f.info != nil {
		err = file.Chmod(f.info.Mode().Perm()) // whatever the user has chosen
	}
	next := &File{file: file}
	if err == nil {
		err = f.writeLive(next)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		next.info, err = file.Stat()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return next, nil
}

func (f *File) writeLive(next *File) error {
	w := bufio.NewWriterSize(next.file, 64<<10)
	b := batch{seq: f.seq}
	flush := func() {
		w.Write(b.buf) // the Writer keeps its first error for Flush
		next.size += int64(len(b.buf))
		b.buf = b.buf[:0]
	}
	b.identity(stateKey+"=1", f.id)
	flush()
	for name, n := range f.notes {
		b.note(name, n)
		flush()
	}
	for i := range f.table.slots {
		if s := &f.table.slots[i]; s.status != statusNone {
			b.entry(s)
			flush()
		}
	}
	next.tail, next.seq = next.size, b.seq
	b.mark(f.open)
	flush()
	if f.open != nil {
		next.tail, next.seq = next.size, b.seq
	}
	next.lines = int(next.seq - f.seq)
	return w.Flush()
}

func appendSynced(path string, b []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncDir makes a change of names durable. Some file systems know no sync of a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// makeDir makes a directory and its parents, private, and durable: a state that vanishes with its
// directory in a power cut would have everything delivered again.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if info, serr := os.Stat(dir); serr == nil && info.IsDir() {
			return nil // another account's run was faster
		}
		return err
	}
	return syncDir(parent)
}
