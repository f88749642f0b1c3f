package state

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// load reads the file. want is the identity that it must have, nil for any.
func (f *File) load(want *Identity) error {
	f.real = f.path
	if real, err := filepath.EvalSymlinks(f.path); err == nil {
		f.real = real
	}
	flags := os.O_RDWR
	if f.readOnly {
		flags = os.O_RDONLY
	}
	var memo memo
	if f.lock != nil {
		memo = f.lock.recall()
	} else {
		memo = peekMemo(lockPath(f.path))
	}
	file, err := openFile(f.real, flags)
	if errors.Is(err, fs.ErrNotExist) {
		if there, err := os.Lstat(f.path); err == nil && there.Mode()&fs.ModeSymlink != 0 {
			// Its disk is not mounted, perhaps. Nobody makes a link to begin anew.
			return fmt.Errorf("state file %q: %w: it is a link to a file that does not exist", f.path, ErrUnreadable)
		}
		f.isNew = true
		f.seq = memo.seq
		if want != nil {
			f.id = *want
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	f.file = file
	// A reader without the lock may see half of a write, which looks like damage. Damage stays, also when nobody
	// has the file open.
	for begun, changed := time.Now(), time.Now(); ; {
		was := f.info
		if f.info, err = file.Stat(); err != nil {
			return fmt.Errorf("state file: %w", err)
		}
		var text io.Reader = io.NewSectionReader(file, 0, f.info.Size())
		if was != nil { // at once: a writer may be faster than sense is made of the lines
			b := make([]byte, f.info.Size())
			n, _ := file.ReadAt(b, 0)
			text = bytes.NewReader(b[:n])
		}
		ld := newLoader(f, memo, want)
		err := ld.read(text)
		if err == nil {
			err = ld.finish()
		}
		f.before = f.newest
		now := time.Now()
		if was != nil && (was.Size() != f.info.Size() || !was.ModTime().Equal(f.info.ModTime())) {
			changed = now
		}
		if !f.readOnly || err == nil && !f.damaged || now.Sub(changed) > halfAWrite && !inUse(f.path) || now.Sub(begun) > manyWrites {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// For so long what looks like damage is read again; the longer while the file goes on changing, or a run has it:
// a write may wait for the disk in its midst, and the next one follows at once. The lock of a run on another host
// is not always seen.
const (
	halfAWrite = 20 * time.Millisecond
	manyWrites = 5 * time.Second
)

var errNotRegular = fmt.Errorf("%w: it is not a regular file", ErrUnreadable)

// openFile opens a file that exists. What is no file is not opened: a named pipe would wait for its other end.
func openFile(name string, flags int) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	return os.OpenFile(name, flags, 0)
}

// A loader holds what is only of interest while a file is read.
type loader struct {
	f    *File
	memo memo
	want *Identity
	line line
	rec  record
	told notices

	number   int    // of the line in the file
	offset   int64  // of the line
	content  int    // lines that are no comments
	header   bool   // the first line was read
	headWhy  string // why it could not be
	mended   bool   // … and has no checksum: the whole file may be made by hand
	sealed   int    // lines with a right checksum
	closed   bool   // an end mark was read, and no sealed line since
	marked   bool   // the last sealed line is a Begin
	holed    bool   // numbers are missing since the last Begin
	trailing bool   // comments stand behind the end mark
	torn     bool   // the last line has no line end
	zeros    bool   // nothing but zeros so far
	explains int    // lines dropped or without number since the last numbered one
	pending  []pend // lines without checksum that are not yet trusted
}

// A pend is a line without checksum. It counts once a sealed line follows, or if the end mark
// came before it: else it may be the beginning of one of our own lines over the rest of an end mark.
type pend struct {
	number int
	text   []byte
}

func newLoader(f *File, m memo, want *Identity) *loader {
	f.id, f.newest, f.open, f.seq, f.lines = Identity{}, never, nil, 0, 0
	f.bad, f.damage, f.damaged, f.doubt = nil, nil, false, nil
	f.table = table{first: map[string]int32{}}
	f.notes = map[string]note{}
	return &loader{f: f, memo: m, want: want, zeros: true, headWhy: "there is none"}
}

// read takes the file line by line. All that is not at once fatal is for finish to judge.
func (ld *loader) read(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	ld.makeRoom(br)
	var long []byte
	for {
		b, err := br.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			if len(long) <= maxLine {
				long = append(long, b...)
			}
			ld.offset += int64(len(b))
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("state file %q: %w", ld.f.path, err)
		}
		text := b
		if len(long) > 0 {
			text = append(long, b...)
			long = nil
		}
		if len(text) > 0 {
			ld.number++
			start := ld.offset
			ld.offset += int64(len(b))
			if end := len(text) - 1; text[end] == '\n' {
				text = text[:end]
			} else {
				ld.torn = true
			}
			if err := ld.take(text, start); err != nil {
				return err
			}
		}
		if err == io.EOF {
			ld.f.size, ld.f.lines = ld.offset, ld.number
			return nil
		}
	}
}

// makeRoom sizes the table by the length of the first lines: one that grows under way touches two
// or three times the memory.
func (ld *loader) makeRoom(br *bufio.Reader) {
	begin, _ := br.Peek(64 << 10)
	lines := int64(bytes.Count(begin, []byte("\n")))
	if lines == 0 {
		return
	}
	n := int(min(ld.f.info.Size()*lines/int64(len(begin))*9/8, 1<<20))
	ld.f.table = table{first: make(map[string]int32, n), slots: make([]slot, 0, n)}
}

// take reads one line.
func (ld *loader) take(text []byte, start int64) error {
	if ld.zeros {
		if len(bytes.TrimLeft(text, "\x00")) > 0 {
			ld.zeros = false
		}
	}
	text = bytes.TrimSuffix(text, []byte("\r")) // some editors
	if len(text) == 0 || text[0] == '#' {
		ld.trailing = ld.closed
		return nil // a comment, or nothing
	}
	ld.content++
	if len(text) > maxLine && ld.content > 1 {
		ld.reject(text[:maxLine], "it is too long")
		return nil
	}
	why := ld.line.parse(text)
	if ld.content == 1 {
		return ld.first(text, start, why)
	}
	if why != "" {
		if ld.torn {
			why = "it was not written to its end"
		}
		ld.reject(text, why)
		return nil
	}
	if !ld.line.sealed {
		if ld.torn && !ld.mended {
			ld.reject(text, "it was not written to its end")
		} else if ld.line.key == stateKey || ld.line.key == lockKey {
			ld.reject(text, notRecord)
		} else {
			ld.pending = append(ld.pending, pend{ld.number, bytes.Clone(text)})
		}
		return nil
	}
	for len(ld.pending) > 0 {
		ld.settle(true)
		ld.line.parse(text) // again: settle used the same line
	}
	ld.sealed++
	ld.numbered(text, start)
	return nil
}

// first reads the first line, which says whose state it is. why tells that it is no record.
func (ld *loader) first(text []byte, start int64, why string) error {
	l := &ld.line
	if why == "" && l.key != stateKey && l.sealed {
		ld.headWhy = "it is missing"
		ld.sealed++
		ld.numbered(text, start)
		return nil
	}
	if why == "" && l.key != stateKey {
		why = "it is another record"
	}
	if why == "" && ld.torn && !l.sealed {
		why = "it was not written to its end"
	}
	if why != "" {
		ld.headWhy = why
		ld.keep(text)
		return nil
	}
	id, ok := identity(l.fields)
	if version := string(l.fields[0].value); version != "1" {
		return fmt.Errorf("state file %q: %w: its format %q is of a newer version", ld.f.path, ErrUnreadable, version)
	}
	if !ok {
		return fmt.Errorf("state file %q: %w: its first line does not name host and user", ld.f.path, ErrUnreadable)
	}
	ld.header, ld.f.id = true, id
	ld.f.seq = l.seq // 0 if a hand has left it out: then the next number is taken as it is
	if l.sealed {
		ld.sealed++
	} else {
		ld.mended = true
		ld.told.mended = append(ld.told.mended, ld.number)
	}
	return nil
}
