// Package state keeps what is known of an account's messages in a text file, one record a line:
// which unique-ids have been delivered, are to be left alone, or were deleted.
//
// What it promises, and the order of things in package fetch relies on:
//
//   - What Record returned nil for is on disk, and no crash, torn write or compaction takes it away.
//   - What was never recorded is never found there: a line that is damaged does not count, so that
//     its message is delivered once more. When in doubt, a copy too many, never one too few.
//   - Damage is noticed and told, wherever the file is hit: each line has a number and a
//     checksum, the last line is a mark (an end mark or an open Begin), and the lock file
//     beside it remembers the last number that was synced and whose state it is.
//   - A run that has nothing to write changes no octet.
//
// The format is described in mailhaul-state(5). The package knows nothing of POP3 or of targets.
package state

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"
)

// A Status says what is known of a message.
type Status string

// The statuses of an Entry.
const (
	Delivered Status = "delivered" // by us, and may be deleted
	Seen      Status = "seen"      // taken over from another program; never deleted by fetch
	Deleted   Status = "deleted"   // the server has said so: a tombstone until a listing comes without it
	Failed    Status = "failed"    // could not be retrieved or delivered; still wanted
)

// An Entry is what is known of one message. Times are in whole seconds, UTC.
type Entry struct {
	UID    string // as the server sent it: any octets, at least one
	Copy   int    // 1, 2, … among messages with the same unique-id; 0 means 1
	Status Status
	Time   time.Time // when it got this status
	Size   int64     // octets; 0 if unknown
	Head   string    // hash of the header, hex; "" if unknown
	Body   string    // hash of the message, hex; "" if unknown

	Absent   time.Time // when a listing first came without it; zero while it is listed
	Attempts int       // of a Failed one
	Reason   string    // why it failed; of a Delivered one: why it stays on the server
	Reported time.Time // when the user was told of Reason, or otherwise why it stays
	Next     time.Time // of a Failed one: not tried before; zero: at once
	Refused  int       // of a Failed one: how often its destination refused it

	Quarantine string // of a Delivered one: the maildir that has it, in place of its destination

	Rest []string // fields of a newer version, "key=value" as in the file
}

// An Identity says whose state a file is. Ports and TLS may change; host and user may not.
type Identity struct{ Host, User string }

// Equal compares hosts without regard to case, as the DNS does, and users octet by octet.
func (id Identity) Equal(other Identity) bool {
	return strings.EqualFold(id.Host, other.Host) && id.User == other.User
}

// A Begin is the mark of a run whose deliveries are not all recorded.
type Begin struct {
	Nonce string // 12 hex digits; "" if it was lost with the end of the file
	Hint  string // the target's own: where to look
	Next  string // what is given out next, for a target that cannot be searched; opaque to this package
	Time  time.Time
}

type note struct {
	value string
	time  int64
}

// A File is an open state file. It is for one goroutine.
type File struct {
	path     string // as the caller named it
	real     string // the same with symbolic links followed: what is renamed over
	id       Identity
	isNew    bool
	readOnly bool
	lock     *lock

	file    *os.File // nil: nothing has been written yet
	info    os.FileInfo
	size    int64
	tail    int64  // where the next line goes: the end mark's place, or size
	seq     uint64 // number of the last line before tail
	synced  uint64 // the same, when the file was last synced by us; 0: not in this run
	lines   int
	newest  int64  // latest time in the file
	before  int64  // the same, when it was opened
	open    *Begin // the mark at the end of the file, nil if it is the end mark
	doubt   *Begin // what Interrupted returns
	table   table
	notes   map[string]note
	damage  []string
	bad     []byte // lines that were dropped, for PATH.rejected
	damaged bool   // the file must be rewritten before anything is appended
	err     error  // the first failed write; nothing is written after it
	buf     []byte
}

// ErrUnreadable is matched (errors.Is) by the error of a file that cannot be told whose state it
// is. It is left as it is: to start over silently would fetch everything again.
var ErrUnreadable = errors.New("not readable as a state file")

