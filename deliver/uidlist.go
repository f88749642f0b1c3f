package deliver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Dovecot keeps the IMAP UIDs of a maildir's messages in dovecot-uidlist, and beside them what POP3
// is to say of a message: P is its unique-id, O its place among the others. The format, version 3,
// is told at the top of Dovecot's maildir-uidlist.c:
//
//	3 V<uidvalidity> N<next uid> G<guid of the mailbox>
//	<uid> [<letter><value> ...] :<name of the file, without what readers put behind a colon>
//
// Fields are separated by blanks, UIDs increase.

// ErrUidlist is matched (errors.Is) by the Error of a maildir whose dovecot-uidlist is not as Dovecot
// writes it. It is not touched then.
var ErrUidlist = errors.New("is not what Dovecot writes")

// maxUidlistLine bounds a line, in octets. Dovecot reads 4096 at most.
const maxUidlistLine = 4096

// A uidRecord is what is wanted in the list: that a file is a message with this unique-id.
type uidRecord struct {
	name, uid string
	num       int   // message number; 0 unknown
	order     int64 // for O
}

// A places gives out the order of messages, for O: that of their numbers, behind what is in the list.
// The zero value is ready, and is for one session.
type places struct {
	base  int64 // the highest O of the list at the beginning of the session
	first int   // the lowest number of the first batch
}

// give sets the order of the wanted records, which are sorted by number.
func (p *places) give(highest int64, wanted []uidRecord) {
	for i := range wanted {
		w := &wanted[i]
		switch {
		case w.num == 0:
			highest++
			w.order = highest
		case p.first == 0:
			p.base, p.first = highest, w.num
			fallthrough
		default:
			w.order = p.base + 1 + int64(max(w.num-p.first, 0))
		}
	}
}

// storableUID tells why a unique-id cannot stand in a record, "" if it can.
func storableUID(uid string) string {
	switch {
	case len(uid) > maxUidlistLine/4:
		return "is too long"
	case strings.ContainsFunc(uid, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return "has a blank or a control character in it"
	}
	return ""
}

// A uidlist is what one reading of a list has found.
type uidlist struct {
	header []string // its fields; nil if there is no list
	next   int64    // the UID that is given out next
	order  int64    // the highest O
	end    int64    // octets up to the end of the last whole line
	there  map[string]bool
}

// readUidlist reads a list, and notes which of the wanted names are in it. The error matches
// ErrUidlist if it is not one.
func readUidlist(r io.Reader, wanted []uidRecord) (*uidlist, error) {
	names := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		names[w.name] = true
	}
	l := &uidlist{next: 1, there: make(map[string]bool)}
	lines := bufio.NewReaderSize(r, maxUidlistLine)
	var last int64
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && (n > 1 || len(line) == 0) {
			// Without its end, if there is anything, it is what a crash has left of an
			// append. Dovecot does not read it either; its UID may have been seen.
			if uid, _, err := cutUID(line); err == nil && uid >= l.next {
				l.next = uid + 1
			}
			return l, nil
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d does not end", ErrUidlist, n)
		}
		l.end += int64(len(line))
		line = line[:len(line)-1]
		if n == 1 {
			err = l.readHeader(string(line))
		} else {
			var rec record
			if rec, err = parseRecord(line); err == nil && rec.uid <= last {
				err = errors.New("its UID is not above the one before")
			}
			last = rec.uid
			l.next = max(l.next, rec.uid+1)
			l.order = max(l.order, rec.order)
			if err == nil && names[string(rec.name)] {
				l.there[string(rec.name)] = true
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrUidlist, n, err)
		}
	}
}

func (l *uidlist) readHeader(line string) error {
	l.header = strings.Fields(line)
	if len(l.header) == 0 || l.header[0] != "3" {
		return errors.New("not version 3")
	}
	valid, next := false, false
	for _, field := range l.header[1:] {
		n, err := strconv.ParseUint(field[1:], 10, 32)
		switch field[0] {
		case 'V':
			valid = err == nil && n > 0
		case 'N':
			next = err == nil && n > 0
			l.next = int64(n)
		}
	}
	if !valid || !next {
		return errors.New("no UIDVALIDITY or no next UID")
	}
	return nil
}

