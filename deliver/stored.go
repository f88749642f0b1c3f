package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// A Stored is a message that stands at a destination, whoever has put it there.
type Stored struct {
	Digest           // without our trace field
	ID        string // the delivery id; "" if it bears none
	From, For string // server and user in our trace field; "" if it has none, or does not say
	Where     string // the path of its file, or of the mbox
	Offset    int64  // of its entry in the mbox
	MessageID string // its first Message-ID field; "" if there is none
	// Altered says that it is not what its own trace field announces. Only an mbox's does.
	Altered bool
}

// A Reader is a Target whose messages can be read back.
type Reader interface {
	Target
	// Stored yields the messages that bear a delivery id of any run, and of the others those
	// whose size, without a trace field, wanted is true of: they may have been moved by a reader
	// that took the id away, or bear none. The rest is passed over, of a maildir without being
	// read. It changes nothing, and holds one message's beginning in memory. After an error,
	// which is an *Error, nothing follows.
	Stored(wanted func(size int64) bool) iter.Seq2[Stored, error]
}

// Place is Where with the offset, for a person.
func (s *Stored) Place() string {
	if s.Offset > 0 {
		return fmt.Sprintf("%s at octet %d", s.Where, s.Offset)
	}
	return s.Where
}

var (
	_ Reader = (*Maildir)(nil)
	_ Reader = (*Mbox)(nil)
)

// readFirst reads the beginning of a stored message, and tells how much of it is our trace field of
// a run with this nonce ("" for any), and the delivery id in it.
func readFirst(r io.Reader, nonce string) (first []byte, n int, id string, err error) {
	first = make([]byte, maxTraceField)
	n, err = io.ReadFull(r, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, 0, "", err
	}
	first = first[:n]
	n, id = ownTrace(first, nonce)
	return first, n, id, nil
}

// whose tells from which server and for which user our trace field says that the message is.
func whose(field []byte) (from, user string) {
	if rest, ok := bytes.CutPrefix(field, []byte("Received: from ")); ok {
		word, _, _ := bytes.Cut(rest, []byte(" "))
		from = string(word)
	}
	if _, rest, ok := bytes.Cut(field, []byte("\n\tfor <")); ok {
		word, _, _ := bytes.Cut(rest, []byte(">"))
		user = string(word)
	}
	return from, user
}

// openStored opens what stands at a destination, to be read. Others may have put anything there: only
// a regular file is opened, nothing is waited for and no symbolic link followed; for the rest the
// error matches errIrregular.
func openStored(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) { // the latter on FreeBSD
		err = errIrregular
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
