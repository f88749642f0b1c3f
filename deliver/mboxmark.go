package deliver

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// markFields are what mail readers put into an mbox's headers, having no other place for it: those
// of mutt, Pine and the c-client, Dovecot (doc/wiki MboxFormat), mailutils and Mozilla.
var markFields = []string{
	"status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase", "content-length", "lines",
	"x-mozilla-status", "x-mozilla-status2", "x-mozilla-keys",
}

// An unmarker writes a message to w without the fields of its header that mark what was read. What
// had such a field when it was delivered comes out otherwise than it was: the caller tries it only
// where the text as it is was not right.
type unmarker struct {
	w    io.Writer
	line []byte // the beginning of a line, until it is known what it is
	mid  bool   // within a line whose fate is known
	drop bool   // … which is to be left out, and its continuations are
	done bool   // the header has ended
}

// maxMark bounds the name of a field.
const maxMark = 32

// Write takes the next octets, cut anywhere.
func (u *unmarker) Write(p []byte) (int, error) {
	n := len(p)
	out := emitter{w: u.w}
	for len(p) > 0 && !u.done {
		part := p
		i := bytes.IndexByte(p, '\n')
		if i >= 0 {
			part = p[:i+1]
		}
		p = p[len(part):]
		if !u.mid {
			u.line = append(u.line, part...)
			if i < 0 && len(u.line) < maxMark {
				continue // the next piece tells
			}
			u.judge()
			part = u.line
		}
		if !u.drop {
			out.octets(part)
		}
		if !u.mid {
			u.line = u.line[:0]
		}
		u.mid = i < 0
	}
	out.octets(p)
	return n, out.err
}

// judge decides what becomes of the line that has begun.
func (u *unmarker) judge() {
	switch {
	case u.line[0] == '\n':
		u.done, u.drop = true, false
	case u.line[0] == ' ' || u.line[0] == '\t': // as the line before
	default:
		name, _, ok := strings.Cut(string(u.line[:min(len(u.line), maxMark)]), ":")
		u.drop = ok && slices.Contains(markFields, strings.ToLower(strings.TrimRight(name, " \t")))
	}
}
