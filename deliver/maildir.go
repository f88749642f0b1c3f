package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// MaildirOptions are the options of NewMaildir.
type MaildirOptions struct {
	// Create lets a missing maildir be made, with its parents (0700). Without it a missing one
	// is an error: it may be on a disk that is not mounted.
	Create bool
}

// A Maildir is a Target that stores each message as a file (https://cr.yp.to/proto/maildir.html).
// Messages are staged in tmp/; Commit makes all of them durable together and moves them into new/.
// It is for one goroutine; other programs may deliver into and read the same maildir.
type Maildir struct {
	dir    string
	create bool
	host   string
	ready  bool // made, and cleaned of what is stale
	closed bool
	staged []maildirFile
	sync   syncer
	each   bool // no syncfs, whatever the file system
}

// A maildirFile is a staged message: a file in tmp/.
type maildirFile struct {
	id, name string
	digest   Digest
}

var _ Finder = (*Maildir)(nil)

// NewMaildir returns the maildir at dir. Nothing is written before the first Deliver. The error
// matches ErrCreate if something else is there, or if nothing is and o.Create is not set.
func NewMaildir(dir string, o MaildirOptions) (*Maildir, error) {
	d := &Maildir{dir: filepath.Clean(dir), create: o.Create}
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

// prepare makes the maildir if it may, and removes stale files, before the first message.
func (d *Maildir) prepare() error {
	if d.closed {
		return fs.ErrClosed
	}
	if d.ready {
		return nil
	}
	if d.create {
		if err := d.make(); err != nil {
			return err
		}
	} else if err := d.look(); err != nil {
		return err
	}
	removeOld(d.path("tmp"), time.Now())
	d.ready = true
	return nil
}

func (d *Maildir) make() error {
	if err := makeDir(d.dir); err != nil {
		return err
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		err := os.Mkdir(d.path(sub), 0o700)
		if err == nil {
			continue
		}
		switch serr := isDir(d.path(sub)); {
		case serr != nil && errors.Is(err, fs.ErrExist):
			return serr
		case serr != nil:
			return err
		}
	}
	return syncDir(d.dir)
}

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
	name := maildirName(time.Now(), m.ID, d.host)
	path := d.path("tmp", name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return d.failed(err)
	}
	digest, err := d.write(f, m)
	if err != nil {
		f.Close()
	} else {
		err = d.sync.add(f)
	}
	if err != nil {
		os.Remove(path)
		var r *readError
		if errors.As(err, &r) {
			return r.err
		}
		e := d.failed(err)
		// Too large for the file system or for the limit that is set: others may not be.
		e.Message = errors.Is(err, syscall.EFBIG)
		return e
	}
	d.staged = append(d.staged, maildirFile{m.ID, name, digest})
	return nil
}

func (d *Maildir) write(f *os.File, m *Message) (Digest, error) {
	if m.Trace != "" {
		if _, err := f.WriteString(m.Trace); err != nil {
			return Digest{}, err
		}
	}
	return store(f, m.Body)
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

// Commit makes all staged messages durable and moves them into new/.
func (d *Maildir) Commit(context.Context) ([]Receipt, error) {
	if len(d.staged) == 0 {
		return nil, nil
	}
	staged := d.staged
	d.staged = nil
	// Before a file can be seen in new/, all of it must be on the disk.
	if err := d.sync.wait(); err != nil {
		d.unstage(staged)
		return nil, d.failed(err)
	}
	to, err := os.Open(d.path("new"))
	if err != nil {
		d.unstage(staged)
		return nil, d.failed(err)
	}
	defer to.Close()
	moved := 0
	for _, f := range staged {
		if err = moveNew(d.path("tmp", f.name), d.path("new", f.name)); err != nil {
			break
		}
		moved++
	}
	d.unstage(staged[moved:])
	if serr := syncOpenDir(to); serr != nil {
		// Which of them a power cut would leave, nobody knows: none has arrived. The
		// server still has them all.
		for _, f := range staged[:moved] {
			os.Remove(d.path("new", f.name))
		}
		return nil, d.failed(serr)
	}
	receipts := make([]Receipt, moved)
	for i, f := range staged[:moved] {
		receipts[i] = f.digest.receipt(f.id, d.path("new", f.name))
	}
	if err != nil {
		return receipts, d.failed(err)
	}
	return receipts, nil
}

// receipt makes the Receipt of a message with this digest.
func (g Digest) receipt(id, where string) Receipt {
	return Receipt{ID: id, Where: where, Size: g.Size, Head: g.Head, Sum: g.Sum}
}

// Close removes what is staged.
func (d *Maildir) Close() error {
	d.Drop(len(d.staged))
	d.sync.abandon()
	d.closed = true
	return nil
}
