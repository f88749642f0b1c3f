package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
)

// Stored reads the mbox, under its locks, from its beginning to its end. An entry of ours is as long
// as its trace field says, if its text is what that announces; any other ends before the next line
// that begins with "From " behind an empty one. What mail readers add to the header to note what
// was read does not count as a change of the text.
func (m *Mbox) Stored(wanted func(size int64) bool) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		l, err := m.open(context.Background(), false)
		if errors.Is(err, fs.ErrNotExist) && m.create {
			return
		}
		if err != nil {
			yield(Stored{}, m.failed(err))
			return
		}
		s := &search{r: l, size: l.size, buf: make([]byte, mboxBuffer)}
		err = s.all(func(e Stored) bool {
			e.Where = m.path
			return e.ID == "" && !wanted(e.Size) || yield(e, nil)
		})
		enough := errors.Is(err, errEnough)
		if enough {
			err = nil
		}
		// That a lock stays is told even then.
		if err = errors.Join(err, l.close()); err != nil && !enough {
			yield(Stored{}, m.failed(err))
		}
	}
}

// all calls take for each entry, in the order of the file.
func (s *search) all(take func(Stored) bool) error {
	start, ok, err := s.firstEntry()
	for ok && err == nil {
		var e Stored
		var next int64
		if e, next, err = s.stored(start); err != nil {
			break
		}
		if !take(e) {
			return errEnough
		}
		for start = next; start < s.size; start++ { // further empty lines
			var c [1]byte
			if _, err := s.read(c[:], start, s.size); err != nil {
				return err
			}
			if c[0] != '\n' {
				break
			}
		}
		ok = start < s.size
	}
	return err
}

// firstEntry finds where the first entry begins: some mboxes have empty lines or other text in front.
func (s *search) firstEntry() (start int64, ok bool, err error) {
	head := make([]byte, len(fromText))
	n, err := s.read(head, 0, s.size)
	if err != nil || string(head[:n]) == fromText {
		return 0, n > 0, err
	}
	at, err := s.index([]byte("\n"+fromText), 0, s.size)
	return at + 1, at >= 0, err
}

// stored reads the entry at an offset, and tells where the next may begin.
func (s *search) stored(start int64) (e Stored, next int64, err error) {
	e.Offset = start
	head := make([]byte, entryStartLen)
	n, err := s.read(head, start, s.size)
	if err != nil {
		return e, 0, err
	}
	head = head[:n]
	from := bytes.IndexByte(head, '\n') + 1
	if from == 0 && start+int64(n) == s.size {
		from = n // a torn From_ line
	}
	length, id := ownTrace(head[from:], "")
	field := head[from : from+length]
	e.ID = id
	e.From, e.For = whose(field)
	var mid messageID
	s.also = &mid
	defer func() { s.also = nil }()
	if id != "" {
		own, err := s.entry(start)
		if err != nil {
			return e, 0, err
		}
		if own.whole {
			r := own.receipt
			e.Digest, e.MessageID = Digest{r.Size, r.Head, r.Sum}, mid.value()
			return e, own.end, nil
		}
	}
	text := start + int64(from+length)
	end, next, err := s.textEnd(text)
	if err != nil {
		return e, 0, err
	}
	mid, s.also = messageID{}, &mid
	if e.Digest, err = s.digest(text, end-text, nil, false); err != nil {
		return e, 0, err
	}
	e.MessageID = mid.value()
	s.also = nil
	if _, sum, announced := announced(field, id); announced && e.Sum != sum {
		d, ok, err := s.announcedDigest(text, end-text, sum, true)
		if err != nil {
			return e, 0, err
		}
		if e.Altered = !ok; ok {
			e.Digest = d
		}
	}
	return e, next, nil
}

// textEnd finds where the text at an offset ends that is not known to be as long as it was, and
// where the next entry may begin: the empty line between them is part of neither.
func (s *search) textEnd(text int64) (end, next int64, err error) {
	from := max(text-1, 0) // an empty text has its empty line at once
	at, err := s.index([]byte("\n\n"+fromText), from, s.size)
	if err != nil {
		return 0, 0, err
	}
	if at >= 0 {
		return max(at+1, text), at + 2, nil
	}
	tail := make([]byte, min(2, s.size-from))
	if _, err := s.read(tail, s.size-int64(len(tail)), s.size); err != nil {
		return 0, 0, err
	}
	end = s.size
	if string(tail) == "\n\n" {
		end--
	}
	return max(end, text), s.size, nil
}

// announcedDigest computes the Digest of quoted text as it was when its hash was announced: without
// what HeaderUIDL has done to it where it was done, and, with marks, without what mail readers have
// noted. ok tells whether it has that hash.
func (s *search) announcedDigest(text, octets int64, sum [32]byte, marks bool) (d Digest, ok bool, err error) {
	head := make([]byte, 2*maxFieldName)
	n, err := s.read(head, text, text+octets)
	if err != nil {
		return d, false, err
	}
	field := 0 // octets of our field in front
	if bytes.HasPrefix(head[:n], []byte(xuidlName+": ")) {
		field = bytes.IndexByte(head[:n], '\n') + 1
	}
	for _, try := range []struct{ xuidl, marks bool }{{}, {xuidl: true}, {marks: true}, {true, true}} {
		if try.xuidl && field == 0 || try.marks && !marks {
			continue
		}
		var filter *unmarker
		if try.marks {
			filter = new(unmarker)
		}
		skip := int64(0)
		if try.xuidl {
			skip = int64(field)
		}
		if d, err = s.digest(text+skip, octets-skip, filter, try.xuidl); err != nil || d.Sum == sum {
			return d, err == nil, err
		}
		s.also = nil // has seen it
	}
	return d, false, nil
}

// digest computes the Digest of quoted text. filter, if not nil, leaves some of it out; with xuidl,
// fields have the names again that HeaderUIDL has changed.
func (s *search) digest(text, octets int64, filter *unmarker, xuidl bool) (Digest, error) {
	var h hasher
	h.reset()
	w := io.Writer(&h)
	if s.also != nil {
		w = io.MultiWriter(w, s.also)
	}
	names := renamer{w: w, undo: true, body: !xuidl}
	w = &names
	if filter != nil {
		filter.w = w
		w = filter
	}
	u := unquoter{w: w}
	r := io.NewSectionReader(s.r, text, octets)
	if _, err := io.CopyBuffer(struct{ io.Writer }{&u}, struct{ io.Reader }{r}, s.buf); err != nil {
		return Digest{}, err
	}
	if err := u.finish(); err != nil {
		return Digest{}, err
	}
	if err := names.finish(); err != nil {
		return Digest{}, err
	}
	return h.digest(), nil
}
