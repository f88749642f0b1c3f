package deliver

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strconv"
)

// An ownEntry is an entry of the run that is looked for. receipt is of a whole one.
type ownEntry struct {
	start, end int64
	whole      bool
	receipt    Receipt
}

// Find looks for the messages of an interrupted run, under the locks: from the hint where it still
// fits, else in all of the mbox. What that run left of an entry is cut off, so that the message can
// come again. But where the hint no longer fits, somebody else has rewritten the mbox, and what
// looks torn may be a recorded message that was changed: then nothing is cut.
func (m *Mbox) Find(begin Begin) ([]Receipt, error) {
	if len(begin.Nonce) != nonceLen || !isHex([]byte(begin.Nonce)) {
		return nil, nil
	}
	l, err := m.open(context.Background(), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, m.failed(err)
	}
	receipts, err := m.find(l, begin)
	if err = errors.Join(err, l.close()); err != nil {
		return nil, m.failed(err)
	}
	return receipts, nil
}

func (m *Mbox) find(l *lockedMbox, begin Begin) ([]Receipt, error) {
	from, fits, err := l.resume(begin.Hint)
	if err != nil {
		return nil, err
	}
	s := &search{r: l, from: from, size: l.size, nonce: begin.Nonce, buf: make([]byte, mboxBuffer)}
	if err := s.entries(); err != nil {
		return nil, err
	}
	end := l.size
	if fits || begin.Hint == "" {
		if end, err = s.torn(); err != nil {
			return nil, err
		}
	}
	if end < l.size {
		if err := l.truncate(end); err != nil {
			return nil, err
		}
	}
	var receipts []Receipt
	seen := make(map[string]bool)
	for _, e := range s.found {
		if e.whole && e.start < end && !seen[e.receipt.ID] {
			seen[e.receipt.ID] = true
			e.receipt.Where = m.path
			receipts = append(receipts, e.receipt)
		}
	}
	// The run that wrote them may have died before it synced them.
	if end < l.size || len(receipts) > 0 {
		if err := errors.Join(l.f.Sync(), m.syncName(false)); err != nil {
			return nil, err
		}
	}
	tail, err := readTail(l.f, end)
	if err != nil {
		return nil, err
	}
	m.hint = makeHint(l.info, end, tail)
	return receipts, nil
}

// A search goes through an mbox from an offset on.
type search struct {
	r          io.ReaderAt
	from, size int64
	nonce      string
	buf        []byte
	found      []ownEntry // in the order of the file
	also       io.Writer  // gets what digest reads, if not nil
}

// entries finds all entries of the run. The nonce is what is looked for: nobody else knows it.
func (s *search) entries() error {
	word := []byte(" id " + s.nonce)
	for pos := s.from; ; {
		at, err := s.index(word, pos, s.size)
		if err != nil || at < 0 {
			return err
		}
		pos = at + int64(len(word))
		start, ok, err := s.entryAround(at)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		e, err := s.entry(start)
		if err != nil {
			return err
		}
		if e.whole {
			pos = e.end
		}
		s.found = append(s.found, e)
	}
}

// index returns where in [from, to) word stands first, -1 if it does not.
func (s *search) index(word []byte, from, to int64) (int64, error) {
	for from < to {
		n, err := s.read(s.buf, from, to)
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(s.buf[:n], word); i >= 0 {
			return from + int64(i), nil
		}
		if from+int64(n) >= to {
			break
		}
		from += int64(n - len(word) + 1)
	}
	return -1, nil
}

// read fills p from the offset from on, not beyond to.
func (s *search) read(p []byte, from, to int64) (int, error) {
	p = p[:max(0, min(int64(len(p)), to-from))]
	n, err := s.r.ReadAt(p, from)
	if n == len(p) {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // it was longer when it was locked
	}
	return n, err
}

// entryStartLen bounds a From_ line with a trace field behind it.
const entryStartLen = 16 << 10

// entryAround returns where the entry begins whose trace field has the delivery id at an offset.
func (s *search) entryAround(at int64) (start int64, ok bool, err error) {
	first := max(at-entryStartLen, 0)
	p := make([]byte, at-first)
	if _, err := s.read(p, first, at); err != nil {
		return 0, false, err
	}
	line := bytes.LastIndexByte(p, '\n') + 1 // of the trace field
	if line == 0 {
		return 0, false, nil
	}
	from := bytes.LastIndexByte(p[:line-1], '\n') + 1
	start = first + int64(from)
	if start < s.from || !begins(p[:from], first) {
		return 0, false, nil
	}
	head := make([]byte, entryStartLen)
	n, err := s.read(head, start, s.size)
	if err != nil {
		return 0, false, err
	}
	return start, ownStart(head[:n], s.nonce) == startWhole, nil
}

// begins tells whether an entry may begin behind before, which starts at an offset: behind an empty
// line, or at the beginning of the file.
func begins(before []byte, offset int64) bool {
	if offset == 0 && len(before) < 2 {
		return len(before) == 0 || before[0] == '\n'
	}
	return bytes.HasSuffix(before, []byte("\n\n"))
}

// entry reads the entry at an offset, where one of the run begins, and tells whether it is whole: as
// long as its trace field says, with the text that has the hash there, and an empty line behind it.
func (s *search) entry(start int64) (ownEntry, error) {
	e := ownEntry{start: start}
	head := make([]byte, entryStartLen)
	n, err := s.read(head, start, s.size)
	if err != nil {
		return e, err
	}
	head = head[:n]
	from := bytes.IndexByte(head, '\n') + 1
	length, id := ownTrace(head[from:], s.nonce)
	field := head[from : from+length]
	octets, sum, ok := announced(field, id)
	if length == 0 || !ok || bytes.IndexByte(head[:from+length], 0) >= 0 {
		return e, nil
	}
	text := start + int64(from+length)
	if octets > s.size-text-1 {
		return e, nil
	}
	e.end = text + octets + 1
	var last [1]byte
	if _, err := s.read(last[:], e.end-1, e.end); err != nil || last[0] != '\n' {
		return e, err
	}
	d, whole, err := s.announcedDigest(text, octets, sum, false)
	if err != nil {
		return e, err
	}
	e.whole = whole
	e.receipt = d.receipt(id, "")
	return e, nil
}

// announced reads what announce has put into a trace field.
func announced(field []byte, id string) (octets int64, sum [32]byte, ok bool) {
	_, rest, ok := bytes.Cut(field, []byte(" id "+id+" ("))
	if !ok || id == "" {
		return 0, sum, false
	}
	comment, _, ok := bytes.Cut(rest, []byte(")"))
	if !ok {
		return 0, sum, false
	}
	number, digits, ok := bytes.Cut(comment, []byte(" octets, sha256 "))
	octets, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || err != nil || octets < 0 || len(digits) != hex.EncodedLen(len(sum)) {
		return 0, sum, false
	}
	_, err = hex.Decode(sum[:], digits)
	return octets, sum, err == nil
}
