package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// MboxOptions are the options of NewMbox.
type MboxOptions struct {
	// Create lets a missing mbox be made (0600), with its parents (0700). Without it a missing
	// one is an error: it may be on a disk that is not mounted.
	Create bool
	// Lock names the locks that must be held: "fcntl", "dotlock". By default it is fcntl, and
	// the dot lock where the directory lets one be made.
	Lock []string
	// SpoolDir is where messages wait for the lock; "" is the directory for temporary files.
	SpoolDir string
	// Timeout bounds the wait for the locks; 0 is a minute.
	Timeout time.Duration
	// UIDL is NoUIDL or HeaderUIDL.
	UIDL KeepUIDL
}

// An Mbox is a Target that appends messages to one file, in the form called mboxrd. Messages are
// staged in a spool; Commit locks the file and appends all of them. It is for one goroutine; other
// Mboxes of the same file, here or elsewhere, and other programs that lock may change the file too.
type Mbox struct {
	path    string
	create  bool
	fcntl   bool
	dot     bool
	timeout time.Duration
	// dotDemanded says that a dot lock that cannot be made is an error.
	dotDemanded bool

	uidl   KeepUIDL
	spool  *spool
	stored []int64 // octets of each staged message as it will stand in the mbox
	hint   string  // of the mbox as Commit or Find left it; "" before
	closed bool
}

var _ Finder = (*Mbox)(nil)

// NewMbox returns the mbox at path. Nothing is written before the first Commit. The error matches
// ErrCreate if something else is there, or if nothing is and o.Create is not set.
func NewMbox(path string, o MboxOptions) (*Mbox, error) {
	m := &Mbox{path: path, create: o.Create, timeout: o.Timeout, uidl: o.UIDL, spool: newSpool(o.SpoolDir)}
	if m.timeout <= 0 {
		m.timeout = time.Minute
	}
	for _, name := range o.Lock {
		switch name {
		case "fcntl":
			m.fcntl = true
		case "dotlock":
			m.dot, m.dotDemanded = true, true
		default:
			return nil, m.failed(fmt.Errorf("no lock is called %q: fcntl, dotlock", name))
		}
	}
	if o.UIDL != NoUIDL && o.UIDL != HeaderUIDL {
		return nil, m.failed(fmt.Errorf("unique-ids are not kept as %q in an mbox", o.UIDL))
	}
	if len(o.Lock) == 0 {
		m.fcntl, m.dot = true, true
	}
	if path == "" {
		return nil, m.failed(fmt.Errorf("%w: no file is named", ErrCreate))
	}
	m.path = filepath.Clean(path)
	if err := m.look(); err != nil {
		return nil, m.failed(err)
	}
	return m, nil
}

func (m *Mbox) name() string { return "mbox " + m.path }

// failed makes an *Error of a failure of this mbox.
func (m *Mbox) failed(err error) *Error {
	e := classify(m.name(), err)
	e.Temporary = e.Temporary || errors.Is(err, errTakenOver)
	return e
}

// look tells whether the mbox is one, or can become one.
func (m *Mbox) look() error {
	info, err := os.Lstat(m.path)
	if m.create && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return checkFile(info)
}

// Check tells whether messages could be delivered now, and changes nothing. It does not wait for
// locks. The error matches ErrCreate if not.
func (m *Mbox) Check() error {
	if err := m.check(); err != nil {
		return m.failed(err)
	}
	return nil
}

func (m *Mbox) check() error {
	if err := m.look(); err != nil {
		return err
	}
	// The file is not opened: to close it could give up a lock on systems where those belong
	// to the process.
	err := mayAccess(m.path, unix.R_OK|unix.W_OK)
	missing := errors.Is(err, fs.ErrNotExist) && m.create
	if err != nil && !missing {
		return err
	}
	if !missing && !m.dotDemanded {
		return nil
	}
	return mayMake(filepath.Dir(m.path), true, unix.W_OK|unix.X_OK)
}

// Deliver copies m to the spool. It does not heed ctx: what it waits for is m.Body.
func (m *Mbox) Deliver(_ context.Context, msg *Message) error {
	if m.closed {
		return m.failed(fs.ErrClosed)
	}
	// Lines begin behind the same octets on the wire and in the spool. They are counted as they
	// pass, because the trace field tells the length and stands before the text.
	count := quoter{w: io.Discard}
	counted := *msg
	counted.Body = io.TeeReader(msg.Body, &count)
	renames := renamer{w: io.Discard, body: m.uidl != HeaderUIDL}
	sp, err := m.spool.add(&counted, &renames)
	if err != nil {
		return m.spool.notStaged(m.name(), err)
	}
	if m.uidl == HeaderUIDL {
		field, why := xuidlField(msg.UID)
		if sp.Field = field; why != "" {
			sp.Warning = notKept(why)
		}
	}
	m.stored = append(m.stored, int64(len(sp.Field))+sp.Size+count.quoted+renames.added())
	return nil
}

// Drop unstages the n messages staged last.
func (m *Mbox) Drop(n int) {
	m.stored = m.stored[:max(len(m.stored)-max(n, 0), 0)]
	m.spool.drop(n)
}

// Commit appends all staged messages, and syncs once. When that fails the mbox is cut to its
// former length before anybody else can see it.
func (m *Mbox) Commit(ctx context.Context) ([]Receipt, error) {
	if len(m.stored) == 0 {
		return nil, nil
	}
	n := len(m.stored)
	defer func() {
		m.spool.shift(n)
		m.stored = append(m.stored[:0], m.stored[n:]...)
	}()
	l, err := m.open(ctx, m.create)
	if err != nil {
		return nil, m.failed(err)
	}
	some, hint, err := m.appendSome(l)
	if err == nil && l.size == 0 {
		// It was made just now, or by a run that did not come to this.
		if err = m.syncName(l.made); err != nil {
			err = errors.Join(err, l.takeBack())
		}
	}
	if err != nil {
		return nil, m.failed(errors.Join(err, l.close()))
	}
	n, m.hint = some, hint
	receipts := make([]Receipt, n)
	for i, sp := range m.spool.staged[:n] {
		receipts[i] = sp.receipt(sp.ID, m.path)
		receipts[i].Warning = sp.Warning
	}
	if err := l.close(); err != nil {
		n = len(m.stored)
		return receipts, m.failed(fmt.Errorf("dot lock could not be removed: %w", err))
	}
	return receipts, nil
}

// syncName makes the mbox's name durable. A directory that may not be read, such as one for the mail
// of all, is no hindrance unless the mbox is new.
func (m *Mbox) syncName(made bool) error {
	err := SyncDir(filepath.Dir(m.path))
	if !made && errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// Close unstages everything and frees the spool.
func (m *Mbox) Close() error {
	m.closed = true
	m.stored = nil
	return m.spool.close()
}
