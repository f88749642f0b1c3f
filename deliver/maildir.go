package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaildirOptions are the options of NewMaildir.
type MaildirOptions struct {
	// Create lets a missing maildir be made, with its parents (0700). Without it a missing one
	// is an error: it may be on a disk that is not mounted.
	Create bool
	// Folder says that dir is a subfolder of a maildir (Maildir++), and so marked when it is made.
	Folder bool
	// Mode is of the files that are made, 0 for 0600. Directories that are made may be entered by
	// those who may read files.
	Mode fs.FileMode
	// Owner is whom all that is made is given to; nil for nobody. Only root may give away.
	Owner *Owner
	// Flags are what messages bear from the beginning, sorted (D draft, F flagged, P passed, R
	// replied, S seen, T trashed). With any, messages are moved into cur/, which is where they mean
	// something.
	Flags string
	// UIDL says how a message's POP3 unique-id is kept for the server that will serve the maildir.
	UIDL KeepUIDL
	// Timeout bounds the wait for the lock of dovecot-uidlist; 0 is a minute.
	Timeout time.Duration
}

// A KeepUIDL is a way to keep POP3 unique-ids.
type KeepUIDL string

const (
	NoUIDL      KeepUIDL = ""        // they are not kept
	DovecotUIDL KeepUIDL = "dovecot" // in dovecot-uidlist
	HeaderUIDL  KeepUIDL = "header"  // in a field X-UIDL of each message
)

// A Maildir is a Target that stores each message as a file (https://cr.yp.to/proto/maildir.html).
// Messages are staged in tmp/; Commit makes all of them durable together and moves them into new/.
// It is for one goroutine; other programs may deliver into and read the same maildir.
type Maildir struct {
	dir     string
	create  bool
	folder  bool
	access  access
	flags   string
	uidl    KeepUIDL
	timeout time.Duration
	host    string
	ready   bool // made, and cleaned of what is stale
	closed  bool
	staged  []maildirFile
	sync    syncer
	each    bool      // no syncfs, whatever the file system
	last    time.Time // in the name given out last
	places  places
	out     *bufio.Writer // of the file that is being written
}

// A maildirFile is a staged message: a file in tmp/.
type maildirFile struct {
	id, name string
	final    string // its name in new/ or cur/, without flags
	digest   Digest
	num      int
	record   uidRecord // for dovecot-uidlist; no uid: none
	warning  string
}

var _ Finder = (*Maildir)(nil)

// NewMaildir returns the maildir at dir. Nothing is written before the first Deliver. The error
// matches ErrCreate if something else is there, or if nothing is and o.Create is not set.
func NewMaildir(dir string, o MaildirOptions) (*Maildir, error) {
	d := &Maildir{dir: filepath.Clean(dir), create: o.Create, folder: o.Folder, access: access{o.Mode, o.Owner},
		flags: o.Flags, uidl: o.UIDL, timeout: o.Timeout}
	if d.timeout <= 0 {
		d.timeout = time.Minute
	}
	d.out = bufio.NewWriterSize(nil, 16<<10)
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	d.host = maildirHost(host)
	if dir == "" {
		return nil, d.failed(fmt.Errorf("%w: no directory is named", ErrCreate))
	}
	if err := d.look(); err != nil {
		return nil, d.failed(err)
	}
	return d, nil
}

// look tells whether the maildir is one, or can become one.
func (d *Maildir) look() error {
	for _, p := range []string{d.dir, d.path("tmp"), d.path("new"), d.path("cur")} {
		if err := isDir(p); err != nil && !(d.create && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

func (d *Maildir) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

// failed makes an *Error of a failure of this maildir.
func (d *Maildir) failed(err error) *Error { return classify("maildir "+d.dir, err) }

// Deliver writes m to a file in tmp/. It does not heed ctx: what it waits for is m.Body.
func (d *Maildir) Deliver(_ context.Context, m *Message) error {
	if len(m.ID) != idLen || !isHex([]byte(m.ID)) {
		return d.failed(fmt.Errorf("%q is no delivery id", m.ID))
	}
	if err := d.prepare(); err != nil {
		return d.failed(err)
	}
	if len(d.staged) == 0 && !d.each {
		if err := d.sync.begin(d.path("tmp")); err != nil {
			return d.failed(err)
		}
	}
	// Each later than the one before, also where the clock is coarse.
	if now := time.Now(); now.Sub(d.last) >= time.Microsecond {
		d.last = now
	} else {
		d.last = d.last.Add(time.Microsecond)
	}
	name := maildirName(d.last, m.ID, d.host)
	path := d.path("tmp", name)
	f, err := createNew(path)
	if err != nil {
		return d.failed(err)
	}
	file := maildirFile{id: m.ID, name: name, num: m.Num}
	err = d.write(f, m, &file)
	if err != nil {
		f.Close()
	} else {
		err = d.sync.add(f)
	}
	if err != nil {
		os.Remove(path)
		return tooLarge(notStaged("maildir "+d.dir, err))
	}
	d.staged = append(d.staged, file)
	return nil
}

// write writes m to f, and notes in file what has become of it.
func (d *Maildir) write(f *os.File, m *Message, file *maildirFile) error {
	if err := d.access.file(f); err != nil {
		return err
	}
	// Trace field and text are one write, as long as they are small.
	d.out.Reset(f)
	size := sizer{w: d.out}
	field := d.keep(m, file)
	if _, err := io.WriteString(&size, m.Trace+field); err != nil {
		return err
	}
	var err error
	if d.uidl == HeaderUIDL {
		// Also where none is put in: what the message came with must not be taken for it.
		r := renamer{w: &size}
		if file.digest, err = store(&r, m.Body); err == nil {
			err = r.finish()
		}
	} else {
		file.digest, err = store(&size, m.Body)
	}
	if err == nil {
		err = d.out.Flush()
	}
	d.out.Reset(nil)
	file.final = fmt.Sprintf("%s,S=%d,W=%d", file.name, size.S, size.W())
	file.record.name = file.final
	return err
}

// keep decides how a unique-id is kept, and returns the field for it, "" for none.
func (d *Maildir) keep(m *Message, file *maildirFile) (field string) {
	if m.UID == "" {
		return "" // the server has none
	}
	why := ""
	switch d.uidl {
	case DovecotUIDL:
		if why = storableUID(m.UID); why == "" {
			// Cloned: it may be part of a whole listing.
			file.record = uidRecord{uid: strings.Clone(m.UID), num: m.Num}
		}
	case HeaderUIDL:
		field, why = xuidlField(m.UID)
	}
	if why != "" {
		file.warning = notKept(why)
	}
	return field
}

// Drop removes the n messages staged last.
func (d *Maildir) Drop(n int) {
	keep := max(len(d.staged)-n, 0)
	d.unstage(d.staged[keep:])
	d.staged = d.staged[:keep]
}

// unstage removes files from tmp/. One that cannot be removed is removed by a later run.
func (d *Maildir) unstage(files []maildirFile) {
	for _, f := range files {
		os.Remove(d.path("tmp", f.name))
	}
}

// Close removes what is staged.
func (d *Maildir) Close() error {
	d.Drop(len(d.staged))
	d.sync.abandon()
	d.closed = true
	return nil
}