// A record is one line of a list.
type record struct {
	uid, order int64
	pop3       bool // has a P
	fields     []byte
	name       []byte
}

func cutUID(line []byte) (uid int64, rest []byte, err error) {
	digits, rest, ok := bytes.Cut(line, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if !ok || err != nil || n == 0 || n == math.MaxUint32 {
		return 0, nil, errors.New("no UID")
	}
	return int64(n), rest, nil
}

func parseRecord(line []byte) (rec record, err error) {
	uid, rest, err := cutUID(line)
	if err != nil {
		return rec, err
	}
	rec.uid, rec.fields = uid, rest
	for {
		rest = bytes.TrimLeft(rest, " ")
		if len(rest) == 0 {
			return rec, errors.New("no name of a file")
		}
		if rest[0] == ':' {
			break
		}
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte(" "))
		switch {
		case field[0] < 'A' || field[0] > 'Z' && field[0] < 'a' || field[0] > 'z':
			return rec, errors.New("a field without a letter")
		case field[0] == 'P':
			rec.pop3 = true
		case field[0] == 'O':
			rec.order, _ = strconv.ParseInt(string(field[1:]), 10, 64)
		}
	}
	rec.name = rest[1:]
	if len(rec.name) == 0 || bytes.IndexByte(rec.name, '/') >= 0 {
		return rec, errors.New("no name of a file")
	}
	return rec, nil
}

// write writes the list anew: what was read, which old reads again, octet for octet, and behind it
// the wanted records that were not there. One that was there without a unique-id, because Dovecot
// has seen the file before this program told of it, gets it. validity is for a list that was not
// there.
func (l *uidlist) write(w *bufio.Writer, old io.Reader, wanted []uidRecord, validity uint32) error {
	missing, order := 0, int64(0)
	byName := make(map[string]uidRecord, len(wanted))
	for _, r := range wanted {
		if !l.there[r.name] {
			missing++
		}
		byName[r.name] = r
		order = max(order, r.order)
	}
	next := l.next
	if next+int64(missing) >= math.MaxUint32 || order >= math.MaxUint32 {
		return fmt.Errorf("%w: no numbers are left", ErrUidlist)
	}
	if l.header == nil {
		fmt.Fprintf(w, "3 V%d N%d\n", validity, next+int64(missing))
	} else {
		fields := append([]string(nil), l.header...)
		for i, f := range fields {
			if i > 0 && f[0] == 'N' {
				fields[i] = fmt.Sprint("N", next+int64(missing))
			}
		}
		if err := putUidlistLine(w, strings.Join(fields, " ")); err != nil {
			return err
		}
		if err := l.copyRecords(w, io.LimitReader(old, l.end), byName); err != nil {
			return err
		}
	}
	for _, r := range wanted {
		if l.there[r.name] {
			continue
		}
		fmt.Fprintf(w, "%d P%s O%d :%s\n", next, r.uid, r.order, r.name)
		next++
	}
	return w.Flush()
}

// putUidlistLine writes a line that has grown from one of the list, unless it is now longer than what
// is read.
func putUidlistLine(w *bufio.Writer, line string) error {
	if len(line) >= maxUidlistLine {
		return fmt.Errorf("%w: no room in the line that begins with %.20q", ErrUidlist, line)
	}
	_, err := w.WriteString(line + "\n")
	return err
}

func (l *uidlist) copyRecords(w *bufio.Writer, old io.Reader, byName map[string]uidRecord) error {
	lines := bufio.NewReaderSize(old, maxUidlistLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 1 {
			continue // the header
		}
		if len(l.there) > 0 {
			rec, err := parseRecord(line[:len(line)-1])
			if err != nil {
				return fmt.Errorf("%w: %w", ErrUidlist, err) // changed in between
			}
			if r, ok := byName[string(rec.name)]; ok && !rec.pop3 {
				if err := putUidlistLine(w, fmt.Sprintf("%d P%s O%d %s", rec.uid, r.uid, r.order, rec.fields)); err != nil {
					return err
				}
				continue
			}
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}
