package state

import (
	"fmt"
	"strings"
)

// numbered takes a line whose checksum is right. The numbers run without a gap, so that lines that
// were cut out between two others are missed; a number that was given before is a stale copy of a
// line, which may have been replaced since.
func (ld *loader) numbered(text []byte, start int64) {
	f, l := ld.f, &ld.line
	if l.seq <= f.seq || ld.closed && l.key == "end" && l.seq == f.seq+1 {
		ld.reject(text, "its number was given before")
		return
	}
	if missing := l.seq - f.seq - 1; f.seq > 0 && missing > uint64(ld.explains) {
		ld.told.missing = append(ld.told.missing, gap{ld.number, missing - uint64(ld.explains)})
	}
	ld.explains = 0
	if ld.closed && ld.told.behindEnd == 0 {
		ld.told.behindEnd = ld.number
	}
	ld.closed, ld.marked = false, false
	ld.holed = ld.holed || f.seq > 0 && l.seq > f.seq+1
	if l.key == "end" {
		ld.closed, f.open = true, nil
		f.tail, f.seq = start, l.seq-1
		return
	}
	f.seq = l.seq
	ld.marked = l.key == "begin"
	if !ld.apply() {
		ld.reject(text, "a field of it is wrong")
	}
}

// apply does what the line says.
func (ld *loader) apply() bool {
	f, l := ld.f, &ld.line
	switch l.key {
	case "uid":
		if !ld.rec.entry(l.fields) {
			return false
		}
		s := ld.rec.slot
		if s.status == statusForgotten {
			f.table.drop(s.uid(), ld.rec.copy)
			return true
		}
		if !l.sealed && !ld.rec.hasTime {
			// Typed by hand. Without any time delete_after would find it due at once.
			s.time = f.info.ModTime().Unix()
		}
		f.put(s)
	case "note":
		name, n, ok := noteOf(l.fields)
		if !ok {
			return false
		}
		f.setNote(name, n)
	case "begin":
		b, ok := begin(l.fields)
		if !ok {
			return false
		}
		// A Record in which a power cut has left a hole does not count where its Begin tells what
		// was recorded: what is missing must be looked for as if it had not been written.
		if ld.holed && f.open != nil && f.open.Nonce == b.Nonce {
			return true
		}
		f.open, ld.holed = &b, false
	case "ended":
		f.open = nil
	default:
		return false
	}
	return true
}

func (f *File) put(s slot) {
	f.newest = max(f.newest, s.time)
	if m := s.more; m != nil {
		f.newest = max(f.newest, m.absent, m.reported)
	}
	f.table.put(s)
}

func (f *File) setNote(name string, n note) {
	f.newest = max(f.newest, n.time)
	if n.value == "" {
		delete(f.notes, name)
		return
	}
	f.notes[name] = n
}

// settle decides on the lines without a checksum that were read since the last one with it.
func (ld *loader) settle(trusted bool) {
	pending := ld.pending
	ld.pending = nil
	for _, p := range pending {
		ld.line.parse(p.text)
		ld.explains++
		key := ld.line.key
		switch {
		case key == "end" && ld.mended:
			ld.closed = true
		case !trusted || key == "end" || key == "ended" || key == "begin" || !ld.apply():
			ld.explains--
			ld.rejectAt(p.number, p.text, "it has no checksum and is no record that could be mended by hand")
		default:
			ld.told.mended = append(ld.told.mended, p.number)
		}
	}
}

// finish judges the file when all of it is read.
func (ld *loader) finish() error {
	f := ld.f
	ld.settle(ld.closed || ld.mended)
	if f.size == 0 || ld.zeros || !ld.header && ld.headTorn() {
		return ld.emptied()
	}
	if !ld.header {
		// With a record that is surely ours, and the lock file's word for whose it is, the rest
		// of the file is good. Otherwise it may be anything.
		if ld.sealed == 0 || !ld.memo.ok {
			return fmt.Errorf("state file %q: %w: whose it is cannot be told from its first line (%s); "+
				"put a copy back, or write the line by hand (%s=1 host=HOST user=USER), or move the file away to start over",
				f.path, ErrUnreadable, ld.headWhy, stateKey)
		}
		ld.told.header = ld.headWhy
		f.id = ld.memo.id
	}
	if ld.want != nil {
		if !f.id.Equal(*ld.want) {
			return &IdentityError{Path: f.path, Have: f.id, Want: *ld.want}
		}
	}
	switch {
	case f.open != nil:
		f.doubt = f.open
		ld.told.unmarked = !ld.marked // a Record ends with a Begin: part of one is missing
	case !ld.closed && !ld.mended:
		f.doubt = &Begin{}
		ld.told.unmarked = true
	}
	if !ld.closed {
		f.tail = f.size
	}
	if ld.memo.seq > f.seq {
		if !ld.mended {
			ld.told.lost = ld.memo.seq - f.seq
		}
		f.seq = ld.memo.seq
	}
	ld.told.torn = ld.torn
	f.damage = ld.told.sentences(f, ld.number)
	// Comments behind the end mark would be left half overwritten: no damage, but no place to append.
	f.damaged = len(f.damage) > 0 || ld.trailing
	return nil
}

// headTorn tells whether all there is of the file is the beginning of our own first line.
func (ld *loader) headTorn() bool {
	if ld.want == nil || ld.content != 1 || !ld.torn || len(ld.f.bad) == 0 {
		return false
	}
	var b batch
	b.identity(stateKey+"=1", *ld.want)
	text := strings.TrimRight(string(ld.f.bad), "\n")
	start, _, _ := strings.Cut(string(b.buf), " n=")
	start += " n="
	return strings.HasPrefix(start, text) || strings.HasPrefix(text, start)
}

// emptied takes a file of no octets, of zeros, or of half a first line, as a file that has lost all
// its entries. That is no new state: the notice must be given.
func (ld *loader) emptied() error {
	f := ld.f
	if ld.memo.ok {
		f.id = ld.memo.id
		if ld.want != nil && !f.id.Equal(*ld.want) {
			return &IdentityError{Path: f.path, Have: f.id, Want: *ld.want}
		}
	}
	if ld.want != nil {
		f.id = *ld.want
	}
	f.seq = ld.memo.seq
	f.doubt = &Begin{}
	f.damaged = true
	f.damage = []string{fmt.Sprintf("state file %q has lost all its records: messages on the server "+
		"that were delivered or marked as seen will be delivered again", f.path)}
	return nil
}
