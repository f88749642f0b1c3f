package deliver

import (
	"bytes"
	"io"
	"strings"
)

// A unique-id can be kept in the message itself: servers such as Dovecot (pop3_reuse_xuidl) take it
// from the first field X-UIDL. What the message came with under that name is another server's, or a
// sender's who wants his message to bear the unique-id of another one. It must be gone, and yet be
// there when an interrupted run asks whether this is the server's message: so its name gets wasText
// in front, and one that has it already gets one more, as ">" does in an mbox.
const (
	xuidlName = "X-UIDL"
	wasText   = "X-Was-"
)

// maxFieldName bounds what is held back of a line, from X-UIDL to the colon, to see whether it is such a field.
const maxFieldName = 1000

// xuidlField is the field for a unique-id, with its line end; "" if it cannot stand in one, with the
// reason.
func xuidlField(uid string) (field, why string) {
	switch {
	case uid == "":
		return "", ""
	case len(uid) > 900: // a line has at most 998 octets (RFC 5322, section 2.1.1)
		return "", "is too long for a field"
	case strings.TrimSpace(uid) != uid:
		return "", "has blanks around it, which no field keeps"
	case strings.ContainsFunc(uid, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "", "has control characters"
	}
	return xuidlName + ": " + uid + "\n", ""
}

// notKept tells a person that a message has lost its unique-id, and why.
func notKept(why string) string {
	return "delivered, but its unique-id " + why + " and was not kept: POP3 clients will retrieve it again"
}

// A renamer writes a message in its stored form to w, with each field X-UIDL of its header under
// another name, or, with undo, under its own again. It writes the header line by line. It must be
// ended with finish.
type renamer struct {
	w    io.Writer
	undo bool
	held []byte // the beginning of a line that does not tell yet what it is
	was  bool   // of this line wasText was written, once or more: where one more is put in makes no difference
	mid  bool   // within a line
	body bool   // the header has ended
	n    int64  // names changed
}

// added is how many octets longer the text has become.
func (r *renamer) added() int64 { return r.n * int64(len(wasText)) }

// original returns what takes the rest of a stored message, and writes it to w as it was at the
// server, with xuidl if HeaderUIDL has had to do with it. first is what of it has been read, and is
// written already.
func original(w io.Writer, first []byte, xuidl bool) *renamer {
	r := &renamer{w: w, undo: true, body: !xuidl}
	if xuidl && bytes.HasPrefix(first, []byte(xuidlName+": ")) { // ours: another would have a new name
		first = first[bytes.IndexByte(first, '\n')+1:]
	}
	r.Write(first)
	return r
}

// Write takes the next octets, cut anywhere.
func (r *renamer) Write(p []byte) (int, error) {
	n := len(p)
	out := emitter{w: r.w}
	limit := maxFieldName
	if r.undo {
		limit += len(wasText) // the same fields as on the way out
	}
	for len(p) > 0 && !r.body {
		part := p
		if !r.mid {
			part = p[:min(len(p), limit-len(r.held))]
		}
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			part = part[:i+1]
		}
		p = p[len(part):]
		line := part
		if !r.mid {
			if len(r.held) > 0 {
				line = append(r.held, part...)
			}
			for again := r.again(line); again; again = r.again(line) {
				out.text(wasText)
				line, r.was = line[len(wasText):], true
			}
			known, more := r.look(line)
			if more && len(line) < limit {
				r.held = append(r.held[:0], line...)
				continue
			}
			r.held = r.held[:0]
			r.body = line[0] == '\n' && !r.was
			switch {
			case known && r.undo:
				line = line[len(wasText):]
			case known:
				out.text(wasText)
				r.n++
			}
		}
		out.octets(line)
		r.mid = line[len(line)-1] != '\n'
		r.was = r.was && r.mid
	}
	out.octets(p)
	return n, out.err
}

// again tells whether a line begins with a wasText that is not the one to be taken away, so that a name
// may be of any length.
func (r *renamer) again(line []byte) bool {
	if r.undo {
		return bytes.HasPrefix(line, []byte(wasText+wasText))
	}
	return bytes.HasPrefix(line, []byte(wasText))
}

// look tells whether a line begins with a name to be changed, or may still come to.
func (r *renamer) look(line []byte) (known, more bool) {
	if r.undo {
		if len(line) < len(wasText) {
			return false, strings.HasPrefix(wasText, string(line))
		}
		if !bytes.HasPrefix(line, []byte(wasText)) {
			return false, false
		}
		line = line[len(wasText):]
	}
	if len(line) < len(xuidlName) {
		return false, strings.HasPrefix(wasText, string(line)) || strings.EqualFold(xuidlName[:len(line)], string(line))
	}
	if !strings.EqualFold(xuidlName, string(line[:len(xuidlName)])) {
		return false, false
	}
	// Blanks before the colon are obsolete syntax (RFC 5322, section 4.5), and read all the same.
	line = bytes.TrimLeft(line[len(xuidlName):], " \t")
	return len(line) > 0 && line[0] == ':', len(line) == 0
}

// finish writes what is held back.
func (r *renamer) finish() error {
	out := emitter{w: r.w}
	out.octets(r.held)
	r.held = nil
	return out.err
}
