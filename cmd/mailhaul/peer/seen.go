package peer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Thunderbird is no Program of Read: of it only the seen unique-ids are understood.
const Thunderbird Program = "thunderbird"

// A Seen is one message that a program has retrieved, as its list of seen unique-ids says.
type Seen struct {
	Host string    // name or address, no port; "unix:/path" for a socket; "" if the list does not say
	User string    // "" if Host is
	UID  string    // as the program stores it, which is not always as the server sent it; never ""
	Time time.Time // when it was first seen; zero if the list does not say
}

// ReadSeen yields what a list of seen unique-ids says, in its order; name is that of the file, for
// errors. It ends with the first error: a *SyntaxError for what the program itself would not have
// written, or the reader's own. A last line without its end is such an error: of a unique-id that
// was cut the rest may be another message's, which would never be retrieved.
//
// Nothing is taken for seen that the program retrieved in part, or would retrieve again.
func ReadSeen(p Program, name string, r io.Reader) iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		var parse func(*seenLines) (Seen, bool, error)
		atEnd := func(*seenLines) error { return nil }
		switch p {
		case Fetchmail:
			parse = fetchmailSeen
		case Mpop:
			m := new(mpopSeen)
			parse, atEnd = m.line, m.end
		case Getmail:
			parse = getmailSeen
		case Fdm:
			parse = fdmSeen
		case Thunderbird:
			parse = new(thunderbirdSeen).line
		default:
			yield(Seen{}, fmt.Errorf("no list of seen unique-ids is known of %q", string(p)))
			return
		}
		in := &seenLines{name: name, in: bufio.NewReaderSize(r, maxSeenLine+1)}
		for {
			err := in.next()
			if err == io.EOF {
				if err := atEnd(in); err != nil {
					yield(Seen{}, err)
				}
				return
			}
			var s Seen
			var ok bool
			if err == nil {
				s, ok, err = parse(in)
			}
			if err != nil {
				yield(Seen{}, err)
				return
			}
			if ok && !yield(s, nil) {
				return
			}
		}
	}
}

// maxSeenLine bounds a line of a list, in octets: what is longer is no unique-id (RFC 1939, section
// 7: 70 octets).
const maxSeenLine = 8 << 10

// seenLines are the lines of a list. text is the current one, without its end, until the next.
type seenLines struct {
	name string
	in   *bufio.Reader
	num  int
	text []byte
}

// next goes to the next line; io.EOF is the end of the list.
func (l *seenLines) next() error {
	line, err := l.in.ReadSlice('\n')
	l.num++
	switch {
	case err == nil:
		l.text = line[:len(line)-1]
		return nil
	case errors.Is(err, bufio.ErrBufferFull):
		return l.wrong("the line is longer than %d octets", maxSeenLine)
	case err == io.EOF && len(line) > 0:
		return l.wrong("the last line has no end: the file was cut, and the unique-id may be")
	}
	return err
}

// wrong says why the current line cannot be one of the list.
func (l *seenLines) wrong(format string, args ...any) error {
	return &SyntaxError{l.name, l.num, fmt.Sprintf(format, args...)}
}

// moment reads seconds since 1970.
func moment(digits []byte) (time.Time, bool) {
	const most = 1 << 40 // within what every time.Time can hold
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return time.Unix(int64(n), 0), err == nil && n < most
}

// serverHost gives the host as an account has it: a path is that of a socket.
func serverHost(host []byte) string {
	if bytes.HasPrefix(host, []byte("/")) {
		return "unix:" + string(host)
	}
	name := strings.ToLower(string(host))
	if trimmed := strings.TrimSuffix(name, "."); trimmed != "" {
		return trimmed
	}
	return name
}