// An IdentityError says that a file is the state of another server or user.
type IdentityError struct {
	Path       string
	Have, Want Identity
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("state file %q is of user %q at %q, not of user %q at %q",
		e.Path, e.Have.User, e.Have.Host, e.Want.User, e.Want.Host)
}

// Open locks and reads the state file of an account, for a run. A file that does not exist is a
// new one, made by the first write; its directory and the lock file are made at once. The error
// is a *LockedError (ErrLocked) if another process has it open, an *IdentityError, or matches
// ErrUnreadable or the operating system's errors. The caller must Close the File.
func Open(path string, id Identity) (*File, error) {
	return open(path, &id)
}

// open is Open for the identity want, or for whatever the file says if want is nil.
func open(path string, want *Identity) (*File, error) {
	l, err := acquire(path)
	if err != nil {
		return nil, err
	}
	f := newFile(path)
	f.lock = l
	if err := f.load(want); err != nil {
		l.release()
		if f.file != nil {
			f.file.Close()
		}
		return nil, err
	}
	return f, nil
}

func newFile(path string) *File {
	return &File{path: path, newest: never, before: never, table: table{first: map[string]int32{}}, notes: map[string]note{}}
}

// Read reads a state file as it is, without a lock: another process may be writing to it. Nothing
// can be changed through the File. A file that does not exist is empty and New.
func Read(path string) (*File, error) {
	f := newFile(path)
	f.readOnly = true
	err := f.load(nil)
	if f.file != nil {
		f.file.Close()
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Identity tells whose state it is.
func (f *File) Identity() Identity { return f.id }

// Path returns the path that the file was opened with.
func (f *File) Path() string { return f.path }

// New tells whether there was no file when it was opened.
func (f *File) New() bool { return f.isNew }

// Damage tells what was found wrong with the file, in sentences for the user that name the file,
// what was dropped and what follows. The file is mended by the first write, or by Close.
func (f *File) Damage() []string { return f.damage }

// Len returns the number of entries.
func (f *File) Len() int { return f.table.live }

// Newest returns the latest time that was in the file when it was opened, zero if there was none: a
// clock that is before it has gone back, whatever has been recorded by it since.
func (f *File) Newest() time.Time { return utc(f.before) }

// Lookup returns the entries of a unique-id by copy number, nil if there are none.
func (f *File) Lookup(uid string) []Entry { return f.AppendLookup(nil, uid) }

// LookupCopy returns the entry of a unique-id with that copy number.
func (f *File) LookupCopy(uid string, copy int) (Entry, bool) {
	i := f.table.find(uid, max(copy, 1))
	if i < 0 {
		return Entry{}, false
	}
	return f.table.slots[i].entry(), true
}

// AppendLookup appends to es what Lookup returns, so that a caller who goes through a whole listing
// need not allocate for each.
func (f *File) AppendLookup(es []Entry, uid string) []Entry {
	for _, i := range f.table.copies(uid) {
		es = append(es, f.table.slots[i].entry())
	}
	return es
}

// All yields the entries in the order of the file. The File must not be changed meanwhile.
func (f *File) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range f.table.slots {
			if s := &f.table.slots[i]; s.status != statusNone && !yield(s.entry()) {
				return
			}
		}
	}
}

// Interrupted tells whether the run before this one left messages that may be delivered and are
// not recorded, and returns its Begin. Its Nonce is "" if the end of the file was lost, and the
// Begin with it. It is false again after End or Begin.
func (f *File) Interrupted() (Begin, bool) {
	if f.doubt == nil {
		return Begin{}, false
	}
	return *f.doubt, true
}

// Note returns a small thing that was remembered, and when; "" and zero if there is none.
func (f *File) Note(name string) (string, time.Time) {
	n, found := f.notes[name]
	if !found {
		return "", time.Time{}
	}
	return n.value, utc(n.time)
}
