package pop3

import (
	"bytes"
	"errors"
	"io"
)

// A Body is the text of a multiline response with the dot-stuffing undone, octet by octet as the
// server has it. It must be read to its end before the reply to a later command is waited for; if
// it is not, waiting drains it.
//
// The end is CRLF "." CRLF and nothing else (RFC 1939, section 3): no count of octets, no LF "."
// CRLF, which is content and would let a message forge the replies behind it, and no end of the
// stream, which is an error (io.ErrUnexpectedEOF by errors.Is).
type Body struct {
	c      *Client
	name   string
	at     position
	octets int64
	tail   [3]byte // last octets, to tell what a time-out may come from
	err    error
}

// A position is what the octets already passed have led to.
type position byte

const (
	lineStart position = iota // also at the beginning: an empty response has no CRLF before its dot
	midLine
	afterCR
)

var errDrained = errors.New("the response is gone: a later reply was waited for")

// Octets returns how many octets have come so far, as LIST counts them: without the dot-stuffing,
// with the CRLF of each line, without the dot at the end.
func (b *Body) Octets() int64 { return b.octets }

// Read reads the text. It returns io.EOF at the final dot.
func (b *Body) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		chunk, err := b.next(len(p)-n, n == 0)
		if err != nil {
			if n > 0 {
				break // b.err remembers it
			}
			return 0, err
		}
		if len(chunk) == 0 {
			break
		}
		n += copy(p[n:], chunk)
	}
	return n, nil
}

// drain reads the rest and drops it.
func (b *Body) drain() error {
	for {
		if _, err := b.next(bufferSize, true); err == io.EOF {
			b.err = errDrained
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next returns the next octets of the text, at most limit. They lie in the Client's buffer, and
// are valid until the next call. Without wait it returns nothing rather than read.
func (b *Body) next(limit int, wait bool) ([]byte, error) {
	c := b.c
	for b.err == nil {
		data := c.buf[c.r:c.w]
		if len(data) > 0 && (data[0] != '.' || b.at != lineStart) {
			chunk := data[:b.plain(data[:min(len(data), limit)])]
			c.r += len(chunk)
			b.pass(chunk)
			return chunk, nil
		}
		switch {
		case len(data) >= 3 && data[1] == '\r' && data[2] == '\n':
			c.r += 3
			b.end()
		case len(data) >= 2 && data[1] == '.':
			c.r++ // the stuffed dot
			b.at = midLine
		case len(data) >= 2 && data[1] != '\r' || len(data) >= 3:
			// A dot that the server has forgotten to stuff: correct servers never begin a
			// line with exactly one, so it is content.
			b.at = midLine
		case !wait:
			return nil, nil
		default:
			if err := c.fill("the text of ", b.name); err != nil {
				b.err = b.explain(err)
			}
		}
	}
	return nil, b.err
}

// plain returns how many octets at the beginning of data are text as they stand. Dots are rare,
// and absent from what is large (base64), so they are what is searched for.
func (b *Body) plain(data []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(data[i:], '.')
		if n < 0 {
			return len(data)
		}
		i += n
		if i >= 2 && data[i-1] == '\n' && data[i-2] == '\r' || i == 1 && data[0] == '\n' && b.at == afterCR {
			return i
		}
		if n = bytes.IndexByte(data[i:], '\n'); n < 0 { // of many dots in a line only one costs
			return len(data)
		}
		i += n + 1
	}
}

// pass notes that chunk, which is not empty, has gone by.
func (b *Body) pass(chunk []byte) {
	n := len(chunk)
	b.octets += int64(n)
	switch last := chunk[n-1]; {
	case last == '\n' && (n > 1 && chunk[n-2] == '\r' || n == 1 && b.at == afterCR):
		b.at = lineStart
	case last == '\r':
		b.at = afterCR
	default:
		b.at = midLine
	}
	if n >= len(b.tail) {
		copy(b.tail[:], chunk[n-len(b.tail):])
		return
	}
	copy(b.tail[:], b.tail[n:])
	copy(b.tail[len(b.tail)-n:], chunk)
}

// end notes that the final dot has come.
func (b *Body) end() {
	b.err = io.EOF
	if b.c.queue[0].read == nil {
		b.c.dialogue.text(b.octets)
	}
	b.c.body = nil
	b.c.pop()
}

// explain adds to a time-out what may be its reason: a server that ends its lines, and so the
// response, with a bare LF waits for our next command.
func (b *Body) explain(err error) error {
	var t *TimeoutError
	if string(b.tail[:]) == "\n.\n" && errors.As(err, &t) && !t.Interrupted {
		t.Hint = "it seems to end its lines with a bare LF"
	}
	return err
}
