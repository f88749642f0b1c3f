package fetch

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
)

// A full takes all of a message, and then has no room for it.
type full struct{ deliver.Target }

func (full) Deliver(_ context.Context, m *deliver.Message) error {
	_, err := io.Copy(io.Discard, m.Body)
	return errors.Join(err, &deliver.Error{Target: "maildir", Err: syscall.ENOSPC})
}

// With EXPIRE 0 (RFC 2449, section 6.7) a destination that has retrieved and not delivered says so to the
// next Run of the session, which must not QUIT.
func TestExpireFull(t *testing.T) {
	a := open(t, pop3test.Config{Caps: []string{"UIDL", "TOP", "EXPIRE 0"}, ExpireRetrieved: true}, mail("x", 200))
	a.caps = nil
	a.opts.Keep, a.opts.Others.More = true, true
	a.target = func(t deliver.Target) deliver.Target { return full{t} }
	if sum, err := a.run(); sum.Open && !sum.Undone {
		t.Errorf("%+v, %v", sum, err)
	}
}

// What had to be retrieved to tell copies apart, and then stays, is not deleted by QUIT either.
func TestExpireIdentified(t *testing.T) {
	empty, whole := pop3test.Message{UID: "x"}, pop3test.Message{UID: "x", Text: mail("x", 200).Text}
	a := open(t, pop3test.Config{Caps: []string{"UIDL", "TOP", "PIPELINING", "EXPIRE 0"}, ExpireRetrieved: true}, empty, whole)
	a.run()
	a.wantLeft("x", "x")
	if _, err := a.run(); !errors.Is(err, ErrNotDeleted) {
		t.Error(err)
	}
	a.wantLeft("x", "x")
}
