package fetch

import "bytes"

// A telling looks in the text of a message, as it comes, for a header field that no other message has:
// Message-ID (RFC 5322, section 3.6.4), or the trace that each relay gives (RFC 5321, section 4.4). Without
// one, as in what devices and scripts send, two messages may have the same header, and some servers make
// the unique-id of it: such a header does not tell that a message is the one that was recorded.
type telling struct {
	line  []byte // as much of the current one as is needed
	ended bool   // the header has
	found bool
}

var tellingFields = [][]byte{[]byte("message-id:"), []byte("received:")}

// Write takes the next octets, cut anywhere. It never fails.
func (t *telling) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !t.ended && !t.found {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		p = rest
		t.line = append(t.line, part[:min(len(part), len(tellingFields[0])-len(t.line))]...)
		if !whole {
			break
		}
		t.ended = len(bytes.TrimSuffix(t.line, []byte("\r"))) == 0
		for _, name := range tellingFields {
			t.found = t.found || len(t.line) >= len(name) && bytes.EqualFold(t.line[:len(name)], name)
		}
		t.line = t.line[:0]
	}
	return n, nil
}
