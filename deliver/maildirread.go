package deliver

import (
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// readPasses bounds how often a maildir is gone through that others change meanwhile.
const readPasses = 5

// Stored reads new/ and cur/ of the maildir, and of the folders in it (Maildir++ has them as
// .NAME, others as NAME), since readers move mail there; of a maildir that is such a folder, all of
// those beside it as well. Symbolic links are not followed. While something was moved meanwhile, it
// is looked for again; each message comes once all the same.
func (d *Maildir) Stored(wanted func(size int64) bool) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		if err := d.look(); err != nil {
			yield(Stored{}, d.failed(err))
			return
		}
		r := &maildirReader{wanted: wanted, seen: make(map[fileKey]struct{}), seed: maphash.MakeSeed(), buf: make([]byte, 64<<10),
			xuidl: d.uidl == HeaderUIDL}
		root := d.dir
		if d.folder {
			root = filepath.Dir(d.dir)
		}
		var before map[string]time.Time
		for range readPasses {
			r.missed, r.dirs = false, make(map[string]time.Time)
			if err := r.folder(root, yield); err != nil {
				if !errors.Is(err, errEnough) {
					yield(Stored{}, d.failed(err))
				}
				return
			}
			same := before == nil || maps.EqualFunc(before, r.dirs, time.Time.Equal)
			if !r.missed && same && r.unchanged() {
				return
			}
			before = r.dirs
		}
	}
}

// errEnough says that the caller wants no more.
var errEnough = errors.New("enough")

// A maildirReader goes through a maildir and its folders.
type maildirReader struct {
	wanted func(size int64) bool
	seen   map[fileKey]struct{}
	seed   maphash.Seed
	dirs   map[string]time.Time // new/ and cur/ that were read, with the time of their last change before
	buf    []byte
	xuidl  bool // our messages are as HeaderUIDL makes them
	missed bool // a name was gone when it was to be opened
}

// A fileKey is of a message that may be renamed while the maildir is read, by its flags or into
// cur/. The name is part of it, without the flags, because of readers that copy by a hard link.
type fileKey struct{ dev, ino, name uint64 }

// folder reads new/, then cur/, the direction in which readers move messages; then the folders.
func (r *maildirReader) folder(dir string, yield func(Stored, error) bool) error {
	for _, sub := range []string{"new", "cur"} {
		path := filepath.Join(dir, sub)
		changed := modTime(path)
		names, err := readNames(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // in a maildir that is still to be made, or a directory that is none
		}
		if err != nil {
			return err
		}
		r.dirs[path] = changed
		for _, name := range names {
			if strings.HasPrefix(name, ".") {
				continue // no message (https://cr.yp.to/proto/maildir.html)
			}
			if err := r.file(filepath.Join(path, name), yield); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && name != "new" && name != "cur" && name != "tmp" {
			if err := r.folder(filepath.Join(dir, name), yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// unchanged tells whether no directory has changed since before it was read.
func (r *maildirReader) unchanged() bool {
	for dir, changed := range r.dirs {
		if !modTime(dir).Equal(changed) {
			return false
		}
	}
	return true
}

// file yields one message, if it is wanted and did not come before.
func (r *maildirReader) file(path string, yield func(Stored, error) bool) error {
	f, info, err := openStored(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.missed = true
		return nil
	case errors.Is(err, errIrregular):
		return nil
	case err != nil:
		return err
	}
	defer f.Close()
	if !r.first(info, path) {
		return nil
	}
	s, ok, err := r.read(f, info.Size(), path)
	if err != nil {
		return err
	}
	if ok && !yield(s, nil) {
		return errEnough
	}
	return nil
}

// first tells whether the file comes for the first time.
func (r *maildirReader) first(info fs.FileInfo, path string) bool {
	base, _, _ := strings.Cut(filepath.Base(path), ":")
	key := fileKey{name: maphash.String(r.seed, base)}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		key.dev, key.ino = uint64(st.Dev), uint64(st.Ino)
	}
	_, again := r.seen[key]
	r.seen[key] = struct{}{}
	return !again
}

// read reads a message, but only its beginning if that shows that it is not wanted.
func (r *maildirReader) read(f *os.File, size int64, path string) (s Stored, ok bool, err error) {
	first, n, id, err := readFirst(f, "")
	if err != nil {
		return s, false, err
	}
	if name := ownName(filepath.Base(path)); name != "" && name != id {
		id, n = name, 0 // received = false: a trace field, if there is one, is the message's own
	}
	s = Stored{ID: id, Where: path}
	s.From, s.For = whose(first[:n])
	if s.ID == "" && !r.wanted(size-int64(n)) {
		return s, false, nil
	}
	var h hasher
	h.reset()
	var mid messageID
	w := original(io.MultiWriter(&h, &mid), first[n:], r.xuidl && s.ID != "")
	if _, err := io.CopyBuffer(w, struct{ io.Reader }{f}, r.buf); err != nil {
		return s, false, err
	}
	w.finish()
	s.Digest, s.MessageID = h.digest(), mid.value()
	return s, true, nil
}
