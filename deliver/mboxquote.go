package deliver

import (
	"bytes"
	"io"
)

// In an mbox a line that begins with "From " begins a message. One of a message's text is told from
// it by a ">" in front, and so is one that has such already (mboxrd): what is read back has one
// less, and is what came. Without the second rule ">From " would come back as "From ".
const (
	fromText   = "From "
	quotedText = ">From "
)

// A quoter writes text to w in its quoted form. No more than part of "From " is held back, however
// long a line is. It must be ended with finish.
type quoter struct {
	w      io.Writer
	at     int   // so much of "From " has been seen at the beginning of a line, -1 = within one
	quoted int64 // lines
}

// Write takes the next octets of the text, cut anywhere.
func (q *quoter) Write(p []byte) (int, error) {
	var (
		held = max(q.at, 0) // octets before p that are not written yet
		done int            // octets of p that are
		out  = emitter{w: q.w}
	)
	for i := 0; i < len(p); {
		switch {
		case q.at < 0:
			n := bytes.IndexByte(p[i:], '\n')
			if n < 0 {
				i = len(p)
				continue
			}
			i += n + 1
			q.at = 0
		case q.at == 0 && p[i] == '>':
			i++
		case p[i] != fromText[q.at]:
			out.text(fromText[:held])
			held, q.at = 0, -1
		default:
			i++
			if q.at++; q.at < len(fromText) {
				continue
			}
			// The ">" goes behind those that are there, which makes no difference.
			if held == 0 {
				out.octets(p[done : i-len(fromText)])
				done = i - len(fromText)
			}
			out.text(">")
			out.text(fromText[:held])
			held, q.at = 0, -1
			q.quoted++
		}
	}
	if held == 0 {
		out.octets(p[done : len(p)-max(q.at, 0)])
	}
	return len(p), out.err
}

// finish writes what is held back.
func (q *quoter) finish() error {
	out := emitter{w: q.w}
	out.text(fromText[:max(q.at, 0)])
	q.at = -1
	return out.err
}

// An unquoter writes quoted text to w as it was before. It must be ended with finish.
type unquoter struct {
	w  io.Writer
	at int // so much of ">From " has been seen behind other ">" at the beginning of a line, -1 = within one
}

// Write takes the next octets of the quoted text, cut anywhere.
func (u *unquoter) Write(p []byte) (int, error) {
	var (
		held = max(u.at, 0) // octets before p that are not written yet
		done int            // octets of p that are
		out  = emitter{w: u.w}
	)
	for i := 0; i < len(p); {
		switch {
		case u.at < 0:
			n := bytes.IndexByte(p[i:], '\n')
			if n < 0 {
				i = len(p)
				continue
			}
			i += n + 1
			u.at = 0
		case u.at == 1 && p[i] == '>':
			i++
			out.text(quotedText[:held])
			held = 0
		case p[i] != quotedText[u.at]:
			out.text(quotedText[:held])
			held, u.at = 0, -1
		default:
			i++
			if u.at++; u.at < len(quotedText) {
				continue
			}
			if held == 0 {
				out.octets(p[done : i-len(quotedText)])
				done = i - len(fromText)
			} else {
				out.text(quotedText[1:held])
			}
			held, u.at = 0, -1
		}
	}
	if held == 0 {
		out.octets(p[done : len(p)-max(u.at, 0)])
	}
	return len(p), out.err
}

// finish writes what is held back.
func (u *unquoter) finish() error {
	out := emitter{w: u.w}
	out.text(quotedText[:max(u.at, 0)])
	u.at = -1
	return out.err
}

// An emitter remembers the first error.
type emitter struct {
	w   io.Writer
	err error
}

func (e *emitter) octets(p []byte) {
	if e.err == nil && len(p) > 0 {
		_, e.err = e.w.Write(p)
	}
}

func (e *emitter) text(s string) {
	if e.err == nil && s != "" {
		_, e.err = io.WriteString(e.w, s)
	}
}

// fromSender makes an envelope sender fit for a From_ line, where it must be one word. What is not
// is hostile, and could be a line of its own.
func fromSender(s string) string {
	const unknown = "MAILER-DAEMON"
	if s == "" || len(s) > maxAddress {
		return unknown
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return unknown
		}
	}
	return s
}
