package fetch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
)

var (
	// ErrNoPipelining says that the server announced PIPELINING (RFC 2449, section 6.6) and
	// does not do it. What was proven is delivered and recorded; the caller may dial again and
	// call Run without Pipelining, and should remember it for a while.
	ErrNoPipelining = errors.New("the server announces PIPELINING but mixes up its replies")
	// ErrKeepNeedsUIDL says that messages are to be kept on a server without UIDL, where
	// nothing tells a new message from an old one.
	ErrKeepNeedsUIDL = errors.New("the server has no unique-ids (UIDL), so messages cannot be kept on it: every run would retrieve all of them again")
	// ErrUIDLRefused says that a server which has unique-ids refused to list them this time.
	ErrUIDLRefused = errors.New("the server refused to list its unique-ids")
	// ErrNotDeleted says that DELE or QUIT was refused or not answered. The messages are
	// recorded: the next run deletes them.
	ErrNotDeleted = errors.New("the server did not confirm the deletion; the next run repeats it")
	// ErrNotCompared says that not all was looked at that may be new for a destination, because an earlier
	// session ended meanwhile; the next run goes on with it.
	ErrNotCompared = errors.New("not all messages were compared, because an earlier session ended meanwhile; the next run goes on")
	// ErrStopped says that the context ended. What was proven is delivered and recorded.
	ErrStopped = errors.New("stopped")
)

// A LeftError says that messages stay on the server although they were wanted. Each was told of
// in an event of its own.
type LeftError struct {
	Messages    int
	Quarantined int  // recorded, but not where they were to go
	Temporary   bool // each of them for a reason that may pass by itself
}

func (e *LeftError) Error() string {
	if e.Messages == 0 {
		return fmt.Sprintf("%d quarantined", e.Quarantined)
	}
	if e.Messages == 1 {
		return "1 message stays on the server"
	}
	return fmt.Sprintf("%d messages stay on the server", e.Messages)
}

// lost turns an error of the connection into what it means for pipelining: see ErrNoPipelining.
// unanswered is the number of commands that were without their reply when it happened.
func (r *run) lost(err error, unanswered int) error {
	if !r.ahead || unanswered < 2 || errors.Is(err, os.ErrClosed) {
		return err
	}
	if errors.Is(err, pop3.ErrProtocol) || !r.c.Pipelined() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fmt.Errorf("%w: %w", ErrNoPipelining, err)
	}
	return err
}

// noRoom tells whether a disk or a quota is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// aboutMessage tells an error of one message from one of the whole target.
func aboutMessage(err error) bool {
	de, ok := errors.AsType[*deliver.Error](err)
	return ok && de.Message
}

// aboutTime tells whether a failure of one message may pass by itself.
func aboutTime(err error) bool {
	if de, ok := errors.AsType[*deliver.Error](err); ok {
		return de.Temporary
	}
	pe, ok := errors.AsType[*pop3.Error](err)
	return ok && pe.Code == "SYS/TEMP"
}

// isRefusal tells an -ERR from a failure of the connection.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*pop3.Error](err)
	return ok
}
