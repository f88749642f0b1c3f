package deliver

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-mbox"
)

// mboxBuffer is in which pieces an mbox is read and written.
const mboxBuffer = 128 << 10

// appendSome appends as many of the staged messages as there is room for, at least one: on a disk
// that is nearly full, fewer than all are progress. What an attempt has left is cut off again.
func (m *Mbox) appendSome(l *lockedMbox) (n int, hint string, err error) {
	for n = len(m.stored); ; n /= 2 {
		if hint, err = m.append(l, n); err == nil {
			return n, hint, nil
		}
		if errors.Is(err, errTakenOver) {
			return 0, "", err
		}
		terr := l.takeBack()
		if terr != nil || n == 1 || !full(err) {
			return 0, "", errors.Join(err, terr)
		}
	}
}

// takeBack cuts off what was appended.
func (l *lockedMbox) takeBack() error {
	if err := l.truncate(l.size); err != nil {
		return fmt.Errorf("what was appended could not be removed: %w", err)
	}
	return nil
}

// full tells whether there was no room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// append writes the first n staged messages behind what is there, and syncs. It returns the hint
// that finds the new end.
func (m *Mbox) append(l *lockedMbox, n int) (hint string, err error) {
	if err := l.held(); err != nil {
		return "", err
	}
	w, err := newEndWriter(l, l.size)
	if err != nil {
		return "", err
	}
	bw := bufio.NewWriterSize(w, mboxBuffer)
	bw.WriteString(unfinished(w.tail))
	buf := make([]byte, 32<<10)
	for i, sp := range m.spool.staged[:n] {
		if err := writeEntry(bw, sp, m.spool.reader(sp), m.stored[i], m.uidl == HeaderUIDL, buf); err != nil {
			return "", err
		}
	}
	if err := bw.Flush(); err != nil {
		return "", err
	}
	if err := l.f.Sync(); err != nil {
		return "", err
	}
	if err := l.held(); err != nil { // who has it may have written over this
		return "", err
	}
	return makeHint(l.info, w.end, w.tail), nil
}

// unfinished returns what an mbox with this end lacks of an empty line, behind which the next
// entry begins.
func unfinished(tail []byte) string {
	switch n := len(tail); {
	case n == 0 || n == 1 && tail[0] == '\n' || n > 1 && string(tail[n-2:]) == "\n\n":
		return ""
	case tail[n-1] == '\n':
		return "\n"
	}
	return "\n\n"
}

// writeEntry writes one message as it stands in an mbox: a From_ line, the trace field, the text
// in its quoted form and an empty line. octets is the length of that form of the text.
func writeEntry(bw *bufio.Writer, sp *spooled, text *io.SectionReader, octets int64, xuidl bool, buf []byte) error {
	// The separator and the empty line are all that is taken from the library: it writes "\n\n"
	// behind a message of which it was given nothing. Its own way of quoting loses a ">", and
	// holds whole lines.
	x := mbox.NewWriter(bw)
	if _, err := x.CreateMessage(fromSender(sp.Sender), time.Now()); err != nil {
		return err
	}
	front := announce(sp.Trace, sp.ID, octets, sp.Sum) + sp.Field
	// The first LF of that "\n\n" is the one that ends the text.
	if sp.Size == 0 {
		if front == "" {
			return bw.WriteByte('\n')
		}
		bw.WriteString(strings.TrimSuffix(front, "\n"))
		return x.Close()
	}
	if _, err := bw.WriteString(front); err != nil {
		return err
	}
	q := quoter{w: bw}
	r := renamer{w: &q, body: !xuidl}
	n, err := io.CopyBuffer(struct{ io.Writer }{&r}, io.LimitReader(text, sp.Size-1), buf)
	if err == nil {
		err = errors.Join(r.finish(), q.finish())
	}
	if err != nil {
		return err
	}
	if got := int64(len(sp.Field)) + n + 1 + q.quoted + r.added(); got != octets {
		return fmt.Errorf("spool has %d octets where %d were written", got, octets)
	}
	return x.Close()
}

// announce puts the length of the stored text behind the delivery id in a trace field, counted
// with its quoting, and the SHA-256 of the message as it is without. By them a whole entry is told
// from one that was cut. A field without the id stays as it is, and is not found again.
func announce(trace, id string, octets int64, sum [32]byte) string {
	clause := " id " + id
	before, after, ok := strings.Cut(trace, clause)
	if !ok || id == "" {
		return trace
	}
	return fmt.Sprintf("%s%s (%d octets, sha256 %s)%s", before, clause, octets, hex.EncodeToString(sum[:]), after)
}

// tailLen is how much before the end of an mbox is hashed for a hint.
const tailLen = 4 << 10

// An endWriter writes behind the end of a file, and remembers what stands before the new one: to
// read it again would have mail readers believe that the user has seen the new mail.
type endWriter struct {
	f    io.WriterAt
	end  int64
	tail []byte // up to tailLen octets before end
}

func newEndWriter(f interface {
	io.ReaderAt
	io.WriterAt
}, size int64) (*endWriter, error) {
	tail, err := readTail(f, size)
	return &endWriter{f, size, tail}, err
}

func (w *endWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.end)
	w.end += int64(n)
	if n >= tailLen {
		w.tail = append(w.tail[:0], p[n-tailLen:n]...)
	} else {
		keep := min(len(w.tail), tailLen-n)
		w.tail = append(w.tail[:copy(w.tail, w.tail[len(w.tail)-keep:])], p[:n]...)
	}
	return n, err
}

// readTail reads what stands before the offset end.
func readTail(r io.ReaderAt, end int64) ([]byte, error) {
	tail := make([]byte, min(end, tailLen), tailLen)
	n, err := r.ReadAt(tail, end-int64(len(tail)))
	if n == len(tail) {
		err = nil
	}
	return tail[:n], err
}

func tailSum(tail []byte) [32]byte { return sha256.Sum256(tail) }
