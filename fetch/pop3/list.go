package pop3

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxListingLine = 4 << 10
	maxListing     = 16 << 20 // octets
	maxLines       = 300_000  // more only where STAT has counted more
	maxLinesStat   = 400_000
	maxUID         = 2 << 10 // RFC 1939, section 7, allows 70 octets
	// maxOctets is the largest believable size. The sum of a whole listing of such sizes does
	// not overflow.
	maxOctets = 1 << 44
)

// A StatCmd is a STAT.
type StatCmd struct{ command }

// Stat asks for the number of messages.
func (c *Client) Stat() *StatCmd {
	cmd := new(StatCmd)
	c.enqueuePlain(&cmd.command, "STAT")
	return cmd
}

// Wait returns the number of messages and of their octets, -1 if the server gave no usable number
// of octets. Both are the server's word: nothing should be allocated by them.
func (cmd *StatCmd) Wait() (n int, octets int64, err error) {
	if err := cmd.wait(); err != nil {
		return 0, 0, err
	}
	count, rest, _ := cutBlanks([]byte(cmd.text))
	u, err := strconv.ParseUint(string(count), 10, 64)
	if err != nil || u > math.MaxInt {
		cmd.err = cmd.c.fail(cmd.c.protocolError("the reply to STAT has no count: %s", cmd.c.quote([]byte(cmd.text))))
		return 0, 0, cmd.err
	}
	size, _, _ := cutBlanks(rest)
	return int(u), parseOctets(size), nil
}

// A Size is one line of a scan listing.
type Size struct {
	Num    int
	Octets int64 // -1 unknown; a hint, never more (RFC 1939 says exact, servers estimate)
}

// A Listing is the scan listing, by number.
type Listing struct {
	Messages []Size
	Ignored  int // lines that were not understood
}

// A ListCmd is a LIST without argument.
type ListCmd struct {
	command
	listing Listing
	max     int
}

// List asks for the sizes of all messages.
func (c *Client) List() *ListCmd {
	cmd := &ListCmd{command: command{multi: true}}
	cmd.read = cmd.parse
	c.enqueuePlain(&cmd.command, "LIST")
	return cmd
}

// Wait returns the listing; max is STAT's count, by which the longest listing that is accepted
// grows a little. If a later command is waited for first, max is not known in time.
func (cmd *ListCmd) Wait(max int) (*Listing, error) {
	cmd.max = max
	if err := cmd.wait(); err != nil {
		return nil, err
	}
	return &cmd.listing, nil
}

func (cmd *ListCmd) parse(b *Body) error {
	l := &cmd.listing
	l.Messages = make([]Size, 0, roomFor(cmd.max))
	err := b.eachLine(cmd.max, func(line []byte) {
		num, rest, ok := cutNum(line)
		if !ok {
			l.Ignored++
			return
		}
		size, _, _ := cutBlanks(rest)
		l.Messages = append(l.Messages, Size{Num: num, Octets: parseOctets(size)})
	})
	if err != nil {
		return err
	}
	byNum := func(a, b Size) int { return cmp.Compare(a.Num, b.Num) }
	same := func(a, b Size) bool { return a.Num == b.Num }
	n := len(l.Messages)
	l.Messages = sortNum(l.Messages, byNum, same)
	l.Ignored += n - len(l.Messages)
	return nil
}

// A Unique is one line of a unique-id listing. UID is opaque octets, "" if the line had none that
// is usable.
type Unique struct {
	Num int
	UID string
}

// A UIDListing is the unique-id listing, by number. Two numbers may have the same unique-id
// (RFC 1939, section 7).
type UIDListing struct {
	Messages []Unique
	Ignored  int // lines, or unique-ids, that were not understood
}

// A UIDLCmd is a UIDL without argument.
type UIDLCmd struct {
	command
	listing UIDListing
	max     int
}

// UIDL asks for the unique-ids of all messages.
func (c *Client) UIDL() *UIDLCmd {
	cmd := &UIDLCmd{command: command{multi: true}}
	cmd.read = cmd.parse
	c.enqueuePlain(&cmd.command, "UIDL")
	return cmd
}

// Wait returns the listing; for max see ListCmd.Wait. One number with two unique-ids is an
// ErrProtocol: the numbers are what DELE goes by.
func (cmd *UIDLCmd) Wait(max int) (*UIDListing, error) {
	cmd.max = max
	if err := cmd.wait(); err != nil {
		return nil, err
	}
	return &cmd.listing, nil
}

