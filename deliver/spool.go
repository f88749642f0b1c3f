package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A spool holds whole messages that wait for a target that must not wait for the network: no lock
// is held, and no program started, before the last octet is here. It is one file without a name,
// so that nothing is left of it however the run ends. It is no promise: nothing in it is synced.
type spool struct {
	dir    string
	f      *os.File   // nil before the first message
	end    int64      // where the next message begins
	staged []*spooled // in the order they came
}

// A spooled message is in the spool in its stored form.
type spooled struct {
	ID, Account, UID string
	Trace            string
	Field            string // to be put behind Trace, with its line end; "" for none
	Warning          string // for the Receipt
	InDoubt          bool
	Digest
	// Sender and Recipient are of the envelope, as far as the header tells: one word each, "" if
	// unknown or null. They are as hostile as the message.
	Sender, Recipient string

	off int64
}

// newSpool returns an empty spool, which makes its file in dir when the first message comes. ""
// is the directory for temporary files.
func newSpool(dir string) *spool {
	if dir == "" {
		dir = os.TempDir()
	}
	return &spool{dir: dir}
}

// stage is add for target, with the error that Deliver returns.
func (s *spool) stage(target string, m *Message) error {
	_, err := s.add(m)
	if err == nil {
		return nil
	}
	return s.notStaged(target, err)
}

// notStaged makes what Deliver returns of an error of add. A message that is too large for a file is an
// Error about it alone, or it would block the others for ever; behind others in the spool it may fit
// another time.
func (s *spool) notStaged(target string, err error) error {
	err = tooLarge(notStaged(target, fmt.Errorf("spool: %w", err)))
	var e *Error
	if errors.As(err, &e) && e.Message {
		e.Temporary = s.end > 0
	}
	return err
}

// add reads m.Body to its end and stages m; also gets the stored form, too. On an error, a *readError
// if it is that of the body, nothing of m remains.
func (s *spool) add(m *Message, also ...io.Writer) (*spooled, error) {
	if s.f == nil {
		f, err := unnamed(s.dir)
		if err != nil {
			return nil, err
		}
		s.f = f
	}
	env := envelope{}
	d, err := store(io.MultiWriter(append(also, io.NewOffsetWriter(s.f, s.end), &env)...), m.Body)
	if err != nil {
		s.cut()
		return nil, err
	}
	sp := &spooled{
		// Cloned: a unique-id may be part of a whole listing.
		ID: m.ID, Account: m.Account, UID: strings.Clone(m.UID), Trace: m.Trace, InDoubt: m.InDoubt,
		Digest: d, Sender: env.Sender(), Recipient: env.Recipient(), off: s.end,
	}
	s.end += d.Size
	s.staged = append(s.staged, sp)
	return sp, nil
}

// reader reads the stored form of a staged message, without its trace field.
func (s *spool) reader(sp *spooled) *io.SectionReader {
	return io.NewSectionReader(s.f, sp.off, sp.Size)
}

// drop unstages the n messages staged last.
func (s *spool) drop(n int) {
	n = max(0, min(n, len(s.staged)))
	if n == 0 {
		return
	}
	keep := len(s.staged) - n
	s.end = s.staged[keep].off
	clear(s.staged[keep:])
	s.staged = s.staged[:keep]
	s.cut()
}

// shift unstages the n messages staged first. Their room is free again when the spool is empty.
func (s *spool) shift(n int) {
	n = max(0, min(n, len(s.staged)))
	clear(s.staged[:n])
	s.staged = s.staged[n:]
	if n > 0 && len(s.staged) == 0 {
		s.reset()
	}
}

// handOver is the Commit of a target that takes one message at a time. give hands it over, and returns
// what the receiver has answered.
func (s *spool) handOver(ctx context.Context, target string, give func(context.Context, *spooled) (string, error)) ([]Receipt, error) {
	if len(s.staged) == 0 {
		return nil, nil
	}
	sp := s.staged[0]
	answer, err := give(ctx, sp)
	var e *Error
	switch {
	case err == nil:
		s.shift(1)
	case errors.As(err, &e) && e.Message:
		s.shift(1)
		return nil, err
	default:
		s.reset()
		return nil, err
	}
	where := target
	if answer != "" {
		where = fmt.Sprintf("%s: %q", target, answer)
	}
	return []Receipt{sp.receipt(sp.ID, where)}, nil
}

// reset unstages everything.
func (s *spool) reset() {
	clear(s.staged)
	s.staged, s.end = s.staged[:0], 0
	s.cut()
}

// cut gives room back. If it fails the room is lost until close, and no more: what stands behind
// the end is written over, and never read.
func (s *spool) cut() {
	if s.f != nil {
		_ = s.f.Truncate(s.end)
	}
}

// close unstages everything and frees the file.
func (s *spool) close() error {
	s.staged, s.end = nil, 0
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}

// unnamed makes a file in dir that no directory lists, readable and writable by us alone.
func unnamed(dir string) (*os.File, error) {
	if f, ok := openUnnamed(dir); ok {
		return f, nil
	}
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		return nil, err
	}
	return unlinked(f)
}

// unlinked takes the name from f.
func unlinked(f *os.File) (*os.File, error) {
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
