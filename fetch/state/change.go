package state

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

var (
	errReadOnly = errors.New("opened for reading only")
	errClosed   = errors.New("already closed")
	errTooLong  = fmt.Errorf("a line of more than %d octets", maxLine)
)

// ErrChanged is matched (errors.Is) by the error of a write to a file that another program has replaced,
// changed or removed since it was opened. Nothing is written then.
var ErrChanged = errors.New("changed by another program while in use")

// Which writes wait for the disk, and why the others need not. A power cut undoes a write that was
// not synced, in whole or in part:
//
//	Begin   synced: without its nonce the deliveries of this run could not be found
//	Record  synced: DELE follows from it
//	Forget  synced: the user was told
//	End     not: undone, the next run looks for messages (Find) and finds them all recorded
//	Listed  not: undone, the next listing starts or ends the absence, or drops the tombstone, again
//	SetNote not: undone, it costs a round trip
//
// A torn write harms nothing that was written before it: each write is one append that begins at
// the end mark, or behind the open Begin, and never over a record.

// write appends lines, and the mark that ends the file: open, or the end mark if it is nil.
func (f *File) write(open *Begin, sync bool, lines func(*batch)) error {
	if err := f.writable(); err != nil {
		return err
	}
	if f.file == nil || f.damaged {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	b := batch{buf: f.buf[:0], seq: f.seq}
	lines(&b)
	if open != nil {
		b.mark(open)
	}
	tail, seq := len(b.buf), b.seq
	if open == nil {
		b.mark(nil)
	}
	if b.longest > maxLine {
		return fmt.Errorf("state file %q: %w", f.path, errTooLong)
	}
	if f.buf = b.buf; cap(f.buf) > 1<<20 {
		f.buf = nil // it was a listing with many changes: not worth holding for the rest of the run
	}
	_, err := f.file.WriteAt(b.buf, f.tail)
	if err == nil && sync {
		err = f.file.Sync()
	}
	if err != nil {
		f.undo()
		return f.fail(err)
	}
	f.lines += int(seq - f.seq)
	f.size = f.tail + int64(len(b.buf))
	f.tail += int64(tail)
	f.seq, f.open = seq, open
	if sync {
		f.synced = seq
	}
	return nil
}

// undo takes a write that failed back: what is not known to be on disk must not look as if it
// were. If that fails too, the file has no mark at its end, which the next run notices.
func (f *File) undo() {
	if f.file.Truncate(f.tail) == nil && f.open == nil {
		b := batch{seq: f.seq}
		b.mark(nil)
		f.file.WriteAt(b.buf, f.tail)
	}
}

// fail remembers the first failed write. After it the disk may hold anything, and nothing more is
// promised on top of that.
func (f *File) fail(err error) error {
	f.err = fmt.Errorf("state file %q: %w", f.path, err)
	return f.err
}

// writable tells whether a write makes sense: an editor that has put another file in the place of
// ours would otherwise make our records vanish.
func (f *File) writable() error {
	switch {
	case f.err != nil:
		return f.err
	case f.readOnly:
		return fmt.Errorf("state file %q: %w", f.path, errReadOnly)
	case f.lock == nil:
		return fmt.Errorf("state file %q: %w", f.path, errClosed)
	}
	info, err := os.Stat(f.real)
	if f.file == nil {
		if err == nil {
			return f.fail(ErrChanged)
		}
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return f.fail(ErrChanged)
	}
	if err != nil {
		return f.fail(err)
	}
	if !os.SameFile(info, f.info) || info.Size() != f.size {
		return f.fail(ErrChanged)
	}
	return nil
}

// Begin notes that deliveries follow whose fate a crash would leave unknown, with a new nonce for
// their ids. It is on disk when Begin returns. A Begin that was interrupted is forgotten with it:
// what that run delivered must have been recorded before.
func (f *File) Begin(hint, next string) (Begin, error) {
	var nonce [6]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return Begin{}, err
	}
	if err := f.writable(); err != nil {
		return Begin{}, err
	}
	f.compact()
	b := Begin{Nonce: hex.EncodeToString(nonce[:]), Hint: hint, Next: next, Time: utc(time.Now().Unix())}
	if err := f.write(&b, true, func(*batch) {}); err != nil {
		return Begin{}, err
	}
	f.doubt = nil
	return b, nil
}

// Record notes what is known of messages. When it returns nil it is on disk. If a Begin is open,
// this run's or that of an interrupted one, it is renewed with hint and next in the same write.
// On an error nothing of it is recorded, and if a write has failed nothing is written any more.
func (f *File) Record(hint, next string, es ...Entry) error {
	slots := make([]slot, len(es))
	for i := range es {
		var err error
		if slots[i], err = slotOf(&es[i]); err != nil {
			return fmt.Errorf("state file %q: entry of unique-id %q: %w", f.path, es[i].UID, err)
		}
	}
	var open *Begin
	if f.open != nil {
		b := *f.open
		b.Hint, b.Next = hint, next
		open = &b
	}
	if len(es) == 0 && open == nil {
		return nil
	}
	err := f.write(open, true, func(b *batch) {
		for i := range slots {
			b.entry(&slots[i])
		}
	})
	if err != nil {
		return err
	}
	for i := range slots {
		f.put(slots[i])
	}
	return nil
}

// Add is Record for what has nothing to do with an open Begin, which stays as it is.
func (f *File) Add(es ...Entry) error {
	if f.open == nil {
		return f.Record("", "", es...)
	}
	return f.Record(f.open.Hint, f.open.Next, es...)
}

// End notes that the fate of every message is known. It must not be called after a Commit or a
// Record that failed.
func (f *File) End() error {
	if f.open == nil && f.doubt == nil {
		return nil
	}
	err := f.write(nil, false, func(b *batch) {
		if f.open != nil {
			b.ended(f.open.Nonce)
		}
	})
	if err != nil {
		return err
	}
	f.doubt = nil
	return nil
}

// Forget takes all entries of unique-ids away, as if the messages had never been seen, with one wait for
// the disk. It returns how many there were. On an error none was.
func (f *File) Forget(uids ...string) (n int, err error) {
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid string) bool { return len(f.table.copies(uid)) == 0 })
	if len(uids) == 0 {
		return 0, nil
	}
	err = f.write(f.open, true, func(b *batch) {
		for _, uid := range uids {
			b.forgotten(uid, 0)
		}
	})
	if err != nil {
		return 0, err
	}
	for _, uid := range uids {
		n += f.table.drop(uid, 0)
	}
	return n, nil
}

// SetNote remembers a small thing under a name, "" to forget it. What is remembered already is not
// written again, unless with another time.
func (f *File) SetNote(name, value string, now time.Time) error {
	n := note{value, now.Unix()}
	if old, found := f.notes[name]; found && old == n || !found && value == "" {
		return nil
	}
	if name == "" {
		return fmt.Errorf("state file %q: a note without a name", f.path)
	}
	if err := f.write(f.open, false, func(b *batch) { b.note(name, n) }); err != nil {
		return err
	}
	f.setNote(name, n)
	return nil
}

// Close mends the file if it was found damaged and nothing was written since, and unlocks it.
func (f *File) Close() error {
	if f.readOnly || f.lock == nil {
		return nil
	}
	var err error
	if f.err == nil && f.damaged {
		if err = f.writable(); err == nil {
			err = f.rewrite()
		}
	} else if f.err == nil && f.synced > 0 {
		f.compact()
	}
	if f.err == nil && f.synced > 0 {
		f.lock.remember(f.id, f.synced)
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	f.lock.release()
	f.lock = nil
	return err
}