func (cmd *UIDLCmd) parse(b *Body) error {
	l := &cmd.listing
	l.Messages = make([]Unique, 0, roomFor(cmd.max))
	var ids idPool
	err := b.eachLine(cmd.max, func(line []byte) {
		num, uid, ok := cutNum(line)
		if !ok {
			l.Ignored++
			return
		}
		if !usableUID(uid) {
			l.Ignored++
			uid = nil
		}
		l.Messages = append(l.Messages, Unique{Num: num, UID: ids.add(uid)})
	})
	if err != nil {
		return err
	}
	byNum := func(a, b Unique) int { return cmp.Compare(a.Num, b.Num) }
	same := func(a, b Unique) bool { return a == b }
	n := len(l.Messages)
	l.Messages = sortNum(l.Messages, byNum, same)
	l.Ignored += n - len(l.Messages)
	for i := 1; i < len(l.Messages); i++ {
		if num := l.Messages[i].Num; num == l.Messages[i-1].Num {
			return b.c.protocolError("UIDL lists message %d twice with different unique-ids", num)
		}
	}
	return nil
}

// A UIDLOneCmd is a UIDL with an argument.
type UIDLOneCmd struct{ command }

// UIDLOne asks for the unique-id of message num. Of all replies about one message it is the one
// that names number and unique-id, and so tells whether replies still belong to their commands.
func (c *Client) UIDLOne(num int) *UIDLOneCmd {
	cmd := new(UIDLOneCmd)
	c.enqueueNum(&cmd.command, "UIDL", num)
	return cmd
}

// Wait returns what the reply names: num is 0 if it names no number, as on servers that answer
// with the unique-id alone.
func (cmd *UIDLOneCmd) Wait() (num int, uid string, err error) {
	if err := cmd.wait(); err != nil {
		return 0, "", err
	}
	num, rest, ok := cutNum([]byte(cmd.text))
	if !ok || len(rest) == 0 {
		num, rest = 0, []byte(cmd.text)
	}
	if !usableUID(rest) {
		rest = nil
	}
	return num, string(rest), nil
}

// eachLine calls f with each line of the listing, trimmed; the octets are valid during the call.
func (b *Body) eachLine(max int, f func(line []byte)) error {
	lines := min(max, maxLinesStat)
	if lines < maxLines {
		lines = maxLines
	}
	r := bufio.NewReaderSize(b, maxListingLine)
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF:
			b.c.dialogue.line([]byte("."))
			return nil
		case err == bufio.ErrBufferFull:
			return b.c.protocolError("a line of %s has more than %d octets", b.name, maxListingLine)
		case err != nil:
			return err
		case n >= lines:
			return b.c.protocolError("%s has more than %d lines", b.name, lines)
		case b.octets > maxListing:
			return b.c.protocolError("%s has more than %d octets", b.name, maxListing)
		}
		line = bytes.Trim(line, " \t\r\n")
		b.c.dialogue.line(line)
		f(line)
	}
}

// roomFor is how many messages are made room for on STAT's word.
func roomFor(count int) int { return min(max(count, 0), 1<<16) }

// cutNum splits "n rest". It wants a message number that is at least 1 and has nothing strange.
func cutNum(line []byte) (num int, rest []byte, ok bool) {
	digits, rest, _ := cutBlanks(line)
	n, err := strconv.ParseUint(string(digits), 10, 31)
	return int(n), rest, err == nil && n > 0
}

// cutBlanks splits at the first run of blanks.
func cutBlanks(b []byte) (word, rest []byte, found bool) {
	i := bytes.IndexAny(b, blanks)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], bytes.TrimLeft(b[i:], blanks), true
}

// parseOctets reads a size; what cannot be one is -1, for sizes are hints and nothing hangs on
// one.
func parseOctets(b []byte) int64 {
	n, err := strconv.ParseUint(string(b), 10, 63)
	if err != nil || n > maxOctets {
		return -1
	}
	return int64(n)
}

// usableUID tells whether uid can name a message: servers send more than RFC 1939 allows, in
// length and octets, and all of it is opaque. A lone CR is no part of an id.
func usableUID(uid []byte) bool { return len(uid) <= maxUID && bytes.IndexByte(uid, '\r') < 0 }

// sortNum sorts by number and drops what is said twice.
func sortNum[T any](s []T, byNum func(a, b T) int, same func(a, b T) bool) []T {
	if !slices.IsSortedFunc(s, byNum) {
		slices.SortStableFunc(s, byNum)
	}
	return slices.CompactFunc(s, same)
}

// An idPool keeps many small strings in few large ones.
type idPool struct{ b strings.Builder }

const poolSize = 64 << 10

func (p *idPool) add(id []byte) string {
	if p.b.Cap()-p.b.Len() < len(id) {
		p.b = strings.Builder{}
		p.b.Grow(poolSize)
	}
	start := p.b.Len()
	p.b.Write(id)
	return p.b.String()[start:]
}
