package deliver

import "bytes"

// headerFields takes the header of a message apart that comes in pieces, cut anywhere. The zero
// value is ready.
type headerFields struct {
	line []byte // what came of the present field, up to maxField
	long bool   // more than that came
	mid  bool   // the present line has begun
	done bool   // the header has ended
}

// write takes the next octets of the message in its stored form, and calls take with name and
// value of each field that is complete, which are valid only until it returns. A field longer than maxField is
// passed over.
func (h *headerFields) write(p []byte, take func(name, value []byte)) {
	for len(p) > 0 && !h.done {
		if !h.mid {
			switch {
			case p[0] == '\n':
				h.finish(take)
				return
			case p[0] != ' ' && p[0] != '\t':
				h.field(take) // this line is not a continuation: the one before is complete
			}
			h.mid = true
		}
		part := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			part = p[:i]
			p = p[i+1:]
			h.mid = false
		} else {
			p = nil
		}
		h.keep(part)
	}
}

// keep appends part of a line to the present field, as long as that can be one of interest.
func (h *headerFields) keep(part []byte) {
	if h.long {
		return
	}
	if room := maxField - len(h.line); len(part) > room {
		part, h.long = part[:room], true
	}
	h.line = append(h.line, part...)
}

// finish ends the header.
func (h *headerFields) finish(take func(name, value []byte)) {
	if !h.done {
		h.field(take)
		h.done = true
	}
}

// field hands over the field that is complete.
func (h *headerFields) field(take func(name, value []byte)) {
	line, long := h.line, h.long
	h.line, h.long = h.line[:0], false
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || long {
		return
	}
	// Blanks before the colon are obsolete syntax (RFC 5322, section 4.5).
	name := bytes.TrimRight(line[:colon], " \t")
	take(name, bytes.Trim(line[colon+1:], " \t\r"))
}

// A messageID finds the Message-ID of a message in its stored form that is written to it.
type messageID struct {
	header headerFields
	id     string // the first that is not empty
}

// Write takes the next octets of the message. It never fails.
func (m *messageID) Write(p []byte) (int, error) {
	m.header.write(p, m.take)
	return len(p), nil
}

func (m *messageID) take(name, value []byte) {
	if m.id == "" && bytes.EqualFold(name, []byte("Message-ID")) {
		m.id = string(value)
	}
}

// value ends the header and returns what was found.
func (m *messageID) value() string {
	m.header.finish(m.take)
	return m.id
}
