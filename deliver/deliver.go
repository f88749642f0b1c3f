// Package deliver puts messages where they are to stay: a maildir, an mbox, a command, or a mail server
// by LMTP, SMTP or IMAP.
//
// What every target promises, and the rest of the program relies on:
//
//   - A message is visible at its destination only whole. A command is started only with the
//     whole message in hand.
//   - What Commit has given a receipt for survives a power cut: file and directory are synced.
//   - The message is stored as the server sent it, with CRLF turned to LF, a line end added
//     where the last one was missing, and one trace field in front. (With HeaderUIDL, and only
//     then, it has a field X-UIDL more, and the fields of that name that it came with are renamed,
//     so that they can be named back: see renamer.)
//
// Each of these is done in one way, whatever the target:
//
//	eol.go         the stored form of a text, and its hashes
//	spool.go       a whole message waits for a target that must not wait for the network
//	lock.go        dot locks; lockwait.go waits for any lock
//	directory.go   a name is made durable
//	move.go        a file gets a name that nothing has
//	stored.go      what stands there already is opened and read back
//	receiver.go    a mail server is connected to
//	failure.go     an error becomes an Error
//
// The package knows nothing of POP3, of the state file or of the configuration.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Message is one message on its way to a Target.
type Message struct {
	Account string
	Num     int    // its number in this session; 0 if unknown
	UID     string // the server's unique-id: opaque octets, hostile
	// ID is the delivery id: the nonce of the state's Begin (12 hex digits), then 16 hex digits
	// that hash the unique-id and its copy number. Find recognises an interrupted run by it.
	ID      string
	Trace   string    // the Received field with its line end (LF), apart from Body; "" for none
	Body    io.Reader // as on the wire, CRLF; valid until Deliver returns
	InDoubt bool      // it may have been delivered by a run that died
}

// A Receipt says what became durable. Size, Head and Sum are of the message in its stored form
// (CRLF as LF, a last line end added) without the trace field, so that they can be computed from
// the server's text and from the stored copy alike.
type Receipt struct {
	ID    string
	Where string   // a path, or what the receiver answered
	Size  int64    // octets
	Head  [32]byte // SHA-256 of the header: all up to the first empty line, without it
	Sum   [32]byte // SHA-256 of the whole message
	// Warning says what of the delivery is not as wished, although the message has arrived; "" for
	// nothing. It is clear text for a person.
	Warning string
}

// A Begin says under which nonce an interrupted run delivered, and where to look first.
type Begin struct {
	Nonce string // 12 hex digits; every ID of that run starts with it
	Hint  string // what Hint returned when the last record was written; opaque to all but the target
	// UID tells the unique-id of a message of that run by its delivery id, "" if the server lists
	// it no more. It may be nil.
	UID func(id string) string
}

// A Target is a place that messages are delivered to. Deliver stages a message; Commit makes the
// staged ones durable, so that many share one wait for the disk. One goroutine at a time.
type Target interface {
	// Deliver reads m.Body to its end and stages the message. On an error nothing of m is
	// staged, and what was staged before still is.
	Deliver(ctx context.Context, m *Message) error
	// Drop unstages the n messages staged last: their text may have come under a wrong number.
	Drop(n int)
	// Commit makes staged messages durable, in order, as many as share one wait (all of
	// them for a maildir or an mbox, one for a command), and returns their receipts. The
	// caller records those and calls Commit again until it returns neither receipt nor error.
	// On an error the receipts are of what is durable all the same. If the error is about the
	// next message alone (Error.Message), only that one is no longer staged; otherwise the
	// target is sick, and none is.
	Commit(ctx context.Context) ([]Receipt, error)
	// Close unstages what is staged and frees everything.
	Close() error
}

// A Finder is a Target that can tell which messages of an interrupted run it holds.
type Finder interface {
	Target
	// Hint tells where the next message will go, for Begin.Hint: an mbox's device, inode and
	// committed end with a hash of what stands before it. "" if the target needs none.
	Hint() (string, error)
	// Find looks for the messages of an interrupted run. It makes what it reports durable
	// before it returns, and removes what that run left half done.
	Find(begin Begin) ([]Receipt, error)
}

// An Error is a failure of a target.
type Error struct {
	Target    string // "maildir /home/a/Mail", "mbox /var/mail/a", "command maildrop"
	Err       error
	Message   bool // about this message alone: try the next
	Temporary bool // it may pass by itself
	// Untouched says that the receiver has nothing of the message, for certain: there is no doubt
	// about it. Only for a target that is no Finder.
	Untouched bool
	// Broke says that the receiver failed over the message that was due: that one may be why, and had
	// better not be the first again.
	Broke bool
}

// Error names the target and the cause.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Target, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrCreate is matched (errors.Is) by the Error of a destination that is missing, has the wrong
// type, belongs to another user or cannot be made or executed.
var ErrCreate = errors.New("destination cannot be used")
